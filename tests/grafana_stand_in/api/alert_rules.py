"""Alert rules and rule groups below /api/v1/provisioning."""

from __future__ import annotations

from typing import Any

from ..alerting import provenance, rules
from ..alerting.configuration import Configuration
from ..identity.access import editor, viewer
from ..web.context import Context
from ..web.errors import bad_request
from ..web.message import Response
from ..web.routing import route

_READ = viewer("alert.provisioning:read")
_WRITE = editor("alert.provisioning:write")
_ROOT = "/api/v1/provisioning"


@route("GET", f"{_ROOT}/alert-rules", _READ)
def list_all(context: Context) -> list[Any]:
    return [rules.shape(row) for row in rules.every(context.session, context.org)]


@route("POST", f"{_ROOT}/alert-rules", _WRITE)
def create(context: Context) -> Response:
    configuration = Configuration.load(context.session, context.org)
    row = rules.create(context.session, context.app.release, context.app.settings, configuration, context.body, provenance.sent(context))
    return Response.json(rules.shape(row), 201)


@route("GET", f"{_ROOT}/alert-rules/:uid", _READ)
def get(context: Context) -> Response:
    row = rules.find(context.session, context.org, context.params["uid"])
    return Response.empty(404) if row is None else Response.json(rules.shape(row))


@route("PUT", f"{_ROOT}/alert-rules/:uid", _WRITE)
def update(context: Context) -> Response:
    body = context.body
    row = rules.find(context.session, context.org, context.params["uid"])
    if row is None:
        return Response.empty(404)
    configuration = Configuration.load(context.session, context.org)
    changed = rules.update(context.session, context.app.release, configuration, row, body, provenance.sent(context))
    return Response.json(rules.shape(changed))


@route("DELETE", f"{_ROOT}/alert-rules/:uid", _WRITE)
def delete(context: Context) -> Response:
    row = rules.find(context.session, context.org, context.params["uid"])
    if row is not None:
        provenance.check(context.app.release, row["provenance"], provenance.sent(context))
        context.session.delete("alert_rule", id=row["id"])
    return Response.empty(204)


@route("GET", f"{_ROOT}/folder/:folder/rule-groups/:group", _READ)
def get_group(context: Context) -> dict[str, Any]:
    folder, group = context.params["folder"], context.params["group"]
    rows = rules.in_group(context.session, context.org, folder, group)
    if not rows:
        raise rules.group_not_found()
    return {"title": group, "folderUid": folder, "interval": rows[0]["interval_seconds"], "rules": [rules.shape(row) for row in rows]}


@route("PUT", f"{_ROOT}/folder/:folder/rule-groups/:group", _WRITE)
def replace_group(context: Context) -> dict[str, Any]:
    body, folder, group = context.body, context.params["folder"], context.params["group"]
    if body.text("folderUid", folder) not in ("", folder) or body.text("title", group) not in ("", group):
        raise bad_request("the folder and the title of the group are those of the path")
    rules.replace_group(
        context.session,
        context.app.release,
        context.app.settings,
        Configuration.load(context.session, context.org),
        folder,
        group,
        body.integer("interval"),
        body.objects("rules") if "rules" in body else None,
        provenance.sent(context),
    )
    return body.fields


@route("DELETE", f"{_ROOT}/folder/:folder/rule-groups/:group", _WRITE)
def delete_group(context: Context) -> Response:
    folder, group = context.params["folder"], context.params["group"]
    rules.delete_group(context.session, context.app.release, context.org, folder, group, provenance.sent(context))
    return Response.empty(204)
