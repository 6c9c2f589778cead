# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Notification policies, notification templates and mute timings."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator

from .. import names
from ..canonical import Json, pick, without
from ..client import segment
from ..errors import Conflict, NotFound, TreeError
from ..organisation import NOTIFICATION_GROUP, Org
from . import provenance
from .base import Item, Kind, Live, required

_ROOT = "/api/v1/provisioning"
#: What the resource API calls the tree that the provisioning API gives.
_DEFAULT_TREE = "user-defined"


class PolicyKind(Kind):
    """The tree of notification policies; every organisation has one.

    Grafana 13 may have further trees, and inhibition rules, which the provisioning API knows nothing of.
    """

    name = "notification_policies"
    prunable = False
    _path = f"{_ROOT}/policies"

    def read_all(self, org: Org) -> Iterator[Live]:
        tree = org.get(self._path)
        body = {**without(tree, provenance.MEMBER), **provenance.marked(tree)}
        yield Live("policies", "policies", body, locked=provenance.locked("the notification policies", tree))

    def read(self, org: Org, key: str) -> Live | None:
        return next(self.read_all(org))

    def beyond(self, org: Org) -> list[tuple[str, str]]:
        trees = _named(org, "routingtrees")
        further = [("routing_trees", name) for name in trees if name != _DEFAULT_TREE] if len(trees) > 1 else []
        return [*further, *(("inhibition_rules", name) for name in _named(org, "inhibitionrules"))]

    def create(self, org: Org, item: Item) -> None:
        self._put(org, item)

    def update(self, org: Org, item: Item, live: Live) -> None:
        self.unchanged(org, item, live, "PUT", self._path)
        self._put(org, item)

    def _put(self, org: Org, item: Item) -> None:
        org.write("PUT", self._path, without(item.body, provenance.MEMBER), headers=provenance.headers(item.body))

    def file_name(self, item: Item) -> str:
        return item.name

    def parse(self, body: Json, folder: str, path: str) -> Item:
        required(body, "receiver", path)
        return Item("policies", "policies", {**without(body, provenance.MEMBER), **provenance.marked(body)})

    def problems(self, org: Org, wanted: Item, live: Live | None) -> list[str]:
        refused = provenance.refused("the tree of notification policies", wanted.body, live.body) if live else []
        return [*super().problems(org, wanted, live), *refused]


def _named(org: Org, resource: str) -> list[str]:
    """Names of what the resource API lists; none where it does not serve that."""
    version = org.served(NOTIFICATION_GROUP)
    if not version:
        return []
    try:
        return [found["metadata"]["name"] for found in org.listed(org.resources(NOTIFICATION_GROUP, version, resource), 500)]
    except NotFound:
        return []


class _NamedKind(Kind):
    """What the provisioning API knows by its name, with a version."""

    parallel = False
    #: Last part of the path, and what people call one.
    collection = ""
    word = ""

    @staticmethod
    @abstractmethod
    def _body(found: Json) -> Json:
        """What is kept of an answer or of a file."""

    def _live(self, found: Json) -> Live:
        name = found["name"]
        body = {**self._body(found), **provenance.marked(found)}
        locked = provenance.locked(f"{self.word} {name!r}", found)
        return Live(name, name, body, handle=found.get("version") or "", locked=locked)

    def _path(self, name: str) -> str:
        return f"{_ROOT}/{self.collection}/{segment(name)}"

    def read_all(self, org: Org) -> Iterator[Live]:
        found = org.get(f"{_ROOT}/{self.collection}")
        # Grafana writes an empty list as null.
        for one in () if found is None else found:
            yield self._live(one)

    def read(self, org: Org, key: str) -> Live | None:
        answer = org.find(self._path(key))
        return None if answer is None else self._live(answer)

    def update(self, org: Org, item: Item, live: Live) -> None:
        body = {**without(item.body, provenance.MEMBER), "version": live.handle}
        org.write("PUT", self._path(item.key), body, headers=provenance.headers(item.body))

    def delete(self, org: Org, live: Live) -> None:
        query = {"version": live.handle} if live.handle else None
        org.remove(self._path(live.key), query=query, headers=provenance.headers(live.body))

    def file_name(self, item: Item) -> str:
        return names.of_name(item.name)

    def parse(self, body: Json, folder: str, path: str) -> Item:
        name = required(body, "name", path)
        return Item(name, name, {**self._body(body), **provenance.marked(body)})

    def problems(self, org: Org, wanted: Item, live: Live | None) -> list[str]:
        refused = provenance.refused(f"{self.word} {wanted.name!r}", wanted.body, live.body) if live else []
        return [*super().problems(org, wanted, live), *refused]


class TemplateKind(_NamedKind):
    """Notification templates."""

    name = "templates"
    collection, word = "templates", "template"

    @staticmethod
    def _body(found: Json) -> Json:
        return pick(found, "name", "template")

    def create(self, org: Org, item: Item) -> None:
        # The same request creates and updates; a template that is there by now is not to be replaced.
        if self.read(org, item.key) is not None:
            raise Conflict("PUT", self._path(item.key), 409, "there is one of this name by now")
        org.write("PUT", self._path(item.key), without(item.body, provenance.MEMBER), headers=provenance.headers(item.body))


class MuteTimingKind(_NamedKind):
    """Mute timings."""

    name = "mute_timings"
    collection, word = "mute-timings", "mute timing"

    @staticmethod
    def _body(found: Json) -> Json:
        intervals = found.get("time_intervals") or []
        if not isinstance(intervals, list):
            raise TreeError(f"mute timing {found.get('name')!r}: time_intervals is no list")
        return {"name": found["name"], "time_intervals": intervals}

    def create(self, org: Org, item: Item) -> None:
        body = without(item.body, provenance.MEMBER)
        org.write("POST", f"{_ROOT}/{self.collection}", body, headers=provenance.headers(item.body))
