"""Every unit of the stack is confined at least as tightly as promised."""

from __future__ import annotations

import pytest
from ansible_collections.monitoring.ha.plugins.module_utils.catalogue import COMPONENTS

from tests.scenario.stack import Stack

#: Beginning of a unit's name → the exposure that ``systemd-analyze security`` may find at most.
THRESHOLDS = {
    "prometheus.": 2.0,
    "prometheus-postgres-exporter": 2.5,
    "patroni.": 2.5,
    "patroni-room.": 2.5,
    "etcd.": 2.5,
    "node_exporter": 2.0,
    "alertmanager": 2.0,
    "thanos-": 2.0,
    "garage.": 2.0,
    "grafana.": 2.0,
    "grafana-tls.": 3.0,
    "garage-tls": 3.0,
    "haproxy": 3.0,
    "monitoring-ha-proxy": 3.0,
    "keepalived": 3.5,
}
#: What runs only where dashboards and their database are part of the scenario.
WITH_DASHBOARDS = {"prometheus-postgres-exporter", "patroni.", "patroni-room.", "etcd.", "grafana.", "grafana-tls."}

#: What decides who serves, or passes on what is served; and what may keep a host's processors busy.
URGENT = ("etcd", "patroni", "patroni-room", "haproxy", "keepalived", "monitoring-ha-proxy", "grafana-tls", "garage-tls")
PATIENT = ("thanos-query", "thanos-query-frontend", "grafana", "garage", "alertmanager")


def left_out(stack: Stack) -> set[str]:
    """Beginnings of names of units that the scenario does without."""
    return set() if "grafana" in stack.endpoints else WITH_DASHBOARDS


def share(stack: Stack, host: str, unit: str) -> int:
    """A unit's share of the processors, as the kernel has it: of the first, or the second kind of control groups."""
    group = stack.run(host, f"systemctl show --property=ControlGroup --value {unit}.service").strip()
    assert group, f"{unit} does not run on {host}"
    return int(stack.run(host, f"cat /sys/fs/cgroup{group}/cpu.weight 2>/dev/null || cat /sys/fs/cgroup/cpu{group}/cpu.shares"))


@pytest.mark.parametrize("host", ["mon1", "mon2", "mon3"])
def test_units_are_confined(stack: Stack, host: str) -> None:
    listed = "systemctl list-units --plain --no-legend --state=active --type=service | cut -d' ' -f1"
    running = stack.run(host, listed).split()
    judged = {unit: limit for unit in running for begin, limit in THRESHOLDS.items() if unit.startswith(begin)}
    missing = {begin for begin in THRESHOLDS if not any(unit.startswith(begin) for unit in judged)}
    assert missing <= {"prometheus.", *left_out(stack)}
    for unit, limit in judged.items():
        stack.run(host, f"systemd-analyze security --no-pager --threshold={limit * 10:.0f} {unit}")


@pytest.mark.parametrize("host", ["mon1", "mon2", "mon3"])
def test_who_decides_has_processors_first(stack: Stack, host: str) -> None:
    usual = share(stack, host, "node_exporter")
    expected = dict.fromkeys(URGENT, 10) | dict.fromkeys(PATIENT, 1)
    expected = {unit: times for unit, times in expected.items() if f"{unit}." not in left_out(stack)}
    assert {unit: share(stack, host, unit) / usual for unit in expected} == expected


@pytest.mark.parametrize("host", ["mon1", "mon2", "mon3"])
def test_what_waits_for_sidecars_comes_through_what_confines_its_engine(stack: Stack, host: str) -> None:
    """The engine starts all the same, and nobody would miss what the program does."""
    unit = COMPONENTS["thanos_query"].unit
    stack.run(host, f"systemctl restart {unit}")
    (step,) = stack.run(host, f"systemctl show --property=ExecStartPre --value {unit}").splitlines()
    assert "stores.py" in step and step.endswith("code=exited ; status=0 }")
    assert stack.run(host, f"test -e /run/{unit.removesuffix('.service')}/reached && echo remembered").strip() == "remembered"


def test_nobody_takes_the_memory_of_a_postgresql_that_outlives_its_patroni(stack: Stack) -> None:
    """systemd removes what a user shares in memory when the last of its units ends, if that is one which says so."""
    listed = "systemctl list-units --plain --no-legend --state=active --type=service | cut -d' ' -f1"
    units = stack.run("mon1", f"systemctl show --property=Id,User,RemoveIPC $({listed})").strip().split("\n\n")
    shown = [dict(line.split("=", 1) for line in unit.splitlines()) for unit in units]
    kept = {its["Id"]: its["RemoveIPC"] for its in shown if its.get("User") == "postgres"}
    here = {unit for unit in ("patroni.", "patroni-room.") if unit not in left_out(stack)}
    assert kept == {f"{unit}service": "no" for unit in here}
