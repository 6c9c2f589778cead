"""How long a switch-over of the database keeps clients waiting when processors are busy: with the shares that units have, and equal ones.

Against the stack that ``make demo`` has left. Loops beside its services, as units of their own, take every processor; the lead is moved
while rows are written through the virtual address. The ratios are to what is promised of a switch-over; nothing is asserted.
Writes ``build/benchmarks/busy_processors.json`` and prints a Markdown table.
Run with ``PYTHONPATH=.:build/collections .venv/bin/python benchmarks/busy_processors.py`` (about six minutes on two cores).
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import statistics
from collections.abc import Iterator
from pathlib import Path

from ansible_collections.monitoring.ha.plugins.plugin_utils.drill import failures

from tests.scenario import sql
from tests.scenario.stack import Stack, wait_for

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "build" / "benchmarks"
LOOP = "systemd-run --quiet --unit busy-{number} sh -c 'while :; do :; done'"
URGENT = "systemctl show --property=Id,CPUWeight --type=service --state=active '*'"
#: Seconds without a write that a switch-over may cost.
LIMIT = float(failures.load()["postgresql_switched_over"].promise["database"] or 0)


def urgent(stack: Stack, host: str) -> dict[str, str]:
    """Units with a share of their own, and what it is."""
    shown = (dict(line.split("=", 1) for line in text.split()) for text in stack.run(host, URGENT).replace("[not set]", "").split("\n\n"))
    return {its["Id"]: its["CPUWeight"] for its in shown if its["CPUWeight"]}


@contextlib.contextmanager
def equal(stack: Stack) -> Iterator[None]:
    """Every unit has the usual share."""
    had = {host: urgent(stack, host) for host in stack.hosts}

    def give(share: str) -> None:
        for host, units in had.items():
            for unit, own in units.items():
                stack.run(host, f"systemctl set-property --runtime {unit} CPUWeight={share or own}")

    give("100")
    try:
        yield
    finally:
        give("")
        for host in stack.hosts:
            stack.run(host, "rm -f /run/systemd/system.control/*.service.d/50-CPUWeight.conf && systemctl daemon-reload")


@contextlib.contextmanager
def busy(stack: Stack, loops: int) -> Iterator[None]:
    """So many loops, one host after the other gets one."""
    where = list(zip(range(loops), itertools.cycle(stack.hosts), strict=False))
    try:
        for number, host in where:
            stack.run(host, LOOP.format(number=number))
        yield
    finally:
        for number, host in where:
            stack.run(host, f"systemctl stop busy-{number}", check=False)


def switched_over(stack: Stack) -> float:
    """Seconds between the last write before, and the first one after."""
    wait_for("a whole database", lambda: sql.healthy(stack), 120)
    leads = sql.leader(stack)
    with sql.writing(stack) as writer:
        stack.run(leads, f"patronictl -c {sql.CONFIG} switchover --leader {leads} --force")
        writer.until_written(60, more=30, least=4)
    return writer.outage()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=6)
    parser.add_argument("--loops", type=int, default=12, help="on all hosts together")
    parser.add_argument("--state", type=Path, default=ROOT / "build" / "demo", help="where the stack's endpoints.json is")
    parser.add_argument("--containers", default="ha-demo", help="how the names of its hosts begin")
    given = parser.parse_args()
    stack = Stack(json.loads((given.state / "endpoints.json").read_text(encoding="utf-8")), given.containers)
    seconds: dict[str, list[float]] = {}
    for name, loops, shares in (
        ("idle", 0, contextlib.nullcontext()),
        ("busy", given.loops, contextlib.nullcontext()),
        ("busy, equal shares", given.loops, equal(stack)),
    ):
        with shares, busy(stack, loops):
            seconds[name] = [round(switched_over(stack), 2) for _ in range(given.runs)]
    TARGET.mkdir(parents=True, exist_ok=True)
    (TARGET / "busy_processors.json").write_text(json.dumps({"limit": LIMIT, "seconds": seconds}, indent=1) + "\n", encoding="utf-8")
    print("| processors | runs | median | worst | limit | worst / limit |\n|---|---|---|---|---|---|")
    for name, its in seconds.items():
        print(f"| {name} | {len(its)} | {statistics.median(its):.1f} | {max(its):.1f} | {LIMIT:.0f} | {max(its) / LIMIT:.2f} |")


if __name__ == "__main__":
    main()
