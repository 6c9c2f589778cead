"""A Grafana in memory that speaks over HTTP: what is in folders, data sources and nothing else, as Grafana 11 has it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from ansible_collections.monitoring.ha.plugins.module_utils.grafana import exporter, importer, options
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.canonical import Json
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.client import Client, Connection
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.selection import Selection

from tests.unit.servers import Answer, Request, serve

#: What an organisation answers where it has nothing.
NOTHING: dict[str, Any] = {
    "/api/org/users": [],
    "/api/org/preferences": {},
    "/api/teams/search": {"teams": [], "totalCount": 0},
    "/api/serviceaccounts/search": {"serviceAccounts": [], "totalCount": 0},
    "/api/library-elements": {"result": {"elements": [], "totalCount": 0}},
    "/api/playlists": [],
    "/api/annotations": [],
    "/api/v1/provisioning/templates": [],
    "/api/v1/provisioning/mute-timings": [],
    "/api/v1/provisioning/contact-points": [],
    "/api/v1/provisioning/policies": {"receiver": "grafana-default-email"},
}
EVERYTHING: dict[str, list[str]] = {}
_GROUPS = "/api/v1/provisioning/folder/"


@dataclass
class Org:
    """One organisation. answers: of whatever is not modelled, by path; a callable is given the query."""

    name: str
    folders: dict[str, Json] = field(default_factory=dict)
    dashboards: dict[str, Json] = field(default_factory=dict)
    sources: dict[str, Json] = field(default_factory=dict)
    groups: dict[tuple[str, str], Json] = field(default_factory=dict)
    answers: dict[str, Any] = field(default_factory=dict)

    def folder(self, uid: str, title: str, parent: str = "") -> None:
        self.folders[uid] = {"uid": uid, "title": title, "parentUid": parent, "version": 1}

    def dashboard(self, uid: str, title: str, folder: str = "", **more: Any) -> None:
        self.dashboards[uid] = {"dashboard": {"uid": uid, "title": title, "version": 1, **more}, "meta": {"folderUid": folder}}

    def source(self, uid: str, name: str) -> None:
        self.sources[uid] = {"uid": uid, "name": name, "type": "prometheus", "access": "proxy"}

    def group(self, folder: str, name: str, *uids: str) -> None:
        self.groups[folder, name] = {
            "title": name,
            "folderUid": folder,
            "interval": 60,
            "rules": [{"uid": uid, "title": uid} for uid in uids],
        }

    def where(self) -> dict[str, str]:
        """Uid of every dashboard to the folder it is in."""
        return {uid: one["meta"]["folderUid"] for uid, one in self.dashboards.items()}

    def inside(self, uid: str) -> dict[str, int]:
        return {
            "folder": sum(one["parentUid"] == uid for one in self.folders.values()),
            "dashboard": sum(folder == uid for folder in self.where().values()),
            "alertrule": sum(folder == uid for folder, _name in self.groups),
        }

    # --- requests ------------------------------------------------------------------------------------------------

    def get(self, path: str, query: dict[str, list[str]]) -> Any:
        """The answer; KeyError where there is nothing."""
        if path == "/api/search":
            dashboards = [{"uid": uid, "title": one["dashboard"]["title"]} for uid, one in self.dashboards.items()]
            hits = [*self.folders.values()] if query["type"] == ["dash-folder"] else dashboards
            return hits if query["page"] == ["1"] else []
        if path.endswith("/permissions"):
            return []
        if path.endswith("/counts"):
            return self.inside(path.split("/")[-2])
        if path == "/api/datasources":
            return [*self.sources.values()]
        if path == "/api/v1/provisioning/alert-rules":
            rules = [(folder, name, rule) for (folder, name), one in self.groups.items() for rule in one["rules"]]
            return [{**rule, "folderUID": folder, "ruleGroup": name} for folder, name, rule in rules]
        if path.startswith(_GROUPS):
            return self.groups[_place(path)]
        return {"/api/folders": self.folders, "/api/dashboards/uid": self.dashboards, "/api/datasources/uid": self.sources}[
            path.rpartition("/")[0]
        ][path.rpartition("/")[2]]

    def change(self, method: str, path: str, body: Any) -> Any:
        uid = path.rpartition("/")[2]
        if method == "DELETE":
            if path.startswith(_GROUPS):
                return self.groups.pop(_place(path))
            return {"folders": self.folders, "uid": self.dashboards if "dashboards" in path else self.sources}[path.split("/")[-2]].pop(uid)
        if path == "/api/folders":
            return self.folder(body["uid"], body["title"], body["parentUid"])
        if path.endswith("/move"):
            self.folders[path.split("/")[-2]]["parentUid"] = body["parentUid"]
        elif path.startswith("/api/folders/"):
            self.folders[uid]["title"] = body["title"]
        elif path == "/api/dashboards/db":
            spec = body["dashboard"]
            self.dashboard(spec["uid"], spec["title"], body["folderUid"])
            self.dashboards[spec["uid"]]["dashboard"] |= {**spec, "version": 2}
        elif path.startswith(_GROUPS):
            self.groups[_place(path)] = {**body, "rules": [{**rule, "uid": rule.get("uid") or "by chance"} for rule in body["rules"]]}
        elif path.startswith("/api/datasources"):
            self.sources[body["uid"]] = body
        else:
            raise AssertionError((method, path))
        return {}


def _place(path: str) -> tuple[str, str]:
    folder, _groups, name = path.removeprefix(_GROUPS).split("/")
    return unquote(folder), unquote(name)


@dataclass
class Grafana:
    """Organisations by their numbers; the first one is the user's own. refused: what is answered instead, by method and path."""

    orgs: dict[int, Org] = field(default_factory=lambda: {1: Org("main")})
    refused: dict[tuple[str, str], int] = field(default_factory=dict)
    url: str = ""

    @property
    def main(self) -> Org:
        return self.orgs[1]

    def __call__(self, request: Request) -> Answer:
        path, query = urlsplit(request.path).path, parse_qs(urlsplit(request.path).query)
        if status := self.refused.get((request.method, path)):
            return Answer(b'{"message": "refused"}', status)
        number = int(request.headers.get("X-Grafana-Org-Id", "1"))
        org = self.orgs[number]
        known = {
            "/api/health": {"version": "11.6.0"},
            "/api/org": {"id": number, "name": org.name},
            "/api/orgs": [{"id": key, "name": one.name} for key, one in self.orgs.items()] if query.get("page") == ["0"] else [],
            **NOTHING,
            **org.answers,
        }
        try:
            if (request.method, path) == ("POST", "/api/orgs"):
                found = {"orgId": max(self.orgs) + 1}
                self.orgs[found["orgId"]] = Org(json.loads(request.body)["name"])
            elif request.method != "GET":
                found = org.change(request.method, path, json.loads(request.body or b"null"))
            else:
                found = known[path] if path in known else org.get(path, query)
                found = found(query) if callable(found) else found
        except KeyError:
            return Answer(b"{}", 404)
        return Answer(json.dumps(found).encode())

    # --- what people do ------------------------------------------------------------------------------------------

    def client(self) -> Client:
        return Client(Connection(self.url, "admin", "secret", retries=1, pause=0.001))

    def export(
        self, dest: Path, selection: Mapping[str, list[str]] = EVERYTHING, *organisations: str, keep_going: bool = False
    ) -> exporter.Exported:
        with self.client() as client:
            return exporter.export(client, dest, wanted=organisations, selection=Selection.of(selection), keep_going=keep_going)

    def bring(self, tree: Path, **given: Any) -> importer.Imported:
        with self.client() as client:
            return importer.carry_out(client, tree, options.request({**DEFAULTS, **given}))

    def drift(self, tree: Path, **given: Any) -> Json:
        with self.client() as client:
            return options.drifted(importer.compare(client, tree, options.request({**DEFAULTS, **given}, drift=True)))

    def plan(self, tree: Path, **given: Any) -> importer.Imported:
        with self.client() as client:
            return importer.plan(client, tree, options.request({**DEFAULTS, **given}))


DEFAULTS: Json = {name: one.get("default") for name, one in options.IMPORT.items()}


@contextlib.contextmanager
def running(given: Grafana | None = None) -> Iterator[Grafana]:
    """A Grafana, empty if none is given, until the end of the block."""
    grafana = Grafana() if given is None else given
    with serve(grafana) as server:
        grafana.url = server.url
        yield grafana


def changed(result: importer.Imported) -> set[tuple[str, str, str]]:
    """(action, kind, key) of every change."""
    return {(change.action, change.kind, change.key) for _plan, change in result.changes()}
