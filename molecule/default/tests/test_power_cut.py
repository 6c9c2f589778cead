"""Each host in turn loses power."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import pairwise

import pytest
import requests
from conftest import SCRAPE_INTERVAL, Alarm, Pager, Stack, wait_for

HOSTS = ("mon1", "mon2", "mon3")


@pytest.fixture
def powered(stack: Stack) -> Iterator[None]:
    yield
    for host in HOSTS:
        container = stack.container(host)
        if container.status != "running":
            container.start()


def outage(stack: Stack, patience: float) -> float:
    """Seconds from now until queries through the virtual address work, three in a row."""
    start = time.monotonic()
    streak, first = 0, 0.0
    while time.monotonic() - start < patience:
        try:
            if stack.query('count(up{job="node_exporter"})', timeout=2):
                first = first or time.monotonic() - start
                streak += 1
                if streak == 3:
                    return first
                continue
        except requests.RequestException:
            pass
        streak, first = 0, 0.0
        time.sleep(0.1)
    return patience


def largest_hole(stack: Stack, host: str, since: float, until: float) -> float:
    """Largest distance, in seconds, between two samples of a host's ``up`` in the deduplicated data."""
    window = f"{int(until - since)}s"
    samples = stack.query(f'up{{job="node_exporter",host="{host}"}}[{window}]', time=until, timeout=15)
    times = sorted(float(value[0]) for series in samples for value in series["values"])
    assert len(times) > 2
    return max(b - a for a, b in pairwise(times))


@pytest.mark.parametrize("host", HOSTS)
def test_a_host_loses_power(stack: Stack, pager: Pager, alarm: Alarm, powered: None, host: str) -> None:
    survivors = [h for h in HOSTS if h != host]
    alarm.host = survivors[0]
    wait_for("a healthy stack", lambda: len(stack.query('up{job="node_exporter"} == 1', dedup="false")) == 6, 120)
    before = pager.count("ScenarioAlarm", "firing")
    started = time.time()
    stack.container(host).kill()
    assert outage(stack, 30) <= 5
    alarm.set(f"without-{host}", True)
    wait_for("the page", lambda: pager.count("ScenarioAlarm", "firing") > before, 150)
    stack.container(host).start()
    wait_for("the host's return", lambda: len(stack.query('up{job="node_exporter"} == 1', dedup="false")) == 6, 120)
    time.sleep(3 * SCRAPE_INTERVAL)
    assert 1 <= pager.count("ScenarioAlarm", "firing") - before <= 2
    for other in survivors:
        assert largest_hole(stack, other, started - 60, time.time()) <= 2 * SCRAPE_INTERVAL
