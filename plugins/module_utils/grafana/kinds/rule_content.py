# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What Grafana makes of an alert rule that somebody has written: defaults, and durations in its own spelling."""

from __future__ import annotations

import re
from typing import Any

from ..canonical import Json

#: Milliseconds of each unit, the largest first.
_UNITS = {"y": 31_536_000_000, "w": 604_800_000, "d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
_DURATION = re.compile("".join(rf"(?:(?P<{unit}>\d+){unit})?" for unit in _UNITS), re.ASCII)
_STATES = {"noDataState": "NoData", "execErrState": "Error"}
#: Not used by a rule that records; some releases clear them, others keep what they were given.
_OF_ALERTS = (*_STATES, "condition", "for", "keep_firing_for", "notification_settings", "missingSeriesEvalsToResolve")
#: What a query gets that says nothing else, or nothing that makes sense.
_MODEL = {"intervalMs": 1000, "maxDataPoints": 43200}


def completed(rule: Json) -> Json:
    """The rule as Grafana stores it."""
    states = {name: rule.get(name) or ("" if rule.get("record") else default) for name, default in _STATES.items()}
    times = {name: duration(rule[name]) for name in ("for", "keep_firing_for") if rule.get(name) is not None}
    queries = rule.get("data")
    data = {"data": [_query(one) for one in queries]} if isinstance(queries, list) else {}
    return {**rule, "for": "0s", "isPaused": bool(rule.get("isPaused")), **states, **times, **data}


def comparable(rule: Json) -> Json:
    """The same without what differs between releases and means the same."""
    found = completed(rule)
    if found.get("keep_firing_for") == "0s":
        del found["keep_firing_for"]
    return {name: value for name, value in found.items() if name not in _OF_ALERTS} if found.get("record") else found


def duration(given: Any) -> Any:
    """A duration as Prometheus writes it: weeks and years only where they come out even. What is none is left as it is."""
    if not isinstance(given, str) or not (found := _DURATION.fullmatch("0s" if given == "0" else given)) or not given:
        return given
    left = sum(int(number or 0) * _UNITS[unit] for unit, number in found.groupdict().items())
    text = ""
    for unit, size in _UNITS.items():
        if left >= size and (unit not in "yw" or left % size == 0):
            text += f"{left // size}{unit}"
            left %= size
    return text or "0s"


def _query(query: Json) -> Json:
    model = query.get("model")
    model = model if isinstance(model, dict) else {}
    defaults = {name: default for name, default in _MODEL.items() if not _number(model.get(name))}
    kind = model.get("queryType")
    span = query.get("relativeTimeRange") or {}
    return {
        **query,
        "queryType": kind if isinstance(kind, str) else query.get("queryType") or "",
        "relativeTimeRange": {"from": span.get("from") or 0, "to": span.get("to") or 0},
        "model": {**model, **defaults},
    }


def _number(value: Any) -> bool:
    """Whether it is one other than 0."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value != 0
