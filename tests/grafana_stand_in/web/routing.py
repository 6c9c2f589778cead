"""Which handler answers which path, and what a caller needs for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..identity.access import Need
from .context import Context
from .message import Response

Result = Response | dict[str, Any] | list[Any]
Call = Callable[[Context], Result]


@dataclass(frozen=True)
class Route:
    method: str
    pattern: str
    need: Need
    call: Call


ROUTES: list[Route] = []


def route(method: str, pattern: str, need: Need) -> Callable[[Call], Call]:
    """`:name` stands for one segment, `*name` for the rest of the path."""

    def register(call: Call) -> Call:
        ROUTES.append(Route(method, pattern, need, call))
        return call

    return register


@dataclass
class _Node:
    children: dict[str, _Node] = field(default_factory=dict)
    variable: _Node | None = None
    rest: _Node | None = None
    leaves: dict[str, tuple[Route, tuple[str, ...]]] = field(default_factory=dict)


Match = tuple[Route, dict[str, str]]


class Router:
    def __init__(self, routes: list[Route]) -> None:
        self._root = _Node()
        for entry in routes:
            self._add(entry)

    def _add(self, entry: Route) -> None:
        node, names = self._root, []
        for part in entry.pattern.strip("/").split("/"):
            if part[:1] == ":":
                node.variable = node.variable or _Node()
                node, name = node.variable, part[1:]
                names.append(name)
            elif part[:1] == "*":
                node.rest = node.rest or _Node()
                node = node.rest
                names.append(part[1:])
            else:
                node = node.children.setdefault(part, _Node())
        node.leaves[entry.method] = entry, tuple(names)

    def match(self, method: str, segments: list[str]) -> Match | None:
        if segments and not segments[-1]:
            segments = segments[:-1]
        return self._walk(self._root, method, segments, 0, ())

    def _walk(self, node: _Node, method: str, segments: list[str], at: int, values: tuple[str, ...]) -> Match | None:
        if at == len(segments):
            leaf = node.leaves.get(method) or (node.leaves.get("GET") if method == "HEAD" else None)
            if leaf is not None:
                return leaf[0], dict(zip(leaf[1], values, strict=True))
        else:
            part = segments[at]
            child = node.children.get(part)
            if child is not None and (found := self._walk(child, method, segments, at + 1, values)):
                return found
            if node.variable is not None and part and (found := self._walk(node.variable, method, segments, at + 1, (*values, part))):
                return found
        if node.rest is not None:
            return self._walk(node.rest, method, [], 0, (*values, "/".join(segments[at:])))
        return None
