# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Members of a Galera cluster: who begins it, and who of them writes. Decisions alone; nothing is asked here.

A cluster of which no member runs any more is begun again by the member whose
data reach furthest, and only once every member has told how far its own do:
what has been acknowledged is on the disk of one of them at least, and which one
cannot be known from the others.

The writer is a row in a table of the cluster itself. It changes hands by an
update that Galera certifies like any other, so that two members cannot both
take it; and it stays where it is when a member comes back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

#: What Galera writes where there is no history yet.
NOBODY = "00000000-0000-0000-0000-000000000000"
#: Looks in a row at which the writer did not answer as such, before somebody else takes its place.
DEAF = 4
#: Seconds for which members that have each other but no majority are left to Galera, which brings them together by itself
#: when the network is back. Its own patience with a member (``evs.inactive_timeout``) is shorter.
STRANDED = 20.0
#: Seconds after which a member without a majority begins anew where others have one. A member that loses the group at the very
#: moment in which it joins closes its connection to it, and never opens another one.
LEFT_OUT = 60.0
#: Galera's number for a member that has everything, and for one that gives a copy (or was taken out by hand).
SYNCED, DONOR = 4, 2

State = Literal["primary", "stranded", "starting", "waiting", "stopped", "silent"]


@dataclass(frozen=True)
class Position:
    """How far data reach. uuid: of the history that they belong to. number: of its last change."""

    uuid: str = NOBODY
    number: int = -1

    @property
    def empty(self) -> bool:
        """Whether there is no history: a new member, or one that is to take a copy of the others."""
        return self.uuid == NOBODY

    def __str__(self) -> str:
        return "no data of a cluster" if self.empty else f"change {self.number}"


@dataclass(frozen=True)
class Member:
    """What is known of a member.

    state: ``primary`` it runs and belongs to the majority; ``stranded`` it runs without one; ``starting`` it
    is on its way, its position not known; ``waiting`` for the decision who begins; ``stopped``; ``silent`` it does not
    answer. position: None while it is not known. foreign: it holds databases of somebody's; that counts where there is no history.
    """

    name: str
    state: State
    position: Position | None = None
    foreign: bool = False
    synced: bool = False
    writer: bool = False

    @classmethod
    def of(cls, name: str, told: Mapping[str, Any] | None) -> Member:
        """From what its daemon tells; None when it does not answer. KeyError, TypeError or ValueError for anything else."""
        if told is None:
            return cls(name, "silent")
        where = told["position"]
        position = None if where is None else Position(str(where["uuid"]), int(where["number"]))
        return cls(name, told["state"], position, bool(told["foreign"]), bool(told["synced"]), bool(told["writer"]))

    def as_dict(self) -> dict[str, Any]:
        """What ``of`` reads."""
        position = None if self.position is None else {"uuid": self.position.uuid, "number": self.position.number}
        return {
            "name": self.name,
            "state": self.state,
            "position": position,
            "foreign": self.foreign,
            "synced": self.synced,
            "writer": self.writer,
        }

    def __str__(self) -> str:
        words = {
            "primary": "runs",
            "stranded": "runs without a majority",
            "starting": "is starting",
            "waiting": "waits",
            "stopped": "is stopped",
            "silent": "does not answer",
        }[self.state]
        return f"{self.name} {words}"


@dataclass(frozen=True)
class Decision:
    """action: ``join`` those who run, ``begin`` the cluster, ``wait`` and look again, or ``refuse``. reason: for people."""

    action: Literal["join", "begin", "wait", "refuse"]
    reason: str


def listed(members: Sequence[Member]) -> str:
    return ", ".join(str(member) for member in members)


def furthest(members: Sequence[Member]) -> Member:
    """Whose data reach furthest; of equals one that holds databases, and else the first. Every position has to be known."""

    def reach(member: Member) -> tuple[int, bool]:
        return (member.position or Position()).number, member.foreign

    return max(members, key=reach)


def start(me: str, members: Sequence[Member], *, forced: bool = False) -> Decision:
    """How a member whose server is about to start goes on.

    ``members`` are all of them, ``me`` included, in the same order everywhere. forced: somebody has said that this one begins.
    """
    own = next(member for member in members if member.name == me)
    others = [member for member in members if member.name != me]
    position = own.position or Position()
    running = [member for member in others if member.state == "primary"]
    if running:
        # Whoever joins may be given a copy of everything, and loses what it had.
        if position.empty and own.foreign:
            return Decision("refuse", "it holds databases that are not the cluster's, and would lose them: move /var/lib/mysql away")
        strangers = [member for member in running if member.position and not position.empty and member.position.uuid != position.uuid]
        if strangers:
            return Decision("refuse", "its data belong to another cluster, and it would lose them: move /var/lib/mysql away")
        return Decision("join", listed(running))
    if forced:
        return Decision("begin", f"because it was told to, with {position}")
    # They were together when this one was gone, and may have what it has not.
    stranded = [member for member in others if member.state == "stranded"]
    if stranded:
        return Decision("wait", f"for a majority: {listed(stranded)}")
    unknown = [member for member in others if member.position is None]
    if unknown:
        return Decision("wait", f"until it is known how far everybody's data reach: {listed(unknown)}")
    histories = {member.position.uuid for member in members if member.position and not member.position.empty}
    if len(histories) > 1:
        return Decision("refuse", f"members hold data of {len(histories)} different clusters: move /var/lib/mysql of the wrong ones away")
    first = furthest(members)
    if first.name == me:
        return Decision("begin", f"as nobody's data reach further, with {position}")
    return Decision("wait", f"for {first.name}, whose data reach furthest ({first.position}): {first}")


def asleep(members: Sequence[Member]) -> bool:
    """Whether no server runs: whoever is started alone would wait for those whose data reach further, or for the first of a new cluster.

    One that does not answer may run. Where others have data it does not: they would be with it.
    """
    if any(member.state in ("primary", "stranded") for member in members):
        return False
    with_data = any(member.state == "starting" or (member.position and not member.position.empty) for member in members)
    return with_data or all(member.state != "silent" for member in members)


def rescue(me: str, members: Sequence[Member], seconds: float) -> bool:
    """Whether a member that runs without a majority, for ``seconds`` now, makes itself one.

    Only with everybody's word: nobody else has a majority, and nobody's data reach further.
    """
    if seconds < STRANDED or any(member.state == "primary" or member.position is None for member in members):
        return False
    if len({member.position.uuid for member in members if member.position and not member.position.empty}) != 1:
        return False
    first = furthest([member for member in members if member.state == "stranded"])
    return first.name == me and furthest([first, *members]) == first


def left_out(me: str, members: Sequence[Member], seconds: float) -> bool:
    """Whether a member without a majority for ``seconds`` begins anew: others have one and answer, so that it is not cut off."""
    return seconds >= LEFT_OUT and any(member.state == "primary" and member.name != me for member in members)


@dataclass(frozen=True)
class Look:
    """What a member sees of itself.

    primary: it has the majority and takes questions. local: Galera's number for its state. read_only: it refuses writes.
    component: names of those who are with it. writer: who is recorded; empty for nobody.
    """

    primary: bool
    local: int
    read_only: bool
    component: frozenset[str]
    writer: str

    @property
    def synced(self) -> bool:
        return self.primary and self.local == SYNCED


Seat = Literal["write", "claim", "resign", "leave"]


def seat(me: str, look: Look, *, deaf: int = 0, donor_writes: bool = False) -> tuple[Seat, str]:
    """(what to do about the writer's place, why this member takes no traffic; empty when it does).

    deaf: looks in a row at which the recorded writer did not answer as such. donor_writes: a writer that
    gives a copy goes on.
    """
    if not look.primary:
        return "leave", "no majority"
    trouble = ""
    if look.read_only:
        trouble = "read-only"
    elif look.local != SYNCED and not (look.local == DONOR and donor_writes and look.writer == me):
        trouble = "gives a copy, or was taken out by hand" if look.local == DONOR else "not in step yet"
    if look.writer == me:
        return ("resign", trouble) if trouble else ("write", "")
    if trouble:
        return "leave", trouble
    if look.writer not in look.component:
        return "claim", f"{look.writer or 'nobody'} writes no more"
    if deaf >= DEAF:
        return "claim", f"{look.writer} does not answer as the writer"
    return "leave", f"{look.writer} writes"
