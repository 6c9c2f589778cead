"""What grafana_diff tells of a Grafana that has changed since its export."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.monitoring.ha.plugins.module_utils.grafana import cli, importer, options
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.client import Client, Connection
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.errors import Blocked, GrafanaError

from tests.unit.plays import Play

from .small import DEFAULTS, Grafana, Org, running


@pytest.fixture
def grafana() -> Iterator[Grafana]:
    with running() as small:
        small.main.dashboard("d", "d")
        yield small


def test_an_organisation_that_was_added(
    grafana: Grafana, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = tmp_path / "tree"
    grafana.orgs[2] = Org("second")
    grafana.export(tree, {}, "all")
    assert not grafana.drift(tree)["drifted"] and grafana.drift(tree)["organisations_added"] == []
    grafana.orgs[3] = Org("Shadow")
    del grafana.orgs[2]
    found = grafana.drift(tree)
    assert found["drifted"] and (found["organisations_added"], found["organisations_removed"]) == (["Shadow"], ["second"])
    monkeypatch.setenv("GRAFANA_PASSWORD", "secret")
    assert cli.main(["diff", str(tree), "--url", grafana.url, "--user", "admin"]) == cli.DIFFERS
    assert capsys.readouterr().out.splitlines()[:2] == ["added    organisation Shadow", "removed  organisation second"]
    assert not grafana.drift(tree, organisations=["main"])["drifted"], "of one organisation nothing else is meant"


def test_under_another_name(grafana: Grafana, tmp_path: Path) -> None:
    grafana.export(tmp_path / "tree", {}, "all")
    grafana.main.name = "there"
    assert not grafana.drift(tmp_path / "tree", organisation_map={"main": "there"})["drifted"]


def test_who_cannot_tell(grafana: Grafana, tmp_path: Path) -> None:
    grafana.export(tmp_path / "tree", {}, "all")
    grafana.orgs[2] = Org("Shadow")
    grafana.refused["GET", "/api/orgs"] = 403
    with pytest.raises(GrafanaError, match="only a server administrator can see all organisations"):
        grafana.drift(tmp_path / "tree")
    with Client(Connection(grafana.url, token="glsa")) as client:
        found = options.drifted(importer.compare(client, tmp_path / "tree", options.request(DEFAULTS, drift=True)))
    assert found["organisations_added"] == []


def test_a_tree_of_some_organisations(grafana: Grafana, tmp_path: Path) -> None:
    """Nobody asked for the others."""
    grafana.orgs[2] = Org("second")
    grafana.export(tmp_path / "tree", {}, "main")
    assert "all_organisations" not in json.loads((tmp_path / "tree" / "manifest.json").read_text())
    assert not grafana.drift(tmp_path / "tree")["drifted"]


@pytest.fixture
def moved(grafana: Grafana, tmp_path: Path) -> Path:
    """The tree of a Grafana whose data source has another uid now, as have the dashboards that use it."""
    grafana.main.source("metrics", "Metrics")
    grafana.main.dashboard("d", "d", panels=[{"datasource": {"uid": "metrics"}}])
    grafana.export(tmp_path / "tree")
    (tmp_path / "tree" / "main" / "panels").mkdir()
    (tmp_path / "tree" / "main" / "panels" / "x.json").write_text("{}")
    grafana.main.sources.clear()
    grafana.main.source("prod", "Prod")
    grafana.main.dashboard("d", "d", panels=[{"datasource": {"uid": "prod"}}])
    return tmp_path / "tree"


WARNING = "main/panels is of no known kind and was not looked at"
TYPO = "main: datasource_map: Grafana has no data source 'Pord'"


def test_a_data_source_that_is_not_there_is_no_drift(
    grafana: Grafana, moved: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = grafana.drift(moved, datasource_map={"metrics": "prod"})
    assert not found["drifted"] and found["warnings"] == [f"main: {WARNING}"]
    with pytest.raises(Blocked, match="nothing was compared") as caught:
        grafana.drift(moved, datasource_map={"metrics": "Pord"})
    assert caught.value.problems == [TYPO]
    monkeypatch.setenv("GRAFANA_PASSWORD", "secret")
    command = ["diff", str(moved), "--url", grafana.url, "--user", "admin", "--datasource-map"]
    assert cli.main([*command, "metrics=prod"]) == 0
    assert capsys.readouterr().out.splitlines() == [f"warning: main: {WARNING}", "no difference"]
    assert cli.main([*command, "metrics=Pord"]) == cli.FAILED and TYPO in capsys.readouterr().err


LACKING = "datasource_map: Grafana has no data source 'prod'"


@pytest.fixture
def two(grafana: Grafana, tmp_path: Path) -> Path:
    """The tree of two organisations, one of which has the data source and uses it; now the same one has another instead."""
    grafana.orgs[2] = Org("other")
    grafana.orgs[2].dashboard("b", "b")
    grafana.main.source("metrics", "Metrics")
    grafana.main.dashboard("d", "d", panels=[{"datasource": {"uid": "metrics"}}])
    grafana.export(tmp_path / "tree", {}, "all")
    grafana.main.sources.clear()
    grafana.main.source("prod", "Prod")
    grafana.main.dashboard("d", "d", panels=[{"datasource": {"uid": "prod"}}])
    return tmp_path / "tree"


@pytest.mark.parametrize("here", ["metrics", "Metrics"])
def test_an_organisation_without_the_data_source_has_nothing_to_do_with_the_map(grafana: Grafana, two: Path, here: str) -> None:
    mapped = {here: "prod"}
    assert grafana.plan(two, datasource_map=mapped).problems == []
    assert not grafana.drift(two, datasource_map=mapped)["drifted"]
    assert not grafana.bring(two, datasource_map=mapped).changed
    assert not grafana.bring(two, datasource_map=mapped, organisations=["other"]).changed


def test_one_that_refers_to_it_has(grafana: Grafana, two: Path) -> None:
    """Also where Grafana has the same, and only as far as it is chosen."""
    grafana.orgs[2].dashboard("c", "c", panels=[{"datasource": {"uid": "metrics"}}])
    grafana.orgs[2].folder("f", "F")
    grafana.orgs[2].source("traces", "Traces")
    grafana.orgs[2].sources["traces"]["jsonData"] = {"tracesToMetrics": {"datasourceUid": "metrics"}}
    grafana.main.source("metrics", "Metrics")
    grafana.export(two, {}, "all")
    del grafana.main.sources["metrics"]
    for given in ({}, {"kinds": ["dashboards"]}, {"kinds": ["data_sources"]}):
        assert grafana.plan(two, datasource_map={"metrics": "prod"}, **given).problems == [f"other: {LACKING}"]
        with pytest.raises(Blocked, match=LACKING):
            grafana.drift(two, datasource_map={"metrics": "prod"}, **given)
    for given in ({"kinds": ["folders"]}, {"names": ["b"]}):
        assert grafana.plan(two, datasource_map={"metrics": "prod"}, **given).problems == []


def test_one_that_has_it_has(grafana: Grafana, two: Path) -> None:
    grafana.orgs[2].source("metrics", "Metrics")
    grafana.export(two, {}, "all")
    assert grafana.plan(two, datasource_map={"metrics": "prod"}).problems == [f"other: {LACKING}"]


def test_a_data_source_that_no_organisation_has_is_a_mistake(grafana: Grafana, two: Path) -> None:
    """Whether or not anything uses the one that is mapped."""
    for here in ("metrics", "of nobody"):
        assert grafana.plan(two, datasource_map={here: "Pord"}).problems == [TYPO]
        with pytest.raises(Blocked, match="Pord"):
            grafana.drift(two, datasource_map={here: "Pord"})


def test_library_panels_that_come_along_refer_to_it_too(grafana: Grafana, two: Path) -> None:
    panel = {"lib": {"uid": "lib", "name": "Lib", "kind": 1, "model": {"type": "graph", "datasource": {"uid": "metrics"}}}}
    shared = {"uid": "s", "title": "s", "__inputs": [], "__elements": panel, "panels": []}
    (two / "other" / "dashboards" / "s.json").write_text(json.dumps(shared))
    assert grafana.plan(two, datasource_map={"metrics": "prod"}).problems == [f"other: {LACKING}"]


def test_an_input_without_a_value_is_no_drift(grafana: Grafana, tmp_path: Path) -> None:
    tree = tmp_path / "tree" / "main" / "dashboards"
    tree.mkdir(parents=True)
    inputs = [{"name": "DS", "type": "constant", "label": "x"}]
    (tree / "d.json").write_text(json.dumps({"uid": "d", "title": "d", "__inputs": inputs, "tags": ["${DS}"]}))
    with pytest.raises(Blocked, match="input DS has no value"):
        grafana.drift(tmp_path / "tree")
    assert grafana.drift(tmp_path / "tree", inputs={"DS": "x"})["drifted"]


def test_what_the_export_could_not_read_was_not_added(grafana: Grafana, tmp_path: Path) -> None:
    grafana.main.dashboard("b", "b")
    grafana.main.folder("f", "f")
    grafana.main.group("f", "g", "r1")
    grafana.main.answers["/api/playlists"] = [{"uid": "p", "name": "on the wall"}]
    grafana.main.answers["/api/playlists/p"] = {"uid": "p", "name": "on the wall", "interval": "5m", "items": []}
    for path in ("/api/dashboards/uid/b", "/api/playlists/p", "/api/v1/provisioning/alert-rules"):
        grafana.refused["GET", path] = 403
    grafana.export(tmp_path / "tree", keep_going=True)
    grafana.refused.clear()
    assert not grafana.drift(tmp_path / "tree")["drifted"]
    grafana.main.dashboard("c", "c")
    assert [one["key"] for one in grafana.drift(tmp_path / "tree")["differences"]["added"]] == ["c"]


def test_the_module(grafana: Grafana, moved: Path, play: Play) -> None:
    given = {"url": grafana.url, "user": "admin", "password": "secret", "src": str(moved)}
    tasks = [
        {"name": target, "monitoring.ha.grafana_diff": {**given, "datasource_map": {"metrics": target}}, "ignore_errors": True}
        for target in ("Prod", "Pord")
    ]
    played = play.run(tasks)
    assert WARNING in str(played.result("Prod")["warnings"]) and not played.result("Prod")["drifted"]
    assert played.message("Pord") == f"nothing was compared: {TYPO}" and played.results["Pord"]["problems"] == [TYPO]
