"""Dashboard snapshots."""

from __future__ import annotations

from typing import Any

from ..database.dialect import Row
from ..identity.access import PUBLIC, SIGNED_IN, editor, viewer
from ..security.tokens import random_text
from ..times import now_ms, rfc3339
from ..web.context import Context
from ..web.errors import bad_request, classic
from ..web.message import Response, dumps
from ..web.routing import route

# Grafana lets a snapshot without an expiry live for fifty years.
_FOREVER_MS = 50 * 365 * 86400 * 1000
_MAX_SECONDS = 50 * 365 * 86400


@route("GET", "/api/snapshot/shared-options", SIGNED_IN)
def options(context: Context) -> dict[str, Any]:
    settings = context.app.settings
    return {
        "externalSnapshotURL": settings.text("snapshots", "external_snapshot_url"),
        "externalSnapshotName": settings.text("snapshots", "external_snapshot_name"),
        "externalEnabled": settings.flag("snapshots", "external_enabled", True),
        "snapshotEnabled": settings.flag("snapshots", "enabled", True),
    }


@route("POST", "/api/snapshots", editor("snapshots:create"))
def create(context: Context) -> dict[str, Any]:
    body, now = context.body, now_ms()
    dashboard = body.object("dashboard")
    if dashboard is None:
        raise bad_request()
    if body.flag("external"):
        raise classic(403, "External dashboard creation is disabled")
    expires = body.integer("expires")
    key, delete_key = body.text("key") or random_text(32), body.text("deleteKey") or random_text(32)
    if context.session.value('SELECT count(*) FROM "dashboard_snapshot" WHERE "snapshot_key" = ? OR "delete_key" = ?', key, delete_key):
        raise bad_request("a snapshot with this key already exists")
    number = context.session.insert(
        "dashboard_snapshot",
        org_id=context.org,
        name=body.text("name") or "Unnamed snapshot",
        snapshot_key=key,
        delete_key=delete_key,
        user_id=context.identity.user_id,
        expires=now + (min(expires, _MAX_SECONDS) * 1000 if expires > 0 else _FOREVER_MS),
        dashboard=dumps(dashboard),
        created=now,
        updated=now,
    )
    root = context.app.root_url
    return {
        "key": key,
        "deleteKey": delete_key,
        "url": f"{root}dashboard/snapshot/{key}",
        "deleteUrl": f"{root}api/snapshots-delete/{delete_key}",
        "id": number,
    }


@route("GET", "/api/dashboard/snapshots", viewer("snapshots:read"))
def search(context: Context) -> list[Any]:
    limit, query = context.query_int("limit", 1000), context.query("query").casefold()
    rows = context.session.rows(
        'SELECT * FROM "dashboard_snapshot" WHERE "org_id" = ? AND "expires" > ? ORDER BY "name", "id"', context.org, now_ms()
    )
    if context.identity.rank < 2:
        rows = [row for row in rows if row["user_id"] == context.identity.user_id]
    found = [
        {
            "name": row["name"],
            "key": row["snapshot_key"],
            "external": False,
            "externalUrl": "",
            "expires": rfc3339(row["expires"]),
            "created": rfc3339(row["created"]),
            "updated": rfc3339(row["updated"]),
        }
        for row in rows
        if query in row["name"].casefold()
    ]
    return found[: limit if limit > 0 else 1000]


def _find(context: Context, column: str, key: str) -> Row:
    row = context.session.row(f'SELECT * FROM "dashboard_snapshot" WHERE "{column}" = ?', key)
    if row is None:
        raise classic(404, "Dashboard snapshot not found")
    return row


@route("GET", "/api/snapshots/:key", PUBLIC)
def get(context: Context) -> Response:
    row = _find(context, "snapshot_key", context.params["key"])
    if row["expires"] <= now_ms():
        raise classic(404, "Dashboard snapshot not found")
    meta = {"type": "snapshot", "isSnapshot": True, "created": rfc3339(row["created"]), "expires": rfc3339(row["expires"])}
    return Response(200, f'{{"meta":{dumps(meta)},"dashboard":{row["dashboard"]}}}'.encode())


@route("DELETE", "/api/snapshots/:key", editor("snapshots:delete"))
def delete(context: Context) -> dict[str, Any]:
    row = _find(context, "snapshot_key", context.params["key"])
    if row["org_id"] != context.org:
        raise classic(404, "Dashboard snapshot not found")
    context.session.delete("dashboard_snapshot", id=row["id"])
    return {"message": "Snapshot deleted. It might take an hour before it's cleared from any CDN caches.", "id": row["id"]}


@route("GET", "/api/snapshots-delete/:key", PUBLIC)
def delete_by_key(context: Context) -> dict[str, Any]:
    row = _find(context, "delete_key", context.params["key"])
    context.session.delete("dashboard_snapshot", id=row["id"])
    return {"message": "Snapshot deleted. It might take an hour before it's cleared from any CDN caches.", "id": row["id"]}
