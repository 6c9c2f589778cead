"""Organisations, as a server administrator and as a member sees them."""

from __future__ import annotations

import json
from typing import Any

from ..database.dialect import Row
from ..identity.access import admin, server_admin, viewer
from ..store import users
from ..times import now_ms
from ..web.context import Context
from ..web.errors import bad_request, classic
from ..web.routing import route
from .shapes import like

_ADDRESS = ("address1", "address2", "city", "zipCode", "state", "country")


def _details(row: Row | None) -> dict[str, Any]:
    if row is None:
        raise classic(404, "Organization not found")
    address = json.loads(row["address"] or "{}")
    return {"id": row["id"], "name": row["name"], "address": {key: address.get(key, "") for key in _ADDRESS}}


def _rename(context: Context, org_id: int) -> dict[str, Any]:
    name = context.body.text("name")
    if not name:
        raise bad_request()
    taken = context.session.value('SELECT "id" FROM "org" WHERE "name" = ?', name)
    if taken is not None and taken != org_id:
        raise bad_request("Organization name taken")
    if not context.session.update("org", {"id": org_id}, name=name, updated=now_ms()):
        raise classic(404, "Organization not found")
    return {"message": "Organization updated"}


def _readdress(context: Context, org_id: int) -> dict[str, Any]:
    body = context.body
    # The form spells it zipcode, the answer zipCode.
    address = {key: body.text("zipcode" if key == "zipCode" else key) for key in _ADDRESS}
    if not context.session.update("org", {"id": org_id}, address=json.dumps(address), updated=now_ms()):
        raise classic(404, "Organization not found")
    return {"message": "Address updated"}


@route("GET", "/api/orgs", server_admin("orgs:read"))
def search(context: Context) -> list[Any]:
    # The only list that Grafana numbers from 0.
    page, size = context.page(1000, first=0)
    conditions, arguments = ["1 = 1"], []
    if query := context.query("query"):
        conditions.append('LOWER("name") LIKE ?')
        arguments.append(like(query))
    if name := context.query("name"):
        conditions.append('"name" = ?')
        arguments.append(name)
    sql = f'SELECT "id", "name" FROM "org" WHERE {" AND ".join(conditions)} ORDER BY "name", "id" LIMIT ? OFFSET ?'
    return context.session.rows(sql, *arguments, size, page * size)


@route("POST", "/api/orgs", server_admin("orgs:create"))
def create(context: Context) -> dict[str, Any]:
    org_id = users.create_org(context.session, context.body.text("name"), context.identity.user_id)
    return {"orgId": org_id, "message": "Organization created"}


@route("GET", "/api/orgs/:org_id", server_admin("orgs:read"))
def get(context: Context) -> dict[str, Any]:
    return _details(context.session.row('SELECT * FROM "org" WHERE "id" = ?', context.id_of_path("org_id")))


@route("GET", "/api/orgs/name/:name", server_admin("orgs:read"))
def get_by_name(context: Context) -> dict[str, Any]:
    return _details(context.session.row('SELECT * FROM "org" WHERE "name" = ?', context.params["name"]))


@route("PUT", "/api/orgs/:org_id", server_admin("orgs:write"))
def rename(context: Context) -> dict[str, Any]:
    return _rename(context, context.id_of_path("org_id"))


@route("PUT", "/api/orgs/:org_id/address", server_admin("orgs:write"))
def readdress(context: Context) -> dict[str, Any]:
    return _readdress(context, context.id_of_path("org_id"))


@route("DELETE", "/api/orgs/:org_id", server_admin("orgs:delete"))
def delete(context: Context) -> dict[str, Any]:
    org_id = context.id_of_path("org_id")
    if org_id == context.org:
        raise bad_request("Can not delete org for current user")
    if context.session.value('SELECT count(*) FROM "org" WHERE "id" = ?', org_id) == 0:
        raise classic(404, "Failed to delete organization. ID not found")
    users.delete_org(context.session, org_id)
    context.session.after_commit(lambda: context.app.alertmanagers.forget(org_id))
    return {"message": "Organization deleted"}


@route("GET", "/api/org", viewer("orgs:read"))
def current(context: Context) -> dict[str, Any]:
    return _details(context.session.row('SELECT * FROM "org" WHERE "id" = ?', context.org))


@route("PUT", "/api/org", admin("orgs:write"))
def rename_current(context: Context) -> dict[str, Any]:
    return _rename(context, context.org)


@route("PUT", "/api/org/address", admin("orgs:write"))
def readdress_current(context: Context) -> dict[str, Any]:
    return _readdress(context, context.org)
