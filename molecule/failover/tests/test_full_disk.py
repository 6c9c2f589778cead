"""The database's leader finds its disk full."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ansible_collections.monitoring.ha.plugins.module_utils.catalogue import COMPONENTS

from tests.scenario import drills, sql
from tests.scenario.own_disk import own_disk
from tests.scenario.stack import Stack, wait_for

POSTGRESQL = COMPONENTS["postgresql"]


def leads(stack: Stack, host: str) -> None:
    """Let a member lead, once all of them may."""
    wait_for("a database", lambda: sql.healthy(stack), 180)
    if sql.leader(stack) != host:
        stack.run(host, f"patronictl -c {sql.CONFIG} switchover --force --candidate {host}")
    wait_for(f"{host} leads", lambda: sql.healthy(stack) and sql.leader(stack) == host, 60)


@pytest.fixture
def host(stack: Stack) -> Iterator[str]:
    """A member whose data are a file system of their own."""
    wait_for("a database", lambda: sql.healthy(stack), 180)
    found = next(str(member["Member"]) for member in sql.members(stack) if member["Role"] != "Leader")
    # What it had before begins anew, as a copy of the leader.
    with own_disk(stack, found, POSTGRESQL, f"rm -rf {POSTGRESQL.data}/*/patroni"):
        yield found
    wait_for("a database", lambda: sql.healthy(stack), 180)


def test_a_leader_whose_disk_is_full_hands_over(stack: Stack, host: str) -> None:
    for number in range(drills.REPEAT):
        leads(stack, host)
        found = drills.drill("leader_disk_full", report=f"full-disk-report-{number}")
        print(drills.account(found.results))
        assert (found.only["state"], found.only["hosts"]) == ("passed", [host]), drills.account(found.results)
        assert sql.leader(stack) not in ("", host)
