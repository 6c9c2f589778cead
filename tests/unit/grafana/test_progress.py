"""How far a run is said to be."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from ansible_collections.monitoring.ha.plugins.module_utils.grafana import cli, exporter, importer, options
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.selection import Selection

from tests.unit.servers import Answer, Request

from .small import DEFAULTS, Grafana, running

_GROUP = "dashboard.grafana.app"
_ONE, _TWO = (f"/apis/{_GROUP}/{version}/namespaces/default/dashboards" for version in ("v0alpha1", "v2beta1"))


class Both(Grafana):
    """A Grafana 12 with five dashboards of the classic schema and two of the new one."""

    def __call__(self, request: Request) -> Answer:
        path = urlsplit(request.path).path
        if path == "/apis":
            versions = [{"version": version} for version in ("v0alpha1", "v1beta1", "v2beta1")]
            return Answer(json.dumps({"groups": [{"name": _GROUP, "versions": versions}]}).encode())
        if path == _ONE:
            items = [_listed(f"c{number}") for number in range(5)]
            items[2:2] = [_listed(f"v{number}", {"conversion": {"storedVersion": "v2beta1"}}) for number in range(2)]
            return Answer(json.dumps({"metadata": {}, "items": items}).encode())
        if path.startswith(_TWO):
            name = path.rpartition("/")[2]
            return Answer(json.dumps({**_listed(name), "apiVersion": f"{_GROUP}/v2beta1"}).encode())
        return super().__call__(request)


def _listed(name: str, status: Any = None) -> dict[str, Any]:
    return {"apiVersion": f"{_GROUP}/v0alpha1", "metadata": {"name": name}, "spec": {"title": name}, "status": status}


class Told(list[tuple[str, str, int, int]]):
    """Everything that was said."""

    def __call__(self, organisation: str, kind: str, done: int, total: int) -> None:
        self.append((organisation, kind, done, total))

    def of(self, kind: str) -> list[tuple[int, int]]:
        return [(done, total) for _organisation, one, done, total in self if one == kind]


@pytest.fixture
def grafana() -> Iterator[Grafana]:
    with running() as small:
        for number in range(3):
            small.main.folder(f"f{number}", f"F{number}")
            small.main.dashboard(f"d{number}", f"D{number}", f"f{number}")
        yield small


def test_dashboards_of_both_schemas_count_together(tmp_path: Path) -> None:
    told = Told()
    with running(Both()) as small, small.client() as client:
        exporter.export(client, tmp_path / "tree", selection=Selection(("dashboards",)), progress=told)
    assert told.of("dashboards") == [(1, 0), (2, 0), (3, 0), (4, 0), (5, 0), (6, 7), (7, 7)]


def test_what_is_compared_and_what_is_written(grafana: Grafana, tmp_path: Path) -> None:
    grafana.export(tmp_path / "tree")
    request = options.request(DEFAULTS)
    compared = [(1, 3), (2, 3), (3, 3)]
    with grafana.client() as client:
        for call in (importer.plan, importer.compare, importer.carry_out):
            told = Told()
            call(client, tmp_path / "tree", request, told)
            assert told.of("dashboards") == told.of("folders") == told.of("dashboard_permissions") == compared
        del grafana.main.dashboards["d1"]
        told = Told()
        importer.carry_out(client, tmp_path / "tree", request, told)
        assert told.of("dashboards") == [(1, 2), (2, 2), (1, 1)]


@pytest.mark.parametrize("words", [["import", "--check"], ["import"], ["diff"]])
def test_the_command_line_shows_it(
    words: list[str], grafana: Grafana, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    grafana.export(tmp_path / "tree")
    monkeypatch.setenv("GRAFANA_PASSWORD", "secret")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert cli.main([*words, str(tmp_path / "tree"), "--url", grafana.url, "--user", "admin"]) == 0
    assert "main: dashboards 3 of 3" in capsys.readouterr().err
