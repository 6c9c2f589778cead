# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What has to be done to make one organisation equal to a tree."""

from __future__ import annotations

import contextlib
import difflib
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache

from .canonical import Json, loads
from .desired import Choices, Desired, Wanted
from .errors import Denied
from .exporter import Progress, silent
from .folder_tree import Folder
from .kinds import DEFAULT, KINDS
from .kinds.base import Item, Kind, Live
from .organisation import Org
from .reader import Branch
from .ties import Ties, takers_first

CREATE, UPDATE, DELETE, SKIP = "created", "updated", "deleted", "skipped"
UNCHANGED = "unchanged"
OUTCOMES = (CREATE, UPDATE, UNCHANGED, DELETE, SKIP)
#: Compared once it is known what the others need of them.
_LAST = ("library_panels", "folders")


@dataclass(frozen=True)
class Change:
    """One object that is to change. before: its content as it is, compressed. reason: why it is skipped."""

    action: str
    kind: str
    key: str
    name: str
    wanted: Wanted | None = None
    stub: Live | None = None
    before: bytes = b""
    reason: str = ""

    @property
    def live(self) -> Live | None:
        """The object as it was when the plan was made."""
        return None if self.stub is None else replace(self.stub, body=loads(zlib.decompress(self.before)))

    @property
    def moved(self) -> bool:
        """Whether it goes to another folder."""
        return self.stub is not None and self.wanted is not None and self.stub.folder != self.wanted.folder

    @property
    def leaves(self) -> bool:
        """Whether it will no longer be in the folder that it is in."""
        return self.action == DELETE or (self.action == UPDATE and self.moved)

    def __str__(self) -> str:
        return f"{self.kind} {self.name}" + (f" ({self.key})" if self.key != self.name else "")


@dataclass
class Plan:
    """Changes of one organisation in the order of the kinds; deletions are carried out last, in the opposite order.

    What is in the way of others by its name goes first. problems: why nothing can be written. warnings: what people
    should know.
    """

    org: Org
    desired: Desired
    changes: list[Change] = field(default_factory=list)
    counts: dict[str, Counter[str]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    #: Kind and key of what has to be deleted, or has to give up its names for a while, before its kind is written.
    first: set[tuple[str, str]] = field(default_factory=set)
    aside: set[tuple[str, str]] = field(default_factory=set)
    #: Kind and key to the keys of the objects that lose a part when this one is written.
    takes: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    #: Kind and key of what has been carried out.
    done: set[tuple[str, str]] = field(default_factory=set)

    def carried_out(self) -> Plan:
        """The plan without what has not been done."""
        found = Plan(self.org, self.desired, warnings=self.warnings)
        found.counts = {kind: Counter({UNCHANGED: counts[UNCHANGED]}) for kind, counts in self.counts.items()}
        for change in self.changes:
            if change.action == SKIP or (change.kind, change.key) in self.done:
                found.add(change)
        return found

    def add(self, change: Change) -> None:
        self.changes.append(change)
        self.count(change.kind, change.action)

    def count(self, kind: str, outcome: str) -> None:
        self.counts.setdefault(kind, Counter())[outcome] += 1

    @property
    def changed(self) -> bool:
        return any(change.action != SKIP for change in self.changes)

    def summary(self) -> dict[str, dict[str, int]]:
        """Kind to outcome to number of objects."""
        return {kind: {outcome: self.counts[kind][outcome] for outcome in OUTCOMES} for kind in KINDS if kind in self.counts}

    def item(self, change: Change) -> Item | None:
        """The content that an object is to have; None where it is to go."""
        return None if change.wanted is None else self.desired.item(KINDS[change.kind], change.wanted)

    def texts(self, change: Change) -> tuple[str, str, str, str]:
        """(place before, place after, content before, content after) for people."""
        before = zlib.decompress(change.before).decode() if change.before else ""
        item = self.item(change)
        after = item.content.decode() if item is not None else ""
        old = self._place(change.kind, change.stub.folder, change.stub.name) if change.stub is not None else ""
        new = self._place(change.kind, item.folder, item.name) if item is not None else ""
        return old, new, before, after

    def _place(self, kind: str, folder: str, name: str) -> str:
        return "/".join(part for part in (self.org.name, kind, self.folder_path(folder), name) if part)

    def folder_path(self, folder: str) -> str:
        """Titles from the root, as Grafana or the tree have them."""
        return self.org.folders.path(folder) or self.desired.branch.folders.path(folder)

    def diff(self, change: Change, *, towards_tree: bool = True) -> str:
        """Unified diff of one object."""
        old, new, before, after = self.texts(change)
        if not towards_tree:
            old, new, before, after = new, old, after, before
        old, new = old or "(not there)", new or "(not there)"
        lines = list(difflib.unified_diff(before.splitlines(), after.splitlines(), old, new, lineterm="", n=2))
        # What only moves has the same content.
        return "\n".join(lines or (f"--- {old}", f"+++ {new}"))


def empty(org: Org) -> bool:
    """Whether the organisation does not exist yet."""
    return org.number == 0


class Planner:
    """Makes the plan of one organisation."""

    def __init__(self, branch: Branch, org: Org, choices: Choices, progress: Progress = silent) -> None:
        self.branch, self.org, self.choices, self.progress = branch, org, choices, progress
        self._indexes: dict[str, dict[str, Wanted]] = {}
        self._folders: list[Live] = []
        #: Uids of the folders around what is meant.
        self._needed: set[str] = set()
        #: Uid of a folder of Grafana to something that stays in it, in words; and the kinds that this is known of.
        self._staying: dict[str, str] = {}
        self._seen: set[str] = set()
        if empty(org):
            # Its only member will be who creates it.
            org.__dict__.update(logins={org.client.connection.user: 0}, account_names={}, team_numbers={})
        else:
            self._folders = list(self._told("folders", KINDS["folders"].read_all(org)))
            self._learn_hidden()
            org.sources = org.get("/api/datasources")
        org.holders = cache(self._holders)
        self.desired = Desired(branch, org, choices)
        self.plan = Plan(org, self.desired, warnings=[*self.desired.warnings, *self._to_be_named()])

    def _learn_hidden(self) -> None:
        """A folder that the export could not read may be missing from the list here too, and still be there."""
        for uid in self.branch.nameless - self.org.folders.known.keys():
            live = KINDS["folders"].read(self.org, uid)
            if live is not None:
                self._folders.append(live)
                self.org.folders.known[uid] = Folder(live.name, live.folder)

    def _to_be_named(self) -> list[str]:
        """Folders that will be made without knowing what they are called."""
        return [
            f"the export could not read folder {uid!r}, which is not there: it is made with the title {item.name!r}"
            for uid, item in self.branch.implied.items()
            if uid in self.branch.nameless - self.org.folders.known.keys()
        ]

    def make(self) -> Plan:
        """Reads what is there and compares. TreeError, ApiError, Incomplete; problems are in the plan."""
        if self.choices.prune and (lost := self.branch.failures):
            self.plan.problems.append(f"prune: the tree lacks {len(lost)} objects that could not be read, and would delete them")
        for name, kind in KINDS.items():
            if self._meant(name) or name in _LAST:
                self._indexes[name] = self.desired.index(kind) if self._meant(name) or name == "folders" else {}
        for name in [*(name for name in self._indexes if name not in _LAST), *_LAST]:
            self._compare(KINDS[name], self._indexes[name])
        order = [*KINDS]
        self.plan.changes.sort(key=lambda change: order.index(change.kind))
        self.plan.problems += [*dict.fromkeys(self.desired.problems)]
        return self.plan

    def _meant(self, kind: str) -> bool:
        return self.org.selection.wants_kind(kind, (*DEFAULT, "annotations"))

    def _wants(self, kind: str, key: str, wanted: Wanted, live: Item | None = None) -> bool:
        """Whether an object of the tree is meant, by what it is there or, as ``live``, in Grafana: it may have been moved or renamed."""
        places = [(kind, key, wanted.name, wanted.folder, self.branch.folders)]
        if live is not None:
            places.append((kind, key, live.name, live.folder, self.org.folders))
        if wanted.only_create or not self._meant(kind) or not any(self.org.selection.wants(*place) for place in places):
            return False
        if wanted.entry is None or wanted.entry.kind != "folders" or not wanted.entry.exported:
            return True
        # It may be there just for the sake of what is in it; whatever else lies in a tree was asked for, or laid there by hand.
        return self.branch.covers(kind) and any(self.branch.selection.wants(*place) for place in places)

    def _beyond(self, kind: str, live: Item) -> bool:
        """Whether an object of Grafana would be in the tree, and is meant by the import, if the export had found it."""
        place = (kind, live.key, live.name, live.folder, self.org.folders)
        choices = (self.org.selection, self.branch.selection)
        return self._meant(kind) and self.branch.covers(kind) and all(choice.wants(*place) for choice in choices)

    def _holders(self, kind: str) -> set[str]:
        """Names of the teams or service accounts that there will be: what is created, and what stays."""
        live = self.org.team_numbers if kind == "teams" else self.org.account_numbers
        # With a token, none of the accounts is deleted.
        prunes = self.choices.prune and not (kind == "service_accounts" and self.org.client.connection.token)
        created = {key for key, one in self._indexes.get(kind, {}).items() if self._wants(kind, key, one)}
        return created | {name for name in live if not (prunes and self._beyond(kind, Item(name, name, {})))}

    def _chosen(self, kind: Kind, index: dict[str, Wanted]) -> dict[str, Wanted]:
        """What of the index is to be made true, as far as the tree alone tells."""
        chosen = {key: wanted for key, wanted in index.items() if self._wants(kind.name, key, wanted)}
        if kind.name == "folders":
            known = {live.key: live for live in self._folders if live.key in index}
            chosen |= {key: index[key] for key, live in known.items() if self._wants(kind.name, key, index[key], live)}
            self._needed.update(uid for key in chosen for uid in self.branch.folders.chain(key))
            # Around what is meant a folder has to be there, whatever it looks like.
            chosen |= {key: replace(index[key], only_create=True) for key in index if key in self._needed and key not in chosen}
        return chosen

    def _compare(self, kind: Kind, index: dict[str, Wanted]) -> None:
        covered = self.branch.covers(kind.name)
        if kind.about and covered:
            index = self._with_empty(kind, index)
        if not index and not covered and kind.name != "library_panels":
            return
        self._seen.add(kind.name)
        chosen = self._chosen(kind, index)
        self._kept_parts = self._parts(kind, [wanted for key, wanted in index.items() if key not in chosen])
        present: set[str] = set()
        self._ties, begin = Ties(kind, self.org), len(self.plan.changes)
        for live in self._live(kind):
            present.add(live.key)
            self._ties.found(live)
            wanted, before = index.get(live.key), len(self.plan.changes)
            if wanted is None:
                self._extra(kind, live)
            elif live.key in chosen or self._wants(kind.name, live.key, wanted, live):
                self._both(kind, chosen.pop(live.key, wanted), live)
            if not any(change.leaves for change in self.plan.changes[before:]):
                self._stays(kind, live.name, live.folder)
        if kind.name == "library_panels":
            chosen |= {key: one for key, one in self.desired.brought(present).items() if key not in chosen}
        for key, wanted in chosen.items():
            self._new(kind, key, wanted)
        self._tie(kind, self._ties, begin)

    def _parts(self, kind: Kind, others: list[Wanted]) -> dict[str, str]:
        """Part to the name of the object of the tree that has it, for objects that are not chosen."""
        if not self.choices.prune or not kind.divisible:
            return {}
        return {part: one.name for one in others for part in kind.parts(self.desired.item(kind, one))}

    def _stays(self, kind: Kind, name: str, folder: str) -> None:
        if kind.foldered and not kind.about:
            self._staying.setdefault(folder, f"{kind.name} {name!r}")

    def _inside(self, folder: str) -> str:
        """Something that stays in a folder of Grafana, in words, also of kinds that nothing is to be done about."""
        for kind in KINDS.values():
            if kind.foldered and not kind.about and kind.name not in self._seen:
                self._seen.add(kind.name)
                # Whoever may not see them finds out when the folder is to go.
                with contextlib.suppress(Denied):
                    for name, place in kind.places(self.org):
                        self._stays(kind, name, place)
        return self._staying.get(folder, "")

    def _around(self, kind: Kind, wanted: Wanted) -> None:
        """Takes note of what has to be there for an object."""
        self._needed.update(self.branch.folders.chain(wanted.folder))
        if wanted.entry is not None and wanted.entry.kind == kind.name:
            self.desired.choose(wanted.entry)

    def _tie(self, kind: Kind, ties: Ties, begin: int) -> None:
        """Puts the changes of a kind, from ``begin`` on, in an order in which none is in the way of another one."""
        changes = {change.key: change for change in self.plan.changes[begin:]}
        takes = ties.takes()
        self.plan.takes |= {(kind.name, key): losers for key, losers in takes.items()}
        losers = {key for several in takes.values() for key in several}
        for key, claim, at in ties.clashes():
            action = changes[at].action if at in changes else ""
            if action == DELETE and at not in losers and not kind.lingers:
                self.plan.first.add((kind.name, at))
            elif action == DELETE or (action == UPDATE and ties.gives_up(at, claim)):
                self.plan.aside.add((kind.name, at))
            elif problem := ties.clash(key, claim):
                self.plan.problems.append(problem)
        if takes:
            order = takers_first(list(changes), takes)
            self.plan.changes[begin:] = [changes[key] for key in order]
            self.plan.problems += kind.entangled(order, takes)

    def _live(self, kind: Kind) -> Iterator[Live]:
        if empty(self.org):
            return iter(())
        if kind.name != "folders":
            return self._told(kind.name, kind.read_all(self.org))
        # Those inside come before the one around them, which stays if they do.
        return iter(sorted(self._folders, key=lambda live: -len(self.org.folders.chain(live.key))))

    def _told(self, kind: str, objects: Iterator[Live]) -> Iterator[Live]:
        """The objects, with a word of how many have been read."""
        for number, live in enumerate(objects, 1):
            self.progress(self.org.name, kind, number, self.org.expected.get(kind, 0))
            yield live

    def _with_empty(self, kind: Kind, index: dict[str, Wanted]) -> dict[str, Wanted]:
        """What an export has written no file for, although it has the object, is to have none. Each is named and placed as its object."""
        found = dict(index)
        # What could not be read may well have some.
        unread, described = self.branch.unread(kind.name), self.branch.described(kind.about)
        objects = self._indexes.get(kind.about)
        for key, about in (self.desired.index(KINDS[kind.about]) if objects is None else objects).items():
            if key in found:
                found[key] = replace(found[key], name=about.name, folder=about.folder)
            elif not (unread & {key, "*"} or about.only_create) and (described is None or key in described):
                item = kind.parse({"uid": key, "title": about.name, "permissions": []}, about.folder, "")
                found[key] = Wanted(item.digest, about.name, about.folder, about.entry, item)
        return found

    def _both(self, kind: Kind, wanted: Wanted, live: Live) -> None:
        self._around(kind, wanted)
        if wanted.only_create or (wanted.digest == live.digest and not self.org.secrets.always):
            self.plan.count(kind.name, UNCHANGED)
            return
        item = self.desired.item(kind, wanted)
        if kind.equal(self.org, item, live):
            self.plan.count(kind.name, UNCHANGED)
            return
        change = Change(UPDATE, kind.name, live.key, item.name, wanted, *_packed(live))
        self._check(kind, change, item, live)

    def _new(self, kind: Kind, key: str, wanted: Wanted) -> None:
        self._around(kind, wanted)
        item = self.desired.item(kind, wanted)
        self._check(kind, Change(CREATE, kind.name, key, item.name, wanted), item, None)

    def _check(self, kind: Kind, change: Change, item: Item, live: Live | None) -> None:
        if live is not None and live.locked and self.choices.skip_locked:
            self.plan.add(replace(change, action=SKIP, reason=live.locked))
            return
        missing = kind.missing(self.org, item, live)
        self.plan.problems += [f"secrets.{path} is missing" for path in missing]
        self.plan.problems += kind.problems(self.org, item, live)
        self._ties.asked(item)
        self.plan.add(change)

    def _spared(self, kind: str) -> set[str]:
        """Keys of objects that the tree has no file of, and needs all the same."""
        if kind == "data_sources":
            return self.desired.targets | self.desired.mapped_away
        if kind == "library_panels":
            return self.desired.along
        return self._needed if kind == "folders" else set()

    def _extra(self, kind: Kind, live: Live) -> None:
        """An object that the tree does not have."""
        if not self.choices.prune or not kind.prunable or not self._beyond(kind.name, live):
            return
        if live.key in self._spared(kind.name) or self.branch.lacks(kind, live):
            return
        change = Change(DELETE, kind.name, live.key, live.name, None, *_packed(live))
        reason = live.locked
        if kind.name == "service_accounts" and self.org.client.connection.token:
            reason = "it may be the one whose token is in use: delete it with a user's password"
        if taken := [self._kept_parts[part] for part in kind.parts(live) if part in self._kept_parts]:
            reason = reason or f"the tree has something of it in {min(taken)!r}, which is not chosen"
        if kind.name == "folders" and (inside := self._inside(live.key)):
            reason = reason or f"{inside} stays in it"
        if reason and not self.choices.skip_locked and live.locked:
            self.plan.problems.append(f"prune: {reason}")
        self.plan.add(replace(change, action=SKIP, reason=reason) if reason else change)


def _packed(live: Live) -> tuple[Live, bytes]:
    """The object without its content, and the content in small."""
    nothing: Json = {}
    return replace(live, body=nothing), zlib.compress(live.content, 1)
