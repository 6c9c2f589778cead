"""From a configuration to a running instance, and to its end."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import ssl
import threading
import time
from pathlib import Path

from . import api_routes
from .alerting.alertmanager import Alertmanagers
from .alerting.scheduler import Scheduler
from .api.admin import totals
from .application import Application
from .cluster import faults
from .cluster.faults import Faults
from .cluster.gossip import Gossip
from .cluster.listing import Listing
from .database import dialect
from .database.errors import Conflict, ConnectionLost, DatabaseError, UniqueViolation
from .database.migrations import MigrationError, migrate
from .database.pool import Pool
from .log import SINK, Logger
from .provisioning.files import ProvisioningError
from .provisioning.provisioner import Provisioner
from .release import Release
from .settings.settings import Settings, SettingsError
from .store import users
from .web.dispatch import Dispatcher
from .web.routing import Router
from .web.server import Server, TlsFiles

REFUSALS = (SettingsError, MigrationError, ProvisioningError, DatabaseError, OSError)
_TICK = 1.0
_TOTALS_EVERY = 30.0


class Instance:
    """What is raised on the way is a refusal to start."""

    def __init__(self, settings: Settings, release: Release) -> None:
        self._stopped = threading.Event()
        self._totals_due = 0.0
        SINK.configure(settings.text("log", "level", "info"), settings.text("log", "mode", "console"), settings.path("paths", "logs"))
        self._log = Logger("server")
        Logger("settings").info("Starting Grafana", version=release.version, commit=release.commit, branch="HEAD")
        plan = Faults(os.environ.get(faults.ENVIRONMENT, ""))
        pool = Pool(dialect.of(settings), settings)
        self.app = app = Application(settings, release, pool, plan)
        _wait_for_database(pool, self._log)
        migrate(pool, settings, plan.plan.migration_seconds)
        _first_rows(app)
        app.listing = Listing(app)
        app.gossip = Gossip(settings, app.metrics, app.node)
        app.alertmanagers = Alertmanagers(app)
        app.scheduler = Scheduler(app)
        app.provisioner = Provisioner(app)
        app.provisioner.apply_all()
        app.listing.start_lagging()
        self.server = self._listen(settings)

    def _listen(self, settings: Settings) -> Server:
        protocol = settings.text("server", "protocol", "http")
        if protocol not in ("http", "https", "h2"):
            raise SettingsError(f"[server] protocol {protocol!r} is not supported here: use http or https")
        tls = None
        if protocol != "http":
            certificate, key = settings.text("server", "cert_file"), settings.text("server", "cert_key")
            if not certificate or not key:
                raise SettingsError("cert_file and cert_key cannot be empty when using HTTPS")
            watch = settings.duration("server", "certs_watch_interval", 0.0)
            try:
                tls = TlsFiles(Path(certificate), Path(key), settings.text("server", "min_tls_version"), watch)
            except (OSError, ssl.SSLError) as error:
                raise SettingsError(f"cannot use the certificate of [server] ({certificate}, {key}): {error}") from error
        server = Server(
            Dispatcher(self.app, Router(api_routes.ROUTES)),
            host=settings.text("server", "http_addr"),
            port=settings.number("server", "http_port", 3000),
            tls=tls,
            compress=settings.flag("server", "enable_gzip", self.app.release.since(13)),
        )
        host, port = server.address
        self._log.info(
            "HTTP Server Listen",
            address=f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
            protocol=protocol,
            subUrl=self.app.path_of_root,
        )
        return server

    def run(self) -> None:
        app = self.app
        app.gossip.start()
        app.alertmanagers.start()
        app.scheduler.start()
        threading.Thread(target=self.server.serve, daemon=True).start()
        _notify("READY=1")
        while not self._stopped.wait(_TICK):
            self._tick()
        _notify("STOPPING=1")
        self._log.info("Shutdown started", reason="System signal")
        app.scheduler.stop()
        app.alertmanagers.stop()
        app.gossip.stop()
        self.server.close()

    def stop(self) -> None:
        self._stopped.set()

    def _tick(self) -> None:
        """Background work. The database may be away: then it is done later."""
        app = self.app
        try:
            app.provisioner.rescan()
            app.listing.follow()
            app.flush_seen()
            if time.monotonic() >= self._totals_due:
                self._totals_due = time.monotonic() + _TOTALS_EVERY
                app.listing.forget_deleted()
                with app.database() as session:
                    for name, value in totals(session).items():
                        plural = name in ("users", "orgs")
                        app.metrics.set(f"grafana_stat_total_{name}" if plural else f"grafana_stat_totals_{name.rstrip('s')}", value)
            app.metrics.set("go_sql_stats_connections_open", app.pool.open, db_name="grafana")
            app.metrics.set("go_sql_stats_connections_idle", app.pool.idle, db_name="grafana")
        except DatabaseError as error:
            self._log.warn("Background work has to wait", error=error)


def _wait_for_database(pool: Pool, log: Logger) -> None:
    """A database that cannot be reached ends the start: whoever started this tries again."""
    try:
        connection, _ = pool.acquire()
    except ConnectionLost as error:
        log.error("failed to connect to database", error=error)
        raise
    pool.release(connection)
    log.info("Connecting to DB", dbtype=pool.dialect.name)


def _first_rows(app: Application) -> None:
    with contextlib.suppress(UniqueViolation, Conflict), app.database(write=True) as session:
        users.ensure_org_and_admin(session, app.settings)


def _notify(state: str) -> None:
    """Tells systemd, where it asked."""
    where = os.environ.get("NOTIFY_SOCKET", "")
    if where:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as link:
            link.sendto(state.encode(), "\0" + where[1:] if where.startswith("@") else where)


def serve(settings: Settings, release: Release) -> None:
    instance = Instance(settings, release)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: instance.stop())
    # Grafana opens its log files again then; these are opened for appending and stay.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    instance.run()
