"""The API the rule editor uses, and the state of the rules in Prometheus' shape."""

from __future__ import annotations

import json
from typing import Any

from ..alerting import provenance, rules
from ..alerting.configuration import Configuration, Json
from ..alerting.scheduler import Watched
from ..database.dialect import Row
from ..identity.access import editor, viewer
from ..store import folders
from ..times import format_duration, parse_duration, rfc3339
from ..web.binding import Body
from ..web.context import Context
from ..web.errors import bad_request, classic
from ..web.message import Response
from ..web.routing import route

_ROOT = "/api/ruler/grafana/api/v1"
_READ = viewer("alert.rules:read")
_WRITE = editor("alert.rules:write")
_STATES = {"Alerting": "firing", "Pending": "pending", "Normal": "inactive", "NoData": "firing", "Error": "firing"}


def _rule(row: Row) -> Json:
    data = json.loads(row["data"])
    grafana = {
        "id": row["id"],
        "orgId": row["org_id"],
        "uid": row["uid"],
        "title": row["title"],
        "condition": data["condition"],
        "data": data["data"],
        "updated": rfc3339(row["updated"]),
        "intervalSeconds": row["interval_seconds"],
        "version": row["version"],
        "namespace_uid": row["folder_uid"],
        "rule_group": row["rule_group"],
        "no_data_state": data["noDataState"],
        "exec_err_state": data["execErrState"],
        "is_paused": data["isPaused"],
    }
    if row["provenance"]:
        grafana["provenance"] = row["provenance"]
    for key in ("notification_settings", "record"):
        if key in data:
            grafana[key] = data[key]
    return {"expr": "", "for": data["for"], "labels": data["labels"], "annotations": data["annotations"], "grafana_alert": grafana}


def _titles(context: Context) -> dict[str, str]:
    rows = context.session.rows('SELECT "uid", "title" FROM "folder" WHERE "org_id" = ?', context.org)
    return {row["uid"]: row["title"] for row in rows}


def _namespaces(context: Context, rows: list[Row]) -> dict[str, list[Json]]:
    titles = _titles(context)
    found: dict[str, dict[tuple[str, str], Json]] = {}
    for row in rows:
        title = titles.get(row["folder_uid"], str(row["folder_uid"]))
        key = row["folder_uid"], row["rule_group"]
        group = {"name": row["rule_group"], "interval": format_duration(row["interval_seconds"]), "rules": []}
        found.setdefault(title, {}).setdefault(key, group)["rules"].append(_rule(row))
    return {title: list(groups.values()) for title, groups in found.items()}


def _folder(context: Context) -> Row:
    return folders.get(context.session, context.org, context.params["folder"])


@route("GET", f"{_ROOT}/rules", _READ)
def list_all(context: Context) -> dict[str, Any]:
    return dict(_namespaces(context, rules.every(context.session, context.org)))


@route("GET", f"{_ROOT}/rules/:folder", _READ)
def list_folder(context: Context) -> Response:
    folder = _folder(context)
    rows = [row for row in rules.every(context.session, context.org) if row["folder_uid"] == folder["uid"]]
    return Response.json(_namespaces(context, rows), 202)


@route("GET", f"{_ROOT}/rules/:folder/:group", _READ)
def get_group(context: Context) -> Response:
    rows = rules.in_group(context.session, context.org, _folder(context)["uid"], context.params["group"])
    if not rows:
        return Response.json({"name": context.params["group"], "interval": format_duration(rules.DEFAULT_INTERVAL), "rules": []}, 202)
    (groups,) = _namespaces(context, rows).values()
    return Response.json(groups[0], 202)


def _as_provisioned(item: Body) -> Body:
    """The editor's form of a rule in the form of the provisioning API."""
    alert = Body(item.object("grafana_alert") or {})
    names = {"no_data_state": "noDataState", "exec_err_state": "execErrState", "is_paused": "isPaused"}
    fields = {names.get(key, key): value for key, value in alert.fields.items()}
    fields |= {key: item.fields[key] for key in ("for", "labels", "annotations", "keep_firing_for") if key in item}
    return Body(fields)


@route("POST", f"{_ROOT}/rules/:folder", _WRITE)
def put_group(context: Context) -> Response:
    folder, body = _folder(context), context.body
    before = rules.in_group(context.session, context.org, folder["uid"], body.text("name"))
    if any(row["provenance"] for row in before):
        raise classic(400, "cannot change a rule group that was provisioned")
    try:
        interval = parse_duration(body.text("interval", f"{rules.DEFAULT_INTERVAL}s"))
    except ValueError as error:
        raise bad_request(str(error)) from error
    sent = [_as_provisioned(item) for item in body.objects("rules")]
    known = {row["uid"] for row in before}
    configuration = Configuration.load(context.session, context.org)
    written = rules.replace_group(
        context.session,
        context.app.release,
        context.app.settings,
        configuration,
        folder["uid"],
        body.text("name"),
        interval,
        sent,
        provenance.NONE,
    )
    now = [row["uid"] for row in written]
    answer = {
        "message": "rule group updated successfully",
        "created": [uid for uid in now if uid not in known],
        "updated": [uid for uid in now if uid in known],
        "deleted": sorted(known - set(now)),
    }
    return Response.json(answer, 202)


def _delete(context: Context, rows: list[Row]) -> Response:
    if not rows:
        raise rules.group_not_found()
    if any(row["provenance"] for row in rows):
        raise classic(400, "cannot delete a rule group that was provisioned")
    for row in rows:
        context.session.delete("alert_rule", id=row["id"])
    return Response.json({"message": "rules deleted"}, 202)


@route("DELETE", f"{_ROOT}/rules/:folder", _WRITE)
def delete_folder(context: Context) -> Response:
    folder = _folder(context)
    return _delete(context, [row for row in rules.every(context.session, context.org) if row["folder_uid"] == folder["uid"]])


@route("DELETE", f"{_ROOT}/rules/:folder/:group", _WRITE)
def delete_group(context: Context) -> Response:
    return _delete(context, rules.in_group(context.session, context.org, _folder(context)["uid"], context.params["group"]))


def _state(watched: Watched | None) -> tuple[str, list[Json]]:
    if watched is None:
        return "inactive", []
    alerts = [
        {
            "labels": {"alertname": watched.row["title"], "grafana_folder": watched.folder, **watched.data["labels"], **instance.labels},
            "annotations": watched.data["annotations"],
            "state": instance.state,
            "activeAt": rfc3339(int(instance.since * 1000)),
            "value": f"{instance.value:g}",
        }
        for instance in watched.instances.values()
    ]
    found = {_STATES.get(instance.state, "inactive") for instance in watched.instances.values()}
    return next((state for state in ("firing", "pending") if state in found), "inactive"), alerts


@route("GET", "/api/prometheus/grafana/api/v1/rules", _READ)
def states(context: Context) -> dict[str, Any]:
    watched = context.app.scheduler.watched(context.org)
    groups: dict[tuple[str, str], Json] = {}
    titles = _titles(context)
    for row in rules.every(context.session, context.org):
        key = row["folder_uid"], row["rule_group"]
        title = titles.get(row["folder_uid"], "")
        group = groups.setdefault(
            key,
            {"name": row["rule_group"], "file": title, "folderUid": row["folder_uid"], "interval": row["interval_seconds"], "rules": []},
        )
        rule = watched.get(row["uid"])
        state, alerts = _state(rule)
        health = "nodata" if rule is None or not rule.last_evaluation else "error" if rule.error else "ok"
        group["rules"].append(
            {
                "uid": row["uid"],
                "name": row["title"],
                "type": "alerting",
                "state": state,
                "health": health,
                "lastError": rule.error if rule else "",
                "lastEvaluation": rfc3339(int(rule.last_evaluation * 1000)) if rule else rfc3339(0),
                "evaluationTime": 0,
                "alerts": alerts,
            }
        )
    return {"status": "success", "data": {"groups": list(groups.values())}}
