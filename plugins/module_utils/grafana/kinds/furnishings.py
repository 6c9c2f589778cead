# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Playlists, preferences and annotations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from .. import names
from ..canonical import Json, dumps, pick, sha256, without
from ..client import segment
from ..errors import Conflict, TreeError
from ..organisation import Org
from .base import Item, Kind, Live, numbered, required


class PlaylistKind(Kind):
    """Playlists, known by their names: Grafana gives a new uid to each that is created."""

    name = "playlists"
    shares_names = True

    def _listed(self, org: Org) -> list[Json]:
        # There is a limit, and no page: whatever fills the limit may have been cut off.
        limit = 5000
        while len(found := org.get("/api/playlists", {"limit": limit})) >= limit:
            limit *= 4
        return list(found)

    def read_all(self, org: Org) -> Iterator[Live]:
        found = org.each(
            self.name,
            self._listed(org),
            lambda listed: _playlist(org.get(f"/api/playlists/{segment(listed['uid'])}")),
            lambda listed: (listed["uid"], listed["name"]),
            lambda: {listed["uid"] for listed in self._listed(org)},
        )
        yield from numbered(found)

    def read(self, org: Org, key: str) -> Live | None:
        # Its own and those that it may share its name with; the number that tells them apart is no part of that name.
        candidates = (key, key.rpartition("#")[0])
        uids = [listed["uid"] for listed in self._listed(org) if listed["name"] in candidates]
        answers = [org.find(f"/api/playlists/{segment(uid)}") for uid in uids]
        found = numbered(_playlist(answer) for answer in answers if answer is not None)
        return next((live for live in found if live.key == key), None)

    def as_is(self, org: Org, live: Live) -> Live | None:
        # Its number among those of the same name changes with their contents; its uid does not.
        answer = org.find(f"/api/playlists/{segment(live.handle)}")
        return None if answer is None else replace(_playlist(answer), key=live.key)

    def create(self, org: Org, item: Item) -> None:
        org.write("POST", "/api/playlists", item.body)

    def update(self, org: Org, item: Item, live: Live) -> None:
        path = f"/api/playlists/{segment(live.handle)}"
        self.unchanged(org, item, live, "PUT", path)
        org.write("PUT", path, item.body)

    def delete(self, org: Org, live: Live) -> None:
        org.remove(f"/api/playlists/{segment(live.handle)}")

    def file_name(self, item: Item) -> str:
        return names.of_name(item.key)

    def parse(self, body: Json, folder: str, path: str) -> Item:
        name = required(body, "name", path)
        return Item(name, name, _playlist_body(body))


def _playlist_body(found: Json) -> Json:
    items = sorted(found.get("items") or [], key=lambda item: int(item.get("order", 0)))
    return {**pick(found, "name", "interval"), "items": [pick(item, "type", "value") for item in items]}


def _playlist(found: Json) -> Live:
    return Live(found["name"], found["name"], _playlist_body(found), handle=found["uid"])


class PreferenceKind(Kind):
    """Preferences of the organisation, and of each team that has some. What says nothing has no file."""

    name = "preferences"

    def read_all(self, org: Org) -> Iterator[Live]:
        places = [("organisation", "/api/org/preferences")]
        places += [(_team_key(team["name"]), f"/api/teams/{team['id']}/preferences") for team in org.teams()]
        return org.each(
            self.name,
            places,
            lambda place: _preferences(place[0], org.get(place[1])),
            lambda place: (place[0], place[0]),
            lambda: {"organisation", *(_team_key(team["name"]) for team in org.teams())},
        )

    def _path(self, org: Org, key: str) -> str:
        team = _team_of(key)
        return f"/api/teams/{org.team_numbers[team]}/preferences" if team else "/api/org/preferences"

    def read(self, org: Org, key: str) -> Live | None:
        return _preferences(key, org.get(self._path(org, key)))

    def create(self, org: Org, item: Item) -> None:
        path = self._path(org, item.key)
        # The same request creates and updates; what somebody has set by now is not to be replaced.
        if self.read(org, item.key) is not None:
            raise Conflict("PUT", path, 409, "there are some by now")
        org.write("PUT", path, _without_of(item.body))

    def update(self, org: Org, item: Item, live: Live) -> None:
        path = self._path(org, item.key)
        self.unchanged(org, item, live, "PUT", path)
        org.write("PUT", path, _without_of(item.body))

    def delete(self, org: Org, live: Live) -> None:
        org.write("PUT", self._path(org, live.key), {})

    def file_name(self, item: Item) -> str:
        return item.key if item.key == "organisation" else f"team-{names.of_name(item.key.removeprefix(_team_key('')))}"

    def parse(self, body: Json, folder: str, path: str) -> Item:
        key = required(body, "of", path)
        return Item(key, key, {name: value for name, value in body.items() if value})

    def problems(self, org: Org, wanted: Item, live: Live | None) -> list[str]:
        lacking = lacking_team(org, wanted.key)
        return [f"preferences: the organisation has no team {lacking!r}"] if lacking else []


def _team_key(name: str) -> str:
    return f"team {name}"


def _team_of(key: str) -> str:
    """Name of the team whose preferences they are; empty for those of the organisation."""
    return key.removeprefix(_team_key("")) if key.startswith(_team_key("")) else ""


def lacking_team(org: Org, key: str) -> str:
    """The team of these preferences, where the organisation has none of the name and will have none after the import."""
    team = _team_of(key)
    return team if team and team not in org.holders("teams") else ""


def _without_of(body: Json) -> Json:
    return {name: value for name, value in body.items() if name != "of"}


def _preferences(key: str, found: Json) -> Live | None:
    body = {name: value for name, value in found.items() if value and name not in ("id", "homeDashboardId")}
    return Live(key, key, {"of": key, **body}) if body else None


_PAGE = 5000
#: Begins the text of an annotation without one until it has been made: Grafana creates none without a text, and lets it be taken away.
_UNFINISHED = "(an import of monitoring.ha takes this text away)"


class AnnotationKind(Kind):
    """Annotations that people and programs made; those of alert rules are Grafana's own history. Only on request.

    One without a text is made in two steps. Half-way it has the key of what it is to be, by which the next attempt finishes it.
    """

    name = "annotations"
    in_steps = True
    shares_names = True
    on_request = True

    def read_all(self, org: Org) -> Iterator[Live]:
        # What ends last comes first, without pages. None that has not been shown ends after the last one shown, and so none begins
        # after that: it is the end of the next request. Whatever goes on beyond it is shown once more.
        seen: dict[int, Live] = {}
        end, limit = 2**53, _PAGE
        while True:
            found = org.get("/api/annotations", {"type": "annotation", "from": 1, "to": end, "limit": limit})
            seen |= {one["id"]: _annotation(one) for one in found if one["id"] not in seen}
            if len(found) < limit:
                break
            last = min(max(one["time"], one.get("timeEnd") or 0) for one in found)
            # A page full of what goes on beyond the end: a longer page gets past it.
            end, limit = (last, _PAGE) if last < end else (end, limit * 2)
        yield from numbered(seen.values())

    def read(self, org: Org, key: str) -> Live | None:
        found = list(self.read_all(org))
        begun = (live for live in found if _content_key(live.key) == _content_key(key) and live.body.get("text") == _placeholder(key))
        return next((replace(live, key=key) for live in begun), None) or next((live for live in found if live.key == key), None)

    def as_is(self, org: Org, live: Live) -> Live | None:
        answer = org.find(f"/api/annotations/{live.handle}")
        return None if answer is None else _annotation(answer)

    def create(self, org: Org, item: Item) -> None:
        made = org.write("POST", "/api/annotations", {"text": _placeholder(item.key), **item.body})
        if "text" not in item.body:
            self._put(org, item, made["id"])

    def update(self, org: Org, item: Item, live: Live) -> None:
        # Its content is its key, so this is one that was not finished.
        self.unchanged(org, item, live, "PUT", f"/api/annotations/{live.handle}")
        self._put(org, item, live.handle)

    @staticmethod
    def _put(org: Org, item: Item, number: int) -> None:
        # PATCH would take an empty text for none that is given.
        org.write("PUT", f"/api/annotations/{number}", {"text": "", **item.body})

    def delete(self, org: Org, live: Live) -> None:
        org.remove(f"/api/annotations/{live.handle}")

    def file_name(self, item: Item) -> str:
        return f"{item.body['time']}-{names.readable(item.body.get('text', ''))[:40]}.{item.key[:12]}{item.key[64:].replace('#', '-')}"

    def parse(self, body: Json, folder: str, path: str) -> Item:
        # Grafana lets somebody take all of the text away.
        if not isinstance(body.get("text", ""), str):
            raise TreeError(f"{path}: text is no text")
        if not isinstance(body.get("time"), int):
            raise TreeError(f"{path}: an annotation needs a time in milliseconds")
        return _annotation({**body, "id": 0})


def _annotation(found: Json) -> Live:
    body = {**pick(found, "dashboardUID", "time", "text", "data"), "tags": found.get("tags") or []}
    if found.get("panelId"):
        body["panelId"] = found["panelId"]
    if found.get("timeEnd", 0) not in (0, found["time"]):
        body["timeEnd"] = found["timeEnd"]
    key = sha256(dumps(without(body, "text") if _unfinished(body) else body))
    # Those with the same key are to have the same content: ``numbered`` tells them apart.
    return Live(key, key, body, handle=found["id"])


def _placeholder(key: str) -> str:
    """Text of an annotation that is to have none; those with the same content, which may be made side by side, have one each."""
    return _UNFINISHED + key.removeprefix(_content_key(key))


def _unfinished(body: Json) -> bool:
    return str(body.get("text", "")).startswith(_UNFINISHED)


def _content_key(key: str) -> str:
    """What annotations with the same content share of their keys."""
    return key.partition("#")[0]
