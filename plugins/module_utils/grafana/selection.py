# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What of an organisation is meant."""

from __future__ import annotations

import difflib
import fnmatch
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .errors import GrafanaError
from .folder_tree import Folders

#: Kinds whose objects are in folders: what a choice of folders means.
FOLDERED = ("folders", "library_panels", "dashboards", "alert_rules", "folder_permissions", "dashboard_permissions")


@dataclass(frozen=True)
class Selection:
    """A choice; empty means everything.

    kinds: names of kinds. folders: uids, or titles from the root with ``/`` between; what is below belongs to them.
    names: patterns with ``*``, ``?`` and ``[…]`` for titles and names.
    """

    kinds: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Selection:
        """From options, or from a manifest. GrafanaError for what is no list or no kind: it would be a choice of nothing."""
        # Kinds know organisations, which know what of them is meant.
        from .kinds import KINDS

        values = {name: given.get(name) or () for name in ("kinds", "folders", "names")}
        for name, value in values.items():
            if not isinstance(value, (list, tuple)):
                raise GrafanaError(f"{name} is {value!r}, not a list")
        if unknown := [kind for kind in values["kinds"] if kind not in KINDS]:
            raise GrafanaError("; ".join(f"there is no kind {kind!r}{_nearest(str(kind), KINDS)}" for kind in unknown))
        return cls(*map(tuple, values.values()))

    def as_dict(self) -> dict[str, Sequence[str]]:
        return {name: sorted(value) for name, value in vars(self).items() if value}

    def wants_kind(self, kind: str, default: Sequence[str]) -> bool:
        """Whether objects of a kind are meant. default: those that are meant where none is named."""
        if self.folders and kind not in FOLDERED:
            return False
        return kind in (self.kinds or default)

    def wants(self, kind: str, key: str, name: str, folder: str, folders: Folders) -> bool:
        """Whether an object is meant, its kind being so."""
        if self.names and not any(fnmatch.fnmatchcase(name, pattern) for pattern in self.names):
            return False
        if not self.folders:
            return True
        # A folder belongs to itself.
        chain = folders.chain(key if kind in ("folders", "folder_permissions") else folder)
        return any(uid in self.folders or folders.path(uid) in self.folders for uid in chain)

    def check_folders(self, known: Iterable[Folders], unread: Collection[str] = ()) -> None:
        """GrafanaError for a chosen folder that is nowhere: a choice of nothing would look like an empty organisation.

        known: the folders of all organisations that are meant. unread: uids of those that could not be read.
        """
        if not self.folders:
            return
        there = {name for folders in known for uid in folders.known for name in (uid, folders.path(uid))} | set(unread)
        missing = [name for name in self.folders if name not in there]
        if missing:
            raise GrafanaError("; ".join(f"there is no folder {name!r}{_nearest(name, there)}" for name in missing))


def _nearest(name: str, there: Collection[str]) -> str:
    """Names that may have been meant."""
    by_small = {one.lower(): one for one in sorted(there)}
    near = [by_small[one] for one in difflib.get_close_matches(name.lower(), by_small)]
    return f", the nearest are {', '.join(map(repr, near))}" if near else ""


EVERYTHING = Selection()
