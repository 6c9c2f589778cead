# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tree to Grafana."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from pathlib import Path

from . import desired, organisations
from .client import Client
from .desired import Choices
from .errors import ApiError, Blocked, Conflict, Failure, GrafanaError, Incomplete, Interrupted, Overtaken, TreeError, Uncertain, status_of
from .exporter import Progress, silent
from .kinds import KINDS
from .kinds.base import Item, Kind, Live
from .organisation import Org
from .planner import CREATE, DELETE, SKIP, UPDATE, Change, Plan, Planner
from .reader import Branch, Tree
from .secret_store import SecretStore
from .selection import EVERYTHING, Selection


@dataclass
class Imported:
    """What an import did, or would do. plans: one for each organisation. created: organisations that were missing.

    beyond: organisations of Grafana that the tree lacks, where they were asked for.
    """

    plans: list[Plan] = field(default_factory=list)
    created: list[str] = field(default_factory=list)
    beyond: list[str] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        return bool(self.created) or any(plan.changed for plan in self.plans)

    @property
    def problems(self) -> list[str]:
        return [f"{plan.org.name}: {problem}" for plan in self.plans for problem in plan.problems]

    @property
    def warnings(self) -> list[str]:
        return [f"{plan.org.name}: {warning}" for plan in self.plans for warning in plan.warnings]

    def carried_out(self) -> Imported:
        """The same for what was done of it."""
        there = {plan.org.name for plan in self.plans if plan.org.number}
        plans = [plan.carried_out() for plan in self.plans]
        return Imported(plans, [name for name in self.created if name in there], failures=self.failures)

    def summary(self) -> dict[str, dict[str, dict[str, int]]]:
        """Organisation to kind to outcome to number of objects."""
        return {plan.org.name: plan.summary() for plan in self.plans}

    def changes(self) -> Iterator[tuple[Plan, Change]]:
        for plan in self.plans:
            for change in plan.changes:
                yield plan, change


@dataclass(frozen=True)
class Request:
    """What is to be imported, and how.

    wanted: names of organisations in the tree, none for all of them. targets: name in the tree to name in Grafana.
    keep_going: what Grafana refuses does not keep the rest from being written.
    """

    wanted: Sequence[str] = ()
    targets: Mapping[str, str] = field(default_factory=dict)
    selection: Selection = EVERYTHING
    choices: Choices = field(default_factory=Choices)
    secrets: SecretStore = field(default_factory=SecretStore)
    keep_going: bool = False


def plan(client: Client, root: Path, request: Request, progress: Progress = silent) -> Imported:
    """What has to change so that Grafana equals the tree. Writes nothing.

    GrafanaError for a chosen folder that is neither in the tree nor in Grafana.
    """
    return _plan(client, Tree(root), request, progress)


def _plan(client: Client, tree: Tree, request: Request, progress: Progress) -> Imported:
    release, apis = organisations.instance(client)
    result = Imported()
    for name, org in _targets(client, tree, request, release, apis):
        org.selection, org.secrets = request.selection, request.secrets
        if org.number == 0:
            result.created.append(org.name)
        result.plans.append(_planned(tree, name, org, request, progress))
    if set(tree.organisations) <= set(request.wanted or tree.organisations):
        _check_map(request, result)
    request.selection.check_folders(folders for one in result.plans for folders in (one.org.folders, one.desired.branch.folders))
    return result


def _check_map(request: Request, result: Imported) -> None:
    """A data source that is mapped to and that no organisation has is a problem even where nothing uses it, as it may be misspelt."""
    there = {text for one in result.plans for source in one.org.sources for text in (source["uid"], source["name"])}
    told = {problem for one in result.plans for problem in one.problems}
    for target in dict.fromkeys(request.choices.datasource_map.values()):
        said = desired.no_source(target)
        if target not in there and said not in told:
            for known in (result.plans[0].problems, result.plans[0].desired.problems):
                known.append(said)


def compare(client: Client, root: Path, request: Request, progress: Progress = silent) -> Imported:
    """The same with organisations that were added, if the tree is of all that there were and all of it is meant.

    With a token nothing is known of others. GrafanaError for a user who may not see them. Blocked where it is not known what the tree
    wants, as a data source that is mapped to is missing, or the value of an input: whatever uses it would differ.
    """
    tree = Tree(root)
    result = _plan(client, tree, request, progress)
    if unknown := [f"{one.org.name}: {problem}" for one in result.plans for problem in dict.fromkeys(one.desired.problems)]:
        raise Blocked(unknown, "nothing was compared")
    if tree.whole and not request.wanted and not client.connection.token:
        there = {request.targets.get(name, name) for name in tree.organisations}
        result.beyond = sorted(organisations.every(client).keys() - there)
    return result


def carry_out(client: Client, root: Path, request: Request, progress: Progress = silent) -> Imported:
    """Makes Grafana equal to the tree. progress: told of every kind while it is compared, and again while it is written.

    Blocked: it cannot be, and nothing was written. Incomplete: some objects could not be written, and are named; the
    next run finishes the work. Every error after the first write has what was done, and so has a signal that ends the run.
    """
    tree = Tree(root)
    result = _plan(client, tree, request, progress)
    if result.problems:
        raise Blocked(result.problems)
    try:
        _carry_out(client, tree, request, result, progress)
    except (GrafanaError, Interrupted) as error:
        error.done = result.carried_out()
        raise
    return result


def _carry_out(client: Client, tree: Tree, request: Request, result: Imported, progress: Progress) -> None:
    for number, one in enumerate(result.plans):
        name = one.desired.branch.directory
        if one.org.number == 0:
            one.org.number = _create(client, one.org.name)
            organisations.check_reached(one.org)
            one.org.forget()
            source = next(key for key, directory in tree.organisations.items() if directory == name)
            result.plans[number] = _planned(tree, source, one.org, request, progress)
        _Carrier(result.plans[number], progress, request.keep_going, result.failures).run()
        if result.failures and not request.keep_going:
            break
    if result.failures:
        raise Incomplete("not everything could be written", result.failures)


def _planned(tree: Tree, name: str, org: Org, request: Request, progress: Progress) -> Plan:
    return Planner(Branch(tree, tree.organisations[name]), org, request.choices, progress).make()


def _create(client: Client, name: str) -> int:
    """An organisation of this name; the one that a lost answer has left behind counts."""
    for attempt in range(client.connection.retries + 1):
        try:
            return organisations.create(client, name)
        except Uncertain as error:
            client.wait(attempt, error)
            if name in (known := organisations.every(client)):
                return known[name]
    raise GrafanaError(f"organisation {name!r} could not be created")


def _targets(client: Client, tree: Tree, request: Request, release: str, apis: dict[str, frozenset[str]]) -> Iterator[tuple[str, Org]]:
    """(name in the tree, organisation of Grafana). Those that do not exist have the id 0; all others are known to be reached."""
    names = list(request.wanted) or list(tree.organisations)
    for name in names:
        if name not in tree.organisations:
            raise TreeError(f"{tree.root}: there is no organisation {name!r}; there are {', '.join(map(repr, tree.organisations))}")
    _check_targets(tree, names, request.targets)
    own = organisations.current(client, release, apis)
    if len(names) == 1 and (client.connection.token or request.targets.get(names[0], names[0]) == own.name):
        yield names[0], own
        return
    known = organisations.every(client)
    targets = {name: request.targets.get(name, name) for name in names}
    orgs = {name: Org(client, known.get(target, 0), target, True, release, apis) for name, target in targets.items()}
    organisations.check_all_reached(orgs.values(), own)
    yield from orgs.items()


def _check_targets(tree: Tree, names: Sequence[str], targets: Mapping[str, str]) -> None:
    """TreeError for a map that means no organisation of the tree, or leads several of them to the same one."""
    if unknown := [name for name in targets if name not in tree.organisations]:
        there = ", ".join(map(repr, tree.organisations))
        raise TreeError(f"organisation_map: the tree has no organisation {unknown[0]!r}, but {there}: correct the name")
    taken: dict[str, str] = {}
    for name in dict.fromkeys(names):
        target = targets.get(name, name)
        if target in taken:
            raise TreeError(
                f"organisation_map: {taken[target]!r} and {name!r} would both go to {target!r}: map each to an organisation of its own, "
                f"or name the one that is meant in organisations"
            )
        taken[target] = name


class _Carrier:
    """Carries out one plan."""

    def __init__(self, plan: Plan, progress: Progress, keep_going: bool, failures: list[Failure]) -> None:
        self.plan, self.org, self.progress = plan, plan.org, progress
        self.keep_going, self.failures = keep_going, failures
        self._done = 0
        self._touched = {(change.kind, change.key) for change in plan.changes}
        #: What this run itself has changed beyond the plan, and what has to stay as something of it could not be taken.
        self._shifted: set[tuple[str, str]] = set()
        self._awaited: dict[tuple[str, str], str] = {}

    def run(self) -> None:
        """All changes, deletions last but for what is in the way of others. Without ``keep_going`` a kind with failures is
        the last one."""
        work = [change for change in self.plan.changes if change.action != SKIP]
        for name, kind in KINDS.items():
            mine = [one for one in work if one.kind == name]
            self._several(kind, [one for one in mine if (name, one.key) in self.plan.first])
            self._several(kind, [one for one in mine if (name, one.key) in self.plan.aside], aside=True)
            self._several(kind, [one for one in mine if one.action in (CREATE, UPDATE)])
            if self.failures and not self.keep_going:
                return
            if name in ("service_accounts", "teams"):
                # Whoever was made by a request without an answer is known only when asked for.
                self.org.forget()
        if self.failures:
            # What should have been moved may still be inside.
            return
        late = [one for one in work if one.action == DELETE and (one.kind, one.key) not in self.plan.first]
        for name, kind in reversed(KINDS.items()):
            self._several(kind, [one for one in late if one.kind == name])
            if self.failures and not self.keep_going:
                return

    def _several(self, kind: Kind, changes: list[Change], *, aside: bool = False) -> None:
        self._done = 0
        attempt = partial(self._attempt, aside=aside)
        for level in self._levels(kind, changes):
            results = self.org.client.map(attempt, level) if kind.parallel else (attempt(change) for change in level)
            # What is under way ends before it is told what was done.
            with contextlib.closing(results):
                for failure in results:
                    if failure is not None:
                        self.failures.append(failure)
                    self._done += 1
                    self.progress(self.org.name, kind.name, self._done, len(changes))

    def _levels(self, kind: Kind, changes: list[Change]) -> list[list[Change]]:
        """Groups that have to be done one after the other: folders by depth, parents first, or last where they go."""
        if kind.name != "folders":
            return [changes] if changes else []
        wanted, live = self.plan.desired.branch.folders, self.org.folders

        def depth(change: Change) -> int:
            return -len(live.chain(change.key)) if change.action == DELETE else len(wanted.chain(change.key))

        return [list(level) for _depth, level in groupby(sorted(changes, key=depth), key=depth)]

    def _attempt(self, change: Change, *, aside: bool = False) -> Failure | None:
        failure = self._tried(change, aside)
        if failure is not None:
            # Whoever loses a part to it would delete that now.
            losers = self.plan.takes.get((change.kind, change.key), ())
            self._awaited |= {(change.kind, key): change.name for key in losers}
        return failure

    def _tried(self, change: Change, aside: bool) -> Failure | None:
        try:
            if taker := self._awaited.get((change.kind, change.key)):
                raise Overtaken(f"it was left as it is, as {taker!r} could not be written, which takes a part of it")
            self._settle(KINDS[change.kind], change, aside)
            if not aside or change.action == UPDATE:
                self.plan.done.add((change.kind, change.key))
        except (ApiError, Overtaken, Uncertain) as error:
            return Failure(self.org.name, change.kind, change.key, change.name, status_of(error), str(error))
        except KeyError as error:
            # Somebody has deleted what the plan counted on; the others are to be written all the same.
            return Failure(self.org.name, change.kind, change.key, change.name, 0, f"Grafana lacks {error}, which it names")
        return None

    def _settle(self, kind: Kind, change: Change, aside: bool) -> None:
        """Writes until Grafana has what is wanted. After every doubtful outcome it looks first, and repeats only what did
        not happen. Overtaken when somebody else has changed the object meanwhile."""
        place, planned = (kind.name, change.key), change.live
        item = kind.aside(planned) if aside and planned is not None else self.plan.item(change)
        live = self._present(kind, change.key, planned)
        if live is not planned and self._reached(kind, item, live):
            return
        if aside:
            self._shifted.add(place)
        elif losers := self.plan.takes.get(place):
            self._shifted |= {(kind.name, key) for key in losers}
            self._shifted |= {(one.kind, one.key) for one in self.plan.changes if one.kind in kind.stirs}
        for attempt in range(self.org.client.connection.retries + 1):
            try:
                self._write(kind, item, None if planned is None and attempt == 0 else live)
                return
            except (Conflict, Uncertain) as error:
                if attempt == self.org.client.connection.retries:
                    raise
                self.org.client.wait(attempt, error)
                now = kind.read(self.org, change.key) if live is None else kind.as_is(self.org, live)
                if self._reached(kind, item, now):
                    return
                live = self._next(kind, item, live, now, error)

    def _present(self, kind: Kind, key: str, planned: Live | None) -> Live | None:
        """The object that a change starts from: as it was planned, or as it is now where this run itself may have changed it."""
        if planned is None:
            # What it describes is new, and has some of Grafana's own from the beginning, which are not what somebody else has made.
            return kind.read(self.org, key) if kind.about else None
        if (kind.about, key) in self._touched or (kind.name, key) in self._shifted:
            return kind.as_is(self.org, planned)
        return planned

    def _write(self, kind: Kind, item: Item | None, live: Live | None) -> None:
        if item is None:
            if live is not None:
                kind.remove(self.org, live)
        elif live is None:
            kind.create(self.org, item)
        else:
            kind.update(self.org, item, live)

    def _reached(self, kind: Kind, item: Item | None, now: Live | None) -> bool:
        if item is None or now is None:
            return item is None and now is None
        return kind.equal(self.org, item, now)

    @staticmethod
    def _next(kind: Kind, item: Item | None, live: Live | None, now: Live | None, error: GrafanaError) -> Live | None:
        """What the next attempt has to start from."""
        same = now is live if now is None or live is None else kind.same(now, live)
        ours = now is not None and item is not None and kind.same(now, item)
        # One write in several requests may have come half-way.
        half = kind.in_steps and isinstance(error, Uncertain) and now is not None
        if same or ours or half:
            return now
        raise Overtaken(f"somebody else has changed it since it was read; run again to see what differs now ({error})") from error
