"""Requests that go through to a data source: proxy, resources, health, queries."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import quote

from ..database.dialect import Row
from ..datasource import expressions, prometheus, queries
from ..datasource.client import Answer, Client, Unreachable
from ..datasource.expressions import Results
from ..datasource.prometheus import QueryError, Series
from ..identity.access import Need, viewer
from ..security.secrets import WrongKey
from ..store import datasources
from ..web.binding import Body
from ..web.context import Context
from ..web.errors import ApiError, bad_request, classic
from ..web.message import Response
from ..web.routing import route
from .datasources import by_uid, numbered

_PASSED_ON = ("accept", "content-type", "user-agent", "x-grafana-org-id")


def client_of(context: Context, row: Row) -> Client:
    timeout = float(context.app.settings.number("dataproxy", "timeout", 30))
    try:
        return Client.of(row, context.app.box, timeout)
    except WrongKey as error:
        raise classic(500, f"Unable to decrypt secrets of data source {row['name']}: {error}") from error
    except Unreachable as error:
        raise classic(500, str(error)) from error


def _forward(context: Context, row: Row, path: str) -> Response:
    if not row["url"]:
        raise bad_request("Unable to load datasource meta data")
    client = client_of(context, row)
    request = context.request
    # The upstream may be slow: nothing of the database is held meanwhile.
    context.session.commit()
    query = request.target.partition("?")[2]
    target = "/" + quote(path, safe="/:@!$&'()*+,;=~") + (f"?{query}" if query else "")
    headers = {name: request.header(name) for name in _PASSED_ON if request.header(name)}
    try:
        answer: Answer = client.send(request.method, target, request.body, headers)
    except Unreachable as error:
        context.app.metrics.add("grafana_datasource_request_total", datasource=row["name"], code="502", method=request.method)
        raise classic(502, str(error)) from error
    context.app.metrics.add("grafana_datasource_request_total", datasource=row["name"], code=str(answer.status), method=request.method)
    kind = next((value for name, value in answer.headers.items() if name.lower() == "content-type"), "")
    rest = {name: value for name, value in answer.headers.items() if name.lower() not in ("content-type", "set-cookie")}
    return Response(answer.status, answer.body, kind, headers=rest)


def _proxy(method: str, pattern: str, find: Any) -> None:
    need: Need = viewer("datasources:query")

    @route(method, pattern, need)
    def forward(context: Context) -> Response:
        return _forward(context, find(context), context.params["path"])


for _method in ("GET", "POST", "PUT", "DELETE", "PATCH"):
    _proxy(_method, "/api/datasources/proxy/uid/:uid/*path", by_uid)
    _proxy(_method, "/api/datasources/proxy/:id/*path", numbered)
    _proxy(_method, "/api/datasources/uid/:uid/resources/*path", by_uid)


@route("GET", "/api/datasources/uid/:uid/health", viewer("datasources:query"))
def health(context: Context) -> Response:
    return _health(context, by_uid(context))


@route("GET", "/api/datasources/:id/health", viewer("datasources:query"))
def health_by_id(context: Context) -> Response:
    return _health(context, numbered(context))


def _health(context: Context, row: Row) -> Response:
    if row["type"] != "prometheus":
        raise classic(500, "Plugin health check failed")
    try:
        client = client_of(context, row)
        context.session.commit()
        prometheus.instant(client, "1+1", time.time())
    except QueryError as error:
        return Response.json({"message": str(error), "status": "ERROR", "details": None}, 400)
    except ApiError as error:
        return Response.json({"message": (error.body or {}).get("message", ""), "status": "ERROR", "details": None}, 400)
    return Response.json({"message": "Successfully queried the Prometheus API.", "status": "OK", "details": {}})


@route("POST", "/api/ds/query", viewer("datasources:query"))
def query(context: Context) -> Response:
    body, now = context.body, time.time()
    asked = body.objects("queries")
    if not asked:
        raise bad_request("No queries found in query")
    sources: dict[str, tuple[Row, Client]] = {}
    for one in asked:
        source = Body(one.object("datasource") or {})
        uid = source.text("uid")
        if uid and uid not in expressions.UIDS and uid not in sources:
            row = datasources.find(context.session, context.org, uid=uid)
            if row is None:
                raise classic(404, "Data source not found")
            sources[uid] = row, client_of(context, row)
    context.session.commit()

    def lookup(uid: str) -> tuple[Row, Client]:
        if uid not in sources:
            raise QueryError("missing data source")
        return sources[uid]

    try:
        start, end = (queries.point_in_time(body.fields.get(key), now) for key in ("from", "to"))
    except QueryError as error:
        raise bad_request(str(error)) from error
    answers, failed = _run(asked, lookup, start, end)
    return Response.json({"results": answers}, 400 if failed else 200)


def _run(asked: list[Body], lookup: queries.Lookup, start: float, end: float) -> tuple[dict[str, Any], bool]:
    results: Results = {}
    answers: dict[str, Any] = {}
    failed = False
    for one in sorted(asked, key=lambda item: queries.is_expression(item.fields)):
        ref = one.text("refId", "A")
        try:
            if queries.is_expression(one.fields):
                found = expressions.evaluate(one.fields, results)
                results[ref] = found
                series, kind = [Series(labels, [(end, value)]) for labels, value in found], "numeric-multi"
            else:
                instant = one.flag("instant") and not one.flag("range")
                series = queries.run_source(one.fields, lookup, start, end, instant=instant)
                results[ref] = series
                kind = "numeric-multi" if instant else "timeseries-multi"
            answers[ref] = {"status": 200, "frames": [prometheus.frame(ref, item, kind=kind) for item in series]}
        except QueryError as error:
            failed = True
            answers[ref] = {"status": 400, "error": str(error), "errorSource": "downstream", "frames": []}
    return answers, failed
