"""The embedded Alertmanager over HTTP: status, alerts, silences, and its configuration."""

from __future__ import annotations

import json
from typing import Any

from ..alerting import contact_points, provenance, silences
from ..alerting.alert import Alert
from ..alerting.configuration import Configuration
from ..identity.access import admin, editor, viewer
from ..times import rfc3339
from ..web.context import Context
from ..web.errors import classic
from ..web.message import Response
from ..web.routing import route

_ROOT = "/api/alertmanager/grafana"
_READ = viewer("alert.notifications:read")
_SILENCE = editor("alert.silences:create")


def _configuration(configuration: Configuration) -> dict[str, Any]:
    receivers: dict[str, dict[str, Any]] = {}
    for point in contact_points.sorted_points(configuration):
        entry = receivers.setdefault(point["name"], {"name": point["name"], "grafana_managed_receiver_configs": []})
        entry["grafana_managed_receiver_configs"].append(
            {
                "uid": point["uid"],
                "name": point["name"],
                "type": point["type"],
                "disableResolveMessage": point["disableResolveMessage"],
                "settings": point["settings"],
                "secureFields": dict.fromkeys(point["secure"], True),
            }
        )
    timings = [{"name": item["name"], "time_intervals": item["time_intervals"]} for item in configuration.mute_timings]
    return {
        "template_files": {item["name"]: item["template"] for item in configuration.templates},
        "alertmanager_config": {"route": configuration.policy, "mute_time_intervals": timings, "receivers": list(receivers.values())},
    }


@route("GET", f"{_ROOT}/config/api/v1/alerts", admin("alert.notifications:read"))
def get_configuration(context: Context) -> dict[str, Any]:
    return _configuration(Configuration.load(context.session, context.org))


@route("DELETE", f"{_ROOT}/config/api/v1/alerts", admin("alert.notifications:write"))
def reset_configuration(context: Context) -> Response:
    if not context.app.release.alertmanager_config_delete:
        raise classic(404, "Not found")
    before = Configuration.load(context.session, context.org, lock=True)
    if any(point["provenance"] == provenance.FILE for point in before.contact_points):
        raise classic(400, "cannot delete provisioned contact points")
    fresh = Configuration.default(context.org)
    fresh.version = before.version
    fresh.save(context.session, context.app)
    return Response.json({"message": "configuration deleted; the default is applied"}, 202)


@route("GET", f"{_ROOT}/api/v2/status", _READ)
def status(context: Context) -> dict[str, Any]:
    """What this node works with, which need not be what the others do."""
    applied, gossip = context.app.alertmanagers.applied(context.org), context.app.gossip
    return {
        "cluster": {
            "status": "ready" if gossip.enabled else "disabled",
            "name": gossip.node,
            "peers": [{"name": name, "address": ""} for name in gossip.members] if gossip.enabled else [],
        },
        "config": {"original": json.dumps(_configuration(applied)["alertmanager_config"])},
        "uptime": rfc3339(int(context.app.metrics.started * 1000)),
        "versionInfo": {key: "N/A" for key in ("branch", "buildDate", "buildUser", "goVersion", "revision", "version")},
    }


def _alert(context: Context, alert: Alert, active: list[dict[str, Any]]) -> dict[str, Any]:
    covering = [silence["id"] for silence in active if silences.covers(silence, alert.labels)]
    return {
        "labels": alert.labels,
        "annotations": alert.annotations,
        "startsAt": rfc3339(int(alert.starts_at * 1000)),
        "endsAt": rfc3339(int(alert.ends_at * 1000)),
        "updatedAt": rfc3339(int(alert.starts_at * 1000)),
        "fingerprint": alert.fingerprint,
        "receivers": [],
        "generatorURL": f"{context.app.root_url}alerting/grafana/{alert.rule_uid}/view",
        "status": {"state": "suppressed" if covering else "active", "silencedBy": covering, "inhibitedBy": [], "mutedBy": []},
    }


@route("GET", f"{_ROOT}/api/v2/alerts", viewer("alert.instances:read"))
def alerts(context: Context) -> list[Any]:
    active = silences.active(context.session, context.org)
    return [_alert(context, alert, active) for alert in context.app.alertmanagers.alerts(context.org) if not alert.resolved]


@route("GET", f"{_ROOT}/api/v2/silences", viewer("alert.silences:read"))
def list_silences(context: Context) -> list[Any]:
    return silences.every(context.session, context.org)


@route("POST", f"{_ROOT}/api/v2/silences", _SILENCE)
def put_silence(context: Context) -> Response:
    return Response.json({"silenceID": silences.put(context.session, context.org, context.body)}, 202)


@route("GET", f"{_ROOT}/api/v2/silence/:id", viewer("alert.silences:read"))
def get_silence(context: Context) -> dict[str, Any]:
    return silences.find(context.session, context.org, context.params["id"])


@route("DELETE", f"{_ROOT}/api/v2/silence/:id", _SILENCE)
def delete_silence(context: Context) -> dict[str, Any]:
    silences.expire(context.session, context.org, context.params["id"])
    return {"message": "silence deleted"}
