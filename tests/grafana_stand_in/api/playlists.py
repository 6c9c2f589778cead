"""Playlists."""

from __future__ import annotations

import json
from typing import Any

from ..database.dialect import Row
from ..identity.access import editor, viewer
from ..security.tokens import new_uid
from ..times import now_ms
from ..web.context import Context
from ..web.errors import bad_request, classic
from ..web.message import dumps
from ..web.routing import route

_ITEM_TYPES = ("dashboard_by_uid", "dashboard_by_tag", "dashboard_by_id")


def find(context: Context, uid: str) -> Row:
    row = context.session.row('SELECT * FROM "playlist" WHERE "org_id" = ? AND "uid" = ?', context.org, uid)
    if row is None:
        raise classic(404, "Playlist not found")
    return row


def items_of(row: Row) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(row["items"])
    return found


def _shape(row: Row) -> dict[str, Any]:
    return {"id": row["id"], "uid": row["uid"], "name": row["name"], "interval": row["interval_text"]}


def _sent(context: Context) -> dict[str, Any]:
    body = context.body
    items = [
        {"title": item.text("title"), "type": item.text("type"), "value": item.text("value"), "order": item.integer("order", number)}
        for number, item in enumerate(body.objects("items"), 1)
    ]
    if not body.text("name") or any(item["type"] not in _ITEM_TYPES for item in items):
        raise bad_request()
    return {"name": body.text("name"), "interval_text": body.text("interval") or "5m", "items": dumps(items)}


@route("GET", "/api/playlists", viewer("playlists:read"))
def search(context: Context) -> list[Any]:
    limit, query = context.query_int("limit", 1000), context.query("query").casefold()
    rows = context.session.rows('SELECT * FROM "playlist" WHERE "org_id" = ? ORDER BY "name", "id"', context.org)
    return [_shape(row) for row in rows if query in row["name"].casefold()][: limit if limit > 0 else 1000]


@route("POST", "/api/playlists", editor("playlists:write"))
def create(context: Context) -> dict[str, Any]:
    now, uid = now_ms(), new_uid()
    context.session.insert("playlist", org_id=context.org, uid=uid, **_sent(context), created=now, updated=now)
    return _shape(find(context, uid))


@route("GET", "/api/playlists/:uid", viewer("playlists:read"))
def get(context: Context) -> dict[str, Any]:
    row = find(context, context.params["uid"])
    return {**_shape(row), "items": items_of(row)}


@route("GET", "/api/playlists/:uid/items", viewer("playlists:read"))
def get_items(context: Context) -> list[Any]:
    return items_of(find(context, context.params["uid"]))


@route("PUT", "/api/playlists/:uid", editor("playlists:write"))
def update(context: Context) -> dict[str, Any]:
    row = find(context, context.params["uid"])
    context.session.update("playlist", {"id": row["id"]}, **_sent(context), updated=now_ms())
    changed = find(context, row["uid"])
    return {**_shape(changed), "items": items_of(changed)}


@route("DELETE", "/api/playlists/:uid", editor("playlists:write"))
def delete(context: Context) -> dict[str, Any]:
    context.session.delete("playlist", id=find(context, context.params["uid"])["id"])
    return {"message": "Playlist deleted"}
