"""What a handler gets: the request, who sent it, and the database session that ends with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..database.session import Session
from ..identity.identity import ANONYMOUS_NOBODY, Identity
from .binding import Body, parse
from .errors import bad_request, classic
from .message import Request

if TYPE_CHECKING:
    from ..application import Application


@dataclass
class Context:
    app: Application
    request: Request
    session: Session
    params: dict[str, str] = field(default_factory=dict)
    identity: Identity = ANONYMOUS_NOBODY

    @property
    def org(self) -> int:
        return self.identity.org_id

    @cached_property
    def body(self) -> Body:
        return Body.of(self.request.body)

    @cached_property
    def json(self) -> Any:
        return parse(self.request.body)

    def id_of_path(self, name: str) -> int:
        text = self.params[name]
        if not text.removeprefix("-").isdecimal() or not text.isascii() or abs(int(text)) >= 1 << 63:
            raise classic(400, f"{name} is invalid")
        return int(text)

    def query(self, name: str, default: str = "") -> str:
        found = self.request.query.get(name)
        return found[0] if found and found[0] else default

    def query_all(self, name: str) -> list[str]:
        return [value for value in self.request.query.get(name, []) if value]

    def query_int(self, name: str, default: int = 0) -> int:
        """A number that cannot be read counts as not given, as Grafana has it."""
        text = self.query(name)
        digits = text.removeprefix("-")
        return int(text) if digits.isdecimal() and digits.isascii() and len(digits) < 19 else default

    def query_flag(self, name: str) -> bool:
        return self.query(name).lower() in ("1", "t", "true")

    def page(self, default: int, size: str = "perpage", maximum: int | None = None, first: int = 1) -> tuple[int, int]:
        """Page number (from ``first``) and page size."""
        number, limit = self.query_int("page", first), self.query_int(size, default)
        number = max(number, first)
        limit = limit if limit > 0 else default
        if maximum is not None:
            limit = min(limit, maximum)
        if number * limit >= 1 << 62:
            raise bad_request()
        return number, limit
