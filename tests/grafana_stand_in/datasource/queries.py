"""Runs a set of queries that refer to each other, as a panel or an alert rule has them."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

from ..database.dialect import Row
from ..times import parse_duration
from . import expressions, prometheus
from .client import Client
from .expressions import Results
from .prometheus import QueryError

Lookup = Callable[[str], tuple[Row, Client]]


def point_in_time(text: Any, now: float) -> float:
    """`now`, `now-5m`, or milliseconds since the epoch."""
    if isinstance(text, int | float):
        return float(text) / 1000
    text = str(text or "now")
    found = re.fullmatch(r"now(?:([+-])(\w+))?", text)
    try:
        if found:
            shift = parse_duration(found[2] or "0")
            return now - shift if found[1] == "-" else now + shift
        return float(text) / 1000
    except ValueError:
        raise QueryError(f"invalid time {text!r}") from None


def is_expression(query: dict[str, Any]) -> bool:
    source = query.get("datasource")
    uid = source.get("uid") if isinstance(source, dict) else query.get("datasourceUid")
    return uid in expressions.UIDS


def run_source(query: dict[str, Any], lookup: Lookup, start: float, end: float, *, instant: bool) -> list[prometheus.Series]:
    source = query.get("datasource")
    uid = str(source.get("uid", "") if isinstance(source, dict) else query.get("datasourceUid") or "")
    row, client = lookup(uid)
    if row["type"] != "prometheus":
        raise QueryError(f"data sources of type {row['type']!r} cannot be queried through the stand-in")
    expression = str(query.get("expr") or "")
    if not expression:
        raise QueryError("empty query")
    if instant:
        return prometheus.instant(client, expression, end)
    step = max(float(query.get("intervalMs") or 15000) / 1000, (end - start) / max(1, int(query.get("maxDataPoints") or 1000)), 1.0)
    return prometheus.over_range(client, expression, start, end, step)


def run_rule(data: list[dict[str, Any]], lookup: Lookup, now: float | None = None) -> Results:
    """All nodes of an alert rule, each after the ones it needs; expressions may stand before their input."""
    now = time.time() if now is None else now
    results: Results = {}
    waiting = list(data)
    for _ in range(len(data) + 1):
        left = []
        for node in waiting:
            model, ref = node.get("model") or {}, str(node.get("refId"))
            if node.get("datasourceUid") in expressions.UIDS:
                try:
                    results[ref] = expressions.evaluate(model, results)
                except QueryError:
                    left.append(node)
                continue
            span = node.get("relativeTimeRange") or {}
            query = {**model, "datasourceUid": node.get("datasourceUid"), "datasource": None}
            start, end = now - float(span.get("from") or 600), now - float(span.get("to") or 0)
            results[ref] = run_source(query, lookup, start, end, instant=bool(model.get("instant")) and not model.get("range"))
        if not left:
            return results
        if len(left) == len(waiting):
            expressions.evaluate(left[0].get("model") or {}, results)
        waiting = left
    return results
