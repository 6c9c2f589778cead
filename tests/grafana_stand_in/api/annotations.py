"""Annotations."""

from __future__ import annotations

import json
from typing import Any

from ..database.dialect import Row
from ..identity.access import editor, viewer
from ..store import dashboards
from ..times import now_ms
from ..web.binding import Body
from ..web.context import Context
from ..web.errors import bad_request, classic
from ..web.message import dumps
from ..web.routing import route
from .shapes import avatar

_FULL = (
    'SELECT a.*, d."id" AS "dashboard_id", u."login", u."email", u."uid" AS "user_uid" FROM "annotation" a '
    'LEFT JOIN "dashboard" d ON d."org_id" = a."org_id" AND d."uid" = a."dashboard_uid" '
    'LEFT JOIN "user" u ON u."id" = a."user_id" WHERE a."org_id" = ? '
)


def _shape(row: Row) -> dict[str, Any]:
    shape = {
        "id": row["id"],
        "alertId": 0,
        "alertName": "",
        "dashboardId": row["dashboard_id"] or 0,
        "dashboardUID": row["dashboard_uid"],
        "panelId": row["panel_id"],
        "userId": row["user_id"],
        "userUID": row["user_uid"] or "",
        "newState": "",
        "prevState": "",
        "created": row["created"],
        "updated": row["updated"],
        "time": row["time"],
        "timeEnd": row["time_end"],
        "text": row["text"],
        "tags": json.loads(row["tags"]),
        "login": row["login"] or "",
        "email": row["email"] or "",
        "avatarUrl": avatar(row["email"] or ""),
    }
    data = json.loads(row["data"] or "null")
    return {**shape, "data": data} if data is not None else shape


def _find(context: Context) -> Row:
    row = context.session.row(_FULL + 'AND a."id" = ?', context.org, context.id_of_path("id"))
    if row is None:
        raise classic(404, "Annotation not found")
    return row


def _uid_of(context: Context, number: int) -> str:
    uid: str | None = context.session.value('SELECT "uid" FROM "dashboard" WHERE "org_id" = ? AND "id" = ?', context.org, number)
    if uid is None:
        raise classic(404, "Dashboard not found")
    return uid


@route("GET", "/api/annotations", viewer("annotations:read"))
def search(context: Context) -> list[Any]:
    where, arguments = [], []
    start, end, limit = context.query_int("from"), context.query_int("to"), context.query_int("limit", 100)
    if start > 0 and end > 0:
        where.append('AND a."time" <= ? AND a."time_end" >= ?')
        arguments += [end, start]
    for name, column in (("userId", "user_id"), ("panelId", "panel_id")):
        if number := context.query_int(name):
            where.append(f'AND a."{column}" = ?')
            arguments.append(number)
    uid = context.query("dashboardUID")
    if not uid and (number := context.query_int("dashboardId")):
        uid = context.session.value('SELECT "uid" FROM "dashboard" WHERE "org_id" = ? AND "id" = ?', context.org, number) or "-"
    order = 'ORDER BY a."time_end" DESC, a."time" DESC, a."id" DESC'
    found = context.session.rows(f"{_FULL}{' '.join(where)} {order}", context.org, *arguments)
    if uid:
        found = [row for row in found if row["dashboard_uid"] == uid]
    if context.query("type") == "alert" or context.query_int("alertId") or context.query("alertUID"):
        found = []
    if tags := set(context.query_all("tags")):
        matches = tags.intersection if context.query_flag("matchAny") else tags.issubset
        found = [row for row in found if matches(json.loads(row["tags"]))]
    return [_shape(row) for row in found[: limit if limit > 0 else 100]]


def _add(context: Context, *, text: str, tags: list[str], time: int, time_end: int, uid: str, panel: int, data: Any) -> int:
    if not text:
        raise bad_request("text field should not be empty")
    if sum(len(tag) for tag in tags) > context.app.settings.number("annotations", "tags_length", 500):
        raise bad_request("tags are too long")
    now = now_ms()
    time = time or now
    return context.session.insert(
        "annotation",
        org_id=context.org,
        user_id=context.identity.user_id,
        dashboard_uid=uid,
        panel_id=panel,
        time=time,
        time_end=max(time, time_end),
        text=text,
        tags=dumps(tags),
        data=dumps(data),
        created=now,
        updated=now,
    )


@route("POST", "/api/annotations", editor("annotations:create"))
def create(context: Context) -> dict[str, Any]:
    body = context.body
    uid, number = body.text("dashboardUID"), body.integer("dashboardId")
    if uid:
        dashboards.get(context.session, context.org, uid)
    elif number:
        uid = _uid_of(context, number)
    created = _add(
        context,
        text=body.text("text"),
        tags=body.texts("tags"),
        time=body.integer("time"),
        time_end=body.integer("timeEnd"),
        uid=uid,
        panel=body.integer("panelId"),
        data=body.fields.get("data"),
    )
    return {"message": "Annotation added", "id": created}


@route("POST", "/api/annotations/graphite", editor("annotations:create"))
def create_graphite(context: Context) -> dict[str, Any]:
    body = context.body
    what, data, tags = body.text("what"), body.text("data"), body.fields.get("tags")
    if not what:
        raise bad_request("what field should not be empty")
    if isinstance(tags, str):
        tags = [tag for tag in tags.split(" ") if tag]
    if tags is not None and (not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags)):
        raise bad_request("unsupported tags format")
    when = body.integer("when") * 1000
    if abs(when) >= 1 << 63:
        raise bad_request()
    text = f"{what}\n{data}" if data else what
    created = _add(context, text=text, tags=tags or [], time=when, time_end=0, uid="", panel=0, data=None)
    return {"message": "Graphite annotation added", "id": created}


def _change(context: Context, *, keep: bool) -> dict[str, Any]:
    row, body = _find(context), context.body
    if row["user_id"] != context.identity.user_id and context.identity.role == "Viewer":
        raise classic(403, "Forbidden")

    def value(key: str, given: Any, before: Any) -> Any:
        return given if key in body or not keep else before

    # Whoever changes a part cannot take the text away.
    text = body.text("text") or (row["text"] if keep else "")
    time = body.integer("time") or row["time"]
    values = {
        "text": text,
        "tags": dumps(value("tags", body.texts("tags"), json.loads(row["tags"]))),
        "data": row["data"] if body.fields.get("data") is None else dumps(body.fields["data"]),
        "time": time,
        "time_end": max(time, body.integer("timeEnd") or (row["time_end"] if keep else time)),
    }
    context.session.update("annotation", {"id": row["id"]}, **values, updated=now_ms())
    return {"message": "Annotation patched" if keep else "Annotation updated", "id": row["id"]}


@route("GET", "/api/annotations/tags", viewer("annotations:read"))
def tags(context: Context) -> dict[str, Any]:
    wanted, limit = context.query("tag").casefold(), context.query_int("limit", 100)
    counted: dict[str, int] = {}
    for text in context.session.column('SELECT "tags" FROM "annotation" WHERE "org_id" = ?', context.org):
        for tag in json.loads(text):
            counted[tag] = counted.get(tag, 0) + 1
    found = [{"tag": tag, "count": count} for tag, count in sorted(counted.items()) if wanted in tag.casefold()]
    return {"result": {"tags": found[: limit if limit > 0 else 100]}}


@route("GET", "/api/annotations/:id", viewer("annotations:read"))
def get(context: Context) -> dict[str, Any]:
    return _shape(_find(context))


@route("PUT", "/api/annotations/:id", editor("annotations:write"))
def replace(context: Context) -> dict[str, Any]:
    return _change(context, keep=False)


@route("PATCH", "/api/annotations/:id", editor("annotations:write"))
def change(context: Context) -> dict[str, Any]:
    return _change(context, keep=True)


@route("DELETE", "/api/annotations/:id", editor("annotations:delete"))
def delete(context: Context) -> dict[str, Any]:
    context.session.delete("annotation", id=_find(context)["id"])
    return {"message": "Annotation deleted"}


@route("POST", "/api/annotations/mass-delete", editor("annotations:delete"))
def mass_delete(context: Context) -> dict[str, Any]:
    body: Body = context.body
    number, panel = body.integer("annotationId"), body.integer("panelId")
    uid = body.text("dashboardUID")
    if not uid and (dashboard := body.integer("dashboardId")):
        uid = _uid_of(context, dashboard)
    if number:
        context.session.delete("annotation", org_id=context.org, id=number)
    elif uid and panel:
        context.session.delete("annotation", org_id=context.org, dashboard_uid=uid, panel_id=panel)
    else:
        raise bad_request("DashboardId or DashboardUid and PanelId need to be non-empty, or AnnotationId")
    return {"message": "Annotations deleted"}
