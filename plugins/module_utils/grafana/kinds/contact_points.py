# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Contact points."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any

from .. import names
from ..canonical import REDACTED, Json, dumps
from ..client import segment
from ..errors import TreeError
from ..organisation import Org
from . import provenance
from .base import Item, Kind, Live, required

_ROOT = "/api/v1/provisioning/contact-points"
#: Names of settings that are secrets: ``a.b`` for one within another.
SECURE = "secureFields"
#: The contact point of a new organisation, whose integration gets a uid by chance.
_DEFAULT = "grafana-default-email"


class ContactPointKind(Kind):
    """A contact point with all its integrations. Settings that are secrets are listed by name, without their values."""

    name = "contact_points"
    in_steps = True
    parallel = False
    divisible = True
    # A contact point that loses its last integration to another one is renamed wherever it is referred to.
    stirs = ("notification_policies", "alert_rules")

    def read_all(self, org: Org) -> Iterator[Live]:
        found = sorted(org.get(_ROOT), key=lambda integration: str(integration["name"]))
        org.integrations = found
        for name, integrations in groupby(found, key=lambda integration: str(integration["name"])):
            yield _live(name, list(integrations))

    def read(self, org: Org, key: str) -> Live | None:
        found = org.get(_ROOT, {"name": key})
        return _live(key, found) if found else None

    def create(self, org: Org, item: Item) -> None:
        elsewhere = _elsewhere(org.get(_ROOT), item)
        for integration in item.body["integrations"]:
            self._add(org, item, integration, elsewhere)

    def update(self, org: Org, item: Item, live: Live) -> None:
        now = self.unchanged(org, item, live, "PUT", _ROOT)
        stored = {one["uid"]: one for one in now.body["integrations"]}
        wanted = {one["uid"]: one for one in item.body["integrations"]}
        elsewhere = _elsewhere(org.get(_ROOT), item) if wanted.keys() - stored.keys() else {}
        for uid, integration in wanted.items():
            if uid not in stored:
                self._add(org, item, integration, elsewhere)
            elif not self._same(org, item, integration, stored[uid]):
                body = {**self._sent(org, item, integration, stored[uid]), "uid": now.handle[uid]}
                org.write("PUT", f"{_ROOT}/{segment(now.handle[uid])}", body, headers=provenance.headers(integration))
        for uid in stored.keys() - wanted.keys():
            self._remove(org, now.handle[uid], stored[uid])

    def _add(self, org: Org, item: Item, integration: Json, elsewhere: dict[str, Json]) -> None:
        """An integration that the contact point lacks; it comes over, with its secrets, where another one has it."""
        before, uid = elsewhere.get(integration["uid"]), integration["uid"]
        method, path = ("POST", _ROOT) if before is None else ("PUT", f"{_ROOT}/{segment(uid)}")
        sent = self._sent(org, item, integration, None if before is None else _integration(uid, before))
        org.write(method, path, sent, headers=provenance.headers(integration))

    @staticmethod
    def _remove(org: Org, uid: str, integration: Json) -> None:
        org.write("DELETE", f"{_ROOT}/{segment(uid)}", headers=provenance.headers(integration))

    def _sent(self, org: Org, item: Item, integration: Json, stored: Json | None) -> Json:
        settings = integration["settings"]
        for path in integration[SECURE]:
            value = self._value(org, item, integration, path)
            if value is None:
                # The placeholder keeps what is stored; without anything stored, Grafana would store the placeholder.
                if stored is None or path not in stored[SECURE]:
                    continue
                value = REDACTED
            settings = _put(settings, path.split("."), value)
        return {
            "uid": integration["uid"],
            "name": item.name,
            "type": integration["type"],
            "settings": settings,
            "disableResolveMessage": bool(integration.get("disableResolveMessage")),
        }

    def _value(self, org: Org, item: Item, integration: Json, path: str) -> str | None:
        return org.secrets.get(self.name, (integration["uid"], item.name), path)

    def delete(self, org: Org, live: Live) -> None:
        for integration in live.body["integrations"]:
            self._remove(org, live.handle[integration["uid"]], integration)

    def file_name(self, item: Item) -> str:
        return names.of_name(item.name)

    def parse(self, body: Json, folder: str, path: str) -> Item:
        name, integrations = required(body, "name", path), body.get("integrations")
        if not isinstance(integrations, list) or not integrations:
            raise TreeError(f"{path}: a contact point needs integrations")
        return Item(name, name, _body(name, _by_uid(name, integrations)), "")

    def _same(self, org: Org, item: Item, wanted: Json, stored: Json) -> bool:
        if {**wanted, SECURE: []} != {**stored, SECURE: []} or not set(wanted[SECURE]) <= set(stored[SECURE]):
            return False
        given = [path for path in wanted[SECURE] if self._value(org, item, wanted, path) is not None]
        return not (org.secrets.always and given)

    def equal(self, org: Org, wanted: Item, live: Live) -> bool:
        stored = {one["uid"]: one for one in live.body["integrations"]}
        asked = {one["uid"]: one for one in wanted.body["integrations"]}
        return stored.keys() == asked.keys() and all(self._same(org, wanted, asked[uid], stored[uid]) for uid in asked)

    def parts(self, item: Item) -> set[str]:
        return {one["uid"] for one in item.body["integrations"]}

    def entangled(self, order: list[str], takes: Mapping[str, set[str]]) -> list[str]:
        # Whichever is written first deletes what the other one is to get, and the secrets are gone.
        return [
            f"contact points {loser!r} and {key!r} have integrations of each other in Grafana: move them there, or give them other uids"
            for key, losers in takes.items()
            for loser in losers
            if loser in order and order.index(loser) < order.index(key)
        ]

    def missing(self, org: Org, wanted: Item, live: Live | None) -> list[str]:
        stored = {uid: _integration(uid, one)[SECURE] for uid, one in _elsewhere(org.integrations, wanted).items()}
        stored |= {one["uid"]: one[SECURE] for one in live.body["integrations"]} if live is not None else {}
        found = []
        for integration in wanted.body["integrations"]:
            for path in integration[SECURE]:
                if path not in stored.get(integration["uid"], ()) and self._value(org, wanted, integration, path) is None:
                    found.append(f"{self.name}.{wanted.name}.{path}")
        return sorted(set(found))

    def problems(self, org: Org, wanted: Item, live: Live | None) -> list[str]:
        found = super().problems(org, wanted, live)
        stored = _elsewhere(org.integrations, wanted)
        found += [why for one in stored.values() if (why := provenance.locked(f"contact point {one['name']!r}", one))]
        stored |= {one["uid"]: one for one in live.body["integrations"]} if live is not None else {}
        for integration in wanted.body["integrations"]:
            before = stored.get(integration["uid"], {})
            if before.get("type", integration["type"]) == integration["type"]:
                found += provenance.refused(f"contact point {wanted.name!r}", integration, before)
        return sorted(set(found))


def _redacted(settings: Any, above: str = "") -> Iterator[str]:
    """Paths of the settings that Grafana does not show."""
    if isinstance(settings, dict):
        for name, value in settings.items():
            yield from [f"{above}{name}"] if value == REDACTED else _redacted(value, f"{above}{name}.")


def _shown(settings: Json) -> Json:
    """The settings without those that Grafana does not show."""
    kept = {name: value for name, value in settings.items() if value != REDACTED}
    return {name: _shown(value) if isinstance(value, dict) else value for name, value in kept.items()}


def _put(settings: Json, path: list[str], value: str) -> Json:
    """The settings with a value at a path."""
    if len(path) == 1:
        return {**settings, path[0]: value}
    return {**settings, path[0]: _put(settings.get(path[0]) or {}, path[1:], value)}


def _uid(name: str, number: int, found: Json) -> str:
    """Uid of an integration in a tree: what Grafana made itself has the same one everywhere."""
    given = found.get("uid")
    return str(given) if given and name != _DEFAULT else names.derived_uid(name, str(number))


def _content(found: Json) -> Json:
    """What an integration does, the same in Grafana and in a file: names of secrets, and no placeholders."""
    settings = found.get("settings") or {}
    secure = sorted({*_redacted(settings), *found.get(SECURE, ())})
    return {"type": found.get("type"), "settings": _shown(settings), SECURE: secure}


def _integration(uid: str, found: Json) -> Json:
    return {
        "uid": uid,
        **_content(found),
        **({"disableResolveMessage": True} if found.get("disableResolveMessage") else {}),
        **provenance.marked(found),
    }


def _elsewhere(found: list[Json], item: Item) -> dict[str, Json]:
    """Uid to the integration that another contact point has, for those that this one is to have."""
    wanted = {one["uid"] for one in item.body["integrations"]}
    return {one["uid"]: one for one in found if one["name"] != item.name and one["uid"] in wanted}


def _by_uid(name: str, integrations: list[Json]) -> dict[str, Json]:
    """Uid in a tree to what was found, in an order that only the content decides."""
    in_order = sorted(integrations, key=lambda one: dumps([*_content(one).values(), bool(one.get("disableResolveMessage"))]))
    return {_uid(name, number, found): found for number, found in enumerate(in_order)}


def _body(name: str, found: dict[str, Json]) -> Json:
    integrations = [_integration(uid, one) for uid, one in found.items()]
    return {"name": name, "integrations": sorted(integrations, key=lambda one: (str(one["type"]), str(one["uid"])))}


def _live(name: str, integrations: list[Json]) -> Live:
    found = _by_uid(name, integrations)
    locked = next((why for one in integrations if (why := provenance.locked(f"contact point {name!r}", one))), "")
    return Live(name, name, _body(name, found), handle={uid: one.get("uid") for uid, one in found.items()}, locked=locked)
