# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Folders."""

from __future__ import annotations

from collections.abc import Iterator

from ..canonical import Json
from ..client import segment
from ..errors import ApiError, Conflict, NotFound
from ..folder_tree import Folder
from ..organisation import FOLDER_GROUP, Org
from .base import Item, Kind, Live, required

_PARENT, _MANAGER = "grafana.app/folder", "grafana.app/managedBy"


class FolderKind(Kind):
    """Folders; each is a directory too. ``folder`` is the one around it."""

    name = "folders"
    in_steps = True
    foldered = True

    def read_all(self, org: Org) -> Iterator[Live]:
        found = list(self._resources(org) if self._version(org) else self._legacy(org))
        org.folders.known = {live.key: Folder(live.name, live.folder) for live in found}
        yield from sorted(found, key=lambda live: (len(org.folders.chain(live.key)), live.key))

    @staticmethod
    def _version(org: Org) -> str:
        """Version of the resource API whose lists come from the database, not from the index of one instance."""
        return next((version for version in ("v1", "v1beta1") if version in org.apis.get(FOLDER_GROUP, ())), "")

    def _resources(self, org: Org) -> Iterator[Live]:
        for found in org.listed(org.resources(FOLDER_GROUP, self._version(org), "folders"), 500):
            meta, spec = found["metadata"], found["spec"]
            notes = meta.get("annotations") or {}
            manager = notes.get(_MANAGER, "")
            yield _live(meta["name"], spec["title"], spec.get("description") or "", notes.get(_PARENT, ""), manager)

    def _legacy(self, org: Org) -> Iterator[Live]:
        def hits() -> list[Json]:
            return org.paged("/api/search", 5000, query={"type": "dash-folder"})

        return org.each(
            self.name,
            hits(),
            lambda hit: _of_answer(org.get(f"/api/folders/{segment(hit['uid'])}")),
            lambda hit: (hit["uid"], hit["title"]),
            lambda: {hit["uid"] for hit in hits()},
        )

    def read(self, org: Org, key: str) -> Live | None:
        answer = org.find(f"/api/folders/{segment(key)}")
        return None if answer is None else _of_answer(answer)

    def create(self, org: Org, item: Item) -> None:
        org.write("POST", "/api/folders", {"uid": item.key, "parentUid": item.folder, **item.body})
        org.folders.known[item.key] = Folder(item.name, item.folder)

    def update(self, org: Org, item: Item, live: Live) -> None:
        path = f"/api/folders/{segment(item.key)}"
        now = org.get(path)
        if _of_answer(now).digest != live.digest:
            raise Conflict("PUT", path, 412, "changed meanwhile")
        if item.folder != live.folder:
            org.write("POST", f"{path}/move", {"parentUid": item.folder})
            now = org.get(path)
        if item.body != live.body:
            body = {"title": item.name, "description": item.body.get("description", ""), "version": now["version"]}
            org.write("PUT", path, body)
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
            live = _of_answer(org.get(f"/api/folders/{segment(uid)}"))
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


def _of_answer(answer: Json) -> Live:
    return _live(answer["uid"], answer["title"], answer.get("description") or "", answer.get("parentUid") or "")
