"""Who was merely slow comes back at once; who was away has to show for a while that it knows everything."""

from __future__ import annotations

import math
import time

import pytest

from tests.scenario.stack import Stack, wait_for

#: What HAProxy says when it is slow.lua that brings a member back.
AT_ONCE = "is UP, changed from Lua script"
#: Who is asked, by whom, in which of their back ends.
ASKED = {
    "thanos-query-frontend.service": ("haproxy.service", "query"),
    "thanos-query.service": ("monitoring-ha-proxy.service", "query_engine"),
}


def said(stack: Stack, host: str, unit: str, since: int, words: str) -> bool:
    """Whether a unit's journal has the words since a moment, in seconds since 1970."""
    return words in stack.run(host, f"journalctl --no-pager --output=cat --since=@{since} --unit={unit}")


# Both of a unit one after the other, as an engine that is away may make front ends late.
@pytest.mark.parametrize(("unit", "slow"), [(unit, slow) for unit in ASKED for slow in (True, False)])
def test_checks_that_were_late_keep_nobody_out(stack: Stack, unit: str, slow: bool) -> None:
    by, backend = ASKED[unit]
    host = list(stack.hosts)[-1]
    member, begun = f"{backend}/{host}", math.ceil(time.time())
    # What was said before is not meant.
    time.sleep(begun - time.time())

    def everywhere(words: str) -> bool:
        return all(said(stack, its, by, begun, words) for its in stack.hosts)

    stack.run(host, f"systemctl {'kill --signal=STOP' if slow else 'stop'} {unit}")
    try:
        wait_for("it is out", lambda: everywhere(f"Server {member} is DOWN"), 60)
    finally:
        stack.run(host, f"systemctl {'kill --signal=CONT' if slow else 'start'} {unit}")
    wait_for("it is back", lambda: everywhere(f"Server {member} is UP"), 60)
    assert [its for its in stack.hosts if said(stack, its, by, begun, f"Server {member} {AT_ONCE}") is not slow] == []
