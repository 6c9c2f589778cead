"""Users as a server administrator sees them."""

from __future__ import annotations

from typing import Any

from ..database.dialect import Row
from ..identity.access import SIGNED_IN, server_admin
from ..store import users
from ..times import age, now_ms, rfc3339
from ..web.context import Context
from ..web.errors import bad_request, classic, denied
from ..web.routing import route
from .shapes import avatar, like
from .teams import teams_of

_MIN_PASSWORD = 4


def profile(row: Row, org_id: int) -> dict[str, Any]:
    return {
        "id": row["id"],
        "uid": row["uid"],
        "email": row["email"],
        "name": row["name"],
        "login": row["login"],
        "theme": row["theme"],
        "orgId": org_id,
        "isGrafanaAdmin": bool(row["is_admin"]),
        "isDisabled": bool(row["is_disabled"]),
        "isExternal": False,
        "isExternallySynced": False,
        "isGrafanaAdminExternallySynced": False,
        "isProvisioned": False,
        "authLabels": [],
        "updatedAt": rfc3339(row["updated"]),
        "createdAt": rfc3339(row["created"]),
        "avatarUrl": avatar(row["email"]),
    }


def _hit(row: Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "uid": row["uid"],
        "name": row["name"],
        "login": row["login"],
        "email": row["email"],
        "avatarUrl": avatar(row["email"]),
        "isAdmin": bool(row["is_admin"]),
        "isDisabled": bool(row["is_disabled"]),
        "isProvisioned": False,
        "lastSeenAt": rfc3339(row["last_seen_at"]),
        "lastSeenAtAge": age(row["last_seen_at"]),
        "created": rfc3339(row["created"]),
        "authLabels": [],
    }


def _search(context: Context) -> dict[str, Any]:
    page, size = context.page(1000)
    where = '"is_service_account" = 0 AND (LOWER("login") LIKE ? OR LOWER("email") LIKE ? OR LOWER("name") LIKE ?)'
    pattern = [like(context.query("query"))] * 3
    total = context.session.value(f'SELECT count(*) FROM "user" WHERE {where}', *pattern)
    rows = context.session.rows(
        f'SELECT * FROM "user" WHERE {where} ORDER BY "login", "email" LIMIT ? OFFSET ?', *pattern, size, (page - 1) * size
    )
    return {"totalCount": total, "users": [_hit(row) for row in rows], "page": page, "perPage": size}


def change_profile(context: Context, user_id: int) -> dict[str, Any]:
    row = users.user_or_404(context.session, user_id)
    body = context.body
    login = (body.text("login") or row["login"]).lower()
    email = (body.text("email") or row["email"]).lower()
    sql = 'SELECT count(*) FROM "user" WHERE ("login" IN (?, ?) OR "email" IN (?, ?)) AND "id" <> ?'
    if context.session.value(sql, login, email, login, email, user_id):
        raise classic(409, "User with this email or username already exists")
    values = {"login": login, "email": email, "name": body.text("name") or row["name"], "theme": body.text("theme") or row["theme"]}
    context.session.update("user", {"id": user_id}, **values, updated=now_ms())
    return {"message": "User updated"}


def orgs_of(context: Context, user_id: int) -> list[Row]:
    return context.session.rows(
        'SELECT o."id" AS "orgId", o."name", m."role" FROM "org_user" m JOIN "org" o ON o."id" = m."org_id" WHERE '
        'm."user_id" = ? ORDER BY o."name"',
        user_id,
    )


@route("GET", "/api/users", server_admin("users:read"))
def list_all(context: Context) -> list[Any]:
    found: list[Any] = _search(context)["users"]
    return found


@route("GET", "/api/users/search", server_admin("users:read"))
def search(context: Context) -> dict[str, Any]:
    return _search(context)


@route("GET", "/api/users/lookup", server_admin("users:read"))
def lookup(context: Context) -> dict[str, Any]:
    row = users.find_by_login(context.session, context.query("loginOrEmail"))
    if row is None:
        raise classic(404, "user not found")
    return profile(row, row["org_id"])


@route("GET", "/api/users/:user_id", server_admin("users:read"))
def get(context: Context) -> dict[str, Any]:
    row = users.user_or_404(context.session, context.id_of_path("user_id"))
    return profile(row, row["org_id"])


@route("PUT", "/api/users/:user_id", server_admin("users:write"))
def change(context: Context) -> dict[str, Any]:
    return change_profile(context, context.id_of_path("user_id"))


@route("GET", "/api/users/:user_id/orgs", server_admin("users:read"))
def orgs(context: Context) -> list[Any]:
    return orgs_of(context, users.user_or_404(context.session, context.id_of_path("user_id"))["id"])


@route("GET", "/api/users/:user_id/teams", server_admin("users:read"))
def teams(context: Context) -> list[Any]:
    return teams_of(context, users.user_or_404(context.session, context.id_of_path("user_id"))["id"])


@route("POST", "/api/users/:user_id/using/:org_id", server_admin("users:write"))
def use_org(context: Context) -> dict[str, Any]:
    return switch_org(context, context.id_of_path("user_id"), context.id_of_path("org_id"))


def switch_org(context: Context, user_id: int, org_id: int) -> dict[str, Any]:
    if not any(row["orgId"] == org_id for row in orgs_of(context, user_id)):
        raise bad_request("Not a valid organization")
    context.session.update("user", {"id": user_id}, org_id=org_id)
    return {"message": "Active organization changed"}


@route("POST", "/api/admin/users", server_admin("users:create"))
def create(context: Context) -> dict[str, Any]:
    body, settings = context.body, context.app.settings
    login, email, password, org_id = body.text("login"), body.text("email"), body.text("password"), body.integer("orgId")
    if not login and not email:
        raise bad_request("Validation error, need specify either username or email")
    if len(password) < _MIN_PASSWORD:
        raise bad_request("Password is missing or too short")
    role = settings.text("users", "auto_assign_org_role", "Viewer")
    if org_id and context.session.value('SELECT count(*) FROM "org" WHERE "id" = ?', org_id) == 0:
        raise bad_request("Organization not found")
    if not org_id and settings.flag("users", "auto_assign_org", True):
        org_id = settings.number("users", "auto_assign_org_id", 1)
    elif not org_id:
        org_id, role = users.create_org(context.session, email or login, None), "Admin"
    row = users.create_user(context.session, login=login, email=email, name=body.text("name"), password=password, org_id=org_id, role=role)
    return {"id": row["id"], "uid": row["uid"], "message": "User created"}


def _target(context: Context) -> int:
    user_id: int = users.user_or_404(context.session, context.id_of_path("user_id"))["id"]
    return user_id


@route("DELETE", "/api/admin/users/:user_id", server_admin("users:delete"))
def delete(context: Context) -> dict[str, Any]:
    users.delete_user(context.session, _target(context))
    return {"message": "User deleted"}


@route("PUT", "/api/admin/users/:user_id/password", server_admin("users.password:write"))
def set_password(context: Context) -> dict[str, Any]:
    password, user_id = context.body.text("password"), _target(context)
    if len(password) < _MIN_PASSWORD:
        raise bad_request("New password too short")
    users.set_password(context.session, user_id, password)
    return {"message": "User password updated"}


@route("PUT", "/api/admin/users/:user_id/permissions", server_admin("users.permissions:write"))
def set_permissions(context: Context) -> dict[str, Any]:
    allowed, user_id = context.body.flag("isGrafanaAdmin"), _target(context)
    if not allowed and not context.session.value('SELECT count(*) FROM "user" WHERE "is_admin" = 1 AND "id" <> ?', user_id):
        raise bad_request("cannot remove last grafana admin")
    context.session.update("user", {"id": user_id}, is_admin=allowed, updated=now_ms())
    return {"message": "User permissions updated"}


def _set_disabled(context: Context, disabled: bool) -> dict[str, Any]:
    user_id = _target(context)
    context.session.update("user", {"id": user_id}, is_disabled=disabled, updated=now_ms())
    if disabled:
        context.session.delete("user_auth_token", user_id=user_id)
    return {"message": "User disabled" if disabled else "User enabled"}


@route("POST", "/api/admin/users/:user_id/disable", server_admin("users:disable"))
def disable(context: Context) -> dict[str, Any]:
    return _set_disabled(context, True)


@route("POST", "/api/admin/users/:user_id/enable", server_admin("users:enable"))
def enable(context: Context) -> dict[str, Any]:
    return _set_disabled(context, False)


@route("POST", "/api/admin/users/:user_id/logout", server_admin("users:logout"))
def logout(context: Context) -> dict[str, Any]:
    user_id = _target(context)
    if user_id == context.identity.user_id:
        raise bad_request("You cannot logout yourself")
    context.session.delete("user_auth_token", user_id=user_id)
    return {"message": "User logged out"}


@route("GET", "/api/admin/users/:user_id/auth-tokens", server_admin("users.authtoken:read"))
def tokens(context: Context) -> list[Any]:
    rows = context.session.rows('SELECT * FROM "user_auth_token" WHERE "user_id" = ? AND "revoked_at" = 0 ORDER BY "id"', _target(context))
    return [
        {
            "id": row["id"],
            "isActive": row["id"] == context.identity.session_id,
            "clientIp": row["client_ip"],
            "userAgent": row["user_agent"],
            "createdAt": rfc3339(row["created_at"] * 1000),
            "seenAt": rfc3339(row["seen_at"] * 1000),
        }
        for row in rows
    ]


@route("POST", "/api/admin/users/:user_id/revoke-auth-token", server_admin("users.authtoken:write"))
def revoke_token(context: Context) -> dict[str, Any]:
    user_id = _target(context)
    token_id = context.body.integer("authTokenId")
    if token_id and token_id == context.identity.session_id:
        raise bad_request("Cannot revoke active user auth token")
    if not context.session.delete("user_auth_token", id=token_id, user_id=user_id):
        raise classic(404, "User auth token not found")
    return {"message": "User auth token revoked"}


def own_row(context: Context) -> Row:
    """The caller's own row; service accounts and nobody have no profile."""
    if not context.identity.user_id:
        raise denied("users:read")
    row = context.session.row('SELECT * FROM "user" WHERE "id" = ?', context.identity.user_id)
    if row is None:
        raise classic(404, "user not found")
    return row


@route("GET", "/api/user", SIGNED_IN)
def own(context: Context) -> dict[str, Any]:
    return profile(own_row(context), context.org)


@route("PUT", "/api/user", SIGNED_IN)
def change_own(context: Context) -> dict[str, Any]:
    if not context.identity.is_user:
        raise classic(403, "Only users may change their profile")
    return change_profile(context, context.identity.user_id)


@route("PUT", "/api/user/password", SIGNED_IN)
def change_own_password(context: Context) -> dict[str, Any]:
    row, body = own_row(context), context.body
    if not context.app.passwords.verify(body.text("oldPassword"), row["salt"], row["password"]):
        raise classic(401, "invalid old password")
    if len(body.text("newPassword")) < _MIN_PASSWORD:
        raise bad_request("New password is too short")
    users.set_password(context.session, row["id"], body.text("newPassword"))
    return {"message": "User password changed"}


@route("GET", "/api/user/orgs", SIGNED_IN)
def own_orgs(context: Context) -> list[Any]:
    return orgs_of(context, context.identity.user_id)


@route("GET", "/api/user/teams", SIGNED_IN)
def own_teams(context: Context) -> list[Any]:
    return teams_of(context, context.identity.user_id)


@route("POST", "/api/user/using/:org_id", SIGNED_IN)
def use_own_org(context: Context) -> dict[str, Any]:
    if not context.identity.is_user:
        raise classic(403, "Only users may change their organization")
    return switch_org(context, context.identity.user_id, context.id_of_path("org_id"))
