"""Expressions, matchers and routes, without a server."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.grafana_stand_in.alerting import matching
from tests.grafana_stand_in.datasource import expressions
from tests.grafana_stand_in.datasource.prometheus import QueryError, Series

ONE_NUMBER: expressions.Numbers = [({}, 4.0)]
RESULTS: expressions.Results = {
    "A": [Series({"job": "a"}, [(1.0, 1.0), (2.0, 3.0)]), Series({"job": "b"}, [(1.0, 7.0)])],
    "B": ONE_NUMBER,
}


@pytest.mark.parametrize(
    ("model", "values"),
    [
        ({"type": "reduce", "expression": "A", "reducer": "mean"}, [2.0, 7.0]),
        ({"type": "reduce", "expression": "$A", "reducer": "max"}, [3.0, 7.0]),
        ({"type": "threshold", "expression": "A", "conditions": [{"evaluator": {"type": "gt", "params": [5]}}]}, [0.0, 1.0]),
        ({"type": "threshold", "expression": "A", "conditions": [{"evaluator": {"type": "within_range", "params": [2, 5]}}]}, [1.0, 0.0]),
        ({"type": "math", "expression": "$A > ${B}"}, [0.0, 1.0]),
        ({"type": "math", "expression": "$A * 2"}, [6.0, 14.0]),
        ({"type": "math", "expression": "$B"}, [4.0]),
        (
            {
                "type": "classic_conditions",
                "conditions": [
                    {"query": {"params": ["A"]}, "reducer": {"type": "max"}, "evaluator": {"type": "gt", "params": [6]}},
                    {
                        "query": {"params": ["A"]},
                        "reducer": {"type": "max"},
                        "evaluator": {"type": "gt", "params": [99]},
                        "operator": {"type": "or"},
                    },
                ],
            },
            [1.0],
        ),
    ],
)
def test_expressions(model: dict[str, Any], values: list[float]) -> None:
    assert [value for _, value in expressions.evaluate(model, RESULTS)] == values


@pytest.mark.parametrize(
    "model", [{"type": "sql"}, {"type": "reduce", "expression": "Z"}, {"type": "math", "expression": "abs($A) + log($B)"}]
)
def test_what_is_not_supported_says_so(model: dict[str, Any]) -> None:
    with pytest.raises(QueryError):
        expressions.evaluate(model, RESULTS)


def test_routes() -> None:
    tree = {
        "receiver": "root",
        "group_by": ["alertname"],
        "routes": [
            {"receiver": "a", "object_matchers": [["team", "=~", "x|y"]], "continue": True, "group_wait": "1s"},
            {"receiver": "b", "matchers": ['severity="page"'], "routes": [{"match": {"team": "x"}}]},
        ],
    }

    def receivers(**labels: str) -> list[str]:
        return [route["receiver"] for route in matching.routes_for(tree, labels)]

    assert receivers(team="z") == ["root"]
    assert receivers(team="x", severity="page") == ["a", "b"]
    assert receivers(team="y") == ["a"]
    assert matching.routes_for(tree, {"team": "y"})[0]["group_by"] == ["alertname"]


@pytest.mark.parametrize(
    ("interval", "expected"),
    [
        ({}, True),
        ({"weekdays": ["monday:friday"]}, True),
        ({"weekdays": ["saturday", "sunday"]}, False),
        ({"times": [{"start_time": "10:00", "end_time": "11:00"}]}, True),
        ({"times": [{"start_time": "11:00", "end_time": "12:00"}]}, False),
        ({"days_of_month": ["-1"]}, True),
        ({"days_of_month": ["1:15"]}, False),
        ({"months": ["june"], "years": ["2020:2030"]}, True),
        ({"months": ["7:12"]}, False),
    ],
)
def test_time_intervals(interval: dict[str, Any], expected: bool) -> None:
    moment = datetime(2026, 6, 30, 10, 30, tzinfo=UTC)
    assert matching.active(interval, moment.timestamp()) is expected
