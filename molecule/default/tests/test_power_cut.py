"""Each host in turn loses power, and all but one."""

from __future__ import annotations

import math
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
#: Seconds that a scrape may be late on a machine that runs all hosts at once.
JITTER = 1.0


def outage(stack: Stack, patience: float) -> tuple[float, list[str]]:
    """Seconds from now until queries through the virtual address work, three in a row; and what happened meanwhile."""
    start = time.monotonic()
    streak, first = 0, 0.0
    story: list[str] = []
    while (begun := time.monotonic() - start) < patience:
        try:
            found = stack.query('count(up{job="node_exporter"})', timeout=2)
        except requests.RequestException as error:
            found = []
            story.append(f"{begun:.1f} s: {type(error).__name__} after {time.monotonic() - start - begun:.1f} s")
        if not found:
            streak = 0
            time.sleep(0.1)
            continue
        first = first if streak else begun
        streak += 1
        if streak == 3:
            return first, story
    return patience, story


def samples(stack: Stack, host: str, since: float, until: float, **labels: str) -> list[float]:
    """Moments at which there is a sample of a host's ``up``; deduplicated unless a replica is named."""
    selector = ",".join(f'{key}="{value}"' for key, value in {"job": "node_exporter", "host": host, **labels}.items())
    found = stack.query(f"up{{{selector}}}[{int(until - since)}s]", time=until, timeout=15, dedup=str(not labels).lower())
    return sorted(float(value[0]) for series in found for value in series["values"])


def largest_hole(times: list[float], before: float = math.inf) -> float:
    """Largest distance, in seconds, between two of those moments that are before one."""
    times = [moment for moment in times if moment < before]
    assert len(times) > 1
    return max(b - a for a, b in pairwise(times))


def missing_steps(stack: Stack, host: str, since: float, until: float) -> list[float]:
    """Moments, one a scrape interval, at which a graph of the host has no point."""
    parameters = {"query": f'up{{job="node_exporter",host="{host}"}}', "start": since, "end": until, "step": SCRAPE_INTERVAL}
    series = stack.api("/api/v1/query_range", 15, **parameters)["result"]
    present = {float(value[0]) for one in series for value in one["values"]}
    steps = int((until - since) // SCRAPE_INTERVAL) + 1
    return [since + n * SCRAPE_INTERVAL for n in range(steps) if since + n * SCRAPE_INTERVAL not in present]


def healthy(stack: Stack) -> bool:
    """Both replicas see every target of every component; object store and Alertmanagers have all their members again."""
    raw = stack.query("up", dedup="false")
    down = [f"{s['metric']['job']} {s['metric'].get('host')} ({s['metric']['replica']})" for s in raw if s["value"][1] != "1"]
    replicas = {s["metric"]["replica"] for s in raw}
    assert not down and len(replicas) == 2, f"down: {down}; replicas: {replicas}"
    turns = sorted(
        s["value"][1]
        for s in stack.query(
            'alertmanager_peer_position{job="alertmanager"} and on (host) alertmanager_cluster_members{job="alertmanager"} == 3'
        )
    )
    assert turns == ["0", "1", "2"], f"turns of the Alertmanagers: {turns}"
    stores = stack.query("cluster_healthy")
    assert {s["value"][1] for s in stores} == {"1"}, f"object store: {[(s['metric']['host'], s['value'][1]) for s in stores]}"
    return True


def without_holes(stack: Stack, gone: str, survivors: list[str], started: float, began: float, now: float) -> bool:
    """Whether nothing is missing of the hosts that went on."""
    for host in survivors:
        assert not missing_steps(stack, host, began, now)
        by_replica = {p["host"]: samples(stack, host, began, now, replica=p["host"]) for p in stack.endpoints["prometheus"]}
        assert all(largest_hole(its) <= SCRAPE_INTERVAL + JITTER for replica, its in by_replica.items() if replica != gone), by_replica
        # Penalty deduplication takes the other replica's next sample after twice the distance that it has seen in the first one's.
        # That may be a distance which it has itself made: a replica's block and its sidecar overlap, and are two of its series.
        distance = max(largest_hole(its, started) for its in by_replica.values())
        overlap = 2 * distance + SCRAPE_INTERVAL
        merged = samples(stack, host, began, now)
        assert largest_hole(merged) <= 2 * overlap + SCRAPE_INTERVAL + JITTER, (merged, by_replica)
    return True


@pytest.mark.parametrize("host", HOSTS)
def test_a_host_loses_power(stack: Stack, pager: Pager, alarm: Alarm, powered: None, host: str) -> None:
    survivors = [h for h in HOSTS if h != host]
    name = f"without-{host}"
    wait_for("a healthy stack", lambda: healthy(stack), 180)
    started = time.time()
    stack.container(host).kill()

    seconds, story = outage(stack, 30)
    assert seconds <= OBJECTIVE, story

    alarm.set(survivors[0], name, True)
    assert objects.round_trip(stack, f"probe/{host}", host.encode()) == host.encode()
    wait_for("the page", lambda: pager.count(name, "firing"), 120)
    time.sleep(20)
    assert pager.count(name, "firing") == 1, pager.history(name)

    stack.container(host).start()
    wait_for("the host's return", lambda: healthy(stack), 180)
    time.sleep(2 * SCRAPE_INTERVAL)
    # Range queries are answered at multiples of their step. What happened to the host before is not of this failure.
    began, now = (moment // SCRAPE_INTERVAL * SCRAPE_INTERVAL for moment in (started - 3 * SCRAPE_INTERVAL, time.time()))
    wait_for("data without a hole", lambda: without_holes(stack, host, survivors, started, began, now), 30, 2)


def test_the_last_host_holds_the_address_and_answers(stack: Stack, powered: None) -> None:
    wait_for("a healthy stack", lambda: healthy(stack), 180)
    last, *others = HOSTS
    for host in others:
        stack.container(host).kill()
    seconds, story = outage(stack, 30)
    assert seconds <= 2 * OBJECTIVE, story
    # Longer than it takes to find out that nobody else is there.
    end = time.monotonic() + 15
    while time.monotonic() < end:
        assert stack.query('count(up{job="node_exporter"})')
        assert stack.endpoints["vip"] + "/" in stack.run(last, "ip -o address")
        time.sleep(1)
    for host in others:
        stack.container(host).start()
    wait_for("everybody's return", lambda: healthy(stack), 180)
