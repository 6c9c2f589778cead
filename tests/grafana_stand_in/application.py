"""Everything an instance is made of, for handlers and background work to reach."""

from __future__ import annotations

import secrets
import traceback
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from .api.health import Probe
from .cluster.faults import Faults
from .database.pool import Pool
from .database.session import Session
from .identity.authentication import Authenticator
from .identity.sessions import SessionRules
from .log import Logger
from .metrics import Metrics
from .release import Release
from .security.passwords import Verifier
from .security.secrets import Box
from .settings.settings import Settings
from .times import now_ms

if TYPE_CHECKING:
    from .alerting.alertmanager import Alertmanagers
    from .alerting.scheduler import Scheduler
    from .cluster.gossip import Gossip
    from .cluster.listing import Listing
    from .provisioning.provisioner import Provisioner

_SEEN_EVERY_MS = 60_000


class Application:
    # Set by the server once there is a database to work on.
    listing: Listing
    gossip: Gossip
    alertmanagers: Alertmanagers
    scheduler: Scheduler
    provisioner: Provisioner

    def __init__(self, settings: Settings, release: Release, pool: Pool, faults: Faults) -> None:
        self.settings = settings
        self.release = release
        self.pool = pool
        self.faults = faults
        self.metrics = Metrics(release)
        self.box = Box(settings.text("security", "secret_key"))
        self.passwords = Verifier()
        self.probe = Probe()
        self.session_rules = SessionRules.of(settings)
        self.authenticator = Authenticator(self)
        self.node = secrets.token_hex(8)
        self.provisioning_path = settings.path("paths", "provisioning")
        self._seen_users: set[int] = set()
        self._used_keys: set[int] = set()

    def database(self, *, write: bool = False) -> Session:
        return Session(self.pool, transaction=write)

    def seen(self, user_id: int, last: int) -> None:
        if now_ms() - last > _SEEN_EVERY_MS:
            self._seen_users.add(user_id)

    def used(self, key_id: int, last: int) -> None:
        if now_ms() - last > _SEEN_EVERY_MS:
            self._used_keys.add(key_id)

    def flush_seen(self) -> None:
        """Apart from the requests, so that reading stays reading."""
        users, self._seen_users = self._seen_users, set()
        keys, self._used_keys = self._used_keys, set()
        if users or keys:
            with self.database() as session:
                for user_id in users:
                    session.update("user", {"id": user_id}, last_seen_at=now_ms())
                for key_id in keys:
                    session.update("api_key", {"id": key_id}, last_used_at=now_ms())

    def feature(self, name: str) -> bool:
        toggles = self.settings.sections.get("feature_toggles", {})
        listed = toggles.get("enable", "").replace(",", " ").split()
        return name in listed or toggles.get(name, "").lower() == "true"

    @property
    def root_url(self) -> str:
        return self.settings.text("server", "root_url").rstrip("/") + "/"

    @property
    def path_of_root(self) -> str:
        """The sub path the whole is served from, without a slash at its end."""
        if not self.settings.flag("server", "serve_from_sub_path"):
            return ""
        return urlsplit(self.root_url).path.rstrip("/")

    def report(self, error: BaseException) -> None:
        Logger("context").error("Trace of the failed request", trace="".join(traceback.format_exception(error)))
