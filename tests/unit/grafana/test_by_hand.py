"""Files that people have written hold less, or say it otherwise, than what Grafana stores: the next run finds nothing to change."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.canonical import Json
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.kinds import KINDS, rule_content
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.kinds.base import Live

from tests.grafana_stand_in import times
from tests.grafana_stand_in.alerting import rules
from tests.grafana_stand_in.alerting.configuration import Configuration
from tests.grafana_stand_in.web.binding import Body

from .small import Grafana, Org, changed, running

QUERY: Json = {"refId": "A", "datasourceUid": "metrics", "relativeTimeRange": {"from": 600, "to": 0}, "model": {"expr": "up == 0"}}
RULE: Json = {"uid": "r", "title": "r", "condition": "A", "for": "5m", "data": [QUERY]}
#: What people write, and what differs then from the rule above.
RULES: dict[str, Json] = {
    "nothing more": {},
    "seconds": {"for": "60s", "keep_firing_for": "3600s"},
    "no time": {"for": "0"},
    "without a time": {"for": None},
    "states": {"noDataState": "", "execErrState": "Alerting", "isPaused": True},
    "an expression": {"data": [{"refId": "A", "datasourceUid": "__expr__", "model": {"type": "math", "expression": "1"}}]},
    "a kind of query": {"data": [{**QUERY, "model": {"queryType": "range", "intervalMs": 0, "maxDataPoints": 7}}]},
    "labels": {"labels": {}, "annotations": {"a": "b"}},
}


class Storing(Org):
    """An organisation that makes of rules and titles what Grafana does."""

    def change(self, method: str, path: str, body: Any) -> Any:
        if method == "PUT" and "/rule-groups/" in path:
            body["rules"] = [{"uid": one["uid"], "title": one["title"], **stored(one)} for one in body["rules"]]
        if path == "/api/dashboards/db":
            body["dashboard"]["title"] = body["dashboard"]["title"].strip()
        return super().change(method, path, body)


def stored(rule: Json) -> Json:
    return rules.content(Body(rule), Configuration(1, [], {}))


@pytest.fixture
def grafana() -> Iterator[Grafana]:
    with running() as small:
        small.orgs[1] = Storing("main")
        small.main.folder("f", "F")
        yield small


def lay(tree: Path, path: str, **content: Any) -> None:
    (tree / "main" / path).parent.mkdir(parents=True)
    (tree / "main" / path).write_text(json.dumps(content))


@pytest.mark.parametrize("case", RULES)
def test_a_rule_group(case: str, grafana: Grafana, tmp_path: Path) -> None:
    rule = {name: value for name, value in {**RULE, **RULES[case]}.items() if value is not None}
    lay(tmp_path / "tree", "alert_rules/F/g.json", title="g", interval=60, rules=[rule])
    assert changed(grafana.bring(tmp_path / "tree")) == {("created", "alert_rules", "f/g")}
    assert not grafana.bring(tmp_path / "tree").changed
    # An export is as it was, whatever files by hand say.
    grafana.export(tmp_path / "export")
    (path,) = (tmp_path / "export" / "main" / "alert_rules").rglob("*.json")
    assert json.loads(path.read_text())["rules"][0] == {
        name: value for name, value in grafana.main.groups["f", "g"]["rules"][0].items() if value or name not in ("labels", "annotations")
    }


@pytest.mark.parametrize("group", [True, False])
def test_rules_that_mean_the_same_in_another_release(group: bool) -> None:
    """Grafana 12 says of every rule that it does not go on firing, and clears what a rule that records does not use."""
    kind = KINDS["alert_rules"]
    record = {"record": {"metric": "m", "from": "A"}} if group else {}
    wanted = kind.parse({"title": "g", "interval": 60, "rules": [{**RULE, **record}]}, "f", "path")
    cleared = {"condition": "", "for": "0s", "noDataState": "", "execErrState": ""} if group else {}
    body = {**wanted.body, "rules": [{**wanted.body["rules"][0], "keep_firing_for": "0s", **cleared}]}
    assert kind.same(wanted, Live(wanted.key, wanted.name, body, "f"))
    other = {**body, "rules": [{**body["rules"][0], "isPaused": True}]}
    assert not kind.same(wanted, Live(wanted.key, wanted.name, other, "f"))


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("60s", "1m"),
        ("90m", "1h30m"),
        ("1h30m", "1h30m"),
        ("90d", "90d"),
        ("14d", "2w"),
        ("365d", "1y"),
        ("8d", "8d"),
        ("1w1h", "7d1h"),
        ("1500ms", "1s500ms"),
        ("0s", "0s"),
        ("0", "0s"),
        ("", ""),
        ("5 minutes", "5 minutes"),
        (60, 60),
    ],
)
def test_durations(given: Any, found: Any) -> None:
    assert rule_content.duration(given) == found
    if isinstance(given, str) and found and "ms" not in found and " " not in found:
        assert times.format_duration(times.parse_duration(given)) == found


def test_a_title_with_blanks_around_it(grafana: Grafana, tmp_path: Path) -> None:
    lay(tmp_path / "tree", "dashboards/x.json", uid=" x ", title="Node Exporter Full ", panels=[])
    assert changed(grafana.bring(tmp_path / "tree")) == {("created", "dashboards", "x")}
    assert not grafana.bring(tmp_path / "tree").changed


def test_a_title_with_blanks_that_grafana_keeps() -> None:
    """Through the resource API: neither a file by hand nor an export is written in every run."""
    kind = KINDS["dashboards"]
    spec = {"title": " X ", "elements": {}, "layout": {}}
    file = {"apiVersion": "dashboard.grafana.app/v2", "metadata": {"name": "x"}, "spec": spec}
    item = kind.parse(file, "", "path")
    assert (item.name, item.body["spec"]["title"]) == ("X", "X")
    assert kind.same(item, Live("x", " X ", {**item.body, "spec": spec}, ""))
    assert not kind.same(item, Live("x", " Y ", {**item.body, "spec": {**spec, "title": " Y "}}, ""))


@pytest.mark.parametrize("model", [{"type": "text"}, {}, {"type": None, "description": None}, {"description": "d"}])
def test_a_library_panel(model: Json) -> None:
    """Grafana adds a type and a description to every model."""
    kind = KINDS["library_panels"]
    item = kind.parse({"uid": "p", "name": "P", "model": model}, "", "path")
    assert item.body["model"] == {"type": model.get("type") or "", "description": model.get("description") or ""}
