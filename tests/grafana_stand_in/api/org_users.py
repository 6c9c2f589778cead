"""The users of an organisation, and who is invited to it."""

from __future__ import annotations

from typing import Any

from ..database.dialect import Row
from ..identity.access import admin, server_admin
from ..security.tokens import random_text
from ..store import users
from ..times import age, now_ms, rfc3339
from ..web.context import Context
from ..web.errors import bad_request, classic
from ..web.routing import route
from .shapes import avatar

_MEMBERS = (
    'SELECT u.*, m."role", m."org_id" AS "member_of" FROM "org_user" m JOIN "user" u ON u."id" = m."user_id" '
    'WHERE m."org_id" = ? AND u."is_service_account" = 0 ORDER BY u."login"'
)


def _shape(row: Row) -> dict[str, Any]:
    return {
        "orgId": row["member_of"],
        "userId": row["id"],
        "uid": row["uid"],
        "email": row["email"],
        "name": row["name"],
        "avatarUrl": avatar(row["email"]),
        "login": row["login"],
        "role": row["role"],
        "created": rfc3339(row["created"]),
        "lastSeenAt": rfc3339(row["last_seen_at"]),
        "lastSeenAtAge": age(row["last_seen_at"]),
        "isDisabled": bool(row["is_disabled"]),
        "authLabels": [],
        "isExternallySynced": False,
        "isProvisioned": False,
    }


def _members(context: Context, org_id: int) -> list[Row]:
    query = context.query("query").lower()
    found = context.session.rows(_MEMBERS, org_id)
    return [row for row in found if query in f"{row['login']}\0{row['email']}\0{row['name'].lower()}"]


def _list(context: Context, org_id: int) -> list[Any]:
    found = [_shape(row) for row in _members(context, org_id)]
    limit = context.query_int("limit")
    return found[:limit] if limit > 0 else found


def _add(context: Context, org_id: int) -> dict[str, Any]:
    role = users.checked_role(context.body.text("role"))
    user = users.find_by_login(context.session, context.body.text("loginOrEmail"))
    if user is None:
        raise classic(404, "User not found")
    if context.session.value('SELECT count(*) FROM "org" WHERE "id" = ?', org_id) == 0:
        raise classic(404, "Organization not found")
    if context.session.value('SELECT count(*) FROM "org_user" WHERE "org_id" = ? AND "user_id" = ?', org_id, user["id"]):
        raise classic(409, "User is already member of this organization", userId=user["id"])
    users.add_to_org(context.session, org_id, user["id"], role)
    return {"message": "User added to organization", "userId": user["id"]}


def _change(context: Context, org_id: int) -> dict[str, Any]:
    role, user_id = users.checked_role(context.body.text("role")), context.id_of_path("user_id")
    if context.session.value('SELECT count(*) FROM "org_user" WHERE "org_id" = ? AND "user_id" = ?', org_id, user_id) == 0:
        raise classic(404, "Failed update org user: user not found")
    if role != "Admin" and users.last_admin(context.session, org_id, user_id):
        raise bad_request("Cannot change role so that there is no organization admin left")
    context.session.update("org_user", {"org_id": org_id, "user_id": user_id}, role=role, updated=now_ms())
    return {"message": "Organization user updated"}


def _remove(context: Context, org_id: int) -> dict[str, Any]:
    user_id = context.id_of_path("user_id")
    role = context.session.value('SELECT "role" FROM "org_user" WHERE "org_id" = ? AND "user_id" = ?', org_id, user_id)
    if role is None:
        raise classic(404, "User not found")
    if role == "Admin" and users.last_admin(context.session, org_id, user_id):
        raise bad_request("Cannot remove last organization admin")
    for table in ("org_user", "team_member", "permission", "star"):
        context.session.delete(table, org_id=org_id, user_id=user_id)
    other = context.session.value('SELECT min("org_id") FROM "org_user" WHERE "user_id" = ?', user_id)
    if other is not None:
        context.session.execute('UPDATE "user" SET "org_id" = ? WHERE "id" = ? AND "org_id" = ?', other, user_id, org_id)
    return {"message": "User removed from organization"}


@route("GET", "/api/org/users", admin("org.users:read"))
def list_current(context: Context) -> list[Any]:
    return _list(context, context.org)


@route("GET", "/api/org/users/lookup", admin("org.users:read"))
def lookup(context: Context) -> list[Any]:
    found = _list(context, context.org)
    return [{"userId": u["userId"], "uid": u["uid"], "login": u["login"], "avatarUrl": u["avatarUrl"]} for u in found]


@route("POST", "/api/org/users", admin("org.users:add"))
def add_current(context: Context) -> dict[str, Any]:
    return _add(context, context.org)


@route("PATCH", "/api/org/users/:user_id", admin("org.users:write"))
def change_current(context: Context) -> dict[str, Any]:
    return _change(context, context.org)


@route("DELETE", "/api/org/users/:user_id", admin("org.users:remove"))
def remove_current(context: Context) -> dict[str, Any]:
    return _remove(context, context.org)


@route("GET", "/api/orgs/:org_id/users", server_admin("org.users:read"))
def list_of_org(context: Context) -> list[Any]:
    return _list(context, context.id_of_path("org_id"))


@route("GET", "/api/orgs/:org_id/users/search", server_admin("org.users:read"))
def search_of_org(context: Context) -> dict[str, Any]:
    page, size = context.page(1000)
    found = [_shape(row) for row in _members(context, context.id_of_path("org_id"))]
    return {"totalCount": len(found), "orgUsers": found[(page - 1) * size : page * size], "perPage": size, "page": page}


@route("POST", "/api/orgs/:org_id/users", server_admin("org.users:add"))
def add_to_org(context: Context) -> dict[str, Any]:
    return _add(context, context.id_of_path("org_id"))


@route("PATCH", "/api/orgs/:org_id/users/:user_id", server_admin("org.users:write"))
def change_in_org(context: Context) -> dict[str, Any]:
    return _change(context, context.id_of_path("org_id"))


@route("DELETE", "/api/orgs/:org_id/users/:user_id", server_admin("org.users:remove"))
def remove_from_org(context: Context) -> dict[str, Any]:
    return _remove(context, context.id_of_path("org_id"))


@route("GET", "/api/org/invites", admin("org.users:add"))
def invites(context: Context) -> list[Any]:
    rows = context.session.rows(
        'SELECT t.*, u."login" AS "by_login", u."name" AS "by_name", u."email" AS "by_email" FROM "temp_user" t '
        'LEFT JOIN "user" u ON u."id" = t."invited_by" WHERE t."org_id" = ? AND t."status" = ? ORDER BY t."created"',
        context.org,
        "InvitePending",
    )
    return [
        {
            "id": row["id"],
            "orgId": row["org_id"],
            "name": row["name"],
            "email": row["email"],
            "role": row["role"],
            "invitedByLogin": row["by_login"] or "",
            "invitedByEmail": row["by_email"] or "",
            "invitedByName": row["by_name"] or "",
            "code": row["code"],
            "status": row["status"],
            "url": f"{context.app.root_url}invite/{row['code']}",
            "emailSent": False,
            "emailSentOn": rfc3339(0),
            "createdOn": rfc3339(row["created"]),
        }
        for row in rows
    ]


@route("POST", "/api/org/invites", admin("org.users:add"))
def invite(context: Context) -> dict[str, Any]:
    who, role = context.body.text("loginOrEmail"), users.checked_role(context.body.text("role"))
    if not who:
        raise bad_request()
    known = users.find_by_login(context.session, who)
    if known is not None:
        if context.session.value('SELECT count(*) FROM "org_user" WHERE "org_id" = ? AND "user_id" = ?', context.org, known["id"]):
            raise classic(412, f"User {who} is already added to organization")
        users.add_to_org(context.session, context.org, known["id"], role)
        return {"message": f"Existing Grafana user {known['login']} added to org", "userId": known["id"]}
    context.session.insert(
        "temp_user",
        org_id=context.org,
        code=random_text(30),
        email=who,
        name=context.body.text("name"),
        role=role,
        status="InvitePending",
        invited_by=context.identity.user_id,
        created=now_ms(),
    )
    return {"message": f"Created invite for {who}"}


@route("DELETE", "/api/org/invites/:code/revoke", admin("org.users:add"))
def revoke(context: Context) -> dict[str, Any]:
    where = {"org_id": context.org, "code": context.params["code"], "status": "InvitePending"}
    if not context.session.update("temp_user", where, status="Revoked"):
        raise classic(404, "Temporary user not found")
    return {"message": "Invite revoked"}
