"""Teams and their members."""

from __future__ import annotations

from typing import Any

from ..database.dialect import Row
from ..identity.access import admin, viewer
from ..security.tokens import new_uid
from ..times import now_ms
from ..web.context import Context
from ..web.errors import bad_request, classic
from ..web.routing import route
from .shapes import avatar, like

_TEAM = 'SELECT t.*, (SELECT count(*) FROM "team_member" m WHERE m."team_id" = t."id") AS "members" FROM "team" t '
_MEMBER, _TEAM_ADMIN = 0, 4


def _shape(row: Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "uid": row["uid"],
        "orgId": row["org_id"],
        "name": row["name"],
        "email": row["email"],
        "externalUID": "",
        "isProvisioned": False,
        "avatarUrl": avatar(row["name"]),
        "memberCount": row["members"],
        "permission": _MEMBER,
    }


def find_team(context: Context, name: str = "team_id") -> Row:
    """A team may be named by its number or by its uid."""
    text = context.params[name]
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else 0
    row = context.session.row(_TEAM + 'WHERE t."org_id" = ? AND (t."id" = ? OR t."uid" = ?)', context.org, number, text)
    if row is None:
        raise classic(404, "Team not found")
    return row


def teams_of(context: Context, user_id: int) -> list[Any]:
    sql = _TEAM + 'JOIN "team_member" x ON x."team_id" = t."id" WHERE t."org_id" = ? AND x."user_id" = ? ORDER BY t."name"'
    return [_shape(row) for row in context.session.rows(sql, context.org, user_id)]


@route("POST", "/api/teams", admin("teams:create"))
def create(context: Context) -> dict[str, Any]:
    name = context.body.text("name")
    if not name:
        raise bad_request()
    if context.session.value('SELECT count(*) FROM "team" WHERE "org_id" = ? AND "name" = ?', context.org, name):
        raise classic(409, "Team name taken")
    now, uid = now_ms(), new_uid()
    team_id = context.session.insert(
        "team", org_id=context.org, uid=uid, name=name, email=context.body.text("email"), created=now, updated=now
    )
    return {"teamId": team_id, "uid": uid, "message": "Team created"}


@route("GET", "/api/teams/search", viewer("teams:read"))
def search(context: Context) -> dict[str, Any]:
    page, size = context.page(1000)
    where = ['t."org_id" = ?']
    arguments: list[Any] = [context.org]
    if query := context.query("query"):
        where.append('LOWER(t."name") LIKE ?')
        arguments.append(like(query))
    if name := context.query("name"):
        where.append('t."name" = ?')
        arguments.append(name)
    conditions = " AND ".join(where)
    total = context.session.value(f'SELECT count(*) FROM "team" t WHERE {conditions}', *arguments)
    rows = context.session.rows(f'{_TEAM} WHERE {conditions} ORDER BY t."name" LIMIT ? OFFSET ?', *arguments, size, (page - 1) * size)
    return {"totalCount": total, "teams": [_shape(row) for row in rows], "page": page, "perPage": size}


@route("GET", "/api/teams/:team_id", viewer("teams:read"))
def get(context: Context) -> dict[str, Any]:
    return _shape(find_team(context))


@route("PUT", "/api/teams/:team_id", admin("teams:write"))
def update(context: Context) -> dict[str, Any]:
    team, name = find_team(context), context.body.text("name")
    if not name:
        raise bad_request()
    other = context.session.value('SELECT "id" FROM "team" WHERE "org_id" = ? AND "name" = ?', context.org, name)
    if other not in (None, team["id"]):
        raise classic(409, "Team name taken")
    context.session.update("team", {"id": team["id"]}, name=name, email=context.body.text("email"), updated=now_ms())
    return {"message": "Team updated"}


@route("DELETE", "/api/teams/:team_id", admin("teams:delete"))
def delete(context: Context) -> dict[str, Any]:
    team = find_team(context)
    context.session.delete("team_member", team_id=team["id"])
    context.session.delete("permission", team_id=team["id"], org_id=context.org)
    context.session.delete("preferences", team_id=team["id"], org_id=context.org)
    context.session.delete("team", id=team["id"])
    return {"message": "Team deleted"}


@route("GET", "/api/teams/:team_id/members", viewer("teams.permissions:read"))
def members(context: Context) -> list[Any]:
    team = find_team(context)
    rows = context.session.rows(
        'SELECT u.*, m."permission" FROM "team_member" m JOIN "user" u ON u."id" = m."user_id" WHERE m."team_id" = ? ORDER BY u."login"',
        team["id"],
    )
    return [
        {
            "orgId": context.org,
            "teamId": team["id"],
            "teamUID": team["uid"],
            "userId": row["id"],
            "userUID": row["uid"],
            "uid": row["uid"],
            "auth_module": "",
            "email": row["email"],
            "name": row["name"],
            "login": row["login"],
            "avatarUrl": avatar(row["email"]),
            "labels": [],
            "permission": row["permission"],
        }
        for row in rows
    ]


def _join(context: Context, team: Row, user_id: int, permission: int) -> None:
    context.session.insert("team_member", org_id=context.org, team_id=team["id"], user_id=user_id, permission=permission)


def _in_org(context: Context, user_id: int) -> bool:
    return bool(context.session.value('SELECT count(*) FROM "org_user" WHERE "org_id" = ? AND "user_id" = ?', context.org, user_id))


@route("POST", "/api/teams/:team_id/members", admin("teams.permissions:write"))
def add_member(context: Context) -> dict[str, Any]:
    team, user_id = find_team(context), context.body.integer("userId")
    if not user_id:
        raise bad_request()
    if not _in_org(context, user_id):
        raise classic(404, "user not found")
    if context.session.value('SELECT count(*) FROM "team_member" WHERE "team_id" = ? AND "user_id" = ?', team["id"], user_id):
        raise bad_request("User is already added to this team")
    _join(context, team, user_id, _MEMBER)
    return {"message": "Member added to Team"}


@route("PUT", "/api/teams/:team_id/members", admin("teams.permissions:write"))
def set_members(context: Context) -> dict[str, Any]:
    """Makes the team consist of exactly these, named by their email addresses."""
    team, body = find_team(context), context.body
    wanted: dict[int, int] = {}
    for key, permission in (("members", _MEMBER), ("admins", _TEAM_ADMIN)):
        for email in body.texts(key):
            user_id = context.session.value('SELECT "id" FROM "user" WHERE "email" = ?', email.lower())
            if user_id is None or not _in_org(context, user_id):
                raise classic(404, "user not found")
            wanted[user_id] = permission
    context.session.delete("team_member", team_id=team["id"])
    for user_id, permission in wanted.items():
        _join(context, team, user_id, permission)
    return {"message": "Team memberships have been updated"}


@route("PUT", "/api/teams/:team_id/members/:user_id", admin("teams.permissions:write"))
def change_member(context: Context) -> dict[str, Any]:
    team, permission = find_team(context), context.body.integer("permission")
    if permission not in (_MEMBER, _TEAM_ADMIN):
        raise bad_request()
    where = {"team_id": team["id"], "user_id": context.id_of_path("user_id")}
    if not context.session.update("team_member", where, permission=permission):
        raise classic(404, "Team member not found.")
    return {"message": "Team member updated"}


@route("DELETE", "/api/teams/:team_id/members/:user_id", admin("teams.permissions:write"))
def remove_member(context: Context) -> dict[str, Any]:
    team = find_team(context)
    if not context.session.delete("team_member", team_id=team["id"], user_id=context.id_of_path("user_id")):
        raise classic(404, "Team member not found.")
    return {"message": "Team Member removed"}
