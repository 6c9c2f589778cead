# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Folders."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ..canonical import Json, without
from ..client import segment
from ..errors import ApiError, Conflict, NotFound
from ..folder_tree import Folder
from ..organisation import FOLDER_GROUP, Org
from .base import Item, Kind, Live, required

_PARENT, _MANAGER = "grafana.app/folder", "grafana.app/managedBy"


class FolderKind(Kind):
    """Folders; each is a directory too. ``folder`` is the one around it.

    Descriptions are known to the resource API alone, which Grafana 12 and later have; before that they are neither read nor written.
    """

    name = "folders"
    in_steps = True
    foldered = True

    def read_all(self, org: Org) -> Iterator[Live]:
        found = list(self._resources(org) if _version(org) else self._legacy(org))
        org.folders.known = {live.key: Folder(live.name, live.folder) for live in found}
        yield from sorted(found, key=lambda live: (len(org.folders.chain(live.key)), live.key))

    def _resources(self, org: Org) -> Iterator[Live]:
        yield from map(_of_resource, org.listed(org.resources(FOLDER_GROUP, _version(org), "folders"), 500))

    def _legacy(self, org: Org) -> Iterator[Live]:
        def hits() -> list[Json]:
            return org.paged("/api/search", 5000, query={"type": "dash-folder"})

        return org.each(
            self.name,
            hits(),
            lambda hit: _read(org, hit["uid"]),
            lambda hit: (hit["uid"], hit["title"]),
            lambda: {hit["uid"] for hit in hits()},
        )

    def read(self, org: Org, key: str) -> Live | None:
        try:
            return _read(org, key)
        except NotFound:
            return None

    def equal(self, org: Org, wanted: Item, live: Live) -> bool:
        return self.same(_readable(org, wanted), live)

    def create(self, org: Org, item: Item) -> None:
        org.write("POST", "/api/folders", {"parentUid": item.folder, **_readable(org, item).body})
        org.folders.known[item.key] = Folder(item.name, item.folder)

    def update(self, org: Org, item: Item, live: Live) -> None:
        path, body = f"/api/folders/{segment(item.key)}", _readable(org, item).body
        # Asked for before the content is compared, the version is that of what was compared, or is refused.
        version = org.get(path)["version"]
        self.unchanged(org, item, live, "PUT", path)
        if item.folder != live.folder:
            org.write("POST", f"{path}/move", {"parentUid": item.folder})
            version = org.get(path)["version"]
        if body != live.body:
            description = {"description": body.get("description", "")} if _version(org) else {}
            org.write("PUT", path, {"title": item.name, **description, "version": version})
        org.folders.known[item.key] = Folder(item.name, item.folder)

    def delete(self, org: Org, live: Live) -> None:
        path = f"/api/folders/{segment(live.key)}"
        try:
            inside = org.get(f"{path}/counts")
            # Grafana deletes what is inside along with the folder; what the plan does not delete has to stay.
            if any(inside.values()):
                raise Conflict("DELETE", path, 409, f"the folder is not empty: {inside}")
            org.write("DELETE", path)
        except NotFound:
            return

    def parse(self, body: Json, folder: str, path: str) -> Item:
        title = required(body, "title", path).strip()
        # What other programs keep is the answer of the API, which says itself where it belongs.
        folder = folder or str(body.get("parentUid") or "")
        return _live(required(body, "uid", path), title, body.get("description") or "", folder)


def learn(org: Org, uid: str) -> list[Live]:
    """A folder that no list has shown, and those around it, read one by one; ``org.folders`` knows them afterwards.

    It may be new, or hidden from whoever reads. One that cannot be read is told to ``org.fail``, once.
    """
    found: list[Live] = []
    while uid and uid not in org.folders.known and all((one.kind, one.key) != (FolderKind.name, uid) for one in org.failures):
        try:
            live = _read(org, uid)
        except ApiError as error:
            org.fail(FolderKind.name, uid, "", error)
            break
        found.append(live)
        org.folders.known[uid] = Folder(live.name, live.folder)
        uid = live.folder
    return found


def _live(uid: str, title: str, description: str, parent: str, manager: str = "") -> Live:
    body = {"uid": uid, "title": title, **({"description": description} if description else {})}
    return Live(uid, title, body, parent, locked=f"folder {title!r} is managed by {manager}" if manager else "")


def _version(org: Org) -> str:
    """Version of the resource API whose lists come from the database, not from the index of one instance; empty for none."""
    return org.served(FOLDER_GROUP)


def _read(org: Org, uid: str) -> Live:
    """A folder as it is now; NotFound."""
    if version := _version(org):
        return _of_resource(org.get(f"{org.resources(FOLDER_GROUP, version, 'folders')}/{segment(uid)}"))
    answer = org.get(f"/api/folders/{segment(uid)}")
    return _live(answer["uid"], answer["title"], "", answer.get("parentUid") or "")


def _of_resource(found: Json) -> Live:
    meta, spec = found["metadata"], found["spec"]
    notes = meta.get("annotations") or {}
    return _live(meta["name"], spec["title"], spec.get("description") or "", notes.get(_PARENT, ""), notes.get(_MANAGER, ""))


def _readable(org: Org, item: Item) -> Item:
    """The folder without what this Grafana would not show."""
    return item if _version(org) else replace(item, body=without(item.body, "description"))
