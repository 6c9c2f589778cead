"""Correlations between data sources."""

from __future__ import annotations

import json
from typing import Any

from ..database.dialect import Row
from ..database.session import Session
from ..identity.access import admin, viewer
from ..security.tokens import new_uid
from ..store import datasources
from ..web.binding import Body
from ..web.context import Context
from ..web.errors import bad_request, classic
from ..web.message import dumps
from ..web.routing import route

_TYPES = ("query", "external")


def _shape(row: Row) -> dict[str, Any]:
    return {
        "uid": row["uid"],
        "sourceUID": row["source_uid"],
        **({"targetUID": row["target_uid"]} if row["target_uid"] else {}),
        "orgId": row["org_id"],
        "label": row["label"],
        "description": row["description"],
        "type": row["type"],
        "config": json.loads(row["config"]),
        "provisioned": bool(row["provisioned"]),
    }


def checked_config(body: Body | None, kind: str, before: dict[str, Any] | None = None) -> dict[str, Any]:
    config = {**(before or {}), **{key: value for key, value in (body.fields if body else {}).items() if value is not None}}
    read = Body(config)
    if kind not in _TYPES or not read.text("field") or read.object("target") is None:
        raise bad_request()
    for transformation in read.objects("transformations"):
        if transformation.text("type") not in ("regex", "logfmt"):
            raise bad_request()
    return {"type": kind, **config}


def create_from(session: Session, org_id: int, source: Row, body: Body, *, provisioned: bool) -> Row:
    kind = body.text("type") or Body(body.object("config") or {}).text("type") or "query"
    target = body.text("targetUID")
    config = body.object("config")
    if kind == "query" and not provisioned and datasources.find(session, org_id, uid=target) is None:
        raise classic(404, "Data source not found")
    row = {
        "org_id": org_id,
        "uid": new_uid(),
        "source_uid": source["uid"],
        "target_uid": target,
        "label": body.text("label"),
        "description": body.text("description"),
        "type": kind,
        "config": dumps(checked_config(Body(config) if config else None, kind)),
        "provisioned": provisioned,
    }
    session.insert("correlation", **row)
    return row


def _source(context: Context) -> Row:
    return datasources.get(context.session, context.org, uid=context.params["uid"])


def _writable_source(context: Context) -> Row:
    row = _source(context)
    if row["read_only"]:
        raise classic(403, "Data source is read only")
    return row


def _find(context: Context) -> Row:
    sql = 'SELECT * FROM "correlation" WHERE "org_id" = ? AND "source_uid" = ? AND "uid" = ?'
    row = context.session.row(sql, context.org, context.params["uid"], context.params["correlation"])
    if row is None:
        raise classic(404, "Correlation not found")
    return row


@route("GET", "/api/datasources/correlations", viewer("datasources:read"))
def list_all(context: Context) -> list[Any]:
    page, limit = context.page(100, "limit", 1000)
    wanted = context.query_all("sourceUID")
    rows = context.session.rows('SELECT * FROM "correlation" WHERE "org_id" = ? ORDER BY "source_uid", "uid"', context.org)
    found = [_shape(row) for row in rows if not wanted or row["source_uid"] in wanted]
    return found[(page - 1) * limit : page * limit]


@route("GET", "/api/datasources/uid/:uid/correlations", viewer("datasources:read"))
def of_source(context: Context) -> list[Any]:
    source = _source(context)
    rows = context.session.rows(
        'SELECT * FROM "correlation" WHERE "org_id" = ? AND "source_uid" = ? ORDER BY "uid"', context.org, source["uid"]
    )
    if not rows:
        raise classic(404, "No correlation found")
    return [_shape(row) for row in rows]


@route("POST", "/api/datasources/uid/:uid/correlations", admin("datasources:write"))
def add(context: Context) -> dict[str, Any]:
    row = create_from(context.session, context.org, _writable_source(context), context.body, provisioned=False)
    return {"message": "Correlation created", "result": _shape(row)}


@route("GET", "/api/datasources/uid/:uid/correlations/:correlation", viewer("datasources:read"))
def get(context: Context) -> dict[str, Any]:
    return _shape(_find(context))


@route("PATCH", "/api/datasources/uid/:uid/correlations/:correlation", admin("datasources:write"))
def update(context: Context) -> dict[str, Any]:
    _writable_source(context)
    row, body = _find(context), context.body
    config = body.object("config")
    kind = body.text("type") or row["type"]
    values = {
        "label": body.text("label") if "label" in body else row["label"],
        "description": body.text("description") if "description" in body else row["description"],
        "type": kind,
        "config": dumps(checked_config(Body(config) if config else None, kind, json.loads(row["config"]))),
    }
    context.session.update("correlation", {"id": row["id"]}, **values)
    return {"message": "Correlation updated", "result": _shape({**row, **values})}


@route("DELETE", "/api/datasources/uid/:uid/correlations/:correlation", admin("datasources:write"))
def delete(context: Context) -> dict[str, Any]:
    _writable_source(context)
    context.session.delete("correlation", id=_find(context)["id"])
    return {"message": "Correlation deleted"}
