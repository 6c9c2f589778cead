# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Options that no module has looked at, from a variable or from a file: whether they have the types and choices that a module asks for.

A text is not taken for a list: ``dashboards`` would be the kinds ``d``, ``a``, …, and an export of them is empty and looks complete.
Numbers and booleans may be text, as templates give them.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from .canonical import Json
from .errors import GrafanaError

Spec = Mapping[str, Mapping[str, Any]]


def taken(given: Mapping[str, Any], spec: Spec, where: str) -> Json:
    """The options as a module would have them, with all defaults. GrafanaError names everything that is wrong, and the remedies."""
    if found := [f"{problem}: {remedy}" for problem, remedy in faults(given, spec, where)]:
        raise GrafanaError("; ".join(found))
    return {name: option.get("default") if given.get(name) is None else _value(given[name], option) for name, option in spec.items()}


def faults(given: Mapping[str, Any], spec: Spec, where: str) -> Iterator[tuple[str, str]]:
    """(problem, remedy) of everything that is wrong. where: the variable that has the options. No value is told but wrong choices."""
    for name in given:
        if name not in spec:
            yield f"{where} has an unknown option {name!r}", _meant(name, spec)
    for name, option in spec.items():
        if given.get(name) is not None:
            yield from _wrong(given[name], option, f"{where}.{name}")
        elif option.get("required"):
            yield f"{where} has no {name}", "add it"


def _wrong(value: Any, option: Mapping[str, Any], path: str) -> Iterator[tuple[str, str]]:
    kind = option["type"]
    try:
        found = _value(value, option)
    except (ValueError, TypeError):
        what, remedy = FORMS[kind]
        yield f"{path} is {_said(value)}, not {what}", f"write it as [{value}]" if kind == "list" and isinstance(value, str) else remedy
        return
    if kind == "list" and "" in found:
        yield f"{path} has an empty entry", "remove it"
        return
    choices = option.get("choices", ())
    for one in found if kind == "list" else [found]:
        if choices and one not in choices:
            yield f"{path} has no choice {one!r}", _meant(one, choices)


def _meant(name: Any, known: Collection[str]) -> str:
    close = difflib.get_close_matches(str(name), known, 1)
    return f"did you mean {close[0]}?" if close else f"known are {', '.join(sorted(known))}"


def _said(value: Any) -> str:
    """What kind of thing a value is."""
    if isinstance(value, (bool, int, float)):
        return str(value).lower()
    return "a mapping" if isinstance(value, Mapping) else "a list" if isinstance(value, (list, tuple)) else "text"


# --- values: each function gives one of its type, or raises ValueError or TypeError -------------------------------------


def _value(value: Any, option: Mapping[str, Any]) -> Any:
    if option["type"] == "list":
        return [_VALUES[option["elements"]](one) for one in _only(value, list, tuple)]
    return _VALUES[option["type"]](value)


def _only(value: Any, *types: type) -> Any:
    """The value, if it is of one of the types. A boolean is no number."""
    if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
        raise TypeError
    return value


def _text(value: Any) -> str:
    return str(_only(value, str, int, float))


def _whole(value: Any) -> int:
    return int(_only(value, int, str))


def _number(value: Any) -> float:
    found = float(_only(value, int, float, str))
    if not math.isfinite(found):
        raise ValueError
    return found


def _boolean(value: Any) -> bool:
    words = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
    word = str(_only(value, bool, int, str)).lower()
    if word not in words:
        raise ValueError
    return words[word]


_VALUES: dict[str, Callable[[Any], Any]] = {
    "str": _text,
    "path": lambda value: str(_only(value, str)),
    "int": _whole,
    "float": _number,
    "bool": _boolean,
}
#: Type of an option to what a value of it is, and how to write one.
FORMS = {
    "str": ("text", "write text, in quotes where YAML would take it for something else"),
    "path": ("a path", "write the path of a file or directory"),
    "int": ("a whole number", "write it in digits"),
    "float": ("a number", "write it in digits"),
    "bool": ("true or false", "write one of them"),
    "list": ("a list of texts", "write it as [one, another]"),
}
