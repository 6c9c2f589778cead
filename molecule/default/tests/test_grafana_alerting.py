"""What Grafana evaluates and notifies by itself."""

from __future__ import annotations

import time
from functools import partial

import pytest

from tests.scenario.grafana import Visitor
from tests.scenario.pages import Alarm, Pager
from tests.scenario.stack import Stack, wait_for

#: Longer than the instances wait for each other: a double would have come by then.
SETTLED = 20

#: Two evaluations: drills come before, and one that met such a failure leaves its rule pending until the next.
AFTER_FAILURES = 120


def quiet(stack: Stack, host: str) -> bool:
    """Whether both rules are at rest there; who fires has not come to rest, but paged somebody."""
    groups = Visitor(stack, host).administrator().get("/api/prometheus/grafana/api/v1/rules")["data"]["groups"]
    states = {rule["name"]: rule["state"] for group in groups for rule in group["rules"]}
    found = {states["QueriesUnanswered"], states["RulesNotEvaluated"]}
    if "firing" in found:
        pytest.fail(f"{host}: {states}")
    return found == {"inactive"}


def test_rules_of_the_stack_are_quiet(stack: Stack) -> None:
    rules = {its["uid"]: its for its in Visitor(stack).administrator().get("/api/v1/provisioning/alert-rules")}
    assert {"monitoring-ha-queries", "monitoring-ha-rules"} <= set(rules)
    for host in stack.hosts:
        wait_for(f"quiet rules on {host}", partial(quiet, stack, host), AFTER_FAILURES)


def test_three_instances_notify_once(stack: Stack, pager: Pager, alarm: Alarm) -> None:
    alarm.set("mon3", "grafana", True)
    wait_for("the page", lambda: pager.count("grafana", "firing"), 120)
    time.sleep(SETTLED)
    assert pager.count("grafana", "firing") == 1, pager.history("grafana")
    # A dollar sign is one, and what Grafana fills in is filled in.
    assert pager.alerts("grafana", "firing")[0]["annotations"]["summary"] == "It costs $5: grafana"
