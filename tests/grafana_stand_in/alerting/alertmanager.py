"""The embedded Alertmanagers, one for each organisation: routing, grouping, and one notification for the whole cluster.

Each node works with the configuration it last read. It reads again when the poll interval is over; only what was changed
through this very node is in force at once.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..cluster.gossip import Entry
from ..database.errors import DatabaseError
from ..log import Logger
from ..times import parse_duration
from . import matching, silences
from .alert import Alert
from .configuration import Configuration, Json
from .notifier import Notifier

if TYPE_CHECKING:
    from ..application import Application

_TICK = 0.5
_WAIT, _INTERVAL, _REPEAT = "30s", "5m", "4h"
_KEEP_RESOLVED = 900.0


@dataclass
class Group:
    route: Json
    labels: dict[str, str]
    alerts: dict[str, Alert] = field(default_factory=dict)
    due: float = 0.0
    # Set while a node further back in the order gives the ones before it their time.
    waiting_since: float = 0.0


class Alertmanagers:
    def __init__(self, app: Application) -> None:
        self._app = app
        self._notifier = Notifier(app.box, app.metrics, app.root_url)
        self._log = Logger("ngalert.multiorg.alertmanager")
        self._lock = threading.RLock()
        self._applied: dict[int, Configuration] = {}
        self._alerts: dict[int, dict[str, Alert]] = {}
        self._groups: dict[tuple[int, str], Group] = {}
        self._poll = app.settings.duration("unified_alerting", "alertmanager_config_poll_interval", 60.0)
        self._polled = 0.0
        self._stop = threading.Event()

    def start(self) -> None:
        self.poll()
        threading.Thread(target=self._run, daemon=True).start()

    def stop(self) -> None:
        self._stop.set()

    def poll(self) -> None:
        with self._app.database() as session:
            orgs = session.column('SELECT "id" FROM "org"')
            for org_id in orgs:
                self.apply(Configuration.load(session, org_id))
        self._app.metrics.set("grafana_alerting_active_configurations", len(orgs))
        self._app.metrics.set("grafana_alerting_discovered_configurations", len(orgs))
        self._polled = time.monotonic()

    def apply(self, configuration: Configuration) -> None:
        with self._lock:
            self._applied[configuration.org_id] = configuration

    def forget(self, org_id: int) -> None:
        with self._lock:
            self._applied.pop(org_id, None)
            self._alerts.pop(org_id, None)

    def applied(self, org_id: int) -> Configuration:
        """What this node works with, which may be older than what the database holds."""
        with self._lock:
            return self._applied.get(org_id) or Configuration.default(org_id)

    def alerts(self, org_id: int) -> list[Alert]:
        with self._lock:
            return list(self._alerts.get(org_id, {}).values())

    def put(self, alert: Alert) -> None:
        with self._lock:
            self._alerts.setdefault(alert.org_id, {})[alert.fingerprint] = alert
            for route in matching.routes_for(self.applied(alert.org_id).policy, alert.labels):
                self._into_group(route, alert)

    def _into_group(self, route: Json, alert: Alert) -> None:
        names = route.get("group_by") or []
        labels = alert.labels if "..." in names else {name: alert.labels[name] for name in names if name in alert.labels}
        key = alert.org_id, json.dumps([route["receiver"], labels], sort_keys=True)
        group = self._groups.get(key)
        if group is None:
            if alert.resolved:
                return
            group = self._groups[key] = Group(route, labels, due=time.monotonic() + parse_duration(route.get("group_wait", _WAIT)))
        group.route = route
        group.alerts[alert.fingerprint] = alert

    def _run(self) -> None:
        while not self._stop.wait(_TICK):
            try:
                if time.monotonic() - self._polled >= self._poll:
                    self.poll()
                self._flush()
            except DatabaseError as error:
                self._log.error("Failed to work on notifications", error=error)
                self._polled = time.monotonic()

    def _flush(self) -> None:
        now = time.monotonic()
        with self._lock:
            due = [(key, group) for key, group in self._groups.items() if group.due <= now]
        for (org_id, key), group in due:
            # The first in the order notifies at once, each other one waits for those before it to have told.
            group.waiting_since = group.waiting_since or now
            if now - group.waiting_since < self._app.gossip.position * self._app.gossip.peer_timeout:
                continue
            group.waiting_since = 0.0
            group.due = now + parse_duration(group.route.get("group_interval", _INTERVAL))
            self._notify(org_id, key, group)
            with self._lock:
                self._drop_resolved(org_id, key, group)

    def _drop_resolved(self, org_id: int, key: str, group: Group) -> None:
        old = time.time() - _KEEP_RESOLVED
        group.alerts = {mark: alert for mark, alert in group.alerts.items() if not alert.resolved}
        if not group.alerts:
            self._groups.pop((org_id, key), None)
        alerts = self._alerts.get(org_id, {})
        self._alerts[org_id] = {mark: alert for mark, alert in alerts.items() if not alert.resolved or alert.ends_at > old}

    def _notify(self, org_id: int, key: str, group: Group) -> None:
        configuration = self.applied(org_id)
        with self._app.database() as session:
            silenced = silences.active(session, org_id)
        with self._lock:
            known = list(group.alerts.values())
        alerts = [alert for alert in known if not any(silences.covers(silence, alert.labels) for silence in silenced)]
        if not alerts or self._muted(configuration, group.route):
            return
        state = hashlib.sha256(json.dumps(sorted((alert.fingerprint, alert.resolved) for alert in alerts)).encode()).hexdigest()
        only_resolved = all(alert.resolved for alert in alerts)
        for point in configuration.contact_points:
            if point["name"] != group.route["receiver"]:
                continue
            log_key = f"{org_id}/{point['uid']}/{key}"
            before = self._app.gossip.entry(log_key)
            if before is None and only_resolved:
                continue
            repeat = parse_duration(group.route.get("repeat_interval", _REPEAT))
            if before is not None and before.state == state and (only_resolved or time.time() - before.sent_at < repeat):
                continue
            if self._notifier.send(org_id, point, group.labels, alerts):
                self._app.gossip.record(Entry(log_key, time.time(), state))

    @staticmethod
    def _muted(configuration: Configuration, route: Json) -> bool:
        by_name = {timing["name"]: timing["time_intervals"] for timing in configuration.mute_timings}

        def any_active(names: list[str]) -> bool:
            return any(matching.active(interval) for name in names for interval in by_name.get(name, ()))

        if any_active(route.get("mute_time_intervals") or []):
            return True
        wanted = route.get("active_time_intervals") or []
        return bool(wanted) and not any_active(wanted)
