"""Server-side expressions: reduce, math of one operator, threshold and classic conditions."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable
from typing import Any

from .prometheus import QueryError, Series

UIDS = {"__expr__", "-100"}

# Labels and one number: what an alert is made of.
Numbers = list[tuple[dict[str, str], float]]
Results = dict[str, list[Series] | Numbers]

_REDUCERS: dict[str, Callable[[list[float]], float]] = {
    "last": lambda values: values[-1],
    "min": min,
    "max": max,
    "sum": sum,
    "mean": lambda values: sum(values) / len(values),
    "avg": lambda values: sum(values) / len(values),
    "count": lambda values: float(len(values)),
    "median": lambda values: sorted(values)[len(values) // 2],
}
_COMPARISONS: dict[str, Callable[[float, list[float]], bool]] = {
    "gt": lambda value, limits: value > limits[0],
    "lt": lambda value, limits: value < limits[0],
    "gte": lambda value, limits: value >= limits[0],
    "lte": lambda value, limits: value <= limits[0],
    "eq": lambda value, limits: value == limits[0],
    "ne": lambda value, limits: value != limits[0],
    "within_range": lambda value, limits: min(limits[:2]) < value < max(limits[:2]),
    "outside_range": lambda value, limits: value < min(limits[:2]) or value > max(limits[:2]),
}
_OPERATORS: dict[str, Callable[[float, float], float]] = {
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": lambda left, right: left / right if right else math.nan,
    "&&": lambda left, right: bool(left) and bool(right),
    "||": lambda left, right: bool(left) or bool(right),
}
_MATH = re.compile(r"\s*(?:\$\{?(\w+)\}?|(-?[\d.]+))\s*(>=|<=|==|!=|&&|\|\||[><+*/-])\s*(?:\$\{?(\w+)\}?|(-?[\d.]+))\s*")


def evaluate(model: dict[str, Any], results: Results) -> Numbers:
    kind = model.get("type")
    if kind == "reduce":
        return reduce(_input(model, results), str(model.get("reducer", "last")))
    if kind == "threshold":
        return _threshold(model, numbers(_input(model, results)))
    if kind == "math":
        return _math(str(model.get("expression", "")), results)
    if kind == "classic_conditions":
        return _classic(model, results)
    raise QueryError(f"the expression type {kind!r} is not supported by the stand-in")


def _input(model: dict[str, Any], results: Results) -> list[Series] | Numbers:
    name = str(model.get("expression", "")).lstrip("$").strip("{}")
    if name not in results:
        raise QueryError(f"unable to find dependent node {name!r}")
    return results[name]


def reduce(values: list[Series] | Numbers, reducer: str) -> Numbers:
    if reducer not in _REDUCERS:
        raise QueryError(f"reduction {reducer!r} is not supported")
    found: Numbers = []
    for item in values:
        if isinstance(item, Series):
            present = [value for _, value in item.points if not math.isnan(value)]
            found.append((item.labels, _REDUCERS[reducer](present) if present else math.nan))
        else:
            found.append(item)
    return found


def numbers(values: list[Series] | Numbers) -> Numbers:
    """An instant query gives one point a series and needs no reducing."""
    return reduce(values, "last")


def _matches(evaluator: dict[str, Any], value: float) -> bool:
    kind, limits = str(evaluator.get("type", "gt")), [float(limit) for limit in evaluator.get("params") or [0.0]]
    if kind == "no_value":
        return math.isnan(value)
    if kind not in _COMPARISONS:
        raise QueryError(f"the evaluator {kind!r} is not supported")
    return not math.isnan(value) and _COMPARISONS[kind](value, limits)


def _threshold(model: dict[str, Any], values: Numbers) -> Numbers:
    conditions = model.get("conditions") or [{}]
    evaluator = conditions[0].get("evaluator") or {}
    return [(labels, float(_matches(evaluator, value))) for labels, value in values]


def _math(expression: str, results: Results) -> Numbers:
    found = _MATH.fullmatch(expression)
    if found is None:
        single = re.fullmatch(r"\s*\$\{?(\w+)\}?\s*", expression)
        if single and single[1] in results:
            return numbers(results[single[1]])
        raise QueryError(f"the expression {expression!r} is more than the stand-in can calculate")

    def side(variable: str | None, constant: str | None) -> Numbers:
        if variable is None:
            return [({}, float(constant or "nan"))]
        if variable not in results:
            raise QueryError(f"unable to find dependent node {variable!r}")
        return numbers(results[variable])

    left, right = side(found[1], found[2]), side(found[4], found[5])
    apply = _OPERATORS[found[3]]
    joined: Numbers = []
    for labels, value in left:
        for others, other in right:
            if labels == others or not labels or not others:
                joined.append((labels or others, math.nan if math.isnan(value) or math.isnan(other) else float(apply(value, other))))
    return joined


def _classic(model: dict[str, Any], results: Results) -> Numbers:
    outcome: bool | None = None
    for condition in model.get("conditions") or []:
        name = (condition.get("query", {}).get("params") or [""])[0]
        if name not in results:
            raise QueryError(f"unable to find dependent node {name!r}")
        reducer = str((condition.get("reducer") or {}).get("type", "last"))
        firing = any(_matches(condition.get("evaluator") or {}, value) for _, value in reduce(results[name], reducer))
        joiner = (condition.get("operator") or {}).get("type", "and")
        outcome = firing if outcome is None else (outcome or firing) if joiner == "or" else (outcome and firing)
    return [({}, float(bool(outcome)))]
