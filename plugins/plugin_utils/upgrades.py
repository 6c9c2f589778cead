# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The plan of an upgrade: which way the versions go, who goes first, and how many at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.monitoring.ha.plugins.module_utils import durations, topology
from ansible_collections.monitoring.ha.plugins.module_utils.catalogue import COMPONENTS, Component
from ansible_collections.monitoring.ha.plugins.plugin_utils import lock
from ansible_collections.monitoring.ha.plugins.plugin_utils.drill import failures

REASONS = ("version", "configuration", "certificates", "packages", "reboot")
STRATEGIES = ("one_by_one", "canary", "failure_domain")
#: Components of which one member takes over what another one did. Whoever does must not be away itself: one at a time.
HANDED_OVER = ("load_balancer", "postgresql", "mariadb")


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

    fleet_batches: how many of those at once, numbers or percentages, the last one again and again.
    fleet_failures: percentage that may fail.
    canaries: hosts that are watched for a while before others follow, the first of the turns and of the fleet.
    right: hosts that need no turn. moves: host → what changes there. problems: why it must not begin, a line each.
    """

    turns: list[str] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)
    fleet: list[str] = field(default_factory=list)
    fleet_batches: list[int | str] = field(default_factory=list)
    fleet_failures: int = 0
    canaries: list[str] = field(default_factory=list)
    right: list[str] = field(default_factory=list)
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


def outdated(saved: Mapping[str, float], silent: Sequence[str], longest: str, now: float) -> str:
    """Why the backups of Grafana are not young enough; empty when one is, or nothing is asked of them (``longest`` is empty).

    saved: member → when it last saved Grafana, in seconds since 1970; 0 for never. silent: members that could not be asked.
    """
    if not longest or not (saved or silent):
        return ""
    unasked = f"{', '.join(silent)} could not be asked when Grafana was backed up"
    if not saved:
        return f"{unasked}, and upgrade_backup_max_age is {longest}: bring a member of the backup back, or leave that variable empty"
    youngest = max(saved, key=lambda member: saved[member])
    age = now - saved[youngest]
    if age <= durations.seconds(longest):
        return ""
    found = f"the youngest backup of Grafana ({youngest}) is {age:.0f} s old" if saved[youngest] else "Grafana has not been backed up yet"
    found += f"; {unasked}" if silent else ""
    return f"{found}, and upgrade_backup_max_age is {longest}: run the playbook backup first, or leave that variable empty"


def had(turns: Mapping[str, Mapping[str, float]], reason: str, longest: str) -> list[str]:
    """Hosts whose turn in the same roll-out ended well, not longer than ``longest`` ago; empty for a roll-out that begins anew.

    turns: host → reason → seconds since then.
    """
    return [host for host, ages in turns.items() if longest and ages.get(reason, float("inf")) <= durations.seconds(longest)]


def order(hosts: Sequence[str], last: Sequence[str]) -> list[str]:
    """``hosts`` with those that lead something at the end, the most important one last."""
    leading = [host for host in dict.fromkeys(reversed(last)) if host in hosts][::-1]
    return [host for host in hosts if host not in leading] + leading


def together(hosts: Sequence[str], groups: Mapping[str, Sequence[str]]) -> bool:
    """Whether the stack does without all of these hosts at once."""
    for component in COMPONENTS.values():
        members = topology.members(component, groups)
        if failures.bears(component, members, hosts) or (component.name in HANDED_OVER and sum(host in members for host in hosts) > 1):
            return False
    return True


def borne(hosts: Sequence[str], groups: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """``hosts`` in the same order, in as few batches as the stack does without; one that it cannot do without is alone in its batch."""
    found: list[list[str]] = []
    for host in hosts:
        if found and together([*found[-1], host], groups):
            found[-1].append(host)
        else:
            found.append([host])
    return found


def batches(
    hosts: Sequence[str], strategy: str, domains: Mapping[str, str], groups: Mapping[str, Sequence[str]]
) -> tuple[list[str], list[int]]:
    """(hosts in order, how many go at once).

    ``canary`` differs from ``one_by_one`` in what happens after the first host, not in the order. ``failure_domain``
    takes the hosts of a domain together, as far as the stack stays whole without them; a domain comes when the last of
    its hosts would.
    """
    if strategy != "failure_domain":
        return list(hosts), [1] * len(hosts)
    names = [domains.get(host, host) or host for host in hosts]
    lasts = sorted(set(names), key=lambda name: max(n for n, other in enumerate(names) if other == name))
    found = [batch for wanted in lasts for batch in borne([h for h, name in zip(hosts, names, strict=True) if name == wanted], groups)]
    return [host for batch in found for host in batch], [len(batch) for batch in found]


def batch_of(given: object) -> int | str:
    """How many hosts at once: a number above 0, or a percentage as text; ValueError for anything else."""
    text = str(given).strip()
    number = int(text.removesuffix("%")) if re.fullmatch(r"\d{1,9}%?", text) else 0
    if number < 1 or (text.endswith("%") and number > 100):
        raise ValueError(f"upgrade_fleet_batch is {text!r}: give a number of hosts from 1, or a percentage from 1% to 100%")
    return text if text.endswith("%") else number


def budget_of(given: object) -> int:
    """How many hosts of a hundred may fail; ValueError for anything else."""
    text = str(given).strip().removesuffix("%")
    if not re.fullmatch(r"\d{1,3}", text) or int(text) > 100:
        raise ValueError(f"upgrade_fleet_failures is {str(given)!r}: give a percentage from 0 to 100")
    return int(text)


def moves(
    host: str,
    variables: Mapping[str, Any],
    running: Mapping[str, str],
    releases: Mapping[str, Component],
    components: Mapping[str, Mapping[str, Any]],
) -> list[Move]:
    """The way of each release of a host, those that stay where they are included. running: release → version.

    releases: name in the lock file → a component of it that the host runs. components: the lock file's. LockError for a version
    that it does not know; one that comes from a repository of packages is whatever the inventory names.
    """
    found = []
    for name, component in releases.items():
        chosen = str(variables.get(f"{component.role}_version") or "")
        packed = variables.get(f"{component.role}_source") == "apt"
        after = chosen if packed else lock.find(components, name, chosen or None).version
        found.append(Move(host, name, str(running.get(name, "")), after))
    return found


def plan(
    looked: Mapping[str, Mapping[str, str]],
    groups: Mapping[str, Sequence[str]],
    hostvars: Mapping[str, Mapping[str, Any]],
    components: Mapping[str, Mapping[str, Any]],
    *,
    last: Sequence[str],
    strategy: str,
    downgrade: bool,
    fleet_batch: object = "25%",
    fleet_failures: object = 0,
    due: Callable[[str, Sequence[str]], bool] = lambda _host, _moves: True,
) -> Plan:
    """The plan of all hosts that were ``looked`` at (host → release → version). due: whether a host with these moves needs a turn."""
    found = Plan(fleet_failures=budget_of(fleet_failures))
    runs = {host: [c for c in COMPONENTS.values() if host in topology.members(c, groups)] for host in looked}
    for host, running in looked.items():
        ways = moves(host, hostvars[host], running, {c.release: c for c in runs[host] if c.release}, components)
        said = (complaint(its, components.get(its.component, {}).get("upgrade") or {}, downgrade=downgrade) for its in ways)
        found.problems += [words for words in said if words]
        found.moves[host] = [its.line for its in ways if its.before != its.after]
    wanted = [host for host in looked if due(host, found.moves[host])]
    found.right = [host for host in looked if host not in wanted]
    stack = topology.stack_hosts(groups)
    # What every host runs is not missed while one is away.
    core = [host for host in wanted if host in stack]
    found.fleet = [host for host in wanted if host not in stack]
    domains = {host: str(hostvars[host].get("failure_domain") or "") for host in core}
    found.turns, found.batches = batches(order(core, last), strategy, domains, groups)
    found.canaries = [hosts[0] for hosts in (found.turns, found.fleet) if hosts and strategy == "canary"]
    found.fleet_batches = [*([1] if strategy == "canary" else []), batch_of(fleet_batch)]
    return found
