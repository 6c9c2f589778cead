# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a Grafana is to look like: the objects of a tree after everything that was asked for has been done to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from . import sharing
from .canonical import Json
from .errors import TreeError
from .kinds import KINDS
from .kinds.base import Item, Kind, numbered
from .kinds.dashboards import is_resource
from .kinds.furnishings import lacking_team
from .kinds.permissions import lacking_holder
from .kinds.provenance import MEMBER
from .mapping import DataSourceMap, mapped
from .organisation import Org
from .reader import Branch, Entry
from .sharing import Filler, Source

KEEP, API, NONE = "keep", "api", "none"
_REFERRING = ("dashboards", "library_panels", "alert_rules")
_MARKED = ("alert_rules", "notification_policies", "templates", "mute_timings")


@dataclass(frozen=True)
class Choices:
    """What an import is asked for.

    provenance: whether objects of alerting can be edited in the user interface: as in the tree (keep), not (api), all
    (none). datasource_map: name or uid in the tree to name or uid in Grafana. inputs: values for what dashboards that
    were exported for sharing leave open. prune: what the tree does not have is deleted. skip_locked: what was
    provisioned from files is left as it is. skip_unknown_users: members, permissions and preferences of users, teams
    and service accounts that do not exist are left out.
    """

    provenance: str = KEEP
    datasource_map: Mapping[str, str] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    prune: bool = False
    skip_locked: bool = False
    skip_unknown_users: bool = False


@dataclass(frozen=True)
class Wanted:
    """Where an object comes from, and what its content comes to. only_create: what is there already is left alone.

    item: its content, where that is not what the file of ``entry`` holds.
    """

    digest: str
    name: str
    folder: str
    entry: Entry | None = None
    item: Item | None = None
    only_create: bool = False


class Desired:
    """The wanted objects of one organisation by kind and key. Contents are read again when needed, to keep memory small."""

    def __init__(self, branch: Branch, org: Org, choices: Choices) -> None:
        self.branch, self.org, self.choices = branch, org, choices
        self.problems: list[str] = []
        self.warnings: list[str] = [f"{branch.directory}/{name} is of no known kind and was not looked at" for name in branch.unknown]
        self.mapped_away: set[str] = set()
        #: Uids of the data sources of Grafana that are mapped to.
        self.targets: set[str] = set()
        #: Data source of the map to what to say where it is in use, as the one that it stands for is missing.
        self._untold: dict[str, str] = {}
        #: Path of a file to what there is to say of the data sources that it refers to.
        self._lost: dict[str, list[str]] = {}
        sources = [branch.parse(entry) for entry in branch.entries("data_sources")]
        self.mapping = self._mapping(sources, org.sources)
        self.filler = Filler(choices.inputs, self._sources(sources, org.sources))
        #: Path of a shared dashboard to the problems with its inputs.
        self._open: dict[str, list[str]] = {}
        #: Uid to library panel, of those that come along with chosen dashboards.
        self._brought: dict[str, Json] = {}
        self._same_title: dict[str, str] = self._known_folders()

    def _mapping(self, sources: list[Item], live: list[Json]) -> DataSourceMap:
        """Uid and name in the tree to uid and name in Grafana."""
        found = DataSourceMap()
        for here, there in self.choices.datasource_map.items():
            target = next((one for one in live if there in (one["uid"], one["name"])), None)
            source = next((one for one in sources if here in (one.key, one.name)), None)
            if target is None:
                self._untold[here] = no_source(there)
                if source is not None:
                    self.problems.append(self._untold[here])
                continue
            self.targets.add(target["uid"])
            if source is None:
                found.uids[here] = target["uid"]
                continue
            found.uids[source.key], found.names[source.name] = target["uid"], target["name"]
            self.mapped_away.add(source.key)
        return found

    def _sources(self, sources: list[Item], live: list[Json]) -> list[Source]:
        there = {one["uid"]: Source(one["uid"], one["name"], one["type"], bool(one.get("isDefault"))) for one in live}
        brought = {
            one.key: Source(one.key, one.name, str(one.body.get("type")), bool(one.body.get("isDefault")))
            for one in sources
            if one.key not in self.mapped_away
        }
        return list({**there, **brought}.values())

    def _known_folders(self) -> dict[str, str]:
        """Uid that a directory's name gave to the uid of the folder of that title, where Grafana has one."""
        found: dict[str, str] = {}
        for uid, item in self.branch.implied.items():
            if uid in self.branch.nameless:
                continue
            parent = found.get(item.folder, item.folder)
            same = [key for key, one in self.org.folders.known.items() if (one.title, one.parent) == (item.name, parent)]
            if len(same) == 1:
                found[uid] = same[0]
        return found

    def folder(self, uid: str) -> str:
        """Uid of a folder of the tree as it is, or will be, in Grafana."""
        return self._same_title.get(uid, uid)

    # --- contents ------------------------------------------------------------------------------------------------

    def item(self, kind: Kind, wanted: Wanted) -> Item:
        """The content that Grafana is to have."""
        if wanted.item is not None:
            return wanted.item
        if wanted.entry is None:
            raise AssertionError("neither a file nor a content")
        item = self._content(kind, wanted.entry)
        # Only what is asked for has to be complete.
        self.problems += self._open.get(wanted.entry.path, ())
        return item

    def _content(self, kind: Kind, entry: Entry) -> Item:
        item = self.branch.parse(entry)
        item = replace(item, folder=self.folder(item.folder))
        body = item.body
        if kind.name == "alert_rules":
            item = replace(item, key=f"{item.folder}/{item.name}")
        if kind.name == "dashboards" and not entry.exported and not is_resource(body) and sharing.is_shared(body):
            body, lacking = self.filler.fill(body)
            self._open[entry.path] = [f"{entry.path}: input {name} has no value: give one in inputs" for name in lacking]
        if self._untold and (kind.name in _REFERRING or kind.name == "data_sources"):
            self._lost[entry.path] = self._lacking(body)
        if kind.name in _REFERRING:
            body = mapped(body, self.mapping)
        if kind.name == "data_sources":
            # Traces lead to logs, and metrics to traces; what it is itself stays.
            body = {**body, "jsonData": mapped(body["jsonData"], self.mapping)}
        if self.choices.skip_unknown_users:
            body = self._known_only(kind, body)
        return replace(item, body=self._marked(kind, body))

    def _marked(self, kind: Kind, body: Json) -> Json:
        if self.choices.provenance == KEEP:
            return body
        mark = {MEMBER: "api"} if self.choices.provenance == API else {}
        if kind.name in _MARKED:
            return {**{name: value for name, value in body.items() if name != MEMBER}, **mark}
        if kind.name == "contact_points":
            integrations = [{**{name: value for name, value in one.items() if name != MEMBER}, **mark} for one in body["integrations"]]
            return {**body, "integrations": integrations}
        return body

    def _known_only(self, kind: Kind, body: Json) -> Json:
        found = dict(body)
        if kind.name == "teams":
            found["members"] = [one for one in body["members"] if one["login"] in self.org.logins]
        if kind.name in ("folder_permissions", "dashboard_permissions"):
            found["permissions"] = [one for one in body["permissions"] if not lacking_holder(self.org, one)]
        return found

    # --- index ---------------------------------------------------------------------------------------------------

    def index(self, kind: Kind) -> dict[str, Wanted]:
        """Key to what is wanted, for all that the tree holds of a kind."""
        if kind.shares_names:
            return {item.key: _held(item) for item in numbered(self._content(kind, entry) for entry in self.branch.entries(kind.name))}
        found: dict[str, Wanted] = {}
        for entry in self.branch.entries(kind.name):
            item = self._content(kind, entry)
            if kind.name == "data_sources" and item.key in self.mapped_away:
                continue
            if kind.name == "preferences" and self.choices.skip_unknown_users and lacking_team(self.org, item.key):
                continue
            if item.key in found:
                raise TreeError(f"{entry.path}: {found[item.key].entry and found[item.key].entry.path} holds the same object")  # type: ignore[union-attr]
            found[item.key] = Wanted(item.digest, item.name, item.folder, entry)
        if kind.name == "folders":
            found |= {item.key: replace(_held(item), only_create=True) for item in self._implied() if item.key not in found}
        return found

    def _implied(self) -> Iterator[Item]:
        for item in self.branch.implied.values():
            if self.folder(item.key) == item.key:
                yield replace(item, folder=self.folder(item.folder))

    def _lacking(self, body: Json) -> list[str]:
        """What there is to say of the data sources that a content refers to."""
        return [said for here, said in self._untold.items() if mapped(body, DataSourceMap({here: f"not {here}"})) != body]

    def choose(self, entry: Entry) -> None:
        """A file is meant: a dashboard with the library panels that come along with it if it was exported for sharing."""
        self.problems += self._lost.get(entry.path, ())
        for element in self._elements(entry) if entry.kind == "dashboards" else ():
            self._brought.setdefault(element["uid"], element)
            self.problems += self._lacking(element)

    @cached_property
    def along(self) -> set[str]:
        """Uids of the library panels that come along with dashboards of the tree, chosen or not."""
        return {element["uid"] for entry in self.branch.entries("dashboards") for element in self._elements(entry)}

    def _elements(self, entry: Entry) -> Iterator[Json]:
        body: Json = {} if entry.exported else self.branch.parse(entry).body
        yield from () if is_resource(body) else self.filler.elements(body)

    def brought(self, present: set[str]) -> dict[str, Wanted]:
        """Library panels that shared dashboards bring along, where there are none of their uids."""
        kind = KINDS["library_panels"]
        items = [kind.parse(mapped(one, self.mapping), "", "") for uid, one in self._brought.items() if uid not in present]
        return {item.key: replace(_held(item), only_create=True) for item in items}


def _held(item: Item) -> Wanted:
    return Wanted(item.digest, item.name, item.folder, None, item)


def no_source(name: str) -> str:
    """What to say of a data source that is mapped to and missing."""
    return f"datasource_map: Grafana has no data source {name!r}"
