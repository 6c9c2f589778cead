"""Members are lost, measured from outside and held to their promise: the writer is killed, another one hangs, a host loses power."""

from __future__ import annotations

import pytest

from tests.scenario import drills
from tests.scenario.grafana import Visitor
from tests.scenario.site import ran
from tests.scenario.stack import Stack

NAMES = ("mariadb_killed", "galera_member_hung", "leader_power_cut")
#: Not the data of Prometheus: nothing deduplicates here, so that a replica which was without power shows its hole.
PROBES = ["address", "database", "grafana"]


@pytest.fixture(scope="module")
def run(stack: Stack) -> drills.Drilled:
    # Other tests have renewed certificates for the database's layer alone, and a sidecar of Thanos takes a restart for one.
    ran()
    # And they have moved the writer: of the connections that Grafana keeps, those to the former one are gone once they have been tried.
    for host in stack.hosts:
        visitor = Visitor(stack, host).administrator()
        for _ in range(50):
            visitor.session.get(f"{visitor.url}/api/search", timeout=10)
    found = drills.drill(*NAMES, count=len(NAMES), drill_go_on=True, drill_probes=PROBES)
    print(drills.account(found.results))
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_promise_is_kept(run: drills.Drilled, name: str) -> None:
    assert run.of(name), run.played.output[-4000:]
    (its,) = run.of(name)
    assert its["state"] == "passed", drills.account([its])
    # What was measured is the database, and what stands on it.
    assert {(figure["probe"], figure["name"]) for figure in its["figures"]} >= {("database", "outage"), ("grafana", "outage")}
