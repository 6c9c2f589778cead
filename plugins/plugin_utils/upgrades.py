# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The plan of an upgrade: which way the versions go, who goes first, and how many at once."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

STRATEGIES = ("one_by_one", "canary", "failure_domain")


@dataclass(frozen=True)
class Move:
    """A component's way on one host. before: empty where it is not installed yet."""

    host: str
    component: str
    before: str
    after: str

    @property
    def line(self) -> str:
        return f"{self.component} {self.before or 'new'} → {self.after}"


@dataclass
class Plan:
    """turns: hosts one of whose failures a person would notice, in order. batches: how many of them at once. fleet: all others.

    moves: host → what changes there. problems: why it must not begin, a line each.
    """

    turns: list[str] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)
    fleet: list[str] = field(default_factory=list)
    moves: dict[str, list[str]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def numbers(version: str) -> tuple[int, ...]:
    """``3.16.0-rc.1`` → (3, 16, 0): what a comparison goes by."""
    return tuple(int(part) for part in re.findall(r"\d+", re.split(r"[-+~]", version)[0]))


def complaint(move: Move, rules: Mapping[str, Any], *, downgrade: bool) -> str:
    """Why a component must not go this way; empty when it may.

    rules: ``upgrade`` of the lock file: ``from``, the oldest version that may go to another major one, and ``majors``,
    how many of those may be taken in one step.
    """
    if not move.before or move.before == move.after:
        return ""
    before, after = numbers(move.before), numbers(move.after)
    where = f"{move.host}: {move.component} {move.before} → {move.after}"
    if after < before:
        remedy = "set upgrade_downgrade when its data allow it, or choose a newer version"
        return "" if downgrade else f"{where} is a step back: {remedy}"
    if after[:1] == before[:1]:
        return ""
    oldest = str(rules.get("from", ""))
    if oldest and before < numbers(oldest):
        return f"{where} leaves out {oldest}, without which there is no way back: upgrade to it first"
    majors = rules.get("majors")
    if majors is not None and after[0] - before[0] > int(majors):
        return f"{where} leaves out a major version: take one after the other"
    return ""


def order(hosts: Sequence[str], last: Sequence[str]) -> list[str]:
    """``hosts`` with those that lead something at the end, the most important one last."""
    leading = [host for host in dict.fromkeys(last) if host in hosts]
    return [host for host in hosts if host not in leading] + leading


def batches(hosts: Sequence[str], strategy: str, domains: Mapping[str, str]) -> tuple[list[str], list[int]]:
    """(hosts in order, how many go at once).

    ``canary`` differs from ``one_by_one`` in what happens after the first host, not in the order. ``failure_domain``
    takes the hosts of a domain together; a domain comes when the last of its hosts would.
    """
    if strategy != "failure_domain":
        return list(hosts), [1] * len(hosts)
    names = [domains.get(host, host) or host for host in hosts]
    lasts = sorted(set(names), key=lambda name: max(n for n, other in enumerate(names) if other == name))
    groups = [[host for host, name in zip(hosts, names, strict=True) if name == wanted] for wanted in lasts]
    return [host for group in groups for host in group], [len(group) for group in groups]
