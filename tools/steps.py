"""Steps of a long run: what is being done, for how long, and what to read when it fails."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOGS = ROOT / "build" / "logs"
#: Lines of a failed step's log that are shown.
TAIL = 40
#: What Ansible, pytest and compilers call a failure; longer lines are cut.
FAILURE = re.compile(r"fatal: |failed: |\[ERROR\]|E  |FAILED |ERROR |error: |Error: ")
LONGEST = 2000
#: A line that a step prints for people begins like this, and is shown while it runs.
SHOWN = "    "


class Failed(RuntimeError):
    """A step failed; the message says which, and where its log is."""


@dataclass(frozen=True)
class Done:
    """What a step printed, its exit code and how long it took in seconds."""

    output: str
    code: int
    seconds: float


def telling(output: str) -> str:
    """What a person needs of a failed command's output: what it called a failure, and its last lines."""
    lines = output.splitlines()
    failures = [line for line in lines[:-TAIL] if FAILURE.match(line)]
    return "".join(f"  | {line[:LONGEST]}\n" for line in [*failures[:TAIL], *lines[-TAIL:]])


def clock(seconds: float) -> str:
    """``83.2`` → ``1:23``."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def terminate(process: subprocess.Popen[str]) -> None:
    """End a step and everything that it started: it leads a process group of its own."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(timeout=20)
            return
        except (ProcessLookupError, PermissionError):
            return
        except subprocess.TimeoutExpired:
            continue


def interruptible() -> None:
    """End in an orderly way, which removes what was made, also for a terminal that is closed and a runner out of patience."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)


def run(
    name: str,
    command: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    directory: Path = ROOT,
    timeout: float = 3600,
    watch: Callable[[str], None] | None = None,
) -> Done:
    """Run a command to its end, its output in ``build/logs/<name>.log``. ``watch`` sees each line as it comes."""
    LOGS.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    lines: list[str] = []
    with (LOGS / f"{name}.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            command,
            cwd=directory,
            env={**os.environ, "NO_COLOR": "1", "ANSIBLE_NOCOLOR": "1", "PYTHONUNBUFFERED": "1", **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        guard = threading.Timer(timeout, terminate, [process])
        guard.start()
        try:
            assert process.stdout is not None
            for line in process.stdout:
                log.write(line)
                log.flush()
                lines.append(line)
                if watch:
                    watch(line.rstrip("\n"))
            code = process.wait()
        except BaseException:
            terminate(process)
            raise
        finally:
            guard.cancel()
    return Done("".join(lines), code, time.monotonic() - start)


class Steps:
    """A numbered list of steps with elapsed times, on a terminal or in a log."""

    def __init__(self, total: int) -> None:
        self.total, self.number, self.start = total, 0, time.monotonic()

    def step(self, title: str, name: str, command: Sequence[str], environment: Mapping[str, str] | None = None) -> Done:
        """One step; Failed, after the end of its log was shown, when the command fails."""
        self.number += 1
        print(f"[{self.number}/{self.total}] {title} …", flush=True)
        done = run(name, command, environment=environment, watch=show)
        if done.code:
            print(telling(done.output), file=sys.stderr)
            raise Failed(f"{title} failed after {clock(done.seconds)}; the whole output is in {LOGS.relative_to(ROOT)}/{name}.log")
        print(f"      done in {clock(done.seconds)}, {clock(time.monotonic() - self.start)} in all", flush=True)
        return done


def show(line: str) -> None:
    """Progress of a build, and warnings."""
    if line.startswith(SHOWN) and ("building" in line or "packages after" in line):
        print(f"      {line.strip()}", flush=True)
