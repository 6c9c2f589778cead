"""dashboard.grafana.app."""

from __future__ import annotations

import json
from typing import Any

from ..api.folders import author
from ..database.dialect import Row
from ..identity.access import viewer
from ..release import Release
from ..security.tokens import new_uid
from ..store import conversion, dashboards, folders, quotas
from ..store.dashboards import Command
from ..store.permissions import EDIT, VIEW, Rights
from ..web.binding import Body
from ..web.context import Context
from ..web.errors import ApiError, denied, kubernetes
from ..web.message import Response
from ..web.routing import Result, route
from . import objects
from .objects import Json

GROUP, RESOURCE = "dashboard.grafana.app", "dashboards"
_COLLECTION = f"/apis/{GROUP}/:version/namespaces/:namespace/{RESOURCE}"
_ITEM = f"{_COLLECTION}/:name"
_FULL = (
    'SELECT d.*, c."uid" AS "creator_uid", u."uid" AS "updater_uid" FROM "dashboard" d LEFT JOIN "user" c ON c."id" = d."created_by" '
    'LEFT JOIN "user" u ON u."id" = d."updated_by" WHERE d."org_id" = ? '
)


def _served(release: Release, version: str) -> bool:
    return version in release.dashboard_api_versions


def _object(context: Context, row: Row) -> Json:
    stored, wanted = row["api_version"], context.params["version"]
    spec = conversion.convert(json.loads(row["data"]), stored, wanted)
    status: Json = {}
    if conversion.family(stored) != conversion.family(wanted):
        status["conversion"] = {"failed": False, "storedVersion": stored}
    meta = objects.metadata(context, row, folder=row["folder_uid"], message=row["message"] or "")
    return {"kind": "Dashboard", "apiVersion": f"{GROUP}/{wanted}", "metadata": meta, "spec": spec, "status": status}


def _find(context: Context, level: int, action: str) -> Row:
    name = context.params["name"]
    row = context.session.row(_FULL + 'AND d."uid" = ?', context.org, name)
    if row is None:
        raise objects.not_found(GROUP, RESOURCE, name)
    if Rights.of(context.session, context.identity).level("dashboard", row["uid"], row["folder_uid"]) < level:
        raise denied(action)
    return row


@route("GET", _COLLECTION, viewer("dashboards:read"))
@objects.with_status
def list_all(context: Context) -> Result:
    version = context.params["version"]
    if not _served(context.app.release, version):
        return objects.unknown_version()
    rights = Rights.of(context.session, context.identity)

    def after(number: int, limit: int) -> list[Row]:
        return context.session.rows(_FULL + 'AND d."id" > ? ORDER BY d."id" LIMIT ?', context.org, number, limit)

    rows, token = objects.page(context, after)
    items = [_object(context, row) for row in rows if rights.level("dashboard", row["uid"], row["folder_uid"]) >= VIEW]
    return objects.listing("Dashboard", f"{GROUP}/{version}", rows, token, items)


@route("GET", _ITEM, viewer("dashboards:read"))
@objects.with_status
def get(context: Context) -> Result:
    if not _served(context.app.release, context.params["version"]):
        return objects.unknown_version()
    return _object(context, _find(context, VIEW, "dashboards:read"))


def _sent(context: Context) -> tuple[Body, Command]:
    """Metadata, and what is to be stored."""
    body, version = context.body, context.params["version"]
    if body.text("apiVersion", f"{GROUP}/{version}") != f"{GROUP}/{version}" or body.text("kind", "Dashboard") != "Dashboard":
        raise kubernetes(400, "BadRequest", "the API version or the kind of the object does not match the path")
    spec = body.object("spec")
    if spec is None:
        raise kubernetes(422, "Invalid", "spec: Required value")
    if conversion.family(version) == "v2" and not dashboards.is_v2_spec(spec):
        raise kubernetes(422, "Invalid", "spec: a v2 dashboard needs elements and layout")
    meta = Body(body.object("metadata") or {})
    annotations = Body(meta.object("annotations") or {})
    command = Command(
        spec, annotations.text("grafana.app/folder"), annotations.text("grafana.app/message"), overwrite=True, api_version=version
    )
    if command.folder_uid and not folders.exists(context.session, context.org, command.folder_uid):
        raise objects.not_found("folder.grafana.app", "folders", command.folder_uid)
    return meta, command


def _may_write(context: Context, existing: Row | None, folder_uid: str) -> None:
    rights = Rights.of(context.session, context.identity)
    allowed = existing is None or rights.level("dashboard", existing["uid"], existing["folder_uid"]) >= EDIT
    if existing is None or existing["folder_uid"] != folder_uid:
        allowed = allowed and rights.may_create_in(folder_uid)
    if not allowed:
        raise denied("dashboards:write" if existing else "dashboards:create")


def _store(context: Context, command: Command, existing: Row | None, name: str) -> Json:
    command.spec = {**command.spec, "uid": name}
    title, uid = dashboards.check_spec(context.app.release, command.spec, command.message)
    row = dashboards.write(context.session, context.app.settings, context.org, author(context), command, existing, title=title, uid=uid)
    stored = context.session.row(_FULL + 'AND d."id" = ?', context.org, row["id"])
    assert stored is not None
    return _object(context, stored)


@route("POST", _COLLECTION, viewer("dashboards:create"))
@objects.with_status
def create(context: Context) -> Result:
    if not _served(context.app.release, context.params["version"]):
        return objects.unknown_version()
    meta, command = _sent(context)
    name = meta.text("name")
    if not name and meta.text("generateName"):
        name = meta.text("generateName") + new_uid()[:8]
    if not name:
        raise kubernetes(422, "Invalid", "metadata.name: Required value: name or generateName is required")
    if meta.text("resourceVersion"):
        raise kubernetes(400, "BadRequest", "resourceVersion should not be set on objects to be created")
    if dashboards.find(context.session, context.org, name) is not None:
        raise objects.already_exists(GROUP, RESOURCE, name)
    _may_write(context, None, command.folder_uid)
    quotas.check(context.session, context.app.settings, context.org, "dashboard")
    return Response.json(_store(context, command, None, name), 201)


@route("PUT", _ITEM, viewer("dashboards:write"))
@objects.with_status
def replace(context: Context) -> Result:
    if not _served(context.app.release, context.params["version"]):
        return objects.unknown_version()
    row = _find(context, EDIT, "dashboards:write")
    meta, command = _sent(context)
    if meta.text("name", row["uid"]) != row["uid"]:
        raise kubernetes(400, "BadRequest", "the name of the object does not match the name on the URL")
    expected = meta.text("resourceVersion")
    if expected and expected != objects.version_of(row):
        raise objects.conflict(GROUP, RESOURCE, row["uid"])
    _may_write(context, row, command.folder_uid)
    refuse_provisioned(context, row)
    return _store(context, command, row, row["uid"])


def refuse_provisioned(context: Context, row: Row) -> None:
    provisioned = dashboards.provisioned_by(context.session, row)
    if provisioned is not None and not provisioned["allow_ui_updates"]:
        raise ApiError(400, {"message": "Cannot save provisioned dashboard"})


@route("DELETE", _ITEM, viewer("dashboards:delete"))
@objects.with_status
def delete(context: Context) -> Result:
    if not _served(context.app.release, context.params["version"]):
        return objects.unknown_version()
    row = _find(context, EDIT, "dashboards:delete")
    dashboards.delete(context.session, context.org, row["uid"], author(context))
    details: dict[str, Any] = {"name": row["uid"], "group": GROUP, "kind": RESOURCE}
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
