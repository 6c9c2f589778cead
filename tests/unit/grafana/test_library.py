"""Library panels, whose names are unique within a folder before Grafana 12.3."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.canonical import Json
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.errors import Blocked, Incomplete

from tests.unit.servers import Answer, Request

from .small import Grafana, changed, running

LIST = "/api/library-elements"


class Library(Grafana):
    """A Grafana with library panels, under the rules that it has for them. unique: whether their names are."""

    def __init__(self) -> None:
        super().__init__()
        self.panels: dict[str, Json] = {}
        self.unique = True
        self.main.answers[LIST] = lambda _query: {"result": {"elements": [*self.panels.values()], "totalCount": len(self.panels)}}

    def panel(self, uid: str, name: str, folder: str = "", **model: Any) -> None:
        self.panels[uid] = {"uid": uid, "name": name, "kind": 1, "folderUid": folder, "version": 1, "model": self.stored(model)}

    @staticmethod
    def stored(model: Json) -> Json:
        """What Grafana makes of a model."""
        return {**model, "type": model.get("type") or "", "description": model.get("description") or ""}

    def uses(self, uid: str) -> bool:
        return any(f'"libraryPanel": {{"uid": "{uid}"' in json.dumps(one) for one in self.main.dashboards.values())

    def __call__(self, request: Request) -> Answer:
        path = request.path.partition("?")[0]
        if not path.startswith(LIST) or (path, request.method) == (LIST, "GET"):
            return super().__call__(request)
        uid = path.removeprefix(f"{LIST}/")
        if request.method != "POST" and uid not in self.panels:
            return Answer(b'{"message": "library element could not be found"}', 404)
        if request.method == "GET":
            return Answer(json.dumps({"result": self.panels[uid]}).encode())
        if request.method == "DELETE":
            if self.uses(uid):
                return Answer(b'{"message": "the library element has connections"}', 403)
            del self.panels[uid]
            return Answer(b"{}")
        return self.written(json.loads(request.body), request.method == "POST")

    def written(self, body: Json, new: bool) -> Answer:
        others = [one for one in self.panels.values() if new or one["uid"] != body["uid"]]
        taken = {(one["folderUid"], one["name"]) for one in others if self.unique}
        if (body["folderUid"], body["name"]) in taken or (new and body["uid"] in self.panels):
            return Answer(b'{"message": "library element with that name or UID already exists"}', 400)
        version = 0 if new else self.panels[body["uid"]]["version"]
        if not new and body["version"] != version:
            return Answer(b'{"message": "the library element has been changed by someone else"}', 412)
        self.panels[body["uid"]] = {**body, "version": version + 1, "model": self.stored(body["model"])}
        return Answer(b"{}")

    @property
    def names(self) -> dict[str, str]:
        return {uid: f"{one['folderUid']}/{one['name']}" for uid, one in self.panels.items()}


@pytest.fixture
def grafana() -> Iterator[Library]:
    small = Library()
    with running(small):
        yield small


def using(uid: str) -> list[Json]:
    return [{"libraryPanel": {"uid": uid, "name": "CPU"}}]


@pytest.fixture
def other(grafana: Library, tmp_path: Path) -> Library:
    """In the tree the panel CPU, which a dashboard uses, has another uid than in Grafana."""
    grafana.panel("s1", "CPU")
    grafana.main.dashboard("d", "D", panels=using("s1"))
    grafana.export(tmp_path / "tree")
    grafana.panels.clear()
    grafana.panel("p1", "CPU")
    grafana.main.dashboard("d", "D", panels=using("p1"))
    return grafana


def test_the_name_of_one_that_is_deleted(other: Library, tmp_path: Path) -> None:
    """The dashboard uses that one until it is written itself."""
    done = other.bring(tmp_path / "tree", prune=True)
    assert changed(done) == {("created", "library_panels", "s1"), ("updated", "dashboards", "d"), ("deleted", "library_panels", "p1")}
    assert other.names == {"s1": "/CPU"} and not other.bring(tmp_path / "tree", prune=True).changed


def test_a_run_that_ends_in_between(other: Library, tmp_path: Path) -> None:
    other.refused["POST", "/api/dashboards/db"] = 403
    with pytest.raises(Incomplete):
        other.bring(tmp_path / "tree", prune=True)
    assert other.names == {"p1": "/CPU (p1)", "s1": "/CPU"}
    other.refused.clear()
    other.bring(tmp_path / "tree", prune=True)
    assert other.names == {"s1": "/CPU"}


def test_the_name_of_one_that_stays(other: Library, tmp_path: Path) -> None:
    with pytest.raises(Blocked, match="library panel 'CPU' has the uid p1 in Grafana, and s1 in the tree"):
        other.bring(tmp_path / "tree")
    assert other.names == {"p1": "/CPU"}


@pytest.mark.parametrize("release", ["", "12.3.0", "13.1.0"])
def test_names_that_need_not_be_unique(release: str, other: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or may not need to be: Grafana says so itself where they do."""
    monkeypatch.setitem(other.main.answers, "/api/health", {"version": release})
    monkeypatch.setitem(other.main.answers, "/apis", {"groups": []})
    other.unique = False
    other.bring(tmp_path / "tree")
    assert other.names == {"p1": "/CPU", "s1": "/CPU"} and not other.bring(tmp_path / "tree").changed


def test_names_that_are_swapped_and_panels_that_change_places(grafana: Library, tmp_path: Path) -> None:
    grafana.main.folder("f", "F")
    grafana.main.folder("g", "G")
    for uid, name, folder in (("a", "x", ""), ("b", "y", ""), ("c", "z", "f"), ("d", "z", "g")):
        grafana.panel(uid, name, folder)
    wanted = grafana.names
    grafana.export(tmp_path / "tree")
    grafana.panel("a", "y")
    grafana.panel("b", "x")
    grafana.panel("c", "z", "g")
    grafana.panel("d", "z", "f")
    grafana.bring(tmp_path / "tree")
    assert grafana.names == wanted and not grafana.bring(tmp_path / "tree").changed
