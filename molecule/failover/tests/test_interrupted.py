"""A list of drills is interrupted while something is broken: it is mended, and what had ended by then is reported."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.monitoring.ha.plugins.plugin_utils.drill import guardian, record

from tests.scenario import drills, sql
from tests.scenario.site import ROOT, player
from tests.scenario.stack import Stack, wait_for

#: Seconds that power is given, that probes take to end, and beyond.
PATIENCE = guardian.POWER + guardian.ending(Path()) + 60


def broken(stack: Stack, name: str, host: str) -> bool:
    """Whether the failure is there."""
    if name == "haproxy_hung":
        return "T" in stack.run(host, "ps -C haproxy -o stat=")
    return bool(stack.container(host).status != "running")


def interrupted(stack: Stack, number: signal.Signals, directory: Path, name: str) -> tuple[str, Path]:
    """Begin a list whose second drill is ``name``, and end it with a signal once that has struck: (host, directory of that drill)."""
    work = directory / ".work" / "001"

    def struck() -> str | None:
        return next((one.host for one in record.events(work) if one.what == "injected" and broken(stack, name, one.host)), None)

    given: dict[str, Any] = {"drill": ["nothing", name], "drill_seconds": 15, "drill_go_on": True, "drill_report": str(directory)}
    command, environment = player("drill", variables=given, strategy="linear")
    with (directory.parent / f"{directory.name}.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        host = wait_for("a failure", struck, 300)
    finally:
        # To its children too, as a terminal does; and once more, as a person does: Python ignores an interrupt that comes while it forks.
        while process.poll() is None:
            os.killpg(process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(5)
    return host, work


@pytest.mark.parametrize(("name", "number"), [("haproxy_hung", signal.SIGINT), ("prometheus_host_power_cut", signal.SIGKILL)])
def test_what_is_broken_is_mended_and_what_has_ended_is_reported(stack: Stack, name: str, number: signal.Signals) -> None:
    wait_for("a database", lambda: sql.healthy(stack), 180)
    directory = drills.report_directory(f"interrupted-{name}")
    shutil.rmtree(directory, ignore_errors=True)
    host, work = interrupted(stack, number, directory, name)
    wait_for("it is mended", lambda: not broken(stack, name, host), 60)
    wait_for("the guardian has ended", lambda: not guardian.noted(work / guardian.PROCESS), PATIENCE)
    assert [one.what for one in record.events(work) if one.what != "injected"] == ["mended by the guardian"]
    # What the probes were told holds keys.
    assert record.mends(work) == {} and not (work / guardian.SETTINGS).exists()
    wait_for("a whole database", lambda: sql.healthy(stack), 180)
    wait_for("answers", lambda: len(stack.query("count(up)")) == 1, 60)
    results = json.loads((directory / "report.json").read_text(encoding="utf-8"))["results"]
    # Whether the first one kept its promise is another matter.
    assert [(its["name"], its["state"] == "not run") for its in results] == [("nothing", False), (name, True)]
    assert {path.name for path in directory.iterdir()} >= {"junit.xml", "report.html", "history.jsonl"}
    # The next one begins as if nothing had been.
    found = drills.drill("nothing", report=directory.name)
    assert found.only["state"] == "passed", drills.account(found.results)
