"""Preferences of an organisation, a team and a user."""

from __future__ import annotations

import json
from typing import Any

from ..identity.access import SIGNED_IN, admin, viewer
from ..store import dashboards
from ..web.binding import Body
from ..web.context import Context
from ..web.errors import bad_request, classic
from ..web.routing import route
from .teams import find_team

_TEXTS = ("homeDashboardUID", "language", "regionalFormat", "theme", "timezone", "weekStart")
_OBJECTS = ("navbar", "queryHistory")
_THEMES = ("", "light", "dark", "system")


def _read(context: Context, user_id: int, team_id: int) -> dict[str, Any]:
    sql = 'SELECT "data" FROM "preferences" WHERE "org_id" = ? AND "user_id" = ? AND "team_id" = ?'
    found: dict[str, Any] = json.loads(context.session.value(sql, context.org, user_id, team_id) or "{}")
    return found


def _sent(context: Context) -> dict[str, Any]:
    body: Body = context.body
    sent: dict[str, Any] = {key: body.text(key) for key in _TEXTS if key in body}
    for key in _OBJECTS:
        if (value := body.object(key)) is not None:
            inner = Body(value)
            sent[key] = {"bookmarkUrls": inner.texts("bookmarkUrls")} if key == "navbar" else {"homeTab": inner.text("homeTab")}
    if sent.get("theme", "") not in _THEMES:
        raise bad_request("Invalid theme")
    number = body.integer("homeDashboardId")
    if number and "homeDashboardUID" not in sent:
        uid = context.session.value('SELECT "uid" FROM "dashboard" WHERE "org_id" = ? AND "id" = ?', context.org, number)
        if uid is None:
            raise classic(404, "Dashboard not found")
        sent["homeDashboardUID"] = uid
    elif (uid := sent.get("homeDashboardUID")) and dashboards.find(context.session, context.org, uid) is None:
        raise classic(404, "Dashboard not found")
    return sent


def _write(context: Context, user_id: int, team_id: int, *, keep: bool) -> dict[str, Any]:
    data = {**(_read(context, user_id, team_id) if keep else {}), **_sent(context)}
    where = {"org_id": context.org, "user_id": user_id, "team_id": team_id}
    context.session.put("preferences", where, data=json.dumps({key: value for key, value in data.items() if value}))
    return {"message": "Preferences updated"}


def _own(context: Context) -> int:
    if not context.identity.user_id:
        raise classic(403, "Only users have preferences")
    return context.identity.user_id


@route("GET", "/api/org/preferences", viewer("orgs.preferences:read"))
def of_org(context: Context) -> dict[str, Any]:
    return _read(context, 0, 0)


@route("PUT", "/api/org/preferences", admin("orgs.preferences:write"))
def replace_of_org(context: Context) -> dict[str, Any]:
    return _write(context, 0, 0, keep=False)


@route("PATCH", "/api/org/preferences", admin("orgs.preferences:write"))
def change_of_org(context: Context) -> dict[str, Any]:
    return _write(context, 0, 0, keep=True)


@route("GET", "/api/user/preferences", SIGNED_IN)
def of_user(context: Context) -> dict[str, Any]:
    return _read(context, _own(context), 0)


@route("PUT", "/api/user/preferences", SIGNED_IN)
def replace_of_user(context: Context) -> dict[str, Any]:
    return _write(context, _own(context), 0, keep=False)


@route("PATCH", "/api/user/preferences", SIGNED_IN)
def change_of_user(context: Context) -> dict[str, Any]:
    return _write(context, _own(context), 0, keep=True)


@route("GET", "/api/teams/:team_id/preferences", viewer("teams:read"))
def of_team(context: Context) -> dict[str, Any]:
    return _read(context, 0, find_team(context)["id"])


@route("PUT", "/api/teams/:team_id/preferences", admin("teams:write"))
def replace_of_team(context: Context) -> dict[str, Any]:
    return _write(context, 0, find_team(context)["id"], keep=False)
