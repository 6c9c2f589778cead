"""Exports of the alerting configuration."""

from __future__ import annotations

import json
from typing import Any

from ..alerting import export, rules, templates
from ..alerting.configuration import Configuration
from ..database.dialect import Row
from ..identity.access import ADMIN, viewer
from ..web.context import Context
from ..web.errors import bad_request, denied
from ..web.message import Response
from ..web.routing import route

_READ = viewer("alert.provisioning:read")
_ROOT = "/api/v1/provisioning"


def _answer(context: Context, document: dict[str, Any]) -> Response:
    accept = context.request.header("accept")
    form = context.query("format") or ("json" if "json" in accept and "yaml" not in accept else "yaml")
    if form == "json":
        text, kind = json.dumps(document), "application/json"
    elif form == "hcl":
        text, kind = export.to_hcl(document), "text/hcl"
    else:
        form, text, kind = "yaml", export.to_yaml(document), "application/yaml"
    response = Response.text(text, content_type=kind)
    if context.query_flag("download"):
        response.content_type = f"application/terraform+{form}" if form == "hcl" else kind
        response.headers["Content-Disposition"] = f"attachment;filename=export.{'tf' if form == 'hcl' else form}"
    return response


def _groups(context: Context, rows: list[Row]) -> Response:
    if not rows:
        return Response.empty(404)
    titles = {
        row["uid"]: row["title"] for row in context.session.rows('SELECT "uid", "title" FROM "folder" WHERE "org_id" = ?', context.org)
    }
    return _answer(context, export.groups(rows, titles))


@route("GET", f"{_ROOT}/alert-rules/export", _READ)
def rules_export(context: Context) -> Response:
    folder_uids, group, uid = context.query_all("folderUid"), context.query("group"), context.query("ruleUid")
    if group and len(folder_uids) != 1:
        raise bad_request("group name must be specified together with a single folder UID")
    if uid and (group or folder_uids):
        raise bad_request("group and folder should not be specified when a single rule is requested")
    rows = rules.every(context.session, context.org)
    if uid:
        rows = [row for row in rows if row["uid"] == uid]
    if folder_uids:
        rows = [row for row in rows if row["folder_uid"] in folder_uids]
    if group:
        rows = [row for row in rows if row["rule_group"] == group]
    return _groups(context, rows)


@route("GET", f"{_ROOT}/alert-rules/:uid/export", _READ)
def rule_export(context: Context) -> Response:
    row = rules.find(context.session, context.org, context.params["uid"])
    return _groups(context, [row] if row else [])


@route("GET", f"{_ROOT}/folder/:folder/rule-groups/:group/export", _READ)
def group_export(context: Context) -> Response:
    return _groups(context, rules.in_group(context.session, context.org, context.params["folder"], context.params["group"]))


@route("GET", f"{_ROOT}/contact-points/export", _READ)
def contact_points_export(context: Context) -> Response:
    decrypt = context.query_flag("decrypt")
    if decrypt and context.identity.rank < ADMIN:
        raise denied("alert.provisioning.secrets:read")
    configuration = Configuration.load(context.session, context.org)
    return _answer(context, export.points(configuration, context.query("name"), context.app.box if decrypt else None))


@route("GET", f"{_ROOT}/policies/export", _READ)
def policies_export(context: Context) -> Response:
    return _answer(context, export.policy(Configuration.load(context.session, context.org)))


@route("GET", f"{_ROOT}/mute-timings/export", _READ)
def timings_export(context: Context) -> Response:
    return _answer(context, export.timings(Configuration.load(context.session, context.org)))


@route("GET", f"{_ROOT}/mute-timings/:name/export", _READ)
def timing_export(context: Context) -> Response:
    configuration = Configuration.load(context.session, context.org)
    if templates.find(configuration.mute_timings, context.params["name"]) is None:
        raise templates.interval_not_found(context.params["name"])
    return _answer(context, export.timings(configuration, context.params["name"]))
