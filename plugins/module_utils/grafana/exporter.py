# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Grafana to tree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from . import names, organisations
from .canonical import Json, dumps
from .client import Client
from .errors import ApiError, Failure, Unsupported
from .folder_tree import Folders
from .kinds import DEFAULT, KINDS
from .kinds.base import Item, Kind
from .kinds.folders import learn
from .organisation import Org
from .selection import EVERYTHING, Selection
from .tree import Changes, Writer

#: Told about progress: (organisation, kind, objects done, of how many; 0 where that is not known).
Progress = Callable[[str, str, int, int], None]


def silent(_organisation: str, _kind: str, _done: int, _total: int) -> None:
    """No progress."""


@dataclass
class Exported:
    """What an export did. counts: organisation to kind to number of files. failures: what could not be read."""

    changes: Changes
    release: str
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)


def export(
    client: Client,
    dest: Path,
    *,
    wanted: Sequence[str] = (),
    selection: Selection = EVERYTHING,
    keep_going: bool = False,
    check: bool = False,
    progress: Progress = silent,
) -> Exported:
    """Writes organisations as a tree to ``dest``, which stays as it was unless everything could be read.

    wanted: names or ids of organisations, ``all`` for all of them. keep_going: objects that cannot be read are left out
    and listed in the result and in the manifest; otherwise Incomplete names the first. check: dest and what is around it stay as they are.
    GrafanaError for a chosen folder that no organisation has.
    """
    with Writer(dest, check=check) as writer:
        release, apis = organisations.instance(client)
        result = Exported(Changes(), release)
        described = {}
        folders: list[Folders] = []
        for org in organisations.listed(client, wanted, release, apis):
            org.keep_going, org.selection = keep_going, selection
            counts = _Organisation(org, writer, progress).write()
            described[names.organisation(org.name)] = {"name": org.name, "counts": counts}
            result.counts[org.name] = counts
            result.failures += org.failures
            folders.append(org.folders)
        selection.check_folders(folders, {failure.key for failure in result.failures if failure.kind == "folders"})
        manifest: Json = {"grafana": release, "organisations": described, "selection": selection.as_dict()}
        if organisations.ALL in wanted:
            # So that one that is made later can be told from one that nobody asked for.
            manifest["all_organisations"] = True
        if result.failures:
            manifest["failures"] = [failure.as_dict() for failure in result.failures]
        result.changes = writer.finish(manifest)
        return result


class _Organisation:
    """Writes one organisation."""

    def __init__(self, org: Org, writer: Writer, progress: Progress) -> None:
        self.org, self.writer, self.progress = org, writer, progress
        self.root = names.organisation(org.name)
        self.folders: dict[str, Item] = {}
        self.written: set[str] = set()
        self.counts: Counter[str] = Counter()

    def write(self) -> dict[str, int]:
        """Kind to number of files."""
        self.writer.add(f"{self.root}/organisation.json", dumps({"name": self.org.name}))
        # Where a thing is depends on the folders, so they are known first.
        try:
            self.folders = {item.key: item for item in KINDS["folders"].read_all(self.org)}
        except ApiError as error:
            self._unlisted("folders", error)
        for kind in KINDS.values():
            if self.org.selection.wants_kind(kind.name, DEFAULT):
                self._kind(kind)
        return {name: self.counts[name] for name in KINDS if name in self.counts}

    def _kind(self, kind: Kind) -> None:
        self.counts[kind.name] += 0
        try:
            objects: Iterator[Item] = iter([*self.folders.values()]) if kind.name == "folders" else kind.read_all(self.org)
            for item in objects:
                self._learn(item.folder)
                if self.org.wants(kind.name, item.key, item.name, item.folder):
                    self._add(kind, item)
            for sort, name in kind.beyond(self.org):
                if self.org.wants(kind.name, name, name, ""):
                    self.org.fail(sort, name, name, Unsupported("it is of no kind that can be exported"))
        except ApiError as error:
            self._unlisted(kind.name, error)

    def _unlisted(self, kind: str, error: ApiError) -> None:
        """Not one object cannot be read, but the list itself."""
        self.org.fail(kind, "*", "", error)

    def _learn(self, folder: str) -> None:
        """Folders that were not there yet when all were listed, or are in no list of this user."""
        learnt = {live.key: live for live in learn(self.org, folder)}
        self.folders |= learnt
        for uid, live in learnt.items():
            if self.org.selection.wants_kind("folders", DEFAULT) and self.org.wants("folders", uid, live.name, live.folder):
                self._add(KINDS["folders"], live)

    def _add(self, kind: Kind, item: Item) -> None:
        if kind.name == "folders":
            if item.key in self.written:
                return
            self.written.add(item.key)
        for uid in self.org.folders.chain(item.folder):
            if uid in self.folders:
                self._add(KINDS["folders"], self.folders[uid])
        if kind.has_file(item):
            self.writer.add(self._path(kind, item), item.content)
            self.counts[kind.name] += 1
            self.progress(self.org.name, kind.name, self.counts[kind.name], self.org.expected.get(kind.name, 0))

    def _path(self, kind: Kind, item: Item) -> str:
        chain = self.org.folders.chain(item.folder) if kind.foldered else []
        known = self.org.folders.known
        parts = [names.of_uid(known[uid].title if uid in known else uid, uid) for uid in chain]
        return "/".join((self.root, kind.name, *parts, f"{kind.file_name(item)}.json"))
