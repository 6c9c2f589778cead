# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Teams with their members, and service accounts without their tokens."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from .. import names
from ..canonical import Json, pick
from ..client import segment
from ..errors import ApiError, Conflict
from ..organisation import Org
from .base import Item, Kind, Live, numbered, required

_MEMBER, _ADMIN = 0, 4


class TeamKind(Kind):
    """Teams. Members are known by their login names, as numbers differ between instances."""

    name = "teams"
    in_steps = True

    def read_all(self, org: Org) -> Iterator[Live]:
        return org.each(
            self.name,
            org.teams(),
            lambda team: self._live(org, team),
            lambda team: (team["name"], team["name"]),
            lambda: {team["name"] for team in org.teams()},
        )

    def _live(self, org: Org, team: Json) -> Live:
        found = org.get(f"/api/teams/{team['id']}/members")
        members = [
            {"login": member["login"], **({"admin": True} if member.get("permission") == _ADMIN else {})}
            for member in sorted(found, key=lambda one: str(one["login"]))
        ]
        body = {**pick(team, "name", "email"), "members": members}
        numbers = {member["login"]: member["userId"] for member in found}
        return Live(team["name"], team["name"], body, handle={"id": team["id"], "numbers": numbers})

    def read(self, org: Org, key: str) -> Live | None:
        found = org.get("/api/teams/search", {"name": key})["teams"]
        return next((self._live(org, team) for team in found if team["name"] == key), None)

    def create(self, org: Org, item: Item) -> None:
        team = org.write("POST", "/api/teams", pick(item.body, "name", "email"))
        org.forget()
        # Whoever makes a team may become its first member.
        found = self._live(org, {"id": team["teamId"], **pick(item.body, "name", "email")})
        self._members(org, item, found)

    def update(self, org: Org, item: Item, live: Live) -> None:
        self.unchanged(org, item, live, "PUT", "/api/teams")
        if item.body.get("email") != live.body.get("email"):
            org.write("PUT", f"/api/teams/{live.handle['id']}", pick(item.body, "name", "email"))
        self._members(org, item, live)

    @staticmethod
    def _members(org: Org, item: Item, live: Live) -> None:
        path = f"/api/teams/{live.handle['id']}/members"
        stored = {member["login"]: bool(member.get("admin")) for member in live.body["members"]}
        wanted = {member["login"]: bool(member.get("admin")) for member in item.body["members"]}
        for login, admin in wanted.items():
            number = org.logins[login]
            if login not in stored:
                org.write("POST", path, {"userId": number})
            if admin != stored.get(login, False):
                org.write("PUT", f"{path}/{number}", {"permission": _ADMIN if admin else _MEMBER})
        for login in stored.keys() - wanted.keys():
            org.write("DELETE", f"{path}/{live.handle['numbers'][login]}")

    def delete(self, org: Org, live: Live) -> None:
        org.remove(f"/api/teams/{live.handle['id']}")

    def file_name(self, item: Item) -> str:
        return names.of_name(item.name)

    def parse(self, body: Json, folder: str, path: str) -> Item:
        name = required(body, "name", path)
        members = sorted(body.get("members") or [], key=lambda one: str(one["login"]))
        return Item(name, name, {**pick(body, "name", "email"), "members": members})

    def problems(self, org: Org, wanted: Item, live: Live | None) -> list[str]:
        unknown = [member["login"] for member in wanted.body["members"] if member["login"] not in org.logins]
        return [f"team {wanted.name!r}: the organisation has no user {login!r}" for login in unknown]


class ServiceAccountKind(Kind):
    """Service accounts. Their tokens stay where they are: Grafana shows one only once."""

    name = "service_accounts"
    shares_names = True

    def read_all(self, org: Org) -> Iterator[Live]:
        yield from numbered(_live(account) for account in org.accounts())

    def as_is(self, org: Org, live: Live) -> Live | None:
        return next((replace(_live(one), key=live.key) for one in org.accounts() if one["id"] == live.handle), None)

    def create(self, org: Org, item: Item) -> None:
        try:
            org.write("POST", "/api/serviceaccounts", item.body)
        except ApiError as error:
            if error.status == 400 and "already exists" in error.said:
                raise Conflict("POST", error.path, 409, error.said) from error
            raise
        org.forget()

    def update(self, org: Org, item: Item, live: Live) -> None:
        self.unchanged(org, item, live, "PATCH", "/api/serviceaccounts")
        org.write("PATCH", f"/api/serviceaccounts/{live.handle}", item.body)

    def delete(self, org: Org, live: Live) -> None:
        org.remove(f"/api/serviceaccounts/{segment(str(live.handle))}")

    def file_name(self, item: Item) -> str:
        return names.of_name(item.key)

    def parse(self, body: Json, folder: str, path: str) -> Item:
        name = required(body, "name", path)
        return Item(name, name, _account(body))


def _account(found: Json) -> Json:
    return {"name": found["name"], "role": found.get("role") or "Viewer", "isDisabled": bool(found.get("isDisabled"))}


def _live(found: Json) -> Live:
    return Live(found["name"], found["name"], _account(found), handle=found["id"])
