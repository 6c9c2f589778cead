"""Notification templates, and mute timings: named things with a version and a provenance."""

from __future__ import annotations

import re
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from ..release import Release
from ..web.binding import Body
from ..web.errors import ApiError, errutil
from . import provenance
from .configuration import Configuration, Json, version_of

_ACTION = re.compile(r"\{\{-?\s*(/\*.*?\*/|.*?)\s*-?\}\}", re.DOTALL)
_OPENING = ("define", "if", "range", "with", "block")
_DEFINE = re.compile(r"\{\{-?\s*define\s")
DAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
MONTHS = ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december")


def find(items: list[Json], name: str) -> Json | None:
    return next((item for item in items if item["name"] == name), None)


def template_not_found(name: str) -> ApiError:
    return errutil(404, "alerting.notifications.templates.notFound", f"Template with name '{name}' does not exist")


def _stale(sent: str, before: Json) -> None:
    if sent and sent != version_of(before):
        raise errutil(
            409,
            "alerting.notifications.conflict",
            f"Provided version {sent} of the resource does not match current version {version_of(before)}",
        )


def shape_template(item: Json) -> Json:
    return {"name": item["name"], "template": item["template"], "version": version_of(item), "provenance": item["provenance"]}


def normalized(name: str, text: str) -> str:
    """A body without a definition becomes one of the template's name; one that does not parse is refused."""
    text = text.strip()
    if not name or not text:
        raise errutil(
            400, "alerting.notifications.templates.invalidFormat", "Invalid format of the submitted template: name and content are needed"
        )
    if not _DEFINE.search(text):
        body = "\n".join(f"  {line}" for line in text.split("\n"))
        text = f'{{{{ define "{name}" }}}}\n{body}\n{{{{ end }}}}'
    depth = 0
    for action in _ACTION.findall(text):
        word = action.split(" ", 1)[0]
        depth += word in _OPENING
        depth -= word == "end"
        if depth < 0:
            break
    rest = _ACTION.sub("", text)
    if depth or "{{" in rest or "}}" in rest:
        raise errutil(400, "alerting.notifications.templates.invalidFormat", "Invalid format of the submitted template: it does not parse")
    return text


def put_template(configuration: Configuration, release: Release, name: str, body: Body, mark: str) -> Json:
    item = {"name": name, "template": normalized(name, body.text("template")), "provenance": mark}
    before = find(configuration.templates, name)
    if before is None:
        if body.text("version"):
            raise template_not_found(name)
        configuration.templates.append(item)
        return item
    provenance.check(release, before["provenance"], mark)
    _stale(body.text("version"), before)
    configuration.templates[configuration.templates.index(before)] = item
    return item


def delete_template(configuration: Configuration, release: Release, name: str, mark: str, version: str) -> None:
    before = find(configuration.templates, name)
    if before is not None:
        provenance.check(release, before["provenance"], mark)
        _stale(version, before)
        configuration.templates.remove(before)


def interval_not_found(name: str) -> ApiError:
    return errutil(404, "alerting.notifications.time-intervals.notFound", f"Time interval with name '{name}' does not exist")


def shape_timing(item: Json) -> Json:
    return {"name": item["name"], "time_intervals": item["time_intervals"], "version": version_of(item), "provenance": item["provenance"]}


def _invalid_interval(message: str) -> ApiError:
    return errutil(400, "alerting.notifications.time-intervals.invalidFormat", f"Invalid format of the submitted time interval: {message}")


def _check_range(text: str, names: tuple[str, ...], low: int, high: int) -> None:
    """One value or two with a colon between, each a number in range or a name."""
    ends = []
    for part in text.lower().split(":"):
        if part in names:
            ends.append(names.index(part) + low)
        elif re.fullmatch(r"-?\d{1,4}", part) and (low <= int(part) <= high or (not names and -high <= int(part) < 0)):
            ends.append(int(part))
        else:
            raise _invalid_interval(f"{text!r} is out of range")
    if len(ends) > 2 or (len(ends) == 2 and ends[0] > ends[1] and (ends[0] < 0) == (ends[1] < 0)):
        raise _invalid_interval(f"{text!r} ends before it starts")


def _known_location(name: str) -> bool:
    if not name:
        return True
    try:
        ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        # A host without time zone data cannot tell.
        return not available_timezones()
    return True


def build_timing(name: str, body: Body, mark: str) -> Json:
    if not name:
        raise _invalid_interval("missing name in time interval")
    intervals: list[dict[str, Any]] = []
    for item in body.objects("time_intervals"):
        for day in item.texts("weekdays"):
            _check_range(day, DAYS, 0, 6)
        for day in item.texts("days_of_month"):
            _check_range(day, (), 1, 31)
        for month in item.texts("months"):
            _check_range(month, MONTHS, 1, 12)
        for year in item.texts("years"):
            _check_range(year, (), 0, 9999)
        for span in item.objects("times"):
            start, end = span.text("start_time"), span.text("end_time")
            if not all(re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d|24:00", part) for part in (start, end)) or start >= end:
                raise _invalid_interval(f"bad times {start!r} to {end!r}")
        if not _known_location(item.text("location")):
            raise _invalid_interval(f"unknown location {item.text('location')!r}")
        intervals.append({key: value for key, value in item.fields.items() if value})
    return {"name": name, "time_intervals": intervals, "provenance": mark}


def create_timing(configuration: Configuration, item: Json) -> None:
    if find(configuration.mute_timings, item["name"]) is not None:
        raise errutil(
            400,
            "alerting.notifications.time-intervals.nameExists",
            f"Time interval with name '{item['name']}' already exists. Use a different name or update existing one.",
        )
    configuration.mute_timings.append(item)


def update_timing(configuration: Configuration, release: Release, name: str, item: Json, version: str) -> None:
    before = find(configuration.mute_timings, name)
    if before is None:
        raise interval_not_found(name)
    provenance.check(release, before["provenance"], item["provenance"])
    _stale(version, before)
    configuration.mute_timings[configuration.mute_timings.index(before)] = item


def delete_timing(configuration: Configuration, release: Release, name: str, mark: str, version: str, rules_using: int) -> None:
    before = find(configuration.mute_timings, name)
    if before is None:
        return
    used = any(
        name in (route.get(key) or ()) for route in configuration.routes() for key in ("mute_time_intervals", "active_time_intervals")
    )
    if used or rules_using:
        raise errutil(
            409, "alerting.notifications.time-intervals.used", f"Time interval '{name}' is used by a notification policy or an alert rule"
        )
    provenance.check(release, before["provenance"], mark)
    _stale(version, before)
    configuration.mute_timings.remove(before)
