"""Failover drills of a scenario, run as a user runs them; what is asserted is what their report says."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.monitoring.ha.plugins.plugin_utils.drill import conduct, record

from tests.scenario.site import Played, play
from tests.scenario.stack import Stack

#: How often each drill is run.
REPEAT = int(os.environ.get("MONITORING_HA_DRILL_REPEAT", "1"))
#: Daemons of a stack whose database is not PostgreSQL.
MARIADB = ("mariadb", "mysqld_exporter")
#: Seconds that one drill may take at most, with everything around it.
LONGEST = 420
#: Seconds that a run takes beside its drills.
AROUND = 120


@dataclass(frozen=True)
class Drilled:
    """A run of drills. results: as in the report."""

    played: Played
    results: Sequence[Mapping[str, Any]]
    directory: Path

    def of(self, name: str) -> list[Mapping[str, Any]]:
        """Every repetition of a drill, on whichever host."""
        return [its for its in self.results if its["name"].partition("@")[0] == name]

    @property
    def only(self) -> Mapping[str, Any]:
        (found,) = self.results
        return found


def report_directory(name: str = "drill-report") -> Path:
    """Below build/, where it is kept."""
    return Path(os.environ["MONITORING_HA_STATE"]) / name


def drill(*names: str, count: int = 1, report: str = "drill-report", **variables: Any) -> Drilled:
    """Run drills. count: how many they may come to, for the time that they get."""
    directory = report_directory(report)
    given = {"drill": list(names), "drill_report": str(directory), **variables}
    done = play("drill", variables=given, strategy="linear", timeout=AROUND + count * LONGEST)
    path = directory / "report.json"
    results = json.loads(path.read_text(encoding="utf-8"))["results"] if path.exists() else []
    return Drilled(done, results, directory)


@contextlib.contextmanager
def measured(report: str, seconds: float = 3600, **variables: Any) -> Iterator[list[Mapping[str, Any]]]:
    """The drills' probes look while the block runs. The list holds, after the block, what they saw, as in the report."""
    work = report_directory(report) / ".work"
    shutil.rmtree(work, ignore_errors=True)
    seen: list[Mapping[str, Any]] = []
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(drill, "nothing", count=1 + int(seconds / LONGEST), report=report, drill_seconds=seconds, **variables)
        begun = work / "000" / record.EVENTS
        while not run.done() and not begun.exists():
            time.sleep(0.5)
        assert not run.done(), run.result().played.output[-4000:]
        try:
            yield seen
        finally:
            (work / conduct.ENOUGH).touch()
            seen += run.result().results


@contextlib.contextmanager
def kept(report: str, promise: Mapping[str, float]) -> Iterator[None]:
    """The drills' probes look while the block runs, and nothing is worse than promised. promise: as in the failures' file."""
    with measured(report, drill_objectives={"nothing": dict(promise)}) as seen:
        yield
    print("\n" + account(seen))
    assert [its["state"] for its in seen] == ["passed"], account(seen)


def account(results: Sequence[Mapping[str, Any]]) -> str:
    """What was measured, and what was not kept, for whoever reads the test's output."""
    lines = []
    for its in results:
        outages = [f"{f['probe']} {f['kind']} {f['value']:g} s".replace("  ", " ") for f in its["figures"] if f["name"] == "outage"]
        lines.append(f"{its['name']} ({', '.join(its['hosts'])}): {its['state']}; {', '.join(outages)}")
        lines += [f"    {reason}" for reason in its["reasons"]]
    return "\n".join(lines)


@contextlib.contextmanager
def bent(stack: Stack, hosts: Sequence[str], path: str, change: str, then: str) -> Iterator[None]:
    """A file of some hosts is another one while the block runs. change: for sed. then: what makes the daemon read it."""
    file, copy = shlex.quote(path), f"/root/{Path(path).name}.before"
    try:
        for host in hosts:
            stack.run(host, f"cp -a -L {file} {copy} && sed -i --follow-symlinks {shlex.quote(change)} {file} && ! cmp -s {file} {copy}")
            stack.run(host, then)
        yield
    finally:
        for host in hosts:
            stack.run(host, f"[ ! -e {copy} ] || {{ cat {copy} >{file} && rm {copy}; }}; {then}")
