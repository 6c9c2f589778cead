# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the members of a Patroni cluster share, and who leads them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.monitoring.ha.plugins.module_utils import identity
from ansible_collections.monitoring.ha.plugins.module_utils.https import Client, Unanswered

#: Arguments of the modules that speak to a cluster.
OPTIONS: dict[str, dict[str, Any]] = {
    "members": {"type": "dict", "required": True},
    "user": {"type": "str", "default": "patroni"},
    "password": {"type": "str", "required": True, "no_log": True},
    **identity.OPTIONS,
}
#: Seconds that a restart may take.
RESTART = 300
#: Seconds that a switch-over may take.
SWITCH = 60
#: Where to look on.
LOOK = "see `patronictl -c /etc/monitoring-ha/patroni/patroni.yml list` on a member"


class PatroniError(RuntimeError):
    """The cluster cannot be brought into the wanted state; the message names the member and what it said."""


@dataclass(frozen=True)
class Cluster:
    """The members' APIs. members: name → ``address:port``."""

    members: Mapping[str, str]
    identity: Client
    user: str
    password: str

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Cluster:
        """The cluster that a module's arguments name."""
        return cls(given["members"], identity.client(given), given["user"], given["password"])

    def client(self, name: str, timeout: float = 10) -> Client:
        return self.identity.at(self.members[name], timeout=timeout)

    def any(self, path: str) -> Any:
        """What the first member that answers says."""
        errors = []
        for name in self.members:
            try:
                return self.client(name).json(path)
            except Unanswered as error:
                errors.append(str(error))
        raise PatroniError(f"no member answers: {'; '.join(errors)}")

    def change(self, name: str, method: str, path: str, body: Any, timeout: float = 10) -> None:
        """A verb that takes the password."""
        client = replace(self.client(name, timeout), user=self.user, password=self.password)
        status, text = client.request(method, path, json.dumps(body).encode(), {"Content-Type": "application/json"})
        if status != 200:
            raise PatroniError(f"{name}: {method} {path}: {status} {text.decode(errors='replace')[:200]}")

    def leader(self) -> str:
        found = [str(member["name"]) for member in self.any("/cluster")["members"] if member["role"] == "leader"]
        if not found:
            raise PatroniError(f"it has no leader: {LOOK}")
        return found[0]


def patch(wanted: Mapping[str, Any], present: Mapping[str, Any], *, prune: bool = False) -> dict[str, Any]:
    """What makes ``present`` equal to ``wanted``; None takes away.

    Beyond the settings of PostgreSQL, what is not wanted stays: a pause, or a slot that an operator has added.
    """
    found: dict[str, Any] = {}
    for key, value in wanted.items():
        if isinstance(value, Mapping) and isinstance(present.get(key), Mapping):
            if inner := patch(value, present[key], prune=key in ("postgresql", "parameters")):
                found[key] = inner
        elif present.get(key) != value:
            found[key] = value
    if prune:
        found.update({key: None for key in present if key not in wanted})
    return found


def lines(change: Mapping[str, Any], present: Mapping[str, Any], path: str = "") -> list[str]:
    """The patch for people: ``postgresql.parameters.max_connections: 100 → 200``."""
    found = []
    for key, value in change.items():
        before = present.get(key)
        if isinstance(value, Mapping) and isinstance(before, Mapping):
            found += lines(value, before, f"{path}{key}.")
        else:
            found.append(f"{path}{key}: {before} → {value}")
    return found


def pending(cluster: Cluster) -> list[str]:
    """Members that run with settings of before, the leader last: a standby must never have fewer connections than it."""
    members = cluster.any("/cluster")["members"]
    waiting = [member for member in members if member.get("pending_restart") and member["name"] in cluster.members]
    return [str(member["name"]) for member in sorted(waiting, key=lambda member: member["role"] == "leader")]


def settle(cluster: Cluster, sleep: Callable[[float], None]) -> None:
    """Until no standby catches up any more, as one of them has to confirm the leader's writes."""
    end = time.monotonic() + RESTART
    while time.monotonic() < end:
        members = cluster.any("/cluster")["members"]
        if all(member["state"] in ("running", "streaming") for member in members if member["name"] in cluster.members):
            return
        sleep(1)
    raise PatroniError(f"members do not follow the leader again: {LOOK}")


def ensure(
    cluster: Cluster, wanted: Mapping[str, Any], *, check: bool, wait: float, sleep: Callable[[float], None] = time.sleep
) -> list[str]:
    """Bring the shared configuration in order, restart who needs it, one after the other; what was changed, a line each."""
    present = cluster.any("/config")
    change = patch(wanted, present)
    changes = lines(change, present)
    if change and not check:
        cluster.change(cluster.leader(), "PATCH", "/config", change)
        # Members take it in at their next loop.
        sleep(wait)
    # Fewer connections reach the leader first, and only then its standbys.
    for _round in (1, 2):
        for name in pending(cluster):
            changes.append(f"restart PostgreSQL on {name}")
            if not check:
                cluster.change(name, "POST", "/restart", {"restart_pending": True}, RESTART)
                settle(cluster, sleep)
        if check or not changes or not changes[-1].startswith("restart"):
            break
        sleep(wait)
    return changes


def switch_over(cluster: Cluster, away_from: str, *, check: bool, sleep: Callable[[float], None] = time.sleep) -> str:
    """Let another member lead when ``away_from`` does; the leader afterwards. Nothing that was acknowledged is lost: it waits for
    a standby that has everything. PatroniError when there is none."""
    if cluster.leader() != away_from or check:
        return cluster.leader()
    # A change through any member is passed on to whom it concerns.
    cluster.change(away_from, "POST", "/switchover", {"leader": away_from}, RESTART)
    end = time.monotonic() + SWITCH
    while time.monotonic() < end:
        try:
            leader = cluster.leader()
        except PatroniError:
            leader = ""
        if leader and leader != away_from:
            settle(cluster, sleep)
            return leader
        sleep(0.5)
    raise PatroniError(f"{away_from} still leads after {SWITCH} s: {LOOK}")
