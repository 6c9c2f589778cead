# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Starts the probes of a drill, if any, and looks after it: when the playbook is gone in the middle, mends and stops.

``python3 -m ….drill.guardian DIRECTORY PARENT PROBE…``
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.monitoring.ha.plugins.plugin_utils.drill import record
from ansible_collections.monitoring.ha.plugins.plugin_utils.drill.clock import Clock

PACKAGE = "ansible_collections.monitoring.ha.plugins.plugin_utils.drill"
SETTINGS = "settings.json"
#: Which process the guardian is.
PROCESS = "guardian"
#: Seconds that a probe gets to look at what is there in the end, and beyond those for which one waits for the last pages.
ENDING, AFTER_PAGES = 120.0, 60.0
#: Seconds that one command that mends may take; from one attempt to the next, doubled each time, and at most; and until it is given up:
#: what gives a host its power may have nothing to say for a while, and a host that is off cannot mend itself.
MENDING = 120.0
#: Seconds that a command that cuts or gives power may take, and within which power is gone that was to be cut, however the command ended.
POWER = 300.0
PAUSE, LONGEST_PAUSE = 2.0, 60.0
GIVEN_UP = 6 * 3600.0


def born(process: int) -> str:
    """When a process began, by its kernel's count; empty when there is none, or only what is left of one that nobody has waited for."""
    try:
        # The name in between may hold anything, brackets too.
        state, *others = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        if Path("/proc/self/stat").exists():
            return ""
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return ""
        except PermissionError:
            pass
        return "unknown"
    return "" if state in ("Z", "X") else others[18]


def alive(process: int, since: str = "") -> bool:
    """Whether a process goes on. since: when it began, so that another one that has got its number is not taken for it."""
    its = born(process)
    return bool(its) and since in ("", its)


def note(path: Path, process: int) -> None:
    """Write down a process, for ``noted``."""
    path.write_text(f"{process} {born(process)}", encoding="utf-8")


def noted(path: Path) -> int:
    """The process that was written down, as long as it goes on; else 0."""
    try:
        process, *since = path.read_text(encoding="utf-8").split()
        return int(process) if alive(int(process), "".join(since)) else 0
    except (OSError, ValueError):
        return 0


def ending(directory: Path) -> float:
    """Seconds that the probes of a drill get in the end. Pages come the later, the longer the intervals between scrapes are."""
    try:
        settings = json.loads((directory / SETTINGS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ENDING
    return max(ENDING, float(settings.get("page_patience", 0)) + AFTER_PAGES)


def start(directory: Path, probe: str) -> subprocess.Popen[bytes]:
    """A probe, what it says beside its ledger."""
    with (directory / f"{probe}.err").open("wb") as errors:
        command = [sys.executable, "-m", f"{PACKAGE}.probes", str(directory / SETTINGS), probe]
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors)


def works(its: Mapping[str, Any]) -> bool:
    """Whether a command that was left has worked."""
    nothing, environment = subprocess.DEVNULL, {**os.environ, **its["environment"]}
    limit = POWER if its["power"] else MENDING
    try:
        done = subprocess.run(its["command"], env=environment, stdin=nothing, stdout=nothing, stderr=nothing, timeout=limit, check=False)
        return done.returncode == 0
    except (OSError, subprocess.SubprocessError):
        return False


class Mender:
    """Mends what was injected and not mended, by the commands that were left for it, again and again until each has worked.

    Power is given for as long as what cuts it may still be at work, and as long as anything else is left. A login that will hardly work
    is tried once: the hosts mend themselves soon, and would take further attempts for somebody's who guesses.
    """

    def __init__(self, directory: Path) -> None:
        self.directory, self.clock = directory, Clock.of(directory)
        self.pause, self.due, self.end = PAUSE, 0.0, 0.0
        #: By the drill's clock, and when by the kernel's no power is cut any more.
        self.began, self.sure = 0.0, 0.0
        self.tried: set[Path] = set()
        self.worked: set[Path] = set()
        self.by_hosts = False

    def settled(self, path: Path, its: Mapping[str, Any]) -> bool:
        """Whether nothing is to be done any more for what is written there."""
        if path in self.worked:
            return True
        if path in self.tried and its["itself"]:
            injected = max((one.at for one in record.events(self.directory) if one.what == "injected"), default=self.began)
            over = self.clock.now() > injected + float(its["itself"])
            self.by_hosts = self.by_hosts or over
            return over
        self.tried.add(path)
        begun = time.monotonic()
        if not works(its):
            return False
        if its["power"]:
            return begun >= self.sure
        self.worked.add(path)
        return True

    def done(self) -> bool:
        """Whether nothing is left, or it is given up; another attempt is made when it is time for one."""
        if not record.mends(self.directory):
            return True
        now = time.monotonic()
        self.end, self.began, self.sure = self.end or now + GIVEN_UP, self.began or self.clock.now(), self.sure or now + POWER
        if now < self.due:
            return False
        left = sum(not self.settled(path, its) for path, its in record.mends(self.directory).items())
        if left and time.monotonic() < self.end:
            self.due = time.monotonic() + self.pause
            self.pause = min(2 * self.pause, LONGEST_PAUSE)
            return False
        what = "not mended" if left else "left to the hosts" if self.by_hosts else "mended by the guardian"
        record.event(self.directory, self.clock.now(), what, "", f"{left} left" if left else "")
        record.mended(self.directory)
        return True


def main(directory: Path, parent: int, probes: list[str]) -> None:
    """Until every probe has ended (without any: until it is told to), and everything is mended."""
    since = born(parent)
    # The terminal's interrupt is for the playbook.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    running = [start(directory, probe) for probe in probes]
    mender, deadline = Mender(directory), float("inf")
    orphaned = False
    while any(process.poll() is None for process in running) or not (running or (directory / record.STOP).exists()):
        orphaned = orphaned or not since or not alive(parent, since)
        if orphaned:
            mender.done()
            (directory / record.STOP).touch()
        if deadline == float("inf") and (directory / record.STOP).exists():
            deadline = time.monotonic() + ending(directory)
        if time.monotonic() > deadline:
            for process in running:
                process.kill()
        time.sleep(0.2)
    # Whoever waits for the probes need not wait for what follows.
    (directory / SETTINGS).unlink(missing_ok=True)
    # When the playbook is gone, and when it could not mend everything itself.
    while not mender.done():
        time.sleep(0.2)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
