"""Search over dashboards and folders."""

from __future__ import annotations

import json
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


@route("GET", "/api/search", SIGNED_IN)
def search(context: Context) -> list[Any]:
    page, limit = context.page(_DEFAULT, "limit")
    if limit > _MAXIMUM:
        raise classic(422, "Limit is above maximum allowed (5000), use page parameter to access hits beyond limit")
    numbers, uids = context.query_all("dashboardIds"), context.query_all("dashboardUIDs")
    folder_numbers, folder_uids = context.query_all("folderIds"), context.query_all("folderUIDs")
    if (numbers and uids) or (folder_numbers and folder_uids):
        raise bad_request("search supports UIDs or IDs, not both")
    hits = _hits(context)
    if numbers:
        hits = [hit for hit in hits if str(hit["id"]) in numbers and hit["type"] == "dash-db"]
    if uids:
        hits = [hit for hit in hits if hit["uid"] in uids]
    if folder_numbers:
        hits = [hit for hit in hits if str(hit.get("folderId", 0)) in folder_numbers]
    if folder_uids:
        hits = [hit for hit in hits if hit.get("folderUid", "general") in folder_uids]
    if tags := context.query_all("tag"):
        hits = [hit for hit in hits if set(tags) <= set(hit["tags"])]
    if words := context.query("query").casefold().split():
        hits = [hit for hit in hits if all(word in hit["title"].casefold() for word in words)]
    if context.query_flag("starred"):
        hits = [hit for hit in hits if hit["isStarred"]]
    hits.sort(key=lambda hit: hit["uid"])
    hits.sort(key=lambda hit: hit["title"].casefold(), reverse=context.query("sort") == "alpha-desc")
    return hits[(page - 1) * limit : page * limit]


def _hits(context: Context) -> list[dict[str, Any]]:
    if context.query_flag("deleted"):
        return []
    session, org_id = context.session, context.org
    kinds = [_TYPES[kind] for kind in context.query_all("type") if kind in _TYPES] or list(_TYPES.values())
    rights = Rights.of(session, context.identity)
    wanted = EDIT if context.query("permission").lower() == "edit" else VIEW
    folders = context.app.listing.rows(session, org_id, "folder")
    by_uid = {row["uid"]: row for row in folders}
    stars = set(session.column('SELECT "dashboard_uid" FROM "star" WHERE "org_id" = ? AND "user_id" = ?', org_id, context.identity.user_id))
    hits = []
    if "folder" in kinds:
        hits += [_hit(org_id, row, "folder", by_uid, False) for row in folders if rights.level("folder", row["uid"]) >= wanted]
    if "dashboard" in kinds:
        for row in context.app.listing.rows(session, org_id, "dashboard"):
            if rights.level("dashboard", row["uid"], row["folder_uid"]) >= wanted:
                hits.append(_hit(org_id, row, "dashboard", by_uid, row["uid"] in stars))
    return hits


def _hit(org_id: int, row: Row, kind: str, folders: dict[str, Row], starred: bool) -> dict[str, Any]:
    uid, title = row["uid"], row["title"]
    is_folder = kind == "folder"
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
        "tags": [] if is_folder else json.loads(row["tags"]),
        "isStarred": starred,
        "sortMeta": 0,
        "isDeleted": False,
    }
    if row["folder_uid"]:
        above = folders.get(row["folder_uid"])
        hit["folderUid"] = row["folder_uid"]
        if above is not None:
            hit |= {"folderId": above["id"], "folderTitle": above["title"], "folderUrl": folder_url(above["uid"], above["title"])}
    return hit
