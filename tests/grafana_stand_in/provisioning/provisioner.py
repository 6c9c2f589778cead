"""Applies provisioning files at the start, on request, and dashboards again and again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..database.errors import Conflict, DatabaseError, UniqueViolation
from ..database.session import Session
from ..log import Logger
from . import alerting, dashboards, datasources
from .files import ProvisioningError

if TYPE_CHECKING:
    from ..application import Application

_ATTEMPTS = 5


class Provisioner:
    def __init__(self, app: Application) -> None:
        self._app = app
        self._providers: list[dashboards.Provider] = []
        self._lock = threading.Lock()

    def apply_all(self) -> None:
        for what in ("datasources", "alerting", "dashboards"):
            self.apply(what)

    def apply(self, what: str) -> None:
        directory = self._app.provisioning_path
        with self._lock:
            if what == "datasources":
                self._attempts(lambda session: datasources.provision(self._app, session, directory))
            elif what == "alerting":
                self._attempts(lambda session: alerting.provision(self._app, session, directory))
            else:
                self._providers = dashboards.providers(directory)
                for provider in self._providers:
                    self._scan(provider)

    def rescan(self) -> None:
        with self._lock:
            for provider in self._providers:
                if time.monotonic() >= provider.due:
                    try:
                        self._scan(provider)
                    except (DatabaseError, ProvisioningError) as error:
                        provider.due = time.monotonic() + provider.interval
                        Logger("provisioning.dashboard").error("failed to search for dashboards", error=error)

    def _scan(self, provider: dashboards.Provider) -> None:
        self._attempts(lambda session: dashboards.Scanner(self._app, session, provider).scan())

    def _attempts(self, action: Callable[[Session], None]) -> None:
        """The other nodes apply the same files at the same time: who loses a race looks again."""
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                with self._app.database(write=True) as session:
                    action(session)
                return
            except (UniqueViolation, Conflict) as error:
                if attempt == _ATTEMPTS:
                    raise ProvisioningError(str(error)) from error
                time.sleep(0.05 * attempt)
