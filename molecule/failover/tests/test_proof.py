"""A drill can fail: the stack is broken on purpose, and the drill that is about it says exactly that."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.scenario import drills, sql
from tests.scenario.drills import Drilled, bent
from tests.scenario.site import ran
from tests.scenario.stack import Stack, wait_for

HOSTS = ("mon1", "mon2", "mon3")
HAPROXY = "/etc/monitoring-ha/haproxy/haproxy.cfg"


@pytest.fixture(autouse=True)
def whole(stack: Stack) -> Iterator[None]:
    wait_for("a database", lambda: sql.healthy(stack), 180)
    yield
    wait_for("a database", lambda: sql.healthy(stack), 180)


def reasons(found: Drilled, state: str = "failed") -> str:
    its = found.only
    assert its["state"] == state and found.played.code != 0, drills.account(found.results)
    return "\n".join(its["reasons"])


def proof(*names: str, **variables: Any) -> Drilled:
    found = drills.drill(*names, report="proof-report", **variables)
    print(drills.account(found.results))
    return found


def test_a_member_that_was_left_out_of_haproxy(stack: Stack) -> None:
    # Queries lead to mon1 alone.
    change = "/^backend query$/,/^frontend/ { /server mon[23] /d }"
    with bent(stack, HOSTS, HAPROXY, change, "systemctl reload haproxy"):
        said = reasons(proof("query_frontend_stopped", drill_host="mon1"))
    assert "query: outage" in said
    assert "left out: HAProxy (mon1) has nothing of mon2 behind query" in said and "nothing of mon3 behind query" in said


def test_synchronous_mode_off(stack: Stack) -> None:
    ran("site", "--tags", "data", variables={"postgresql_synchronous_mode": "off"})
    try:
        said = reasons(proof("leader_power_cut", drill_patience=20), "error")
    finally:
        ran("site", "--tags", "data")
    assert "the stack is not whole before the drill" in said and "no standby confirms writes" in said


def test_sessions_are_not_shut_down_when_a_member_is_marked_down(stack: Stack) -> None:
    # A leader that hangs keeps its connections, and with them a client that waits for an answer.
    with bent(stack, HOSTS, HAPROXY, "/lua-load cut.lua/d", "systemctl reload haproxy"):
        said = reasons(proof("patroni_hung"))
    assert "database: outage" in said


def test_a_replicas_label_on_alerts(stack: Stack) -> None:
    change = "/action: labeldrop/,/regex: replica/d"
    with bent(stack, HOSTS[:2], "/etc/prometheus/prometheus.yml", change, "systemctl reload prometheus"):
        said = reasons(proof("node_exporter_killed"))
    # Members that got the alerts in another order page them again. Whoever is first may be the same replica every time.
    (labelled,) = (line for line in said.splitlines() if not line.startswith(("pages: pages for one alert", "pages: alerts paged more")))
    seen = re.fullmatch(r"pages: pages with a replica's label (\d), promised 0 \(replica (mon1|mon2|mon1, mon2)\)", labelled)
    assert seen and int(seen[1]) == len(seen[2].split(", ")), said


def test_no_check_of_keepalived(stack: Stack) -> None:
    with bent(stack, HOSTS, "/etc/monitoring-ha/keepalived/keepalived.conf", "/track_script {/,/}/d", "systemctl reload keepalived"):
        said = reasons(proof("haproxy_hung"))
    assert "address: outage" in said and "query: outage" in said


def test_an_alertmanager_that_one_prometheus_does_not_know(stack: Stack) -> None:
    gone = f"/{stack.hosts['mon3']}:9093/d".replace(".", r"\.")
    with bent(stack, HOSTS[:1], "/etc/prometheus/prometheus.yml", gone, "systemctl reload prometheus"):
        said = reasons(proof("prometheus_stopped", drill_host="mon2"))
    assert "left out: Prometheus (mon1) sends nothing to the Alertmanager of mon3" in said
    assert "pages: Alertmanagers left out 1, promised 0 (mon3 was never told of" in said
