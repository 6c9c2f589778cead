"""Queries to Prometheus, and the frames its answers become."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from .client import Client, Unreachable

_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class QueryError(Exception):
    """What the data source says against a query."""


@dataclass(frozen=True)
class Series:
    labels: dict[str, str]
    # Seconds since the epoch, value.
    points: list[tuple[float, float]]


def _number(text: str) -> float:
    return float(text.replace("Inf", "inf"))


def _ask(client: Client, path: str, parameters: dict[str, Any]) -> list[Series]:
    try:
        answer = client.send("POST", path, urlencode(parameters).encode(), _FORM)
    except Unreachable as error:
        raise QueryError(str(error)) from error
    try:
        body = json.loads(answer.body)
    except ValueError:
        raise QueryError(f"{answer.status} {answer.body[:200].decode('utf-8', 'replace')}") from None
    if body.get("status") != "success":
        raise QueryError(f"{body.get('errorType', answer.status)}: {body.get('error', 'no data')}")
    data = body["data"]
    if data["resultType"] == "scalar":
        return [Series({}, [(data["result"][0], _number(data["result"][1]))])]
    found = []
    for item in data["result"]:
        values = item["values"] if "values" in item else [item["value"]]
        found.append(Series(item["metric"], [(stamp, _number(value)) for stamp, value in values]))
    return found


def instant(client: Client, expression: str, at: float) -> list[Series]:
    return _ask(client, "/api/v1/query", {"query": expression, "time": f"{at:.3f}"})


def over_range(client: Client, expression: str, start: float, end: float, step: float) -> list[Series]:
    return _ask(client, "/api/v1/query_range", {"query": expression, "start": f"{start:.3f}", "end": f"{end:.3f}", "step": f"{step:g}"})


def frame(ref_id: str, series: Series, *, kind: str) -> dict[str, Any]:
    """A data frame in its JSON form."""
    name = series.labels.get("__name__", "Value")
    return {
        "schema": {
            "refId": ref_id,
            "meta": {"type": kind, "typeVersion": [0, 1], "custom": {"resultType": "matrix" if kind == "timeseries-multi" else "vector"}},
            "fields": [
                {"name": "Time", "type": "time", "typeInfo": {"frame": "time.Time"}},
                {"name": name, "type": "number", "typeInfo": {"frame": "float64"}, "labels": series.labels},
            ],
        },
        "data": {
            "values": [
                [int(stamp * 1000) for stamp, _ in series.points],
                [value if math.isfinite(value) else None for _, value in series.points],
            ]
        },
    }
