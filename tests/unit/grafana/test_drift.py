"""What grafana_diff tells of a Grafana that has changed since its export."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.monitoring.ha.plugins.module_utils.grafana import cli, importer, options
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.client import Client, Connection
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.errors import GrafanaError

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
