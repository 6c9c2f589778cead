"""Two replicas, three Alertmanagers, one page."""

from __future__ import annotations

import time

from conftest import Alarm, Pager, Stack, wait_for


def test_one_page_for_firing_and_one_for_resolved(stack: Stack, pager: Pager, alarm: Alarm) -> None:
    alarm.set("once", True)
    wait_for(
        "the alert on both replicas",
        lambda: len(stack.query('ALERTS{alertname="ScenarioAlarm",alertstate="firing"}', dedup="false")) == 2,
        60,
    )
    wait_for("the page", lambda: pager.count("ScenarioAlarm", "firing"), 90)
    time.sleep(40)  # longer than the mesh's peer timeouts together: a double would have come by now
    assert pager.count("ScenarioAlarm", "firing") == 1
    alarm.set("once", False)
    wait_for("the all-clear", lambda: pager.count("ScenarioAlarm", "resolved"), 120)
    time.sleep(40)
    assert pager.count("ScenarioAlarm", "resolved") == 1


def test_the_replica_label_is_dropped_from_alerts(pager: Pager) -> None:
    assert pager.received, "the previous test pages"
    scenario = [a for m in pager.received for a in m["alerts"] if a["labels"]["alertname"] == "ScenarioAlarm"]
    assert scenario and all("replica" not in alert["labels"] for alert in scenario)
