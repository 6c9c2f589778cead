"""Dashboards below /api/dashboards."""

from __future__ import annotations

import json
from typing import Any

from ..database.dialect import Row
from ..identity.access import SIGNED_IN, viewer
from ..store import conversion, dashboards, folders, permissions
from ..store.dashboards import Command
from ..store.permissions import ADMIN, EDIT, VIEW, Rights
from ..times import ZERO, rfc3339
from ..web.binding import Body
from ..web.context import Context
from ..web.errors import bad_request, classic, denied
from ..web.message import Response, dumps
from ..web.routing import route
from .folders import author, folder_url

_FULL = (
    'SELECT d.*, f."id" AS "folder_id", f."title" AS "folder_title", p."external_id", p."name" AS "provider", p."allow_ui_updates", '
    'c."login" AS "creator", u."login" AS "updater", s."dashboard_uid" AS "starred" FROM "dashboard" d '
    'LEFT JOIN "folder" f ON f."org_id" = d."org_id" AND f."uid" = d."folder_uid" '
    'LEFT JOIN "dashboard_provisioning" p ON p."dashboard_id" = d."id" '
    'LEFT JOIN "user" c ON c."id" = d."created_by" LEFT JOIN "user" u ON u."id" = d."updated_by" '
    'LEFT JOIN "star" s ON s."org_id" = d."org_id" AND s."dashboard_uid" = d."uid" AND s."user_id" = ? '
    'WHERE d."org_id" = ? AND d."uid" = ?'
)


def _meta(context: Context, row: Row, level: int) -> dict[str, Any]:
    in_folder = row["folder_title"] is not None
    actions = {"canAdd": level >= EDIT, "canEdit": level >= EDIT, "canDelete": level >= EDIT}
    meta = {
        "type": "db",
        "canSave": level >= EDIT,
        "canEdit": level >= EDIT,
        "canAdmin": level >= ADMIN,
        "canStar": context.identity.is_user,
        "canDelete": level >= EDIT,
        "slug": row["slug"],
        "url": dashboards.url(row),
        "expires": ZERO,
        "created": rfc3339(row["created"]),
        "updated": rfc3339(row["updated"]),
        "updatedBy": row["updater"] or "Anonymous",
        "createdBy": row["creator"] or "Anonymous",
        "version": row["version"],
        "hasAcl": False,
        "isFolder": False,
        "folderId": row["folder_id"] or 0,
        "folderUid": row["folder_uid"],
        "folderTitle": row["folder_title"] if in_folder else "General",
        "folderUrl": folder_url(row["folder_uid"], row["folder_title"]) if in_folder else "",
        "provisioned": row["provider"] is not None and not row["allow_ui_updates"],
        "provisionedExternalId": row["external_id"] or "",
        "annotationsPermissions": {"dashboard": actions, "organization": actions},
        "publicDashboardEnabled": False,
    }
    if context.app.release.since(12):
        meta["apiVersion"] = row["api_version"]
    if context.app.release.since(13):
        meta["annotationsPermissions"] = {"dashboard": actions}
    if context.app.release.starred_in_meta:
        meta["isStarred"] = row["starred"] is not None
    return meta


def readable(context: Context, level: int = VIEW, action: str = "dashboards:read") -> tuple[Row, int]:
    """The dashboard of the path, if the caller has that much of a right to it; otherwise the answer says so."""
    row = context.session.row(_FULL, context.identity.user_id, context.org, context.params["uid"])
    if row is None:
        raise classic(404, "Dashboard not found")
    has = Rights.of(context.session, context.identity).level("dashboard", row["uid"], row["folder_uid"])
    if has < level:
        raise denied(action)
    return row, has


@route("GET", "/api/dashboards/uid/:uid", viewer("dashboards:read"))
def get(context: Context) -> Response:
    row, level = readable(context)
    text = _as_legacy(context, row)
    return Response(200, f'{{"meta":{dumps(_meta(context, row, level))},"dashboard":{text}}}'.encode())


def _as_legacy(context: Context, row: Row) -> str:
    stored = row["api_version"]
    wanted = context.query("apiVersion") if context.app.release.since(13) else ""
    if conversion.family(stored) == "v2" and not context.app.release.legacy_api_converts_v2:
        namespace = "default" if context.org == 1 else f"org-{context.org}"
        path = f"/apis/dashboard.grafana.app/{stored}/namespaces/{namespace}/dashboards/{row['uid']}"
        raise classic(406, f"dashboard api version not supported, use {path} instead")
    if conversion.family(stored) != "v2" and not wanted:
        return dashboards.with_given(row)
    target = wanted if conversion.family(wanted) != "v2" and wanted else "v1beta1"
    spec = conversion.convert(json.loads(row["data"]), stored, target)
    return dumps({"id": row["id"], "uid": row["uid"], "version": row["version"], **spec})


def _unwrapped(context: Context, sent: dict[str, Any], command: Command) -> None:
    """Newer releases take a resource where the dashboard stands, and refuse the bare spec of one in the v2 shape."""
    if not context.app.release.save_conflict_is_409:
        return
    version = sent.get("apiVersion")
    if isinstance(version, str) and version.startswith("dashboard.grafana.app/"):
        metadata, spec = sent.get("metadata"), sent.get("spec")
        if "id" in sent:
            raise bad_request("id is not allowed at the root of a resource")
        if not isinstance(metadata, dict) or not isinstance(spec, dict):
            raise bad_request()
        annotations = metadata.get("annotations")
        command.folder_uid = command.folder_uid or str((annotations if isinstance(annotations, dict) else {}).get("grafana.app/folder", ""))
        command.api_version = version.partition("/")[2]
        command.spec = {**spec, "uid": sent.get("uid") or metadata.get("name") or "", "version": metadata.get("generation", 0)}
    elif dashboards.is_v2_spec(sent):
        raise bad_request("a dashboard in the v2 shape has to be sent as a resource")


def command_of(context: Context, body: Body) -> Command:
    sent = body.object("dashboard")
    if sent is None:
        raise bad_request()
    if body.flag("isFolder"):
        raise bad_request("Use folders endpoint for saving folders.")
    command = Command(sent, body.text("folderUid"), body.text("message"), body.flag("overwrite"))
    number = body.integer("folderId")
    if not command.folder_uid and number > 0:
        uid = context.session.value('SELECT "uid" FROM "folder" WHERE "org_id" = ? AND "id" = ?', context.org, number)
        if uid is None:
            raise bad_request("folder not found")
        command.folder_uid = uid
    _unwrapped(context, sent, command)
    return command


def save_checked(context: Context, command: Command) -> Row:
    """Saves with the caller's rights."""
    limit = context.app.faults.plan.dashboard_limit_mb
    if limit and len(context.request.body) > limit * (1 << 20):
        raise classic(413, f"Dashboard is too large, max is {limit:g} MB")
    rights = Rights.of(context.session, context.identity)
    if not rights.everything:
        existing = dashboards.find(context.session, context.org, str(command.spec.get("uid") or ""))
        allowed = rights.may_create_in(command.folder_uid)
        if existing is not None:
            allowed = rights.level("dashboard", existing["uid"], existing["folder_uid"]) >= EDIT
            if command.folder_uid != existing["folder_uid"]:
                allowed = allowed and rights.may_create_in(command.folder_uid)
        if not allowed:
            raise classic(403, "Access denied to save dashboard")
    return dashboards.save(context.session, context.app.release, context.app.settings, context.org, author(context), command)


def saved(row: Row) -> dict[str, Any]:
    return {
        "folderUid": row["folder_uid"],
        "id": row["id"],
        "slug": row["slug"],
        "status": "success",
        "uid": row["uid"],
        "url": dashboards.url(row),
        "version": row["version"],
    }


@route("POST", "/api/dashboards/db", viewer("dashboards:write"))
def save(context: Context) -> dict[str, Any]:
    return saved(save_checked(context, command_of(context, context.body)))


@route("DELETE", "/api/dashboards/uid/:uid", viewer("dashboards:delete"))
def delete(context: Context) -> dict[str, Any]:
    readable(context, EDIT, "dashboards:delete")
    row = dashboards.delete(context.session, context.org, context.params["uid"], author(context))
    return {"title": row["title"], "message": f"Dashboard {row['title']} deleted", "uid": row["uid"]}


@route("GET", "/api/dashboards/home", SIGNED_IN)
def home(context: Context) -> dict[str, Any]:
    for user_id in (context.identity.user_id, 0):
        data = context.session.value(
            'SELECT "data" FROM "preferences" WHERE "org_id" = ? AND "user_id" = ? AND "team_id" = 0', context.org, user_id
        )
        uid = json.loads(data or "{}").get("homeDashboardUID")
        row = dashboards.find(context.session, context.org, uid) if uid else None
        if row is not None:
            return {"redirectUri": dashboards.url(row)}
    meta = {
        "canSave": False,
        "canEdit": False,
        "canAdmin": False,
        "canStar": False,
        "canDelete": False,
        "isHome": True,
        "folderTitle": "General",
    }
    return {"meta": meta, "dashboard": {"title": "Home", "panels": [], "schemaVersion": conversion.SCHEMA_VERSION, "version": 0}}


@route("GET", "/api/dashboards/tags", SIGNED_IN)
def tags(context: Context) -> list[Any]:
    counted: dict[str, int] = {}
    for row in context.app.listing.rows(context.session, context.org, "dashboard"):
        for tag in json.loads(row["tags"]):
            counted[tag] = counted.get(tag, 0) + 1
    return [{"term": term, "count": count} for term, count in sorted(counted.items())]


@route("GET", "/api/dashboards/uid/:uid/permissions", viewer("dashboards.permissions:read"))
def get_permissions(context: Context) -> list[Any]:
    row, _ = readable(context, ADMIN, "dashboards.permissions:read")
    above = [folder["uid"] for folder in folders.ancestors(context.session, context.org, row["folder_uid"])]
    return permissions.listing(context.session, context.org, "dashboard", row["uid"], above)


@route("POST", "/api/dashboards/uid/:uid/permissions", viewer("dashboards.permissions:write"))
def set_permissions(context: Context) -> dict[str, Any]:
    row, _ = readable(context, ADMIN, "dashboards.permissions:write")
    permissions.replace(context.session, context.org, "dashboard", row["uid"], context.body.objects("items"))
    return {"message": "Dashboard permissions updated"}


@route("POST", "/api/user/stars/dashboard/uid/:uid", SIGNED_IN)
def star(context: Context) -> dict[str, Any]:
    row, _ = readable(context)
    where = {"user_id": context.identity.user_id, "org_id": context.org, "dashboard_uid": row["uid"]}
    if row["starred"] is None:
        context.session.add("star", **where)
    return {"message": "Dashboard starred!"}


@route("DELETE", "/api/user/stars/dashboard/uid/:uid", SIGNED_IN)
def unstar(context: Context) -> dict[str, Any]:
    context.session.delete("star", user_id=context.identity.user_id, org_id=context.org, dashboard_uid=context.params["uid"])
    return {"message": "Dashboard unstarred"}
