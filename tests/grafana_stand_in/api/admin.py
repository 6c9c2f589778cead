"""What only a server administrator may ask."""

from __future__ import annotations

from typing import Any

from ..database.session import Session
from ..identity.access import server_admin
from ..provisioning.files import ProvisioningError
from ..times import now_ms
from ..web.context import Context
from ..web.errors import classic
from ..web.message import Response
from ..web.routing import route

_SECRET_WORDS = ("password", "secret", "token", "key_file", "private_key", "connstr")
_HIDDEN = "*********"


@route("GET", "/api/admin/settings", server_admin("settings:read"))
def settings(context: Context) -> dict[str, Any]:
    shown: dict[str, dict[str, str]] = {}
    for section, keys in sorted(context.app.settings.sections.items()):
        shown[section] = {key: _HIDDEN if value and any(word in key for word in _SECRET_WORDS) else value for key, value in keys.items()}
        if section == "database" and "@" in keys.get("url", ""):
            shown[section]["url"] = _HIDDEN
    return shown


def totals(session: Session) -> dict[str, int]:
    counted = {
        "orgs": '"org"',
        "dashboards": '"dashboard"',
        "folders": '"folder"',
        "datasources": '"data_source"',
        "snapshots": '"dashboard_snapshot"',
        "playlists": '"playlist"',
        "stars": '"star"',
        "alerts": '"alert_rule"',
        "users": '"user" WHERE "is_service_account" = 0',
        "library_panels": '"library_element"',
        "service_accounts": '"user" WHERE "is_service_account" = 1',
    }
    return {name: int(session.value(f"SELECT count(*) FROM {table}")) for name, table in counted.items()}


@route("GET", "/api/admin/stats", server_admin("server.stats:read"))
def stats(context: Context) -> dict[str, Any]:
    session, now = context.session, now_ms()
    shown: dict[str, Any] = totals(session)
    for name in ("folders", "library_panels", "service_accounts"):
        del shown[name]
    shown["tags"] = 0
    by_role = {
        row["role"]: row["count"]
        for row in session.rows(
            'SELECT m."role", count(DISTINCT m."user_id") AS "count" FROM "org_user" m JOIN "user" u ON u."id" = m."user_id" '
            'WHERE u."is_service_account" = 0 GROUP BY m."role"'
        )
    }
    active = 'SELECT count(*) FROM "user" WHERE "is_service_account" = 0 AND "last_seen_at" > ?'
    for prefix, days in (("active", 30), ("dailyActive", 1), ("monthlyActive", 30)):
        shown[f"{prefix}Users"] = session.value(active, now - days * 86_400_000)
    for role in ("Admin", "Editor", "Viewer"):
        shown[f"{role.lower()}s"] = by_role.get(role, 0)
        shown[f"active{role}s"] = shown[f"dailyActive{role}s"] = 0
    sessions = session.value('SELECT count(*) FROM "user_auth_token" WHERE "revoked_at" = 0')
    shown |= {"activeSessions": sessions, "dailyActiveSessions": sessions, "activeDevices": 0}
    return shown


def _reload(context: Context, what: str, message: str) -> dict[str, Any]:
    # Provisioning has transactions of its own.
    context.session.commit()
    try:
        context.app.provisioner.apply(what)
    except ProvisioningError as error:
        raise classic(500, str(error)) from error
    return {"message": message}


@route("POST", "/api/admin/provisioning/datasources/reload", server_admin("provisioning:reload"))
def reload_datasources(context: Context) -> dict[str, Any]:
    return _reload(context, "datasources", "Datasources config reloaded")


@route("POST", "/api/admin/provisioning/dashboards/reload", server_admin("provisioning:reload"))
def reload_dashboards(context: Context) -> dict[str, Any]:
    return _reload(context, "dashboards", "Dashboards config reloaded")


@route("POST", "/api/admin/provisioning/alerting/reload", server_admin("provisioning:reload"))
def reload_alerting(context: Context) -> dict[str, Any]:
    return _reload(context, "alerting", "Alerting config reloaded")


@route("POST", "/api/admin/provisioning/plugins/reload", server_admin("provisioning:reload"))
def reload_plugins(context: Context) -> dict[str, Any]:
    return {"message": "Plugins config reloaded"}


@route("POST", "/api/admin/provisioning/access-control/reload", server_admin("provisioning:reload"))
def reload_access_control(context: Context) -> Response:
    return Response.json({"message": "Accesscontrol config reloaded"}, 202)
