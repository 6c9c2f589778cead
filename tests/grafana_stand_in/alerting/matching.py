"""Label matchers and time intervals, as routes and silences have them."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from .configuration import Json
from .templates import DAYS, MONTHS

Labels = dict[str, str]
Matcher = tuple[str, str, str]

_TEXT = re.compile(r'\s*([^=!~\s]+)\s*(=~|!~|!=|=)\s*"?(.*?)"?\s*')


def matches(matcher: Matcher, labels: Labels) -> bool:
    name, operator, wanted = matcher
    value = labels.get(name, "")
    if operator in ("=~", "!~"):
        try:
            found = re.fullmatch(f"(?:{wanted})", value) is not None
        except re.error:
            found = False
        return found == (operator == "=~")
    return (value == wanted) == (operator == "=")


def of_route(route: Json) -> Iterable[Matcher]:
    for name, value in (route.get("match") or {}).items():
        yield name, "=", value
    for name, value in (route.get("match_re") or {}).items():
        yield name, "=~", value
    for name, operator, value in route.get("object_matchers") or ():
        yield name, operator, value
    for item in route.get("matchers") or ():
        if isinstance(item, dict):
            yield str(item.get("Name", "")), ("=", "!=", "=~", "!~")[int(item.get("Type", 0)) % 4], str(item.get("Value", ""))
        elif found := _TEXT.fullmatch(item):
            yield found[1], found[2], found[3]


def of_silence(silence: Json) -> Iterable[Matcher]:
    for item in silence.get("matchers") or ():
        operator = ("=~" if item.get("isEqual", True) else "!~") if item.get("isRegex") else ("=" if item.get("isEqual", True) else "!=")
        yield str(item.get("name", "")), operator, str(item.get("value", ""))


def _within(value: int, spans: list[str] | None, names: tuple[str, ...], low: int, last: int = 0) -> bool:
    if not spans:
        return True
    for span in spans:
        ends = []
        for part in span.lower().split(":"):
            number = names.index(part) + low if part in names else int(part)
            ends.append(number if number >= 0 else last + 1 + number)
        if ends[0] <= value <= ends[-1]:
            return True
    return False


def _days_in_month(moment: datetime) -> int:
    following = datetime(moment.year + moment.month // 12, moment.month % 12 + 1, 1)
    return (following - datetime(moment.year, moment.month, 1)).days


def active(interval: dict[str, Any], at: float | None = None) -> bool:
    zone = ZoneInfo(interval["location"]) if interval.get("location") else UTC
    moment = datetime.fromtimestamp(time.time() if at is None else at, zone)
    clock = f"{moment.hour:02}:{moment.minute:02}"
    times = interval.get("times")
    return (
        (not times or any(span["start_time"] <= clock < span["end_time"] for span in times))
        and _within((moment.weekday() + 1) % 7, interval.get("weekdays"), DAYS, 0)
        and _within(moment.day, interval.get("days_of_month"), (), 1, _days_in_month(moment))
        and _within(moment.month, interval.get("months"), MONTHS, 1)
        and _within(moment.year, interval.get("years"), (), 0)
    )


def routes_for(route: Json, labels: Labels, inherited: Json | None = None) -> list[Json]:
    """The routes an alert ends at, each with what it inherits from above."""
    own = {**(inherited or {}), **{key: value for key, value in route.items() if key in _INHERITED}}
    for key in ("mute_time_intervals", "active_time_intervals"):
        own[key] = route.get(key) or []
    found: list[Json] = []
    for child in route.get("routes") or ():
        if all(matches(matcher, labels) for matcher in of_route(child)):
            found.extend(routes_for(child, labels, own))
            if not child.get("continue"):
                break
    return found or [own]


_INHERITED = ("receiver", "group_by", "group_wait", "group_interval", "repeat_interval")
