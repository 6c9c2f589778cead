# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Starts the probes of a drill, and looks after it: when the playbook is gone in the middle, mends and stops.

``python3 -m ….drill.guardian DIRECTORY PARENT PROBE…``
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from ansible_collections.monitoring.ha.plugins.plugin_utils.drill import record

PACKAGE = "ansible_collections.monitoring.ha.plugins.plugin_utils.drill"
SETTINGS = "settings.json"
#: Seconds that a probe gets to look at what is there in the end.
ENDING = 120.0
#: Seconds that one command that mends may take.
MENDING = 120.0


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def start(directory: Path, probe: str) -> subprocess.Popen[bytes]:
    """A probe, what it says beside its ledger."""
    with (directory / f"{probe}.err").open("wb") as errors:
        command = [sys.executable, "-m", f"{PACKAGE}.probes", str(directory / SETTINGS), probe]
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors)


def mend(directory: Path) -> None:
    """Everything that was injected and not mended, by the commands that were left for it, until each has worked."""
    left = record.mends(directory)
    for _attempt in range(5):
        again = []
        for its in left:
            try:
                done = subprocess.run(
                    its["command"],
                    env={**os.environ, **its["environment"]},
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    timeout=MENDING,
                    check=False,
                )
                worked = done.returncode == 0
            except (OSError, subprocess.SubprocessError):
                worked = False
            again += [] if worked else [its]
        left = again
        if not left:
            break
        time.sleep(2)
    record.event(directory, time.time(), "mended by the guardian" if not left else "not mended", "", f"{len(left)} left" if left else "")
    record.mended(directory)


def main(directory: Path, parent: int, probes: list[str]) -> None:
    """Until every probe has ended."""
    # The terminal's interrupt is for the playbook.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    running = [start(directory, probe) for probe in probes]
    deadline = float("inf")
    orphaned = False
    while any(process.poll() is None for process in running):
        if not orphaned and not alive(parent):
            orphaned = True
            mend(directory)
            (directory / record.STOP).touch()
        if deadline == float("inf") and (directory / record.STOP).exists():
            deadline = time.monotonic() + ENDING
        if time.monotonic() > deadline:
            for process in running:
                process.kill()
        time.sleep(0.2)
    if not orphaned and not alive(parent):
        mend(directory)
    (directory / SETTINGS).unlink(missing_ok=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
