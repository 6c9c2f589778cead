# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What of an organisation is meant."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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
        """From options, or from a manifest."""
        return cls(*(tuple(given.get(name) or ()) for name in ("kinds", "folders", "names")))

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


EVERYTHING = Selection()
