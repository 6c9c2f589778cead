"""Folders with a description, which the classic API takes and never gives."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from ansible_collections.monitoring.ha.plugins.module_utils.grafana import exporter, importer
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.client import Client, Connection
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.errors import Incomplete
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.kinds.folders import FolderKind
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.selection import Selection

from tests.unit.servers import Answer, Request, serve

ONLY = Selection(kinds=("folders",))


@dataclass
class Grafana:
    """A Grafana that has nothing but folders. written: methods and paths of the requests that change something."""

    release: str
    url: str = ""
    folders: dict[str, dict[str, Any]] = field(default_factory=dict)
    written: list[str] = field(default_factory=list)

    @property
    def versions(self) -> list[str]:
        return {"11": [], "12": ["v1beta1"], "13": ["v1", "v1beta1"]}[self.release.partition(".")[0]]

    def put(self, uid: str, title: str, description: str = "", parent: str = "") -> None:
        version = self.folders.get(uid, {}).get("version", 0) + 1
        self.folders[uid] = {"uid": uid, "title": title, "description": description, "parentUid": parent, "version": version}

    def classic(self, uid: str) -> dict[str, Any]:
        return {name: value for name, value in self.folders[uid].items() if name != "description" and value != ""}

    def resource(self, uid: str) -> dict[str, Any]:
        its = self.folders[uid]
        notes = {"annotations": {"grafana.app/folder": its["parentUid"]}} if its["parentUid"] else {}
        spec = {"title": its["title"], **({"description": its["description"]} if its["description"] else {})}
        return {"metadata": {"name": uid, **notes}, "spec": spec}

    def __call__(self, request: Request) -> Answer:
        found = self.answer(request.method, urlsplit(request.path).path, json.loads(request.body or b"{}"))
        return Answer(json.dumps(found).encode()) if found is not None else Answer(b"{}", 404)

    def answer(self, method: str, path: str, body: dict[str, Any]) -> Any:
        if path in (fixed := self.fixed()):
            return fixed[path]
        *_start, uid = path.removesuffix("/move").split("/")
        if method != "GET":
            self.written.append(f"{method} {path}")
        if method == "POST" and path == "/api/folders":
            self.put(body["uid"], body["title"], body.get("description", ""), body["parentUid"])
            return self.classic(body["uid"])
        if uid not in self.folders:
            return None
        its = self.folders[uid]
        if method == "POST":
            self.put(uid, its["title"], its["description"], body["parentUid"])
        elif method == "PUT":
            assert body["version"] == its["version"]
            self.put(uid, body["title"], body.get("description", its["description"]), its["parentUid"])
        if path.startswith("/apis"):
            return self.resource(uid) if path.split("/")[3] in self.versions else None
        return self.classic(uid)

    def fixed(self) -> dict[str, Any]:
        groups = [{"name": "folder.grafana.app", "versions": [{"version": one} for one in self.versions]}] if self.versions else []
        listed = {
            f"/apis/folder.grafana.app/{one}/namespaces/default/folders": {"items": [self.resource(uid) for uid in self.folders]}
            for one in self.versions
        }
        return {
            **listed,
            "/api/health": {"version": self.release},
            "/apis": {"groups": groups},
            "/api/org": {"id": 1, "name": "Main Org."},
            "/api/datasources": [],
            "/api/library-elements": {"result": {"elements": []}},
            "/api/search": [{"uid": uid, "title": its["title"]} for uid, its in self.folders.items()],
        }

    def client(self) -> Client:
        return Client(Connection(self.url, "admin", "pw", pause=0.001, retries=1))

    def export(self, dest: Path) -> dict[str, Any]:
        """Uid to content of every folder's file."""
        with self.client() as client:
            exporter.export(client, dest, selection=ONLY)
        bodies = [json.loads(path.read_text()) for path in dest.rglob("folders/**/*.json")]
        return {body["uid"]: body for body in bodies}

    def bring(self, tree: Path) -> importer.Imported:
        self.written.clear()
        with self.client() as client:
            return importer.carry_out(client, tree, importer.Request(selection=ONLY))


@pytest.fixture
def grafana(release: str) -> Iterator[Grafana]:
    found = Grafana(release)
    with serve(found) as server:
        found.url = server.url
        yield found


def edit(tree: Path, uid: str, **members: str) -> None:
    (path,) = tree.rglob(f"folders/**/*.{uid}.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), **members}))


@pytest.mark.parametrize("release", ["12.4.0", "13.0.1"])
def test_it_is_kept_when_the_folder_is_renamed_and_moved(grafana: Grafana, tmp_path: Path) -> None:
    grafana.put("ops", "Operations")
    grafana.put("db", "Databases", "All of them", "ops")
    assert grafana.export(tmp_path / "tree")["db"]["description"] == "All of them"
    grafana.put("db", "Stores", "Some")
    changed = grafana.bring(tmp_path / "tree")
    assert changed.summary()["Main Org."]["folders"]["updated"] == 1
    assert grafana.folders["db"] == {**grafana.folders["db"], "title": "Databases", "description": "All of them", "parentUid": "ops"}
    assert not grafana.bring(tmp_path / "tree").changed and not grafana.written
    edit(tmp_path / "tree", "db", description="")
    grafana.bring(tmp_path / "tree")
    assert not grafana.folders["db"]["description"] and not grafana.bring(tmp_path / "tree").changed


@pytest.mark.parametrize("release", ["12.4.0", "13.0.1"])
def test_who_has_changed_it_meanwhile_is_not_overwritten(grafana: Grafana, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    grafana.put("db", "Databases", "All of them")
    grafana.export(tmp_path / "tree")
    edit(tmp_path / "tree", "db", title="Stores")
    update = FolderKind.update

    def meanwhile(self: FolderKind, *given: Any) -> None:
        grafana.put("db", "Databases", "Other words")
        update(self, *given)

    monkeypatch.setattr(FolderKind, "update", meanwhile)
    with pytest.raises(Incomplete, match="somebody else has changed it"):
        grafana.bring(tmp_path / "tree")
    assert grafana.folders["db"]["description"] == "Other words" and not grafana.written


@pytest.mark.parametrize("release", ["11.6.0"])
def test_where_it_is_never_shown_it_is_neither_compared_nor_written(grafana: Grafana, tmp_path: Path) -> None:
    grafana.put("db", "Databases", "Stored long ago")
    assert grafana.export(tmp_path / "tree") == {"db": {"uid": "db", "title": "Databases"}}
    edit(tmp_path / "tree", "db", description="From another Grafana")
    assert not grafana.bring(tmp_path / "tree").changed and not grafana.written
    edit(tmp_path / "tree", "db", title="Stores")
    grafana.bring(tmp_path / "tree")
    assert grafana.folders["db"] == {**grafana.folders["db"], "title": "Stores", "description": "Stored long ago"}
    grafana.folders.clear()
    grafana.bring(tmp_path / "tree")
    assert not grafana.bring(tmp_path / "tree").changed
