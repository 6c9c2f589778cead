"""References to data sources, inputs of shared dashboards, and what is chosen."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.folder_tree import Folder, Folders
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.kinds import DEFAULT, KINDS
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.mapping import DataSourceMap, mapped
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.secret_store import SecretStore, problems
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.selection import FOLDERED, Selection
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.sharing import Filler, Source, is_shared

MAPPING = DataSourceMap({"old": "new"}, {"Old name": "New name"})


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"panels": [{"datasource": {"type": "loki", "uid": "old"}}]}, {"panels": [{"datasource": {"type": "loki", "uid": "new"}}]}),
        ({"datasource": "Old name"}, {"datasource": "New name"}),
        ({"query": {"datasource": {"name": "old"}}}, {"query": {"datasource": {"name": "new"}}}),
        ({"data": [{"datasourceUid": "old"}]}, {"data": [{"datasourceUid": "new"}]}),
        ({"record": {"target_datasource_uid": "old"}}, {"record": {"target_datasource_uid": "new"}}),
        (
            {"type": "datasource", "current": {"text": "Old name", "value": ["old"]}},
            {"type": "datasource", "current": {"text": "New name", "value": ["new"]}},
        ),
        (
            {"kind": "DatasourceVariable", "spec": {"name": "ds", "pluginId": "loki", "current": {"text": "Old name", "value": "old"}}},
            {"kind": "DatasourceVariable", "spec": {"name": "ds", "pluginId": "loki", "current": {"text": "New name", "value": "new"}}},
        ),
        (
            {"kind": "CustomVariable", "spec": {"current": {"value": "old"}}},
            {"kind": "CustomVariable", "spec": {"current": {"value": "old"}}},
        ),
        (
            {"tracesToLogsV2": {"datasourceUid": "old"}, "serviceMap": {"datasourceUid": "old"}, "alertmanagerUid": "old"},
            {"tracesToLogsV2": {"datasourceUid": "new"}, "serviceMap": {"datasourceUid": "new"}, "alertmanagerUid": "new"},
        ),
        (
            {"exemplarTraceIdDestinations": [{"name": "old", "datasourceUid": "old"}], "tracingDatasourceUid": "old"},
            {"exemplarTraceIdDestinations": [{"name": "old", "datasourceUid": "new"}], "tracingDatasourceUid": "new"},
        ),
        ({"title": "old", "uid": "old", "expr": "old"}, {"title": "old", "uid": "old", "expr": "old"}),
        ({"datasource": {"uid": "${ds}"}}, {"datasource": {"uid": "${ds}"}}),
        ({"datasource": None}, {"datasource": None}),
    ],
)
def test_mapped(before: Any, after: Any) -> None:
    assert mapped(before, MAPPING) == after
    assert mapped(before, DataSourceMap()) == before


def test_a_uid_that_is_a_name_too() -> None:
    mapping = DataSourceMap({"prometheus": "p-1", "loki": "l-1"}, {"prometheus": "Production", "Logs": "loki"})
    panel = {"datasource": {"uid": "prometheus"}, "targets": [{"datasource": "prometheus"}, {"datasource": {"uid": "Logs"}}]}
    assert mapped(panel, mapping) == {
        "datasource": {"uid": "p-1"},
        "targets": [{"datasource": "Production"}, {"datasource": {"uid": "loki"}}],
    }
    chosen = {"type": "datasource", "current": {"text": "prometheus", "value": "prometheus"}}
    assert mapped(chosen, mapping)["current"] == {"text": "Production", "value": "p-1"}


def dashboard(*inputs: dict[str, Any]) -> dict[str, Any]:
    return {"__inputs": list(inputs), "title": "${A} ${B} $C ${D:csv}", "list": [{"x": "${A}"}]}


def test_inputs() -> None:
    sources = [Source("u1", "n1", "loki"), Source("u2", "n2", "loki", default=True), Source("u3", "n3", "tempo")]
    a = {"name": "A", "type": "datasource", "pluginId": "loki"}
    b = {"name": "B", "type": "constant", "value": "given"}
    filled, lacking = Filler(sources=sources).fill(dashboard(a, b))
    assert filled == {"title": "u2 given $C ${D:csv}", "list": [{"x": "u2"}]} and not lacking, "the default one of its type"
    assert Filler({"A": "n1"}, sources).fill(dashboard(a))[0]["list"] == [{"x": "u1"}], "by name"
    assert Filler({"B": "other"}, sources).fill(dashboard(b))[0]["title"] == "${A} other $C ${D:csv}"
    assert Filler(sources=sources[:1] * 2).fill(dashboard(a))[1] == ["A"], "two of them, and none is the default"
    expressions = {"name": "A", "type": "datasource", "pluginId": "__expr__"}
    assert Filler(sources=sources).fill(dashboard(expressions)) == ({"title": "__expr__ ${B} $C ${D:csv}", "list": [{"x": "__expr__"}]}, [])
    assert Filler({"A": "nowhere"}, sources).fill(dashboard(a))[1] == ["A"]
    assert is_shared(dashboard(a)) and not is_shared({"title": "x", "__elements": []})


def test_selection() -> None:
    folders = Folders({"a": Folder("A"), "b": Folder("B", "a"), "c": Folder("C")})
    deep = Selection(folders=("A/B",))
    assert deep.wants("dashboards", "x", "x", "b", folders) and deep.wants("folders", "b", "B", "a", folders)
    assert not deep.wants("folders", "a", "A", "", folders) and not deep.wants("dashboards", "x", "x", "c", folders)
    assert Selection(folders=("a",)).wants("dashboards", "x", "x", "b", folders), "what is below belongs to it"
    assert not deep.wants_kind("teams", DEFAULT) and deep.wants_kind("alert_rules", DEFAULT)
    named = Selection(names=("Node *",))
    assert named.wants("dashboards", "x", "Node 1", "", folders) and not named.wants("dashboards", "x", "node 1", "", folders)
    assert not Selection().wants_kind("annotations", DEFAULT) and Selection(kinds=("annotations",)).wants_kind("annotations", DEFAULT)
    assert set(FOLDERED) == {name for name, kind in KINDS.items() if kind.foldered}


def test_a_chain_that_bites_its_tail_ends() -> None:
    assert Folders({"a": Folder("A", "b"), "b": Folder("B", "a")}).chain("a") == ["b", "a"]


def test_secrets() -> None:
    store = SecretStore({"data_sources": {"name": {"f": "1"}, "uid": {"f": "2"}}})
    assert store.get("data_sources", ("uid", "name"), "f") == "2" and store.get("data_sources", ("else",), "f") is None
    assert sorted(store.all()) == ["1", "2"] and "1" not in repr(store)
    wrong = {"data_sources": {"a": "text"}, "dashboards": {}, "contact_points": {"b": {"f": 5}}}
    found = problems(wrong, ("data_sources", "contact_points"))
    assert len(found) == 3 and not [text for text in found if "5" in text]
