"""A run of drills made by hand, with one of every verdict."""

from __future__ import annotations

from typing import Any

from ansible_collections.monitoring.ha.plugins.plugin_utils.drill import report
from ansible_collections.monitoring.ha.plugins.plugin_utils.drill.judge import Figure
from ansible_collections.monitoring.ha.plugins.plugin_utils.drill.report import Result, Run

START = 1_764_000_000.0
SAID = '<script>alert("1")</script> level=error \x07 msg=&'


def line(probe: str, kind: str = "", outages: list[list[Any]] | None = None) -> dict[str, Any]:
    return {
        "probe": probe,
        "kind": kind,
        "start": START,
        "end": START + 60,
        "attempts": 330,
        "failed": 12 if outages else 0,
        "outages": outages or [],
    }


def result(name: str, title: str, outage: float, limit: float, turn: int = 1) -> Result:
    """A drill with one outage of the queries, ten seconds after its beginning."""
    its = Figure("query", "outage", outage, limit, "s", "", "first: connection refused <by> somebody" if outage else "")
    figures = [its, Figure("database", "acknowledged writes lost", 0, 0, "", "", "of 300"), Figure("pages", "slowest page", 1.5, None, "s")]
    return Result(
        name=name,
        title=title,
        state="passed" if its.passed else "failed",
        started=START,
        hosts=["mon1"],
        turn=turn,
        seconds=75.0,
        reasons=report.reasons(figures),
        promise={"query": limit},
        figures=[figure.as_dict() for figure in figures],
        events=[
            {"at": START + 10, "what": "injected", "host": "mon1", "words": ""},
            {"at": START + 30, "what": "mended", "host": "mon1", "words": ""},
            {"at": START + 45, "what": "whole", "host": "", "words": ""},
        ],
        moves=[{"at": START + 0.2, "what": "address", "host": "mon1"}, {"at": START + 12, "what": "address", "host": "mon2"}],
        lines=[
            line("address"),
            line("grafana", "save"),
            line("query", "", [[START + 10, START + 10 + outage, "connection refused <by> somebody"]] if outage else []),
        ],
        log=[{"at": START + 10.5, "host": "mon1", "line": f"haproxy[12]: {SAID}"}],
        cost={"query": {"processor": 0.04, "attempts a second": 5.5}},
        notes=["Not measured: no pages: drill_pager is not set"],
    )


def run() -> Run:
    title = "HAProxy hangs (SIGSTOP)"
    skipped = Result("clock_stepped", "The clock is five minutes ahead", "not run", START, ["mon3"])
    skipped.reasons = ["a container has the clock of its machine"]
    broken = Result(
        "leader_power_cut", "Power is cut", "error", START, ["mon2"], reasons=["the stack is not whole: Prometheus (mon1): x < y"]
    )
    drills = [result("haproxy_hung", title, 1.5, 5), result("haproxy_hung", title, 2.5, 5, 2), result("haproxy_hung", title, 9, 5, 3)]
    topology = {"Prometheus": ["mon1", "mon2"], "HAProxy": ["mon1", "mon2", "mon3"]}
    return Run("failover & more", START, [*drills, skipped, broken], topology, {"prometheus": "3.16.0"})


def history() -> list[dict[str, Any]]:
    about = {"cluster": "failover & more", "name": "haproxy_hung", "state": "passed"}
    return [{"at": START + n * 86400, **about, "figures": {"query outage": [n, 5]}} for n in range(5)]
