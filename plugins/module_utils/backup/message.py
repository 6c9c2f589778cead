# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a commit changes, in words: ``3 dashboards changed, 1 rule group added``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from ..grafana.names import uid_of

#: Kind to its name for one object and for several, in the order of importance.
NAMES = {
    "dashboards": ("dashboard", "dashboards"),
    "alert_rules": ("rule group", "rule groups"),
    "folders": ("folder", "folders"),
    "data_sources": ("data source", "data sources"),
    "library_panels": ("library panel", "library panels"),
    "contact_points": ("contact point", "contact points"),
    "notification_policies": ("notification policy", "notification policies"),
    "templates": ("message template", "message templates"),
    "mute_timings": ("mute timing", "mute timings"),
    "teams": ("team", "teams"),
    "service_accounts": ("service account", "service accounts"),
    "playlists": ("playlist", "playlists"),
    "folder_permissions": ("folder's permissions", "folders' permissions"),
    "dashboard_permissions": ("dashboard's permissions", "dashboards' permissions"),
    "preferences": ("preference", "preferences"),
    "annotations": ("annotation", "annotations"),
    "organisation": ("organisation", "organisations"),
}
VERBS = ("added", "changed", "renamed", "moved", "removed")
#: Objects that a message lists one by one.
LISTED = 100
#: Parts of a subject; it stays readable on a page of a repository.
PARTS = 6


@dataclass(frozen=True)
class Change:
    """An object that differs. verb: one of VERBS. place: organisation, folders and name, as the path has them."""

    kind: str
    verb: str
    place: str

    def __str__(self) -> str:
        return f"{self.verb:8} {NAMES.get(self.kind, (self.kind, ''))[0]} {self.place}"


@dataclass(frozen=True)
class _File:
    """A path of the tree: what it is of, and where it is."""

    organisation: str
    kind: str
    folders: tuple[str, ...]
    name: str

    @classmethod
    def of(cls, path: str) -> _File | None:
        parts = path.split("/")
        if len(parts) == 2 and parts[1] == "organisation.json":
            return cls(parts[0], "organisation", (), parts[0])
        if len(parts) < 3 or not path.endswith(".json"):
            return None
        return cls(parts[0], parts[1], tuple(parts[2:-1]), parts[-1].removesuffix(".json"))

    @property
    def key(self) -> tuple[str, str, str]:
        """What stays when the object is renamed or moved."""
        return self.organisation, self.kind, uid_of(self.name) or self.name

    @property
    def parent(self) -> str:
        return uid_of(self.folders[-1]) or self.folders[-1] if self.folders else ""

    @property
    def place(self) -> str:
        return "/".join(_title(part) for part in (self.organisation, *self.folders, self.name))


def _title(part: str) -> str:
    title, dot, _uid = part.rpartition(".")
    return title if dot else part


#: Kinds whose files stand beside those of another kind.
COMPANIONS = {"dashboard_permissions": "dashboards", "folder_permissions": "folders"}


def changes(differences: Iterable[tuple[str, str]]) -> list[Change]:
    """Objects that differ, from (``A``, ``M`` or ``D``, path) of files.

    What only lies below a renamed folder has not changed, and permissions that come, go or move with what they are of are not told.
    """
    files = [(status, found) for status, path in differences if (found := _File.of(path))]
    gone = {one.key: one for status, one in files if status == "D"}
    there = {one.key for status, one in files if status == "A"}
    made = {one.key: (verb, one) for status, one in files if (verb := _verb(status, one, gone.get(one.key), one.key in there))}

    def goes_with_it(verb: str, one: _File) -> bool:
        organisation, kind, uid = one.key
        owner = made.get((organisation, COMPANIONS.get(kind, ""), uid))
        return owner is not None and owner[0] == verb != "changed"

    told = [Change(one.kind, verb, one.place) for verb, one in made.values() if not goes_with_it(verb, one)]
    order = list(NAMES)
    return sorted(told, key=lambda one: (order.index(one.kind) if one.kind in order else len(order), VERBS.index(one.verb), one.place))


def _verb(status: str, one: _File, before: _File | None, stays: bool) -> str:
    """What happened to the object of a file; empty for nothing, or where another file of it tells."""
    if status == "D":
        return "" if stays else "removed"
    if status != "A":
        return "changed"
    if before is None:
        return "added"
    if before.parent != one.parent:
        return "moved"
    return "renamed" if before.name != one.name else ""


def subject(made: Iterable[Change]) -> str:
    """The line for people who skim: ``3 dashboards changed, 1 rule group added``; empty when no object differs."""
    counts = Counter((one.kind, one.verb) for one in made)
    parts = [f"{number} {NAMES.get(kind, (kind, kind))[number > 1]} {verb}" for (kind, verb), number in counts.items()]
    rest = sum(list(counts.values())[PARTS:])
    return ", ".join(parts[:PARTS]) + (f", {rest} other changes" if rest > 1 else f", {parts[PARTS]}" if rest else "")


def message(made: list[Change], member: str, release: str, *, united: int = 0) -> str:
    """The whole message of a commit. release: version of Grafana. united: number of histories that it brings together again."""
    first = subject(made) or (f"{united} histories united" if united > 1 else f"Grafana {release or 'of another version'}")
    lines = [first, ""]
    if united > 1 and made:
        lines += [f"Unites {united} histories.", ""]
    lines += [str(one) for one in made[:LISTED]]
    lines += [f"and {len(made) - LISTED} more"] if len(made) > LISTED else []
    lines += [""] if made else []
    lines += [f"Member: {member}", *([f"Grafana: {release}"] if release else [])]
    return "\n".join(lines) + "\n"
