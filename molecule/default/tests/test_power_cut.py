"""Each host in turn loses power."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
import requests

from tests.scenario import objects
from tests.scenario.pages import Alarm, Pager
from tests.scenario.stack import SCRAPE_INTERVAL, Stack, wait_for

HOSTS = ("mon1", "mon2", "mon3")
#: Seconds after which queries have to work again.
OBJECTIVE = 5.0


def outage(stack: Stack, patience: float) -> float:
    """Seconds from now until queries through the virtual address work, three in a row."""
    start = time.monotonic()
    streak, first = 0, 0.0
    while time.monotonic() - start < patience:
        begun = time.monotonic() - start
        try:
            if stack.query('count(up{job="node_exporter"})', timeout=2):
                first = first if streak else begun
                streak += 1
                if streak == 3:
                    return first
                continue
        except requests.RequestException:
            pass
        streak = 0
        time.sleep(0.1)
    return patience


def largest_hole(stack: Stack, host: str, since: float, until: float) -> float:
    """Largest distance, in seconds, between two samples of a host's ``up`` in the deduplicated data."""
    window = f"{int(until - since)}s"
    samples = stack.query(f'up{{job="node_exporter",host="{host}"}}[{window}]', time=until, timeout=15)
    times = sorted(float(value[0]) for series in samples for value in series["values"])
    assert len(times) > 2
    return max(b - a for a, b in pairwise(times))


def healthy(stack: Stack) -> bool:
    """Both replicas see every target of every component, and the object store has all its hosts again."""
    raw = stack.query("up", dedup="false")
    down = [f"{s['metric']['job']} {s['metric'].get('host')} ({s['metric']['replica']})" for s in raw if s["value"][1] != "1"]
    replicas = {s["metric"]["replica"] for s in raw}
    assert not down and len(replicas) == 2, f"down: {down}; replicas: {replicas}"
    stores = stack.query("cluster_healthy")
    assert {s["value"][1] for s in stores} == {"1"}, f"object store: {[(s['metric']['host'], s['value'][1]) for s in stores]}"
    return True


@pytest.mark.parametrize("host", HOSTS)
def test_a_host_loses_power(stack: Stack, pager: Pager, alarm: Alarm, powered: None, host: str) -> None:
    survivors = [h for h in HOSTS if h != host]
    name = f"without-{host}"
    wait_for("a healthy stack", lambda: healthy(stack), 180)
    started = time.time()
    stack.container(host).kill()

    assert outage(stack, 30) <= OBJECTIVE

    alarm.set(survivors[0], name, True)
    assert objects.round_trip(stack, f"probe/{host}", host.encode()) == host.encode()
    wait_for("the page", lambda: pager.count(name, "firing"), 120)
    time.sleep(20)
    assert pager.count(name, "firing") == 1, pager.history(name)

    stack.container(host).start()
    wait_for("the host's return", lambda: healthy(stack), 180)
    time.sleep(2 * SCRAPE_INTERVAL)
    holes = {other: largest_hole(stack, other, started - 60, time.time()) for other in survivors}
    # Two samples are one interval apart; a hole of one more interval is what may be.
    assert max(holes.values()) <= 2 * SCRAPE_INTERVAL, holes
