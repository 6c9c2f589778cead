"""The database's writer finds its disk full, and another member does."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from ansible_collections.monitoring.ha.plugins.module_utils.catalogue import COMPONENTS

from tests.scenario import drills, galera
from tests.scenario.own_disk import own_disk
from tests.scenario.stack import Stack, wait_for

REPEAT = int(os.environ.get("MONITORING_HA_DRILL_REPEAT", "1"))
MARIADB = COMPONENTS["mariadb"]
PROBES = ["address", "database", "grafana"]
#: Seconds after which everybody is in step again.
RETURN = 180


def writes(stack: Stack, host: str) -> None:
    """Let a member write, once all of them may."""
    wait_for("a whole cluster", lambda: galera.healthy(stack), RETURN)
    stack.run(host, f"{MARIADB.program}/galera writer {host}")
    wait_for(f"{host} writes", lambda: galera.healthy(stack) and galera.writer(stack) == host, 60)


@pytest.fixture(scope="module")
def host(stack: Stack) -> Iterator[str]:
    """A member whose data are a file system of their own."""
    wait_for("a whole cluster", lambda: galera.healthy(stack), RETURN)
    found = next(host for host in stack.hosts if host != galera.writer(stack))
    with own_disk(stack, found, MARIADB):
        yield found
    wait_for("a whole cluster", lambda: galera.healthy(stack), RETURN)


def test_a_writer_whose_disk_is_full_leaves_its_place_to_another(stack: Stack, host: str) -> None:
    for number in range(REPEAT):
        writes(stack, host)
        found = drills.drill("mariadb_disk_full", report=f"full-disk-report-{number}", drill_probes=PROBES)
        print(drills.account(found.results))
        assert (found.only["state"], found.only["hosts"]) == ("passed", [host]), drills.account(found.results)
        assert galera.writer(stack) not in ("", host)


def test_a_member_whose_disk_is_full_keeps_nobody_from_writing(stack: Stack) -> None:
    wait_for("a whole cluster", lambda: galera.healthy(stack), RETURN)
    found = drills.drill("galera_member_disk_full", count=REPEAT, drill_repeat=REPEAT, report="member-disk-report", drill_probes=PROBES)
    print(drills.account(found.results))
    assert [its["state"] for its in found.results] == ["passed"] * REPEAT, drills.account(found.results)
