"""Evaluates alert rules. Every node evaluates all of them, unless the cluster elects one."""

from __future__ import annotations

import json
import math
import re
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..database.dialect import Row
from ..database.errors import DatabaseError
from ..datasource import expressions, queries
from ..datasource.client import Client, Unreachable
from ..datasource.prometheus import QueryError
from ..log import Logger
from ..security.secrets import WrongKey
from ..settings.settings import seconds
from ..store import datasources
from ..times import parse_duration
from .alert import Alert
from .rules import BASE_INTERVAL

if TYPE_CHECKING:
    from ..application import Application

_TICK = 0.25
_VARIABLE = re.compile(r"\{\{\s*(?:\$labels\.(\w+)|\$values\.(\w+)(?:\.Value)?|\$(value))\s*\}\}")
_MISSING_EVALUATIONS = 2


@dataclass
class Instance:
    """One set of labels of a rule."""

    labels: dict[str, str]
    state: str = "Normal"
    since: float = 0.0
    missing: int = 0
    value: float = 0.0
    sent: Alert | None = None


@dataclass
class Watched:
    row: Row
    data: dict[str, Any]
    folder: str
    due: float
    instances: dict[str, Instance] = field(default_factory=dict)
    last_evaluation: float = 0.0
    error: str = ""


class Scheduler:
    def __init__(self, app: Application) -> None:
        self._app = app
        self._log = Logger("ngalert.scheduler")
        settings = app.settings
        self.enabled = settings.flag("unified_alerting", "enabled", True) and settings.flag("unified_alerting", "execute_alerts", True)
        self._single = app.release.single_node_evaluation and settings.flag("unified_alerting", "ha_single_node_evaluation")
        self._base = float(BASE_INTERVAL)
        if app.feature("configurableSchedulerTick"):
            self._base = seconds(settings.text("unified_alerting", "scheduler_tick_interval", f"{BASE_INTERVAL}s"))
        self._lock = threading.Lock()
        self._watched: dict[tuple[int, str], Watched] = {}
        self._read = 0.0
        self._stop = threading.Event()

    def start(self) -> None:
        if self.enabled:
            threading.Thread(target=self._run, daemon=True).start()

    def stop(self) -> None:
        self._stop.set()

    def watched(self, org_id: int) -> dict[str, Watched]:
        with self._lock:
            return {uid: rule for (owner, uid), rule in self._watched.items() if owner == org_id}

    def _run(self) -> None:
        while not self._stop.wait(_TICK):
            try:
                if time.monotonic() - self._read >= self._base:
                    self._read_rules()
                if not self._single or self._app.gossip.position == 0:
                    self._evaluate_due()
            except DatabaseError as error:
                self._log.error("Failed to read the alert rules", error=error)
                self._read = time.monotonic()

    def _read_rules(self) -> None:
        self._read = time.monotonic()
        with self._app.database() as session:
            rows = session.rows(
                'SELECT r.*, f."title" AS "folder_title" FROM "alert_rule" r LEFT JOIN "folder" f ON f."org_id" = '
                'r."org_id" AND f."uid" = r."folder_uid"'
            )
        fresh: dict[tuple[int, str], Watched] = {}
        for row in rows:
            key = row["org_id"], row["uid"]
            known = self._watched.get(key)
            if known is not None and known.row["version"] == row["version"]:
                fresh[key] = known
                continue
            fresh[key] = Watched(row, json.loads(row["data"]), row["folder_title"] or "", time.monotonic())
            if known is not None:
                fresh[key].instances = known.instances
        for key, gone in self._watched.items():
            if key not in fresh:
                self._resolve_all(gone)
        with self._lock:
            self._watched = fresh
        self._count(fresh)

    def _count(self, rules: dict[tuple[int, str], Watched]) -> None:
        per_org: dict[tuple[str, str], int] = {}
        for (org_id, _), rule in rules.items():
            key = str(org_id), "paused" if rule.data.get("isPaused") else "active"
            per_org[key] = per_org.get(key, 0) + 1
        for (org, state), count in per_org.items():
            self._app.metrics.set("grafana_alerting_rule_group_rules", count, org=org, state=state)
        states: dict[str, int] = dict.fromkeys(("normal", "pending", "alerting", "nodata", "error"), 0)
        for rule in rules.values():
            for instance in rule.instances.values():
                states[instance.state.lower()] = states.get(instance.state.lower(), 0) + 1
        for state, count in states.items():
            self._app.metrics.set("grafana_alerting_alerts", count, state=state)

    def _evaluate_due(self) -> None:
        now = time.monotonic()
        for rule in list(self._watched.values()):
            if rule.due > now or rule.data.get("isPaused") or "record" in rule.data:
                continue
            interval = max(self._base, rule.row["interval_seconds"] * self._base / BASE_INTERVAL)
            rule.due = now + interval
            self._evaluate(rule)

    def _evaluate(self, rule: Watched) -> None:
        started, org = time.monotonic(), str(rule.row["org_id"])
        self._app.metrics.add("grafana_alerting_rule_evaluations_total", org=org)
        rule.error = ""
        outcome: list[tuple[dict[str, str], float, str]]
        try:
            results = queries.run_rule(rule.data["data"], lambda uid: self._source(rule.row["org_id"], uid))
            found = expressions.numbers(results[rule.data["condition"]])
            outcome = [(labels, value, "Alerting" if value and not math.isnan(value) else "Normal") for labels, value in found]
            if not outcome or all(math.isnan(value) for _, value, _ in outcome):
                outcome = self._special(rule, "NoData", rule.data["noDataState"])
        except (QueryError, Unreachable, WrongKey, KeyError) as error:
            rule.error = str(error)
            self._app.metrics.add("grafana_alerting_rule_evaluation_failures_total", org=org)
            self._log.error("Failed to evaluate rule", rule_uid=rule.row["uid"], error=error)
            outcome = self._special(rule, "Error", rule.data["execErrState"])
        rule.last_evaluation = time.time()
        self._advance(rule, outcome)
        self._app.metrics.add("grafana_alerting_rule_evaluation_duration_seconds_sum", time.monotonic() - started, org=org)
        self._app.metrics.add("grafana_alerting_rule_evaluation_duration_seconds_count", org=org)

    def _source(self, org_id: int, uid: str) -> tuple[Row, Client]:
        with self._app.database() as session:
            row = datasources.find(session, org_id, uid=uid)
        if row is None:
            raise QueryError(f"data source not found: {uid}")
        return row, Client.of(row, self._app.box, self._app.settings.duration("unified_alerting", "evaluation_timeout", 30.0))

    @staticmethod
    def _special(rule: Watched, state: str, wanted: str) -> list[tuple[dict[str, str], float, str]]:
        if wanted == "KeepLast":
            return [(instance.labels, instance.value, instance.state) for instance in rule.instances.values()]
        if wanted in ("Alerting", "OK"):
            return [({}, math.nan, "Alerting" if wanted == "Alerting" else "Normal")]
        return [({"alertname": f"Datasource{state}", "rulename": rule.row["title"]}, math.nan, state)]

    def _advance(self, rule: Watched, outcome: list[tuple[dict[str, str], float, str]]) -> None:
        now, hold = time.time(), parse_duration(rule.data["for"])
        seen = set()
        for labels, value, wanted in outcome:
            own = {key: text for key, text in labels.items() if key != "__name__"}
            mark = json.dumps(own, sort_keys=True)
            seen.add(mark)
            instance = rule.instances.setdefault(mark, Instance(own, since=now))
            instance.missing, instance.value = 0, value
            self._move(instance, wanted, now, hold)
            self._send(rule, instance, now)
        limit = int(rule.data.get("missingSeriesEvalsToResolve") or _MISSING_EVALUATIONS)
        for mark in [mark for mark in rule.instances if mark not in seen]:
            instance = rule.instances[mark]
            instance.missing += 1
            if instance.missing >= limit:
                instance.state = "Normal"
                self._send(rule, instance, now)
                del rule.instances[mark]

    @staticmethod
    def _move(instance: Instance, wanted: str, now: float, hold: int) -> None:
        if wanted == "Normal":
            if instance.state != "Normal":
                instance.state, instance.since = "Normal", now
        elif instance.state in ("Normal", "Pending"):
            if instance.state == "Normal":
                instance.state, instance.since = "Pending", now
            if now - instance.since >= hold:
                instance.state, instance.since = wanted, now
        else:
            instance.state = wanted

    def _send(self, rule: Watched, instance: Instance, now: float) -> None:
        if instance.state in ("Normal", "Pending"):
            if instance.sent is not None:
                instance.sent.ends_at = now
                self._app.alertmanagers.put(instance.sent)
                instance.sent = None
            return
        if instance.sent is None:
            instance.sent = self._alert(rule, instance)
        self._app.alertmanagers.put(instance.sent)

    def _alert(self, rule: Watched, instance: Instance) -> Alert:
        def resolved(text: str) -> str:
            def value(found: re.Match[str]) -> str:
                return instance.labels.get(found[1], "") if found[1] else f"{instance.value:g}"

            return _VARIABLE.sub(value, text)

        own = {key: resolved(text) for key, text in rule.data["labels"].items()}
        labels = {"alertname": rule.row["title"], "grafana_folder": rule.folder, **own, **instance.labels}
        annotations = {key: resolved(text) for key, text in rule.data["annotations"].items()}
        return Alert(
            rule.row["org_id"], rule.row["uid"], labels, annotations, instance.since, values={rule.data["condition"]: instance.value}
        )

    def _resolve_all(self, rule: Watched) -> None:
        for instance in rule.instances.values():
            instance.state = "Normal"
            self._send(rule, instance, time.time())
