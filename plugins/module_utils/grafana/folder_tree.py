# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The folders of an organisation."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Folder:
    """title: what people call it. parent: uid of the folder around it, empty at the root."""

    title: str
    parent: str = ""


@dataclass
class Folders:
    """Folders by uid."""

    known: dict[str, Folder] = field(default_factory=dict)

    def chain(self, uid: str) -> list[str]:
        """Uids from the root down to the folder itself; empty for the root."""
        found: list[str] = []
        while uid and uid not in found:
            found.append(uid)
            uid = self.known[uid].parent if uid in self.known else ""
        return found[::-1]

    def path(self, uid: str) -> str:
        """Titles from the root down, with ``/`` between."""
        return "/".join(self.known[one].title for one in self.chain(uid) if one in self.known)
