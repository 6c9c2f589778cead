"""What Grafana evaluates and notifies by itself."""

from __future__ import annotations

import time

from tests.scenario.grafana import Visitor
from tests.scenario.pages import Alarm, Pager
from tests.scenario.stack import Stack, wait_for

#: Longer than the instances wait for each other: a double would have come by then.
SETTLED = 20


def test_rules_of_the_stack_are_quiet(stack: Stack) -> None:
    rules = {its["uid"]: its for its in Visitor(stack).administrator().get("/api/v1/provisioning/alert-rules")}
    assert {"monitoring-ha-queries", "monitoring-ha-rules"} <= set(rules)
    for host in stack.hosts:
        groups = Visitor(stack, host).administrator().get("/api/prometheus/grafana/api/v1/rules")["data"]["groups"]
        states = {rule["name"]: rule["state"] for group in groups for rule in group["rules"]}
        assert states["QueriesUnanswered"] == states["RulesNotEvaluated"] == "inactive", host


def test_three_instances_notify_once(stack: Stack, pager: Pager, alarm: Alarm) -> None:
    alarm.set("mon3", "grafana", True)
    wait_for("the page", lambda: pager.count("grafana", "firing"), 120)
    time.sleep(SETTLED)
    assert pager.count("grafana", "firing") == 1, pager.history("grafana")
    # A dollar sign is one, and what Grafana fills in is filled in.
    assert pager.alerts("grafana", "firing")[0]["annotations"]["summary"] == "It costs $5: grafana"
