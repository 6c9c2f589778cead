# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a commit changes, in words: ``3 dashboards changed, 1 rule group added``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
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
#: Status of a file to what it says of the object, where there is no other file of that.
VERB = {"A": "added", "M": "changed", "D": "removed"}
#: Objects that a message lists one by one.
LISTED = 100
#: Parts of a subject; it stays readable on a page of a repository.
PARTS = 6


@dataclass(frozen=True)
class Difference:
    """A file that differs. status: ``A``, ``M`` or ``D``. content: id of what is in it, of what was where it is gone."""

    status: str
    path: str
    content: str = ""


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
    """A file of the tree: what it is of, where it is, and how it differs."""

    organisation: str
    kind: str
    folders: tuple[str, ...]
    name: str
    how: Difference

    @classmethod
    def of(cls, how: Difference) -> _File | None:
        parts = how.path.split("/")
        if len(parts) == 2 and parts[1] == "organisation.json":
            return cls(parts[0], "organisation", (), parts[0], how)
        if len(parts) < 3 or not how.path.endswith(".json"):
            return None
        return cls(parts[0], parts[1], tuple(parts[2:-1]), parts[-1].removesuffix(".json"), how)

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


def changes(differences: Iterable[Difference], lines: Callable[[str, str], int]) -> list[Change]:
    """Objects that differ, from files that do. lines: how many lines differ between two contents.

    What only lies below a renamed folder has not changed, and permissions that come, go or move with what they are of are not told.
    """
    files = [found for one in differences if (found := _File.of(one))]
    gone = {one.key: one for one in files if one.how.status == "D"}
    there = {one.key for one in files if one.how.status == "A"}
    made = {
        one.key: (one, _again(gone[one.key], one, lines) if one.key in gone and one.key in there else [VERB[one.how.status]])
        for one in files
        if one.how.status != "D" or one.key not in there
    }

    def goes_with_it(verb: str, one: _File) -> bool:
        organisation, kind, uid = one.key
        owner = made.get((organisation, COMPANIONS.get(kind, ""), uid))
        return verb != "changed" and owner is not None and bool(set(owner[1]) - {"changed"})

    told = [Change(one.kind, verb, one.place) for one, verbs in made.values() for verb in verbs if not goes_with_it(verb, one)]
    order = list(NAMES)
    return sorted(told, key=lambda one: (order.index(one.kind) if one.kind in order else len(order), VERBS.index(one.verb), one.place))


def _again(before: _File, now: _File, lines: Callable[[str, str], int]) -> list[str]:
    """What happened to an object whose file is elsewhere; nothing where only folders around it were renamed."""
    renamed = before.name != now.name
    place = ["moved"] if before.parent != now.parent else ["renamed"] if renamed else []
    # A new name is one line of the content. Companions do not have it.
    expected = int(renamed and now.kind not in COMPANIONS)
    contents = before.how.content, now.how.content
    edited = contents[0] != contents[1] and not (expected and lines(*contents) <= expected)
    return [*place, "changed"] if edited else place


def subject(made: Iterable[Change]) -> str:
    """The line for people who skim: ``3 dashboards changed, 1 rule group added``; empty when no object differs."""
    counts = Counter((one.kind, one.verb) for one in made)
    parts = [f"{number} {NAMES.get(kind, (kind, kind))[number > 1]} {verb}" for (kind, verb), number in counts.items()]
    rest = sum(list(counts.values())[PARTS:])
    return ", ".join(parts[:PARTS]) + (f", {rest} other changes" if rest > 1 else f", {parts[PARTS]}" if rest else "")


def disputes(paths: Sequence[str]) -> list[str]:
    """What is said of files beside the tree that several histories changed in different ways; nothing where there are none."""
    more = f" and {len(paths) - LISTED} more" if len(paths) > LISTED else ""
    return [f"Changed in several ways, one of which was taken: {', '.join(paths[:LISTED])}{more}"] if paths else []


def message(made: list[Change], member: str, release: str, *, united: int = 0, disputed: Sequence[str] = ()) -> str:
    """The whole message of a commit. release: version of Grafana. united: number of histories that it brings together again.

    disputed: files beside the tree that they changed in different ways.
    """
    first = subject(made) or (f"{united} histories united" if united > 1 else f"Grafana {release or 'of another version'}")
    lines = [first, ""]
    if united > 1 and made:
        lines += [f"Unites {united} histories.", ""]
    lines += [line for one in disputes(disputed) for line in (one, "")]
    lines += [str(one) for one in made[:LISTED]]
    lines += [f"and {len(made) - LISTED} more"] if len(made) > LISTED else []
    lines += [""] if made else []
    lines += [f"Member: {member}", *([f"Grafana: {release}"] if release else [])]
    return "\n".join(lines) + "\n"
