"""Two replicas, three Alertmanagers, one page."""

from __future__ import annotations

import time

from tests.scenario.pages import ALERT, Alarm, Pager
from tests.scenario.stack import Stack, wait_for

#: Longer than the mesh's peer timeouts together: a double would have come by then.
SETTLED = 20


def test_one_page_for_firing_and_one_for_resolved(stack: Stack, pager: Pager, alarm: Alarm) -> None:
    alarm.set("mon3", "once", True)
    firing = f'ALERTS{{alertname="{ALERT}",alertstate="firing",name="once"}}'
    wait_for("the alert on both replicas", lambda: len(stack.query(firing, dedup="false")) == 2, 60)
    wait_for("the page", lambda: pager.count("once", "firing"), 90)
    time.sleep(SETTLED)
    assert pager.count("once", "firing") == 1, pager.history("once")
    assert "replica" not in pager.alerts("once", "firing")[0]["labels"]
    alarm.set("mon3", "once", False)
    wait_for("the all-clear", lambda: pager.count("once", "resolved"), 120)
    time.sleep(SETTLED)
    assert pager.count("once", "resolved") == 1, pager.history("once")
