# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which failures there are, whom each of them strikes, and whether the topology bears it. Pure, but for reading the data."""

from __future__ import annotations

import difflib
import math
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.monitoring.ha.plugins.module_utils import topology
from ansible_collections.monitoring.ha.plugins.module_utils.catalogue import COMPONENTS, Component
from ansible_collections.monitoring.ha.plugins.plugin_utils import lock
from ansible_collections.monitoring.ha.plugins.plugin_utils.drill import judge

DATA = lock.ROOT / "roles" / "drill" / "files" / "failures.yml"

#: What is done → in words; {what} is the daemon, or the hosts.
DEEDS = {
    "nothing": "nothing is done: the stack as it is, and whatever is done to it meanwhile",
    "kill": "{what} is killed (-9)",
    "hang": "{what} hangs (SIGSTOP)",
    "stop": "{what} is stopped in an orderly way",
    "crash": "PostgreSQL crashes (-9) below Patroni",
    "switch_over": "PostgreSQL is switched over to a standby",
    "power_cut": "power is cut",
    "cut_off": "cut off from the other hosts, both ways",
    "cut_off_in": "hears nothing from the other hosts",
    "cut_off_out": "is not heard by the other hosts",
    "slow": "the network is slow: 100 ms of delay, 2 % of loss",
    "lossy": "one packet in twenty is lost",
    "disk_full": "the disk of {what} is full",
    "clock_step": "the clock is five minutes ahead",
    "certificate_expired": "the certificate has expired",
}
WHICH = ("one", "each", "all", "most")
#: Deeds by which everybody else loses a host.
LOSES = {"power_cut", "cut_off", "cut_off_in", "cut_off_out", "certificate_expired"}
#: Components that one member leads.
LED = {"postgresql", "mariadb"}
#: What is promised of the loss of a host that leads.
LEADER_LOST = "leader_power_cut"
#: Limits in seconds without the right answer, by the names of probes.
SECONDS = {"default", "query", "grafana", "database", "objects", "address", "pages"}
LIMITS = {
    *SECONDS,
    *("alerts", "page_copies", "page_delay", "pages_doubled", "pages_lost", "unreached"),
    *("holes", "tail", "outages", "wrong", "stale", "lost"),
}
#: Component of the database → the longest that is promised of it and of Grafana, in whichever way it is lost, where that is less than
#: PostgreSQL's (docs/mariadb.md).
LONGEST: dict[str, dict[str, float]] = {"mariadb": {"database": 10, "grafana": 17}}


class DrillError(ValueError):
    """What is wrong with a choice or an inventory, and the remedy."""


@dataclass(frozen=True)
class Failure:
    """A line of the data. seconds: how long it lasts. core: one of the few that stand for their kind.

    apart: the virtual address is moved away from the database's leader before, so that the failure is about one of them.
    uploads: afterwards every sidecar has to have brought its blocks to the object store.
    """

    name: str
    do: str
    whom: str
    daemon: str = ""
    seconds: float = 15.0
    promise: Mapping[str, float | None] = field(default_factory=dict)
    beyond: bool = False
    core: bool = False
    apart: bool = False
    uploads: bool = False

    @property
    def title(self) -> str:
        """For people."""
        what = COMPONENTS[self.daemon].title if self.daemon else ""
        deed = DEEDS[self.do].format(what=what)
        return deed if deed.startswith(what) and what else deed[0].upper() + deed[1:]

    @property
    def which(self) -> str:
        return self.whom.partition(" ")[0]

    @property
    def among(self) -> str:
        """The component or ``host`` of ``whom``; empty for ``holder`` and ``leader``."""
        return self.whom.partition(" ")[2]

    @property
    def loses_host(self) -> bool:
        """Whether everybody else loses the host, and the topology may bear that."""
        return self.do in LOSES and not (self.daemon or self.beyond)


@dataclass(frozen=True)
class Case:
    """One drill. host: where the failure strikes, when that is settled. turn: which repetition."""

    failure: Failure
    host: str = ""
    turn: int = 1

    @property
    def name(self) -> str:
        """Names it in reports and in the history."""
        return f"{self.failure.name}@{self.host}" if self.host else self.failure.name


@dataclass(frozen=True)
class Situation:
    """Who does what now; empty: nobody, or not known. leader: of the database. writer: of MariaDB, and without PostgreSQL the leader.

    entrance: the one of several load balancers that probes know, where no address moves among them.
    """

    holder: str = ""
    leader: str = ""
    writer: str = ""
    entrance: str = ""

    def leads(self, failure: Failure) -> str:
        """The leader of the database that the failure is about."""
        return self.writer if failure.daemon == "mariadb" else self.leader

    def of(self, failure: Failure) -> str:
        """The one that ``holder`` or ``leader`` means."""
        return self.holder if failure.whom == "holder" else self.leads(failure)


def _failure(name: str, its: Any) -> Failure:
    """One entry; DrillError names what does not fit."""
    known = {"do", "whom", "daemon", "for", "promise", "beyond", "core", "apart", "uploads"}
    if not isinstance(its, Mapping) or set(its) - known or not {"do", "whom", "for", "promise"} <= set(its):
        raise DrillError(f"failure {name}: give do, whom, for and promise, and nothing but {', '.join(sorted(known))}")
    found = Failure(
        name,
        str(its["do"]),
        str(its["whom"]),
        str(its.get("daemon", "")),
        float(its["for"]),
        its["promise"] or {},
        bool(its.get("beyond")),
        bool(its.get("core")),
        bool(its.get("apart")),
        bool(its.get("uploads")),
    )
    if found.do not in DEEDS:
        raise DrillError(f"failure {name}: nothing is known of do: {found.do}; there are {', '.join(DEEDS)}")
    if found.whom not in ("holder", "leader") and (found.which not in WHICH or found.among not in {*COMPONENTS, "host"}):
        raise DrillError(
            f"failure {name}: nobody is called {found.whom!r}: say holder, leader, or one of {', '.join(WHICH)} and a component or host"
        )
    if found.daemon and found.daemon not in COMPONENTS:
        raise DrillError(f"failure {name}: no component is called {found.daemon}")
    if unknown := set(found.promise) - LIMITS:
        raise DrillError(f"failure {name}: no promise is called {', '.join(sorted(unknown))}; there are {', '.join(sorted(LIMITS))}")
    return found


def load(path: Path = DATA) -> dict[str, Failure]:
    """Every failure by its name."""
    return {name: _failure(name, its) for name, its in yaml.safe_load(path.read_text(encoding="utf-8")).items()}


def promised(failure: Failure, objectives: Mapping[str, Any], database: str = "postgresql") -> dict[str, float | None]:
    """The failure's promise where that is the database, with what an inventory says of all of them (``all``), and of this one, on top."""
    longest = LONGEST.get(database, {})
    found = {name: limit if limit is None else min(limit, longest.get(name, limit)) for name, limit in failure.promise.items()}
    for name in ("all", failure.name):
        its = objectives.get(name) or {}
        if not isinstance(its, Mapping) or set(its) - LIMITS:
            raise DrillError(f"drill_objectives.{name}: a mapping of {', '.join(sorted(LIMITS))} to numbers or null, not {its!r}")
        for limit, value in its.items():
            number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) and value >= 0
            if value is not None and not number:
                raise DrillError(f"drill_objectives.{name}.{limit}: a number that is not negative, or null, not {value!r}")
        found |= its
    return found


def about(failure: Failure) -> list[str]:
    """Probes without which a failure's promise means nothing: those that it names.

    Beside a ``default``, which is about whatever is measured, counts of pages are limits only, unless an Alertmanager is lost.
    """
    named = {name for name in failure.promise if name in SECONDS - {"default"}}
    paged = any(name.startswith("page") for name in failure.promise)
    if paged and ("default" not in failure.promise or "alertmanager" in (failure.daemon, failure.among)):
        named.add("pages")
    return sorted(named)


def database(failure: Failure, groups: Mapping[str, Sequence[str]]) -> Component:
    """The one whose leader is meant. Where there are both, a failure is about PostgreSQL unless it is MariaDB's own."""
    other = failure.daemon == "mariadb" or not topology.members(COMPONENTS["postgresql"], groups)
    return COMPONENTS["mariadb" if other else "postgresql"]


def whose(failure: Failure, groups: Mapping[str, Sequence[str]]) -> list[str]:
    """Whom a failure may strike: hosts of the stack, which have allowed it, and nobody without its daemon."""
    stack = topology.stack_hosts(groups)
    if failure.whom in ("holder", "leader"):
        found = topology.members(COMPONENTS["load_balancer"] if failure.whom == "holder" else database(failure, groups), groups)
    elif failure.among == "host":
        found = stack
    else:
        found = topology.members(COMPONENTS[failure.among], groups)
    if not failure.daemon:
        return found
    running = [host for host in topology.members(COMPONENTS[failure.daemon], groups) if host in stack]
    if failure.whom in ("holder", "leader"):
        return running if found else []
    return [host for host in found if host in running]


def absent(failure: Failure, groups: Mapping[str, Sequence[str]], virtual: str) -> str:
    """Why there is nobody for a failure to strike; empty when there is."""
    if failure.daemon and not topology.members(COMPONENTS[failure.daemon], groups):
        return f"the inventory has no {COMPONENTS[failure.daemon].title}"
    if (failure.whom == "holder" or failure.daemon == "keepalived") and not virtual:
        return "the inventory has no virtual address"
    return "" if whose(failure, groups) else f"the inventory has nobody who is meant by {failure.whom!r}"


def _without(failure: Failure, groups: Mapping[str, Sequence[str]], virtual: str, beyond: bool) -> str:
    """Why a failure is left out that nobody has named; empty when it is not."""
    more = "" if beyond or not failure.beyond else "more than the topology can bear: name it, or set drill_beyond"
    return absent(failure, groups, virtual) or more


def choose(
    wanted: Sequence[str],
    groups: Mapping[str, Sequence[str]],
    virtual: str,
    *,
    beyond: bool = False,
    repeat: int = 1,
    host: str = "",
    known: Mapping[str, Failure] | None = None,
) -> list[Case]:
    """The drills that are meant by names, patterns (``*_hung``), ``core`` and ``all``, in the order of the data.

    Whatever is not in the inventory is left out, unless it is named, or nothing is left; then, as for a name that is not known, it is a
    DrillError.
    """
    if repeat < 1:
        raise DrillError(f"drill_repeat is {repeat}: say how often, at least once")
    failures = load() if known is None else known
    picked: dict[str, bool] = {}
    for word in wanted:
        if word in failures:
            picked[word] = True
            if reason := absent(failures[word], groups, virtual):
                raise DrillError(f"drill: {word}: {reason}")
            continue
        mine = [f for f in failures.values() if word == "all" or (word == "core" and f.core) or fnmatchcase(f.name, word)]
        if not mine:
            close = difflib.get_close_matches(word, failures, 3, 0.5)
            remedy = f"did you mean {' or '.join(close)}?" if close else "give all, core, a pattern or a name of docs/reference.md"
            raise DrillError(f"drill: no failure is called {word!r}: {remedy}")
        without = {failure.name: _without(failure, groups, virtual, beyond) for failure in mine}
        if all(without.values()):
            raise DrillError(f"drill: nothing is drilled by {word!r}: {'; '.join(f'{name}: {reason}' for name, reason in without.items())}")
        for name in (name for name, reason in without.items() if not reason):
            picked.setdefault(name, False)
    cases: list[Case] = []
    for failure in (its for name, its in failures.items() if name in picked):
        hosts = whose(failure, groups) if failure.which == "each" else [""]
        if host:
            if failure.which in ("all", "most"):
                raise DrillError(
                    f"{failure.name} strikes several hosts at once, and {host} alone would be another failure: leave drill_host out"
                )
            if host not in whose(failure, groups):
                raise DrillError(f"{failure.name} cannot strike {host}: it is for {', '.join(whose(failure, groups))}")
            hosts = [host]
        cases += [Case(failure, one, turn) for turn in range(1, repeat + 1) for one in hosts]
    return cases


def strike(case: Case, groups: Mapping[str, Sequence[str]], situation: Situation, last: Container[str] = ()) -> list[str]:
    """The hosts that a drill strikes now; DrillError when nobody can be told. last: hosts that are struck when no other can be."""
    failure, hosts = case.failure, whose(case.failure, groups)
    if case.host:
        return [case.host]
    if failure.whom in ("holder", "leader"):
        found = situation.of(failure)
        if not found:
            raise DrillError(
                f"{failure.name}: nobody is {'holder of the virtual address' if failure.whom == 'holder' else 'leader of the database'}"
            )
        # A leader without the daemon has nothing to lose: one that has it is struck instead.
        hosts = [found] if found in hosts else hosts
    if failure.which == "all":
        return hosts

    def rank(host: str) -> tuple[bool, int]:
        # A failure is to be one thing only: neither the address nor the database's lead moves where it can be helped.
        busy = 2 * (host == situation.leads(failure)) + (host == situation.holder)
        return host in last or bool(unbearable(failure, [host], groups)), busy

    quiet = sorted(hosts, key=rank)
    if failure.which == "most":
        return quiet[: (len(hosts) + 1) // 2]
    return quiet[:1]


def elsewhere(case: Case, groups: Mapping[str, Sequence[str]], situation: Situation) -> str:
    """Why the host that was named is not the one that the failure is about now; empty when it is, or when any would do."""
    if not case.host or case.failure.whom not in ("holder", "leader"):
        return ""
    role = "holds the virtual address" if case.failure.whom == "holder" else "leads the database"
    found = situation.of(case.failure)
    if found == case.host or (found and found not in whose(case.failure, groups)):
        return ""
    return f"{found or 'nobody that is known'} {role} now, not {case.host}"


def unfit(failure: Failure, situation: Situation, objectives: Mapping[str, Any], database: str) -> dict[str, str]:
    """Host → why a failure that may strike several would not be the one that is meant there, now. database: its component."""
    found = {}
    if (leader := situation.leads(failure)) and failure.which == "one":
        mine, its = (_without_database(one, objectives, database) for one in (failure, load()[LEADER_LOST]))
        if failure.daemon in LED and failure.daemon == failure.among:
            found[leader] = f"{leader} leads the database now, and {failure.name} is about a member that does not"
        elif failure.loses_host and mine < its:
            found[leader] = f"{leader} leads the database now: losing that may take {its:g} s, and {failure.name} promises {mine:g} s"
    if failure.loses_host and situation.entrance:
        found[situation.entrance] = (
            f"the inventory has no virtual address, and probes come in by {situation.entrance} alone: no other load balancer could stand in"
        )
    return found


def _without_database(failure: Failure, objectives: Mapping[str, Any], database: str) -> float:
    """Seconds that clients may be without the database."""
    limit = judge.Promise(promised(failure, objectives, database)).outage("database")
    return math.inf if limit is None else limit


def bears(component: Component, members: Sequence[str], lost: Sequence[str]) -> str:
    """Why a component cannot lose those members; empty when it can."""
    gone = [host for host in members if host in lost]
    left = len(members) - len(gone)
    if not gone or component.cardinality in ("all", "singleton"):
        return ""
    if component.majority and 2 * left <= len(members):
        return f"{component.title} would keep {left} of {len(members)} members, no majority"
    return f"{component.title} would have no member left" if not left else ""


def unbearable(failure: Failure, hosts: Sequence[str], groups: Mapping[str, Sequence[str]]) -> list[str]:
    """Why the topology cannot bear a failure of those hosts; empty when it can, or when that is the point of it."""
    if failure.beyond or failure.do == "nothing":
        return []
    struck = [COMPONENTS[failure.daemon]] if failure.daemon else list(COMPONENTS.values())
    if failure.do == "switch_over":
        struck = []
        if len(topology.members(COMPONENTS["postgresql"], groups)) < 2:
            return ["PostgreSQL has no standby to switch over to"]
    return [reason for c in struck if (reason := bears(c, topology.members(c, groups), hosts))]


def with_seconds(case: Case, seconds: float) -> Case:
    """The same drill, lasting for another time."""
    return replace(case, failure=replace(case.failure, seconds=seconds))
