"""The notification policy tree."""

from __future__ import annotations

from typing import Any

from ..times import parse_duration
from ..web.binding import Body
from ..web.errors import ApiError, errutil
from .configuration import Configuration, Json

_DURATIONS = ("group_wait", "group_interval", "repeat_interval")
_NAMES = ("receiver", *_DURATIONS)
_LISTS = ("group_by", "mute_time_intervals", "active_time_intervals")
_MATCHERS = ("match", "match_re", "matchers", "object_matchers")
_OPERATORS = ("=", "!=", "=~", "!~")


def invalid(message: str) -> ApiError:
    return errutil(400, "alerting.notifications.routes.invalidFormat", f"Invalid format of the submitted route: {message}")


def checked(body: Body, configuration: Configuration) -> Json:
    """The tree as it is stored, if every name in it exists."""
    if not body.text("receiver"):
        raise invalid("root route must specify a default receiver")
    if any(key in body and body.fields[key] for key in _MATCHERS):
        raise invalid("root route must not have any matchers")
    return _route(body, configuration)


def _route(body: Body, configuration: Configuration) -> Json:
    route: Json = {key: body.text(key) for key in _NAMES if body.text(key)}
    route |= {key: body.texts(key) for key in _LISTS if body.texts(key)}
    if body.flag("continue"):
        route["continue"] = True
    if route.get("receiver") not in (None, *configuration.receivers):
        raise invalid(f"receiver '{route['receiver']}' does not exist")
    for key in ("mute_time_intervals", "active_time_intervals"):
        for name in route.get(key, ()):
            if name not in configuration.interval_names:
                raise invalid(f"mute time interval '{name}' does not exist")
    if len(set(route.get("group_by", ()))) != len(route.get("group_by", ())):
        raise invalid("duplicated label in group_by")
    for key in _DURATIONS:
        _check_duration(key, route.get(key))
    _matchers(body, route)
    children = [_route(child, configuration) for child in body.objects("routes")]
    if children:
        route["routes"] = children
    return route


def _check_duration(key: str, text: str | None) -> None:
    if text is None:
        return
    try:
        length = parse_duration(text)
    except ValueError as error:
        raise invalid(str(error)) from error
    if key != "group_wait" and length <= 0:
        raise invalid(f"{key} cannot be zero")


def _matchers(body: Body, route: Json) -> None:
    for key in ("match", "match_re"):
        if found := body.text_map(key):
            route[key] = found
    if items := body.items("matchers"):
        if not all(isinstance(item, str | dict) for item in items):
            raise invalid("matchers must be texts")
        route["matchers"] = items
    triples = body.items("object_matchers")
    for triple in triples:
        if (
            not isinstance(triple, list)
            or len(triple) != 3
            or not all(isinstance(part, str) for part in triple)
            or triple[1] not in _OPERATORS
        ):
            raise invalid(f"bad matcher {triple!r}")
    if triples:
        route["object_matchers"] = triples


def shape(configuration: Configuration) -> Json:
    tree: dict[str, Any] = {**configuration.policy}
    if configuration.policy_provenance:
        tree["provenance"] = configuration.policy_provenance
    return tree
