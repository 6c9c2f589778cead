"""Library elements over HTTP."""

from __future__ import annotations

import json
from typing import Any

from ..database.dialect import Row
from ..identity.access import editor, viewer
from ..store import library
from ..store.permissions import EDIT, Rights
from ..times import rfc3339
from ..web.binding import Body
from ..web.context import Context
from ..web.errors import bad_request, denied
from ..web.routing import route
from .folders import author
from .shapes import avatar


def _who(number: int, login: str | None) -> dict[str, Any]:
    return {"id": number, "name": login or "Anonymous", "avatarUrl": avatar(login or "")}


def _shape(row: Row) -> dict[str, Any]:
    folder_name = row["folder_title"] if row["folder_title"] is not None else "General"
    return {
        "id": row["id"],
        "orgId": row["org_id"],
        "folderId": row["folder_id"] or 0,
        "folderUid": row["folder_uid"],
        "uid": row["uid"],
        "name": row["name"],
        "kind": row["kind"],
        "type": row["type"],
        "description": row["description"],
        "model": json.loads(row["model"]),
        "version": row["version"],
        "meta": {
            "folderName": folder_name,
            "folderUid": row["folder_uid"],
            "connectedDashboards": row["connections"],
            "created": rfc3339(row["created"]),
            "updated": rfc3339(row["updated"]),
            "createdBy": _who(row["created_by"], row["creator"]),
            "updatedBy": _who(row["updated_by"], row["updater"]),
        },
    }


def _folder_of(context: Context, body: Body) -> str | None:
    """The folder by uid, or by the number that came before it; None where neither is given."""
    if "folderUid" in body:
        uid = body.text("folderUid")
        return "" if uid == "general" else uid
    number = body.integer("folderId")
    if number <= 0:
        return "" if "folderId" in body and number == 0 else None
    found: str | None = context.session.value('SELECT "uid" FROM "folder" WHERE "org_id" = ? AND "id" = ?', context.org, number)
    if found is None:
        raise bad_request("failed to get folder")
    return found


def _check_kind(body: Body) -> None:
    if body.integer("kind", library.PANEL) not in (0, library.PANEL):
        raise bad_request("unsupported library element kind")


@route("GET", "/api/library-elements", viewer("library.panels:read"))
def search(context: Context) -> dict[str, Any]:
    page, size = context.page(100, "perPage")
    found = library.rows(context.session, context.org)
    if context.query_int("kind", library.PANEL) != library.PANEL:
        found = []
    if text := context.query("searchString").casefold():
        found = [row for row in found if text in row["name"].casefold() or text in (row["description"] or "").casefold()]
    if exclude := context.query("excludeUid"):
        found = [row for row in found if row["uid"] != exclude]
    if types := context.query("typeFilter"):
        found = [row for row in found if row["type"] in types.split(",")]
    if "folderFilterUIDs" in context.request.query:
        uids = context.query("folderFilterUIDs").split(",")
        found = [row for row in found if (row["folder_uid"] or "general") in uids or row["folder_uid"] in uids]
    elif numbers := context.query("folderFilter"):
        found = [row for row in found if str(row["folder_id"] or 0) in numbers.split(",")]
    rights = Rights.of(context.session, context.identity)
    found = [row for row in found if not row["folder_uid"] or rights.level("folder", row["folder_uid"])]
    found.sort(key=lambda row: (row["name"].casefold(), row["id"]), reverse=context.query("sortDirection") == "alpha-desc")
    elements = [_shape(row) for row in found[(page - 1) * size : page * size]]
    return {"result": {"totalCount": len(found), "elements": elements, "page": page, "perPage": size}}


@route("POST", "/api/library-elements", editor("library.panels:create"))
def create(context: Context) -> dict[str, Any]:
    body = context.body
    _check_kind(body)
    folder_uid = _folder_of(context, body) or ""
    if not Rights.of(context.session, context.identity).may_create_in(folder_uid):
        raise denied("library.panels:create")
    row = library.create(
        context.session,
        context.app.release,
        context.org,
        author(context),
        name=body.text("name"),
        model=body.object("model") or {},
        uid=body.text("uid"),
        folder_uid=folder_uid,
    )
    return {"result": _shape(row)}


@route("GET", "/api/library-elements/:uid", viewer("library.panels:read"))
def get(context: Context) -> dict[str, Any]:
    return {"result": _shape(library.get(context.session, context.org, context.params["uid"]))}


@route("GET", "/api/library-elements/name/:name", viewer("library.panels:read"))
def get_by_name(context: Context) -> dict[str, Any]:
    found = [row for row in library.rows(context.session, context.org) if row["name"] == context.params["name"]]
    if not found:
        library.get(context.session, context.org, "")
    return {"result": [_shape(row) for row in found]}


def _writable(context: Context, action: str) -> Row:
    row = library.get(context.session, context.org, context.params["uid"])
    rights = Rights.of(context.session, context.identity)
    if not (rights.level("folder", row["folder_uid"]) >= EDIT if row["folder_uid"] else rights.editor):
        raise denied(action)
    return row


@route("PATCH", "/api/library-elements/:uid", editor("library.panels:write"))
def update(context: Context) -> dict[str, Any]:
    row, body = _writable(context, "library.panels:write"), context.body
    _check_kind(body)
    changed = library.update(
        context.session,
        context.app.release,
        row,
        author(context),
        version=body.integer("version"),
        name=body.text("name"),
        model=body.object("model"),
        uid=body.text("uid"),
        folder_uid=_folder_of(context, body),
    )
    return {"result": _shape(changed)}


@route("DELETE", "/api/library-elements/:uid", editor("library.panels:delete"))
def delete(context: Context) -> dict[str, Any]:
    row = _writable(context, "library.panels:delete")
    library.delete(context.session, row)
    return {"message": "Library element deleted", "id": row["id"]}


@route("GET", "/api/library-elements/:uid/connections", viewer("library.panels:read"))
def connections(context: Context) -> dict[str, Any]:
    row = library.get(context.session, context.org, context.params["uid"])
    found = context.session.rows(
        'SELECT c.*, d."uid" AS "dashboard_uid", u."login" AS "creator" FROM "library_element_connection" c '
        'JOIN "dashboard" d ON d."id" = c."connection_id" LEFT JOIN "user" u ON u."id" = c."created_by" WHERE '
        'c."element_id" = ? ORDER BY c."id"',
        row["id"],
    )
    return {
        "result": [
            {
                "id": entry["id"],
                "kind": row["kind"],
                "elementId": row["id"],
                "connectionId": entry["connection_id"],
                "connectionUid": entry["dashboard_uid"],
                "created": rfc3339(entry["created"]),
                "createdBy": _who(entry["created_by"], entry["creator"]),
            }
            for entry in found
        ]
    }
