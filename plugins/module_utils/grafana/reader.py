# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reading a tree: which objects it holds, and where they belong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from . import names
from .canonical import Json, sha256
from .errors import TreeError
from .folder_tree import Folder, Folders
from .kinds import DEFAULT, KINDS
from .kinds.base import Item, Kind
from .selection import Selection
from .tree import files, read_json, read_manifest


@dataclass(frozen=True)
class Entry:
    """A file of a tree. folder: uid of the folder it belongs to. exported: it is as an export wrote it."""

    kind: str
    path: str
    folder: str
    exported: bool


class Tree:
    """A tree on the disk, written by an export or put together by hand. TreeError where it is no tree."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.manifest = read_manifest(root)

    @cached_property
    def organisations(self) -> dict[str, str]:
        """Name to directory."""
        found: dict[str, str] = {}
        for directory in sorted(entry.name for entry in self.root.iterdir() if entry.is_dir() and not entry.name.startswith(".")):
            name = directory
            if (self.root / directory / "organisation.json").exists():
                name = str(read_json(self.root, f"{directory}/organisation.json").get("name") or directory)
            if name in found:
                raise TreeError(f"{directory}: organisation {name!r} is in {found[name]} too")
            found[name] = directory
        if not found:
            raise TreeError(f"{self.root}: holds no organisation")
        return found

    @property
    def whole(self) -> bool:
        """Whether all organisations that there were are in it, as far as it says so."""
        return bool(self.manifest.get("all_organisations"))

    def failures(self, organisation: str) -> list[Json]:
        """What the export could not read."""
        return [one for one in self.manifest.get("failures") or () if one.get("organisation") == organisation]


class Branch:
    """One organisation of a tree."""

    def __init__(self, tree: Tree, directory: str) -> None:
        self.tree, self.directory = tree, directory
        self._exported: Json = tree.manifest.get("files") or {}
        self.folders = Folders()
        #: Folders that only the name of a directory tells of, by uid.
        self.implied: dict[str, Item] = {}
        #: Those of them that an export named by their uids, as it could not read them.
        self.nameless: set[str] = set()
        self._paths = [path for path in files(tree.root / directory) if path != "organisation.json"]
        self.unknown = sorted({kind for path in self._paths if (kind := path.partition("/")[0]) not in KINDS})
        self._learn_folders()

    def covers(self, kind: str) -> bool:
        """Whether the tree says which objects of a kind there are; otherwise it just says nothing about them."""
        if self.tree.manifest:
            return Selection.of(self.tree.manifest.get("selection") or {}).wants_kind(kind, DEFAULT)
        return any(path.startswith(f"{kind}/") for path in self._paths)

    def described(self, kind: str) -> set[str] | None:
        """Uids of the objects of a kind that an export wrote, with all that there was about them; None where none wrote the tree."""
        if not self.tree.manifest:
            return None
        place = f"{self.directory}/{kind}/"
        return {names.uid_of(path.rpartition("/")[2].removesuffix(".json")) for path in self._exported if path.startswith(place)}

    @cached_property
    def failures(self) -> list[Json]:
        """What the export could not read of this organisation, under the name that it has in the tree."""
        return [one for name, place in self.tree.organisations.items() if place == self.directory for one in self.tree.failures(name)]

    def unread(self, kind: str) -> set[str]:
        """Keys of the objects of a kind that the export could not read; ``*`` where it is the whole kind."""
        return {str(one.get("key")) for one in self.failures if one.get("kind") == kind}

    def lacks(self, kind: Kind, live: Item) -> bool:
        """Whether an object of Grafana may be missing here only because the export could not read it."""
        names = {str(one.get("name")) for one in self.failures if one.get("kind") == kind.name} if kind.shares_names else set()
        return bool(self.unread(kind.name) & {live.key, "*"}) or live.name in names

    @cached_property
    def selection(self) -> Selection:
        """What the export was asked for; objects beyond that are not the tree's business."""
        return Selection.of(self.tree.manifest.get("selection") or {})

    def entries(self, kind: str) -> Iterator[Entry]:
        """Files of a kind."""
        for path in self._paths:
            parts = path.split("/")
            if parts[0] == kind and path.endswith(".json"):
                full = f"{self.directory}/{path}"
                folder = self._folder(parts[1:-1]) if KINDS[kind].foldered else ""
                digest = self._exported.get(full)
                yield Entry(kind, full, folder, bool(digest) and digest == sha256((self.tree.root / full).read_bytes()))

    def parse(self, entry: Entry) -> Item:
        """The object in a file; TreeError when there is none."""
        content = read_json(self.tree.root, entry.path)
        if not isinstance(content, dict):
            raise TreeError(f"{entry.path}: not an object")
        try:
            return KINDS[entry.kind].parse(content, entry.folder, entry.path)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise TreeError(f"{entry.path}: not of the kind {entry.kind}: {type(error).__name__} {error}") from error

    def _learn_folders(self) -> None:
        """Those with files, parents before their children, as a path is made of folders that are known; then the implied ones."""
        paths = [path for path in self._paths if path.startswith("folders/") and path.endswith(".json")]
        for path in sorted(paths, key=lambda one: one.count("/")):
            full = f"{self.directory}/{path}"
            parent = self._folder(path.split("/")[1:-1])
            item = self.parse(Entry("folders", full, parent, False))
            self.folders.known[item.key] = Folder(item.name, item.folder)
        for path in self._paths:
            parts = path.split("/")
            if parts[0] in KINDS and KINDS[parts[0]].foldered:
                self._folder(parts[1:-1])

    @cached_property
    def _exported_places(self) -> set[str]:
        """Directories of folders that the export made, below those of the kinds."""
        found: set[str] = set()
        for path in self._exported:
            organisation, *parts = path.split("/")
            if organisation == self.directory and parts[0] in KINDS and KINDS[parts[0]].foldered:
                found.update("/" + "/".join(parts[1:end]) for end in range(2, len(parts)))
        return found

    def _folder(self, parts: list[str]) -> str:
        """Uid of the folder that a directory stands for. One that no export named is a folder of that title."""
        parent, place = "", ""
        for part in parts:
            place = f"{place}/{part}"
            uid = names.uid_of(part)
            if uid not in self.folders.known:
                title = part
                if uid and place in self._exported_places:
                    # Its uid is true, whatever it is called: no other folder may take its place.
                    title = part.rpartition(".")[0]
                    self.nameless.add(uid)
                else:
                    uid = names.derived_uid(place)
                if uid not in self.folders.known:
                    self.folders.known[uid] = Folder(title, parent)
                    self.implied[uid] = Item(uid, title, {"uid": uid, "title": title}, parent)
            parent = uid
        return parent
