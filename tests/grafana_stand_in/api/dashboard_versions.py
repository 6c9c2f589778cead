"""The versions of a dashboard."""

from __future__ import annotations

import json
from typing import Any

from ..database.dialect import Row
from ..identity.access import viewer
from ..store.dashboards import Command
from ..store.permissions import EDIT
from ..times import rfc3339
from ..web.context import Context
from ..web.errors import bad_request, classic
from ..web.message import Response
from ..web.routing import route
from .dashboards import readable, save_checked, saved

_VERSIONS = (
    'SELECT v.*, u."login" AS "creator" FROM "dashboard_version" v LEFT JOIN "user" u ON u."id" = '
    'v."created_by" WHERE v."dashboard_id" = ? '
)


def _shape(uid: str, row: Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "dashboardId": row["dashboard_id"],
        "uid": uid,
        "parentVersion": row["parent_version"],
        "restoredFrom": row["restored_from"],
        "version": row["version"],
        "created": rfc3339(row["created"]),
        "createdBy": row["creator"] or "Anonymous",
        "message": row["message"],
        "data": json.loads(row["data"]),
    }


@route("GET", "/api/dashboards/uid/:uid/versions", viewer("dashboards:write"))
def list_versions(context: Context) -> Response:
    row, _ = readable(context, EDIT, "dashboards:write")
    limit, start = context.query_int("limit"), max(0, context.query_int("start"))
    limit = limit if 0 < limit < 1 << 31 else 1000
    before = context.query_int("continueToken", (1 << 62))
    sql = _VERSIONS + 'AND v."version" < ? ORDER BY v."version" DESC LIMIT ? OFFSET ?'
    found = [_shape(row["uid"], version) for version in context.session.rows(sql, row["id"], before, limit + 1, start)]
    more, found = len(found) > limit, found[:limit]
    if not context.app.release.versions_in_envelope:
        return Response.json(found)
    return Response.json({"continueToken": str(found[-1]["version"]) if more else "", "versions": found})


def _version(context: Context, dashboard: Row, version: int) -> Row:
    row = context.session.row(_VERSIONS + 'AND v."version" = ?', dashboard["id"], version)
    if row is None:
        raise classic(404, f"Dashboard version {version} not found for dashboardUID {dashboard['uid']}")
    return row


@route("GET", "/api/dashboards/uid/:uid/versions/:version", viewer("dashboards:write"))
def get_version(context: Context) -> dict[str, Any]:
    row, _ = readable(context, EDIT, "dashboards:write")
    return _shape(row["uid"], _version(context, row, context.id_of_path("version")))


@route("POST", "/api/dashboards/uid/:uid/restore", viewer("dashboards:write"))
def restore(context: Context) -> dict[str, Any]:
    row, _ = readable(context, EDIT, "dashboards:write")
    wanted = context.body.integer("version")
    version = _version(context, row, wanted)
    if version["data"] == row["data"]:
        raise bad_request("Current dashboard is identical to the specified version")
    spec = {**json.loads(version["data"]), "uid": row["uid"], "version": row["version"]}
    command = Command(spec, row["folder_uid"], f"Restored from version {wanted}", False, version["api_version"], restored_from=wanted)
    return saved(save_checked(context, command))
