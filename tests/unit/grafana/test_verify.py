"""Grafana and a tree of it, compared along with what else the role verify looks at."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.plays import Play, Played
from tools.steps import ROOT

from .small import Grafana, Org, running

ROLE = ROOT / "roles" / "verify"


@pytest.fixture
def grafana() -> Iterator[Grafana]:
    with running() as small:
        small.main.folder("f", "Linux")
        small.main.dashboard("d", "Hosts", "f")
        yield small


def compare(play: Play, grafana: Grafana, tree: Path | str, **more: Any) -> Played:
    """The end of the role, as it is."""
    (last,) = [
        one for one in yaml.safe_load((ROLE / "tasks" / "main.yml").read_text()) if one.get("ansible.builtin.include_tasks") == "drift.yml"
    ]
    last["ansible.builtin.include_tasks"] = str(ROLE / "tasks" / last["ansible.builtin.include_tasks"])
    files = [str(ROLE / part / "main.yml") for part in ("defaults", "vars")]
    values = {
        "verify_grafana_tree": str(tree),
        "verify_grafana_front": [grafana.url],
        "verify_grafana_urls": [grafana.url],
        "verify_pki": "/pki",
    }
    member = {"grafana_admin_password": "secret"}
    hosts = {"all": {"children": {"grafana": {"hosts": {"mon1": {"ansible_connection": "local", "ansible_become": True}}, "vars": member}}}}
    found = [{"hosts": "mon1", "gather_facts": False, "vars_files": files, "tasks": [last]}]
    return play.site(found, inventory=hosts, variables={**values, **more})


def test_without_a_tree_nothing_is_asked(play: Play, grafana: Grafana) -> None:
    played = compare(play, grafana, "")
    assert played.code == 0 and [result.get("skipped") for result in played.results.values()] == [True]


def test_nothing_has_drifted(play: Play, grafana: Grafana, tmp_path: Path) -> None:
    grafana.export(tmp_path / "tree", {}, "all")
    played = compare(play, grafana, tmp_path / "tree")
    assert played.code == 0 and played.result("What has drifted")["msg"] == "Grafana is what its tree says"


def test_what_has_drifted_is_named(play: Play, grafana: Grafana, tmp_path: Path) -> None:
    grafana.export(tmp_path / "tree", {}, "all")
    grafana.main.dashboard("d", "Machines", "f")
    grafana.main.dashboard("e", "Disks")
    grafana.orgs[2] = Org("Shadow")
    played = compare(play, grafana, tmp_path / "tree")
    assert played.code != 0 and played.results["What has drifted"]["msg"] == [
        "Grafana is not what its tree says",
        "added organisation Shadow",
        "added dashboards main/Disks",
        "changed dashboards main/Linux/Hosts",
    ]
    assert "secret" not in played.said
    assert compare(play, grafana, tmp_path / "tree", verify_fatal=False).code == 0


def test_a_tree_that_is_not_there_is_a_failure(play: Play, grafana: Grafana, tmp_path: Path) -> None:
    played = compare(play, grafana, tmp_path / "missing")
    assert played.code != 0 and played.results["Grafana and its tree"]["failed"]
