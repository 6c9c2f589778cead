"""A request, and the answer to it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs, unquote


def dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@dataclass
class Request:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes = b""
    remote: str = ""
    tls: bool = False

    @cached_property
    def raw_path(self) -> str:
        return self.target.partition("?")[0]

    @cached_property
    def segments(self) -> list[str]:
        # A slash that is part of a name comes escaped: split first, decode after.
        return [unquote(part) for part in self.raw_path.split("/")[1:]]

    @cached_property
    def query(self) -> dict[str, list[str]]:
        text = self.target.partition("?")[2]
        return parse_qs(text, keep_blank_values=True) if text else {}

    @cached_property
    def cookies(self) -> dict[str, str]:
        jar: SimpleCookie = SimpleCookie()
        try:
            jar.load(self.headers.get("cookie", ""))
        except CookieError:
            return {}
        return {name: morsel.value for name, morsel in jar.items()}

    def header(self, name: str) -> str:
        return self.headers.get(name, "")


@dataclass
class Response:
    status: int = 200
    body: bytes = b""
    content_type: str = "application/json; charset=UTF-8"
    headers: dict[str, str] = field(default_factory=dict)
    cookies: list[str] = field(default_factory=list)
    # How a fault wants it delivered: not at all, or so many bytes a second.
    dropped: bool = False
    rate: int = 0

    @classmethod
    def json(cls, value: Any, status: int = 200) -> Response:
        return cls(status, dumps(value).encode("utf-8", "replace") + b"\n")

    @classmethod
    def text(cls, body: str, status: int = 200, content_type: str = "text/plain; charset=utf-8") -> Response:
        return cls(status, body.encode(), content_type)

    @classmethod
    def empty(cls, status: int) -> Response:
        return cls(status, b"", "")

    def cookie(self, name: str, value: str, *, max_age: int, secure: bool, http_only: bool = True, same_site: str = "lax") -> None:
        text = f"{name}={value}; Path=/; Max-Age={max_age}"
        text += "; HttpOnly" if http_only else ""
        text += "; Secure" if secure else ""
        text += f"; SameSite={same_site.capitalize()}" if same_site and same_site != "disabled" else ""
        self.cookies.append(text)
