# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Library panels."""

from __future__ import annotations

from collections.abc import Iterator

from .. import names
from ..canonical import Json, pick
from ..client import segment
from ..organisation import Org
from .base import Item, Kind, Live, renamed, required


class LibraryPanelKind(Kind):
    """Panels that dashboards share; they come before the dashboards that use them."""

    name = "library_panels"
    foldered = True
    lingers = True

    def read_all(self, org: Org) -> Iterator[Live]:
        for element in org.paged("/api/library-elements", 100, "perPage", "result.elements"):
            yield _live(element)

    def read(self, org: Org, key: str) -> Live | None:
        answer = org.find(f"/api/library-elements/{segment(key)}")
        return None if answer is None else _live(answer["result"])

    def create(self, org: Org, item: Item) -> None:
        org.write("POST", "/api/library-elements", {**item.body, "folderUid": item.folder})

    def update(self, org: Org, item: Item, live: Live) -> None:
        body = {**item.body, "folderUid": item.folder, "version": live.handle}
        org.write("PATCH", f"/api/library-elements/{segment(item.key)}", body)

    def delete(self, org: Org, live: Live) -> None:
        org.remove(f"/api/library-elements/{segment(live.key)}")

    def claims(self, org: Org, item: Item) -> dict[str, str]:
        return {f"{item.folder}/{item.name}": item.key}

    def insists(self, org: Org) -> bool:
        # Then names stopped being unique within a folder, or a release later.
        return org.before(12, 3)

    def clash(self, key: str, name: str, claim: str, at: str, holder: str) -> str:
        return (
            f"library panel {name!r} has the uid {at} in Grafana, and {key} in the tree, and names are unique within a folder: "
            f"delete or rename it in Grafana (prune deletes it if the tree lacks it)"
        )

    def aside(self, live: Live) -> Item:
        return renamed(live, 50)

    def parse(self, body: Json, folder: str, path: str) -> Item:
        name = required(body, "name", path)
        uid = str(body.get("uid") or names.derived_uid(path))
        # What other programs keep is the answer of the API, which says itself where it belongs.
        folder = folder or str(body.get("folderUid") or "")
        model = body.get("model") or {}
        # Grafana adds these to every model.
        added = {member: "" for member in ("type", "description") if model.get(member) is None}
        return Item(uid, name, _body(uid, name, body.get("kind", 1), {**model, **added}), folder)


def _body(uid: str, name: str, kind: int, model: Json) -> Json:
    # The model carries the uid and the name of the element once more, put there by Grafana.
    return {"uid": uid, "name": name, "kind": kind, "model": {key: value for key, value in model.items() if key != "libraryPanel"}}


def _live(element: Json) -> Live:
    known = pick(element, "uid", "name")
    body = _body(known["uid"], known["name"], element.get("kind", 1), element["model"])
    return Live(known["uid"], known["name"], body, element.get("folderUid") or "", element["version"])
