"""Service accounts and their tokens."""

from __future__ import annotations

from typing import Any

from ..database.dialect import Row
from ..identity.access import admin
from ..identity.identity import ROLES
from ..security.tokens import digest, service_account_key, slug
from ..store import users
from ..times import now_ms, rfc3339
from ..web.context import Context
from ..web.errors import bad_request, classic, errutil
from ..web.message import Response
from ..web.routing import route
from .shapes import avatar, like

_ACCOUNT = (
    'SELECT u.*, m."role", (SELECT count(*) FROM "api_key" k WHERE k."service_account_id" = u."id") AS "tokens" FROM "user" u '
    'JOIN "org_user" m ON m."user_id" = u."id" AND m."org_id" = ? WHERE u."is_service_account" = 1 '
)


def _shape(row: Row, org_id: int) -> dict[str, Any]:
    return {
        "id": row["id"],
        "uid": row["uid"],
        "name": row["name"],
        "login": row["login"],
        "orgId": org_id,
        "isDisabled": bool(row["is_disabled"]),
        "isExternal": False,
        "role": row["role"],
        "tokens": row["tokens"],
        "avatarUrl": avatar(row["login"]),
    }


def _profile(row: Row, org_id: int) -> dict[str, Any]:
    times = {"createdAt": rfc3339(row["created"]), "updatedAt": rfc3339(row["updated"])}
    return {**_shape(row, org_id), **times, "teams": [], "requiredBy": ""}


def _find(context: Context) -> Row:
    row = context.session.row(_ACCOUNT + 'AND u."id" = ?', context.org, context.id_of_path("account_id"))
    if row is None:
        raise errutil(404, "serviceaccounts.ErrNotFound", "Service account not found")
    return row


def _allowed_role(context: Context, text: str) -> str:
    role = users.checked_role(text)
    if ROLES.index(role) > context.identity.rank:
        raise classic(403, "Cannot assign a role higher than user's role")
    return role


@route("POST", "/api/serviceaccounts", admin("serviceaccounts:create"))
def create(context: Context) -> Response:
    name, role = context.body.text("name"), _allowed_role(context, context.body.text("role", "Viewer"))
    if not name:
        raise bad_request()
    login = f"sa-{context.org}-{slug(name)}"
    if context.session.value('SELECT count(*) FROM "user" WHERE "login" = ?', login):
        raise errutil(400, "serviceaccounts.ErrAlreadyExists", "service account already exists")
    row = users.create_user(context.session, login=login, email=login, name=name, org_id=context.org, role=role, service_account=True)
    if context.body.flag("isDisabled"):
        context.session.update("user", {"id": row["id"]}, is_disabled=True)
        row["is_disabled"] = True
    return Response.json(_shape({**row, "role": role, "tokens": 0}, context.org), 201)


@route("GET", "/api/serviceaccounts/search", admin("serviceaccounts:read"))
def search(context: Context) -> dict[str, Any]:
    page, size = context.page(1000)
    where = 'AND (LOWER(u."login") LIKE ? OR LOWER(u."name") LIKE ?) '
    arguments: list[Any] = [like(context.query("query"))] * 2
    if context.query_flag("disabled") or context.query_flag("Disabled"):
        where += 'AND u."is_disabled" = 1 '
    if context.query_flag("expiredTokens"):
        where += 'AND EXISTS (SELECT 1 FROM "api_key" k WHERE k."service_account_id" = u."id" AND k."expires" > 0 AND k."expires" < ?) '
        arguments.append(now_ms() // 1000)
    rows = context.session.rows(f'{_ACCOUNT}{where}ORDER BY u."login"', context.org, *arguments)
    found = [_shape(row, context.org) for row in rows[(page - 1) * size : page * size]]
    return {"totalCount": len(rows), "serviceAccounts": found, "page": page, "perPage": size}


@route("GET", "/api/serviceaccounts/:account_id", admin("serviceaccounts:read"))
def get(context: Context) -> dict[str, Any]:
    return _profile(_find(context), context.org)


@route("PATCH", "/api/serviceaccounts/:account_id", admin("serviceaccounts:write"))
def update(context: Context) -> dict[str, Any]:
    row, body = _find(context), context.body
    if "role" in body:
        context.session.update("org_user", {"org_id": context.org, "user_id": row["id"]}, role=_allowed_role(context, body.text("role")))
    disabled = body.flag("isDisabled", bool(row["is_disabled"]))
    context.session.update("user", {"id": row["id"]}, name=body.text("name") or row["name"], is_disabled=disabled, updated=now_ms())
    changed = _find(context)
    return {
        "id": changed["id"],
        "name": changed["name"],
        "message": "Service account updated",
        "serviceaccount": _profile(changed, context.org),
    }


@route("DELETE", "/api/serviceaccounts/:account_id", admin("serviceaccounts:delete"))
def delete(context: Context) -> dict[str, Any]:
    users.delete_user(context.session, _find(context)["id"])
    return {"message": "Service account deleted"}


@route("GET", "/api/serviceaccounts/:account_id/tokens", admin("serviceaccounts:read"))
def tokens(context: Context) -> list[Any]:
    now = now_ms() // 1000
    found = []
    for row in context.session.rows('SELECT * FROM "api_key" WHERE "service_account_id" = ? ORDER BY "name"', _find(context)["id"]):
        token: dict[str, Any] = {"id": row["id"], "name": row["name"], "created": rfc3339(row["created"])}
        if row["last_used_at"]:
            token["lastUsedAt"] = rfc3339(row["last_used_at"])
        if row["expires"]:
            token["expiration"] = rfc3339(row["expires"] * 1000)
        left = max(0, row["expires"] - now) if row["expires"] else 0
        expired = bool(row["expires"]) and row["expires"] <= now
        found.append({**token, "secondsUntilExpiration": left, "hasExpired": expired, "isRevoked": bool(row["is_revoked"])})
    return found


@route("POST", "/api/serviceaccounts/:account_id/tokens", admin("serviceaccounts:write"))
def create_token(context: Context) -> dict[str, Any]:
    account, name, lives = _find(context), context.body.text("name"), context.body.integer("secondsToLive")
    if not name:
        raise bad_request()
    if lives < 0 or lives > 10**10:
        raise errutil(400, "serviceaccounts.ErrInvalidExpiration", "invalid SecondsToLive value")
    if context.session.value('SELECT count(*) FROM "api_key" WHERE "org_id" = ? AND "name" = ?', context.org, name):
        raise errutil(
            409, "serviceaccounts.ErrTokenAlreadyExists", "service account token with given name already exists in the organization"
        )
    key, now = service_account_key(), now_ms()
    token_id = context.session.insert(
        "api_key",
        org_id=context.org,
        service_account_id=account["id"],
        name=name,
        key_hash=digest(key),
        expires=now // 1000 + lives if lives else 0,
        last_used_at=0,
        is_revoked=False,
        created=now,
    )
    return {"id": token_id, "name": name, "key": key}


@route("DELETE", "/api/serviceaccounts/:account_id/tokens/:token_id", admin("serviceaccounts:write"))
def delete_token(context: Context) -> dict[str, Any]:
    account = _find(context)
    if not context.session.delete("api_key", id=context.id_of_path("token_id"), service_account_id=account["id"]):
        raise errutil(404, "serviceaccounts.ErrTokenNotFound", "service account token not found")
    return {"message": "Service account token deleted"}
