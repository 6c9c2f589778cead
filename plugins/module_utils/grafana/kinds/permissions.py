# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Permissions of folders and dashboards."""

from __future__ import annotations

from collections.abc import Iterator

from ..canonical import Json
from ..client import segment
from ..errors import Conflict
from ..organisation import Org
from .base import Item, Kind, Live, required
from .dashboards import listed_dashboards

_LEVELS = {1: "View", 2: "Edit", 4: "Admin"}
_NUMBERS = {name: number for number, name in _LEVELS.items()}


class _PermissionKind(Kind):
    """An object's own permissions, without what it inherits. Who holds them is known by name.

    An object without permissions of its own has no file; an import takes away what it should not have.
    """

    foldered = True
    prunable = False
    #: Collection of the objects in the path.
    collection = ""

    def _objects(self, org: Org) -> Iterator[tuple[str, str, str]]:
        """(uid, title, folder of the object's file) of every object."""
        raise NotImplementedError

    def read_all(self, org: Org) -> Iterator[Live]:
        return org.each(
            self.name,
            (found for found in self._objects(org) if org.wants(self.name, *found)),
            lambda found: self._live(org, *found),
            lambda found: (found[0], found[1]),
            lambda: {found[0] for found in self._objects(org)},
        )

    def _path(self, uid: str) -> str:
        return f"/api/{self.collection}/{segment(uid)}/permissions"

    def _live(self, org: Org, uid: str, title: str, folder: str) -> Live:
        own = [_entry(org, one) for one in org.get(self._path(uid)) if not one.get("inherited")]
        return Live(uid, title, {"uid": uid, "permissions": sorted(own, key=_order)}, folder)

    def read(self, org: Org, key: str) -> Live | None:
        answer = org.find(self._path(key))
        if answer is None:
            return None
        own = [_entry(org, one) for one in answer if not one.get("inherited")]
        return Live(key, key, {"uid": key, "permissions": sorted(own, key=_order)})

    def create(self, org: Org, item: Item) -> None:
        self._post(org, item)

    def update(self, org: Org, item: Item, live: Live) -> None:
        now = self.read(org, item.key)
        if now is not None and now.body != live.body:
            raise Conflict("POST", self._path(item.key), 409, "changed meanwhile")
        self._post(org, item)

    def _post(self, org: Org, item: Item) -> None:
        items = [_sent(org, entry) for entry in item.body["permissions"]]
        org.write("POST", self._path(item.key), {"items": items})

    def has_file(self, item: Item) -> bool:
        return bool(item.body["permissions"])

    def parse(self, body: Json, folder: str, path: str) -> Item:
        uid = required(body, "uid", path)
        permissions = sorted(body.get("permissions") or [], key=_order)
        return Item(uid, str(body.get("title") or uid), {"uid": uid, "permissions": permissions}, folder)

    def same(self, one: Item, other: Item) -> bool:
        return one.body == other.body

    def problems(self, org: Org, wanted: Item, live: Live | None) -> list[str]:
        unknown = [lacking for entry in wanted.body["permissions"] if (lacking := lacking_holder(org, entry))]
        return [f"permissions of {wanted.name!r}: the organisation has no {lacking}" for lacking in unknown]


class FolderPermissionKind(_PermissionKind):
    """Permissions of folders."""

    name = "folder_permissions"
    collection, about = "folders", "folders"

    def _objects(self, org: Org) -> Iterator[tuple[str, str, str]]:
        for uid, folder in org.folders.known.items():
            yield uid, folder.title, folder.parent


class DashboardPermissionKind(_PermissionKind):
    """Permissions of dashboards."""

    name = "dashboard_permissions"
    collection, about = "dashboards/uid", "dashboards"

    def _objects(self, org: Org) -> Iterator[tuple[str, str, str]]:
        for uid, (title, folder) in listed_dashboards(org).items():
            yield uid, title, folder


def _entry(org: Org, found: Json) -> Json:
    """Who may do what."""
    level = {"permission": _LEVELS.get(found["permission"], str(found["permission"]))}
    if found.get("role"):
        return {"role": found["role"], **level}
    if found.get("teamId"):
        return {"team": found["team"], **level}
    number = found["userId"]
    if number in org.account_names:
        return {"service_account": org.account_names[number], **level}
    return {"user": found["userLogin"], **level}


def lacking_holder(org: Org, entry: Json) -> str:
    """Whom the organisation lacks, and will lack after the import, for an entry; empty where there is nobody to miss."""
    if "user" in entry and entry["user"] not in org.logins:
        return f"user {entry['user']!r}"
    if "team" in entry and entry["team"] not in org.holders("teams"):
        return f"team {entry['team']!r}"
    if "service_account" in entry and entry["service_account"] not in org.holders("service_accounts"):
        return f"service account {entry['service_account']!r}"
    return ""


def _order(entry: Json) -> tuple[str, ...]:
    return tuple(str(entry.get(name, "")) for name in ("role", "team", "service_account", "user", "permission"))


def _sent(org: Org, entry: Json) -> Json:
    level = {"permission": _NUMBERS[entry["permission"]]}
    if "role" in entry:
        return {"role": entry["role"], **level}
    if "team" in entry:
        return {"teamId": org.team_numbers[entry["team"]], **level}
    if "service_account" in entry:
        return {"userId": org.account_numbers[entry["service_account"]], **level}
    return {"userId": org.logins[entry["user"]], **level}
