# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""JSON in one form: the same state gives the same bytes."""

from __future__ import annotations

import gc
import hashlib
import json
import re
from collections.abc import Callable
from json.encoder import encode_basestring as encode
from typing import Any

Json = dict[str, Any]

#: Grafana shows this in place of a secret.
REDACTED = "[REDACTED]"
#: Whole numbers up to this are exact as floating point numbers, which is what Grafana computes with.
_EXACT = 2**53
_SURROGATE = re.compile("[\ud800-\udfff]")


def _number(text: str) -> int | float:
    """``1.0`` and ``1e3`` are whole numbers: which spelling an instance gives depends on how the object was stored."""
    value = float(text)
    return int(value) if value.is_integer() and abs(value) <= _EXACT else value


def loads(text: str | bytes) -> Any:
    """Parsed JSON; ValueError when it is none."""
    # Nothing but new objects is made here, none of which is garbage: looking for some would take as long as the parsing.
    collecting = gc.isenabled()
    gc.disable()
    try:
        return json.loads(text, parse_float=_number)
    finally:
        if collecting:
            gc.enable()


#: How each plain value is written. Looked up where it stands, as a call of ``_text`` for each would take half as long again.
_PLAIN: dict[type, Callable[[Any], str]] = {
    str: encode,
    int: int.__repr__,
    bool: lambda value: "true" if value else "false",
    type(None): lambda _value: "null",
}


def _text(value: Any, indent: str) -> str:
    """What ``json.dumps`` gives with ``indent=2``, in less than half the time: its own encoder in C knows no indentation."""
    inner = indent + "  "
    between = ",\n" + inner
    if isinstance(value, dict) and value:
        members = []
        for key in sorted(value):
            its = value[key]
            plain = _PLAIN.get(its.__class__)
            members.append(f"{encode(key)}: {plain(its) if plain else _text(its, inner)}")
        return f"{{\n{inner}{between.join(members)}\n{indent}}}"
    if isinstance(value, (list, tuple)) and value:
        items = []
        for its in value:
            plain = _PLAIN.get(its.__class__)
            items.append(plain(its) if plain else _text(its, inner))
        return f"[\n{inner}{between.join(items)}\n{indent}]"
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def dumps(value: Any) -> bytes:
    """Canonical bytes: sorted keys, two spaces, UTF-8, a newline at the end. Keys are text, as in whatever was parsed."""
    text = _text(value, "") + "\n"
    try:
        return text.encode()
    except UnicodeEncodeError:
        # Half of a surrogate pair has no UTF-8; JSON has an escape for it.
        return _SURROGATE.sub(lambda half: f"\\u{ord(half[0]):04x}", text).encode()


def sha256(content: bytes) -> str:
    """Hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def pick(source: Json, *names: str) -> Json:
    """The named members that are there and say something: neither null nor an empty text."""
    return {name: source[name] for name in names if source.get(name) not in (None, "")}


def without(source: Json, *names: str) -> Json:
    """All members but the named ones and those that are null."""
    return {name: value for name, value in source.items() if name not in names and value is not None}
