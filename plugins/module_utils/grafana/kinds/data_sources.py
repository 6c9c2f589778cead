# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Data sources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from ..canonical import Json, pick, without
from ..client import segment
from ..organisation import Org
from .base import Item, Kind, Live, renamed, required

_PLAIN = ("uid", "name", "type", "access", "url", "user", "database", "basicAuthUser")
_FLAGS = ("basicAuth", "withCredentials", "isDefault")
#: Which secrets are set: Grafana tells that, and not what they are.
SECURE = "secureJsonFields"


class DataSourceKind(Kind):
    """Data sources. A file lists the names of the secrets that are set; import takes their values from ``secrets``."""

    name = "data_sources"
    parallel = False

    def read_all(self, org: Org) -> Iterator[Live]:
        def listed() -> list[Json]:
            found: list[Json] = org.get("/api/datasources")
            return found

        return org.each(
            self.name,
            listed(),
            lambda found: _live(org.get(_path(found["uid"]))),
            lambda found: (found["uid"], found["name"]),
            lambda: {found["uid"] for found in listed()},
        )

    def read(self, org: Org, key: str) -> Live | None:
        answer = org.find(_path(key))
        return None if answer is None else _live(answer)

    def create(self, org: Org, item: Item) -> None:
        org.write("POST", "/api/datasources", self._sent(org, item))

    def update(self, org: Org, item: Item, live: Live) -> None:
        org.write("PUT", _path(item.key), {**self._sent(org, item), "version": live.handle["version"]})

    def _sent(self, org: Org, item: Item) -> Json:
        body = {name: value for name, value in item.body.items() if name != SECURE}
        values = {name: self._value(org, item, name) for name in self._fields(org, item)}
        return {**body, "secureJsonData": {name: value for name, value in values.items() if value is not None}}

    def _fields(self, org: Org, item: Item) -> list[str]:
        given = org.secrets.values.get(self.name) or {}
        named = {field for name in (item.key, item.name) for field in given.get(name, ())}
        return sorted({*item.body.get(SECURE, ()), *named})

    def _value(self, org: Org, item: Item, name: str) -> str | None:
        return org.secrets.get(self.name, (item.key, item.name), name)

    def delete(self, org: Org, live: Live) -> None:
        org.remove(_path(live.key))

    def parse(self, body: Json, folder: str, path: str) -> Item:
        return Item(required(body, "uid", path), required(body, "name", path), _body(body, body.get(SECURE) or ()), "")

    def equal(self, org: Org, wanted: Item, live: Live) -> bool:
        # Grafana cannot be told to forget a secret: one that it has and the tree does not know makes no difference.
        if wanted.body != {**live.body, SECURE: wanted.body[SECURE]}:
            return False
        fields = self._fields(org, wanted)
        if org.secrets.always and any(self._value(org, wanted, name) is not None for name in fields):
            return False
        return set(fields) <= set(live.body[SECURE])

    def same(self, one: Item, other: Item) -> bool:
        # When another one becomes the default, Grafana itself changes the one that was it.
        return replace(one, body=without(one.body, "isDefault")).digest == replace(other, body=without(other.body, "isDefault")).digest

    def missing(self, org: Org, wanted: Item, live: Live | None) -> list[str]:
        stored = live.body[SECURE] if live is not None else ()
        lacking = [name for name in wanted.body[SECURE] if name not in stored and self._value(org, wanted, name) is None]
        return [f"{self.name}.{wanted.name}.{name}" for name in lacking]

    def claims(self, org: Org, item: Item) -> dict[str, str]:
        return {item.name: item.key}

    def clash(self, key: str, name: str, claim: str, at: str, holder: str) -> str:
        return (
            f"data source {name!r} has the uid {at} in Grafana, and {key} in the tree: "
            f"map it with datasource_map: {{{key}: {at}}}, or delete or rename it in Grafana (prune deletes it if the tree lacks it)"
        )

    def aside(self, live: Live) -> Item:
        return renamed(live, 140)


def _path(uid: str) -> str:
    return f"/api/datasources/uid/{segment(uid)}"


def _body(found: Json, secure: Any) -> Json:
    flags = {name: True for name in _FLAGS if found.get(name)}
    names = secure if not isinstance(secure, Mapping) else [name for name, is_set in secure.items() if is_set]
    return {**pick(found, *_PLAIN), **flags, "jsonData": found.get("jsonData") or {}, SECURE: sorted(names)}


def _live(found: Json) -> Live:
    locked = f"data source {found['name']!r} is provisioned from a file" if found.get("readOnly") else ""
    body = _body(found, found.get(SECURE) or {})
    return Live(found["uid"], found["name"], body, "", {"version": found.get("version")}, locked)
