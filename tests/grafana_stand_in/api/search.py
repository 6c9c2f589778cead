"""Search over dashboards and folders."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from ..database.dialect import Row
from ..identity.access import SIGNED_IN
from ..security.tokens import slug
from ..store.permissions import EDIT, VIEW, Rights
from ..web.context import Context
from ..web.errors import bad_request, classic
from ..web.routing import route
from .folders import folder_url

_DEFAULT, _MAXIMUM = 1000, 5000
_TYPES = {"dash-db": "dashboard", "dash-folder": "folder"}
_SORTS = (
    ("alpha-asc", "Alphabetically (A–Z)", "Sort results in an alphabetically ascending order"),  # noqa: RUF001
    ("alpha-desc", "Alphabetically (Z–A)", "Sort results in an alphabetically descending order"),  # noqa: RUF001
)


@route("GET", "/api/search/sorting", SIGNED_IN)
def sorting(context: Context) -> dict[str, Any]:
    return {"sortOptions": [{"name": name, "displayName": shown, "description": text, "meta": ""} for name, shown, text in _SORTS]}


@dataclass(frozen=True)
class _Item:
    kind: str
    row: Row
    starred: bool

    @property
    def folded_title(self) -> str:
        return str(self.row["title"]).casefold()

    @property
    def tags(self) -> list[str]:
        found: list[str] = json.loads(self.row["tags"]) if self.kind == "dashboard" else []
        return found


@route("GET", "/api/search", SIGNED_IN)
def search(context: Context) -> list[Any]:
    page, limit = context.page(_DEFAULT, "limit")
    if limit > _MAXIMUM:
        raise classic(422, "Limit is above maximum allowed (5000), use page parameter to access hits beyond limit")
    numbers, uids = context.query_all("dashboardIds"), context.query_all("dashboardUIDs")
    folder_numbers, folder_uids = context.query_all("folderIds"), context.query_all("folderUIDs")
    if (numbers and uids) or (folder_numbers and folder_uids):
        raise bad_request("search supports UIDs or IDs, not both")
    folders = {row["uid"]: row for row in context.app.listing.rows(context.session, context.org, "folder")}
    items = _items(context, folders)
    if numbers:
        items = [item for item in items if str(item.row["id"]) in numbers and item.kind == "dashboard"]
    if uids:
        items = [item for item in items if item.row["uid"] in uids]
    if folder_numbers:
        wanted = {uid for uid, row in folders.items() if str(row["id"]) in folder_numbers} | ({""} if "0" in folder_numbers else set())
        items = [item for item in items if item.row["folder_uid"] in wanted]
    if folder_uids:
        items = [item for item in items if (item.row["folder_uid"] or "general") in folder_uids]
    if tags := set(context.query_all("tag")):
        items = [item for item in items if tags <= set(item.tags)]
    if words := context.query("query").casefold().split():
        items = [item for item in items if all(word in item.folded_title for word in words)]
    if context.query_flag("starred"):
        items = [item for item in items if item.starred]
    items.sort(key=lambda item: str(item.row["uid"]))
    items.sort(key=lambda item: item.folded_title, reverse=context.query("sort") == "alpha-desc")
    return [_hit(context.org, item, folders) for item in items[(page - 1) * limit : page * limit]]


def _items(context: Context, folders: dict[str, Row]) -> list[_Item]:
    """Everything of the asked kinds that the caller may see."""
    if context.query_flag("deleted"):
        return []
    session, org_id = context.session, context.org
    kinds = [_TYPES[kind] for kind in context.query_all("type") if kind in _TYPES] or list(_TYPES.values())
    rights = Rights.of(session, context.identity)
    wanted = EDIT if context.query("permission").lower() == "edit" else VIEW
    stars = set(session.column('SELECT "dashboard_uid" FROM "star" WHERE "org_id" = ? AND "user_id" = ?', org_id, context.identity.user_id))
    items = []
    if "folder" in kinds:
        items += [_Item("folder", row, False) for row in folders.values() if rights.level("folder", row["uid"]) >= wanted]
    if "dashboard" in kinds:
        for row in context.app.listing.rows(session, org_id, "dashboard"):
            if rights.level("dashboard", row["uid"], row["folder_uid"]) >= wanted:
                items.append(_Item("dashboard", row, row["uid"] in stars))
    return items


def _hit(org_id: int, item: _Item, folders: dict[str, Row]) -> dict[str, Any]:
    row = item.row
    uid, title = row["uid"], row["title"]
    is_folder = item.kind == "folder"
    name = slug(title) if is_folder else row["slug"]
    hit = {
        "id": row["id"],
        "orgId": org_id,
        "uid": uid,
        "title": title,
        "uri": f"db/{name}",
        "url": folder_url(uid, title) if is_folder else f"/d/{uid}/{name}",
        "slug": "",
        "type": "dash-folder" if is_folder else "dash-db",
        "tags": item.tags,
        "isStarred": item.starred,
        "sortMeta": 0,
        "isDeleted": False,
    }
    if row["folder_uid"]:
        hit["folderUid"] = row["folder_uid"]
        above = folders.get(row["folder_uid"])
        if above is not None:
            hit |= {"folderId": above["id"], "folderTitle": above["title"], "folderUrl": folder_url(above["uid"], above["title"])}
    return hit
