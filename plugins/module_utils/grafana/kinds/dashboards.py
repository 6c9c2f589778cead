# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Dashboards, in the version in which they are stored."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from .. import names
from ..canonical import Json, without
from ..client import segment
from ..errors import ApiError, NotFound, TreeError
from ..organisation import DASHBOARD_GROUP, Org
from .base import Item, Kind, Live

_OWN = "grafana.app/"
_FOLDER, _MANAGER = "grafana.app/folder", "grafana.app/managedBy"
#: Changes by itself, or is the server's to give.
_VOLATILE = ("id", "version", "iteration")
_PAGE = 100


class DashboardKind(Kind):
    """Classic dashboards are the bare JSON that Grafana itself downloads; those of the v2 schema are resources.

    Where the resource API stands on the database (Grafana 12 and later), whole pages of dashboards are read at once;
    before that, the search lists them, and each is read by itself.
    """

    name = "dashboards"
    foldered = True

    # --- reading -------------------------------------------------------------------------------------------------

    def read_all(self, org: Org) -> Iterator[Live]:
        listed: dict[str, tuple[str, str]] = {}
        for live in self._resources(org) if has_resources(org) else self._legacy(org):
            listed[live.key] = live.name, live.folder
            yield live
        org.dashboards = listed

    def _resources(self, org: Org) -> Iterator[Live]:
        path = org.resources(DASHBOARD_GROUP, "v0alpha1", "dashboards")
        elsewhere: list[Json] = []
        here = 0
        for found in org.listed(path, _PAGE):
            if _stored_as(found).startswith("v2") or _failed(found):
                elsewhere.append({"metadata": found["metadata"], "status": found.get("status")})
            else:
                here += 1
                yield _of_resource(found)
        yield from org.each(
            self.name,
            elsewhere,
            lambda found: self._as_stored(org, found),
            lambda found: (found["metadata"]["name"], ""),
            lambda: {found["metadata"]["name"] for found in org.listed(path, _PAGE)},
            before=here,
        )

    def _as_stored(self, org: Org, found: Json) -> Live:
        version = _stored_as(found) or "v1beta1"
        path = f"{org.resources(DASHBOARD_GROUP, version, 'dashboards')}/{segment(found['metadata']['name'])}"
        return _of_resource(org.get(path))

    def _legacy(self, org: Org) -> Iterator[Live]:
        def hits() -> list[Json]:
            return org.paged("/api/search", 5000, query={"type": "dash-db"})

        def read(hit: Json) -> Live:
            found = self.read(org, hit["uid"])
            if found is None:
                raise NotFound("GET", f"/api/dashboards/uid/{hit['uid']}", 404, "listed, but not there")
            return found

        return org.each(self.name, hits(), read, lambda hit: (hit["uid"], hit["title"]), lambda: {hit["uid"] for hit in hits()})

    def read(self, org: Org, key: str) -> Live | None:
        if has_resources(org):
            found = org.find(f"{org.resources(DASHBOARD_GROUP, 'v0alpha1', 'dashboards')}/{segment(key)}")
            if found is None:
                return None
            if _stored_as(found).startswith("v2") or _failed(found):
                return self._as_stored(org, found)
            return _of_resource(found)
        answer = org.find(f"/api/dashboards/uid/{segment(key)}")
        if answer is None:
            return None
        spec, meta = answer["dashboard"], answer["meta"]
        stored = str(meta.get("apiVersion") or "").rpartition("/")[2]
        if stored.startswith("v2"):
            # Grafana 13 gives the classic schema all the same, and leaves out what that does not have.
            raise ApiError("GET", f"dashboard {key}", 406, f"it is stored as {stored}, which only /apis gives as it is")
        locked = f"dashboard {spec.get('title')!r} is provisioned from a file" if meta.get("provisioned") else ""
        return _live(spec["uid"], spec, meta.get("folderUid") or "", spec["version"], locked)

    def places(self, org: Org) -> Iterator[tuple[str, str]]:
        yield from listed_dashboards(org).values()

    # --- writing -------------------------------------------------------------------------------------------------

    def create(self, org: Org, item: Item) -> None:
        self._write(org, item, None)

    def update(self, org: Org, item: Item, live: Live) -> None:
        self._write(org, item, live)

    def _write(self, org: Org, item: Item, live: Live | None) -> None:
        if is_resource(item.body):
            self._write_resource(org, item, live)
            return
        version = {"version": live.handle["version"]} if live else {}
        dashboard = {**item.body, "id": None, "uid": item.key, **version}
        org.write("POST", "/api/dashboards/db", {"dashboard": dashboard, "folderUid": item.folder, "overwrite": False})

    def _write_resource(self, org: Org, item: Item, live: Live | None) -> None:
        path = org.resources(DASHBOARD_GROUP, version_of(item.body), "dashboards")
        meta = {**item.body.get("metadata", {}), "name": item.key}
        if item.folder:
            meta["annotations"] = {**meta.get("annotations", {}), _FOLDER: item.folder}
        if live is None:
            org.write("POST", path, {**item.body, "metadata": meta})
            return
        meta["resourceVersion"] = live.handle["resourceVersion"]
        org.write("PUT", f"{path}/{segment(item.key)}", {**item.body, "metadata": meta})

    def delete(self, org: Org, live: Live) -> None:
        org.remove(f"/api/dashboards/uid/{segment(live.key)}")

    # --- files ---------------------------------------------------------------------------------------------------

    def parse(self, body: Json, folder: str, path: str) -> Item:
        if is_resource(body):
            name, spec = body.get("metadata", {}).get("name"), body["spec"]
            if not isinstance(name, str) or not name or not isinstance(spec, dict):
                raise TreeError(f"{path}: metadata.name or spec is missing")
            meta = without(body["metadata"], *_SERVERS)
            return _resource_item(name, body["apiVersion"], meta, _trimmed(spec), folder)
        if isinstance(body.get("dashboard"), dict) and "title" not in body:
            # What the API answers, and what other programs keep. A dashboard may have a member of that name, and has a title.
            folder = folder or str((body.get("meta") or {}).get("folderUid") or "")
            body = body["dashboard"]
        title = body.get("title")
        if not isinstance(title, str) or not title.strip():
            raise TreeError(f"{path}: a dashboard needs a title")
        uid = str(body.get("uid") or "").strip() or names.derived_uid(path)
        return Item(uid, title.strip(), {**_trimmed(_stable(body)), "uid": uid}, folder)

    def same(self, one: Item, other: Item) -> bool:
        # Through the resource API a title keeps its blanks.
        return super().same(one, other) or _comparable(one).digest == _comparable(other).digest

    def problems(self, org: Org, wanted: Item, live: Live | None) -> list[str]:
        found = super().problems(org, wanted, live)
        version = version_of(wanted.body)
        if version and version not in org.apis.get(DASHBOARD_GROUP, ()):
            found.append(f"dashboard {wanted.name!r} is of the schema {version}, which Grafana {org.release} does not serve")
        return found


_SERVERS = ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink", "namespace")


def has_resources(org: Org) -> bool:
    """Whether the resource API stands on the database: Grafana 12 and later."""
    return bool(org.served(DASHBOARD_GROUP))


def listed_dashboards(org: Org) -> dict[str, tuple[str, str]]:
    """Uid to title and folder of the dashboards; without another request where they have been listed before."""
    if org.dashboards is not None:
        return org.dashboards
    if not has_resources(org):
        hits = org.paged("/api/search", 5000, query={"type": "dash-db"})
        return {hit["uid"]: (hit["title"], hit.get("folderUid") or "") for hit in hits}
    found = {}
    for one in org.listed(org.resources(DASHBOARD_GROUP, "v0alpha1", "dashboards"), _PAGE):
        notes = one["metadata"].get("annotations") or {}
        found[one["metadata"]["name"]] = str(one["spec"].get("title", "")), notes.get(_FOLDER, "")
    return found


def is_resource(body: Json) -> bool:
    """Whether a file holds a dashboard of the resource API."""
    return str(body.get("apiVersion", "")).startswith(f"{DASHBOARD_GROUP}/") and "spec" in body


def version_of(body: Json) -> str:
    """Version of the resource API that a dashboard needs; empty for classic ones."""
    return str(body["apiVersion"]).partition("/")[2] if is_resource(body) else ""


def _conversion(found: Json) -> Json:
    conversion: Json = (found.get("status") or {}).get("conversion") or {}
    return conversion


def _stored_as(found: Json) -> str:
    return str(_conversion(found).get("storedVersion") or "")


def _failed(found: Json) -> bool:
    return bool(_conversion(found).get("failed"))


def _stable(spec: Json) -> Json:
    return {name: value for name, value in spec.items() if name not in _VOLATILE}


def _trimmed(spec: Json) -> Json:
    """With the title as Grafana saves it."""
    title = spec.get("title")
    return {**spec, "title": title.strip()} if isinstance(title, str) else spec


def _comparable(item: Item) -> Item:
    if item.name == item.name.strip():
        return item
    return replace(item, body={**item.body, "spec": _trimmed(item.body["spec"])} if is_resource(item.body) else _trimmed(item.body))


def _live(uid: str, spec: Json, folder: str, version: Any, locked: str, resource_version: str = "") -> Live:
    handle = {"version": version, "resourceVersion": resource_version}
    return Live(uid, str(spec.get("title", "")), {**_stable(spec), "uid": uid}, folder, handle, locked)


def _resource_item(name: str, api_version: str, meta: Json, spec: Json, folder: str) -> Item:
    """A v2 dashboard as it stands in a file; a classic one that came as a resource becomes the bare JSON."""
    notes = {key: value for key, value in (meta.get("annotations") or {}).items() if not key.startswith(_OWN)}
    labels = {key: value for key, value in (meta.get("labels") or {}).items() if not key.startswith(_OWN)}
    folder = folder or str((meta.get("annotations") or {}).get(_FOLDER, ""))
    title = str(spec.get("title", ""))
    if not api_version.partition("/")[2].startswith("v2"):
        return Item(name, title, {**_stable(spec), "uid": name}, folder)
    kept = {"name": name, **({"annotations": notes} if notes else {}), **({"labels": labels} if labels else {})}
    body = {"apiVersion": api_version, "kind": "Dashboard", "metadata": kept, "spec": spec}
    return Item(name, title, body, folder)


def _of_resource(found: Json) -> Live:
    meta = found["metadata"]
    if _failed(found):
        message = _conversion(found).get("error") or "Grafana cannot convert it"
        raise ApiError("GET", f"dashboard {meta['name']}", 500, str(message))
    notes = meta.get("annotations") or {}
    item = _resource_item(meta["name"], found["apiVersion"], meta, found["spec"], "")
    manager = notes.get(_MANAGER, "")
    locked = f"dashboard {item.name!r} is managed by {manager}" if manager else ""
    handle = {"version": meta.get("generation"), "resourceVersion": meta.get("resourceVersion", "")}
    return Live(item.key, item.name, item.body, item.folder, handle, locked)
