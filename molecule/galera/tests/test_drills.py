"""Every failure of this database, and the loss of its writer's host, measured from outside and held to its promise."""

from __future__ import annotations

import pytest
from ansible_collections.monitoring.ha.plugins.plugin_utils.drill import failures

from tests.scenario import drills
from tests.scenario.grafana import Visitor
from tests.scenario.site import ran
from tests.scenario.stack import Stack

DATABASE = [name for name, its in failures.load().items() if its.daemon in drills.MARIADB]
NAMES = [*DATABASE, "leader_power_cut"]
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
    found = drills.drill(*NAMES, count=len(NAMES) * drills.REPEAT, drill_repeat=drills.REPEAT, drill_go_on=True, drill_probes=PROBES)
    print(drills.account(found.results))
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_promise_is_kept(run: drills.Drilled, name: str) -> None:
    found = run.of(name)
    assert len(found) == drills.REPEAT, run.played.output[-4000:]
    for its in found:
        assert its["state"] == "passed", drills.account([its])
        # What was measured is the database, and what stands on it.
        assert {(figure["probe"], figure["name"]) for figure in its["figures"]} >= {("database", "outage"), ("grafana", "outage")}
