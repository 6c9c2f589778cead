"""A failure of each kind, measured from outside: killed, hung, cut off, without power, and the leader's host."""

from __future__ import annotations

import pytest
from ansible_collections.monitoring.ha.plugins.plugin_utils.drill import failures

from tests.scenario import drills

CORE = [name for name, its in failures.load().items() if its.core]


@pytest.fixture(scope="module")
def run() -> drills.Drilled:
    found = drills.drill("core", count=len(CORE), drill_go_on=True)
    print(drills.account(found.results))
    return found


@pytest.mark.parametrize("name", CORE)
def test_a_promise_is_kept(run: drills.Drilled, name: str) -> None:
    (its,) = run.of(name)
    assert its["state"] == "passed", drills.account([its])
