"""Quotas over HTTP."""

from __future__ import annotations

from typing import Any

from ..identity.access import admin, server_admin
from ..store import quotas
from ..web.context import Context
from ..web.routing import route


@route("GET", "/api/org/quotas", admin("orgs.quotas:read"))
def of_current(context: Context) -> list[Any]:
    return quotas.listing(context.session, context.app.settings, org_id=context.org)


@route("GET", "/api/orgs/:org_id/quotas", server_admin("orgs.quotas:read"))
def of_org(context: Context) -> list[Any]:
    return quotas.listing(context.session, context.app.settings, org_id=context.id_of_path("org_id"))


@route("PUT", "/api/orgs/:org_id/quotas/:target", server_admin("orgs.quotas:write"))
def change_of_org(context: Context) -> dict[str, Any]:
    limit = context.body.integer("limit")
    quotas.change(context.session, context.app.settings, context.params["target"], limit, org_id=context.id_of_path("org_id"))
    return {"message": "Organization quota updated"}


@route("GET", "/api/admin/users/:user_id/quotas", server_admin("users.quotas:read"))
def of_user(context: Context) -> list[Any]:
    return quotas.listing(context.session, context.app.settings, user_id=context.id_of_path("user_id"))


@route("PUT", "/api/admin/users/:user_id/quotas/:target", server_admin("users.quotas:write"))
def change_of_user(context: Context) -> dict[str, Any]:
    limit = context.body.integer("limit")
    quotas.change(context.session, context.app.settings, context.params["target"], limit, user_id=context.id_of_path("user_id"))
    return {"message": "User quota updated"}
