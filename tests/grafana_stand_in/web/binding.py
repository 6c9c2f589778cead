"""JSON bodies, read as strictly as Go reads them into a structure: a missing or null field is its zero value, a wrong type is an error."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from .errors import bad_request

Json = dict[str, Any]
_INT64 = 1 << 63


def _refuse(text: str) -> NoReturn:
    raise ValueError(text)


def parse(body: bytes) -> Any:
    try:
        text = body.decode("utf-8")
        value = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise bad_request() from None
    if "\\u0000" in text or "\\U0000" in text:
        # PostgreSQL cannot store it.
        raise bad_request()
    if "\\ud" in text or "\\uD" in text:
        # Half a surrogate pair becomes the replacement character, as in Go.
        plain = json.dumps(value, ensure_ascii=False).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        value = json.loads(plain)
    return value


def parse_object(body: bytes) -> Json:
    value = parse(body)
    if not isinstance(value, dict):
        raise bad_request()
    return value


class Body:
    def __init__(self, fields: Json) -> None:
        self.fields = fields

    @classmethod
    def of(cls, body: bytes) -> Body:
        return cls(parse_object(body))

    def __contains__(self, key: str) -> bool:
        return self.fields.get(key) is not None

    def text(self, key: str, default: str = "") -> str:
        value = self.fields.get(key)
        if value is None:
            return default
        if not isinstance(value, str):
            raise bad_request()
        return value

    def integer(self, key: str, default: int = 0) -> int:
        value = self.fields.get(key)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int) or not -_INT64 <= value < _INT64:
            raise bad_request()
        return value

    def flag(self, key: str, default: bool = False) -> bool:
        value = self.fields.get(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise bad_request()
        return value

    def object(self, key: str) -> Json | None:
        value = self.fields.get(key)
        if value is not None and not isinstance(value, dict):
            raise bad_request()
        return value

    def items(self, key: str) -> list[Any]:
        value = self.fields.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            raise bad_request()
        return value

    def objects(self, key: str) -> list[Body]:
        items = self.items(key)
        if not all(isinstance(item, dict) for item in items):
            raise bad_request()
        return [Body(item) for item in items]

    def texts(self, key: str) -> list[str]:
        items = self.items(key)
        if not all(isinstance(item, str) for item in items):
            raise bad_request()
        return items

    def text_map(self, key: str) -> dict[str, str]:
        value = self.object(key) or {}
        if not all(isinstance(item, str) for item in value.values()):
            raise bad_request()
        return value
