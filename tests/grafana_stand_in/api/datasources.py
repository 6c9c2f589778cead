"""Data sources over HTTP."""

from __future__ import annotations

import json
from typing import Any

from ..database.dialect import Row
from ..identity.access import admin, viewer
from ..store import datasources
from ..store.datasources import Fields
from ..web.context import Context
from ..web.errors import bad_request, classic
from ..web.routing import route

_TYPE_NAMES = {"prometheus": "Prometheus", "loki": "Loki", "alertmanager": "Alertmanager", "mysql": "MySQL", "postgres": "PostgreSQL"}


def type_name(kind: str) -> str:
    return _TYPE_NAMES.get(kind, kind.capitalize())


def _common(row: Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "uid": row["uid"],
        "orgId": row["org_id"],
        "name": row["name"],
        "type": row["type"],
        "typeLogoUrl": f"public/plugins/{row['type']}/img/{row['type']}_logo.svg",
        "access": row["access"],
        "url": row["url"],
        "user": row["user_name"],
        "database": row["database_name"],
        "basicAuth": bool(row["basic_auth"]),
        "isDefault": bool(row["is_default"]),
        "jsonData": json.loads(row["json_data"] or "{}"),
        "readOnly": bool(row["read_only"]),
    }


def _full(context: Context, row: Row) -> dict[str, Any]:
    return {
        **_common(row),
        "typeLogoUrl": "",
        "basicAuthUser": row["basic_auth_user"],
        "withCredentials": bool(row["with_credentials"]),
        "secureJsonFields": datasources.secure_fields(context.app.box, row),
        "version": row["version"],
        "apiVersion": "",
    }


@route("GET", "/api/datasources", viewer("datasources:read"))
def list_all(context: Context) -> list[Any]:
    return [{**_common(row), "typeName": type_name(row["type"])} for row in datasources.rows(context.session, context.org)]


@route("POST", "/api/datasources", admin("datasources:create"))
def create(context: Context) -> dict[str, Any]:
    app = context.app
    row = datasources.create(context.session, app.box, app.release, app.settings, context.org, Fields.of(context.body))
    return {"datasource": _full(context, row), "id": row["id"], "message": "Datasource added", "name": row["name"]}


def _update(context: Context, row: Row) -> dict[str, Any]:
    if row["read_only"]:
        raise classic(403, "Cannot update read-only data source")
    fields = Fields.of(context.body)
    # Newer releases give the path the last word; older ones let the body rename.
    if context.app.release.checks_datasource_uid_of_path and fields.uid and fields.uid != row["uid"]:
        raise bad_request("Datasource UID in the body does not match the UID of the path")
    version = context.body.integer("version") or None
    changed = datasources.update(context.session, context.app.box, context.app.release, row, fields, version=version)
    return {"datasource": _full(context, changed), "id": changed["id"], "message": "Datasource updated", "name": changed["name"]}


def _delete(context: Context, row: Row) -> None:
    if row["read_only"]:
        raise classic(403, "Cannot delete read-only data source")
    datasources.delete(context.session, row)


def by_uid(context: Context) -> Row:
    return datasources.get(context.session, context.org, uid=context.params["uid"])


def _by_name(context: Context) -> Row:
    return datasources.get(context.session, context.org, name=context.params["name"])


def numbered(context: Context) -> Row:
    """The routes by number are gone in newer releases, unless a feature toggle keeps them."""
    if not context.app.release.numeric_datasource_routes and not context.app.feature("datasourceLegacyIdApi"):
        raise classic(404, "Not found")
    return datasources.get(context.session, context.org, id=context.id_of_path("id"))


@route("GET", "/api/datasources/uid/:uid", viewer("datasources:read"))
def get(context: Context) -> dict[str, Any]:
    return _full(context, by_uid(context))


@route("PUT", "/api/datasources/uid/:uid", admin("datasources:write"))
def update(context: Context) -> dict[str, Any]:
    return _update(context, by_uid(context))


@route("DELETE", "/api/datasources/uid/:uid", admin("datasources:delete"))
def delete(context: Context) -> dict[str, Any]:
    row = by_uid(context)
    _delete(context, row)
    return {"message": "Data source deleted", "id": row["id"]}


@route("GET", "/api/datasources/name/:name", viewer("datasources:read"))
def get_by_name(context: Context) -> dict[str, Any]:
    return _full(context, _by_name(context))


@route("DELETE", "/api/datasources/name/:name", admin("datasources:delete"))
def delete_by_name(context: Context) -> dict[str, Any]:
    row = _by_name(context)
    _delete(context, row)
    return {"message": "Data source deleted", "id": row["id"]}


@route("GET", "/api/datasources/id/:name", viewer("datasources.id:read"))
def id_by_name(context: Context) -> dict[str, Any]:
    return {"id": _by_name(context)["id"]}


@route("GET", "/api/datasources/:id", viewer("datasources:read"))
def get_by_id(context: Context) -> dict[str, Any]:
    return _full(context, numbered(context))


@route("PUT", "/api/datasources/:id", admin("datasources:write"))
def update_by_id(context: Context) -> dict[str, Any]:
    return _update(context, numbered(context))


@route("DELETE", "/api/datasources/:id", admin("datasources:delete"))
def delete_by_id(context: Context) -> dict[str, Any]:
    _delete(context, numbered(context))
    return {"message": "Data source deleted"}
