# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a probe writes down: every attempt with its times, and what it found out at the end.

A ledger is a file with a JSON document on each line, so that whatever was
written before a probe died can be read, and somebody can watch it grow.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

#: ok: the right answer. error: none. wrong: one that is not right. stale: one that is too old.
State = Literal["ok", "error", "wrong", "stale"]
#: Longest detail of an attempt that is kept, in characters.
DETAIL = 300


@dataclass(frozen=True)
class Attempt:
    """One try of a client. start, end: seconds since 1970. kind: what was tried, where a probe tries several things. detail: for people."""

    number: int
    start: float
    end: float
    state: State = "ok"
    kind: str = ""
    detail: str = ""

    @property
    def seconds(self) -> float:
        return self.end - self.start


@dataclass
class Ledger:
    """Everything of one probe.

    patience: seconds after which a client counts an answer as none. facts: what was found out beside the attempts, by name.
    cost: what the probe itself used: ``cpu`` and ``wall`` seconds.
    """

    probe: str
    attempts: list[Attempt] = field(default_factory=list)
    patience: float = 5.0
    facts: dict[str, Any] = field(default_factory=dict)
    cost: dict[str, float] = field(default_factory=dict)

    def kinds(self) -> dict[str, list[Attempt]]:
        """Attempts of each kind, in the order in which they began."""
        found: dict[str, list[Attempt]] = {}
        for attempt in sorted(self.attempts, key=lambda one: one.start):
            found.setdefault(attempt.kind, []).append(attempt)
        return found

    @property
    def span(self) -> tuple[float, float]:
        """When the first attempt began and the last one ended; zeros without any."""
        if not self.attempts:
            return 0.0, 0.0
        return min(one.start for one in self.attempts), max(one.end for one in self.attempts)


def parse(probe: str, lines: Iterable[str]) -> Ledger:
    """A ledger from its lines; a line that was cut off by the probe's death is left out."""
    found = Ledger(probe)
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if "s" in entry:
            its = (entry["n"], entry["s"], entry["e"], entry.get("v", "ok"), entry.get("k", ""), entry.get("d", ""))
            found.attempts.append(Attempt(*its))
        else:
            found.patience = entry.get("patience", found.patience)
            found.facts.update(entry.get("facts", {}))
            found.cost.update(entry.get("cost", {}))
    return found


def read(path: Path) -> Ledger:
    """The ledger in a file, named like its probe; an empty one when there is no file."""
    try:
        with path.open(encoding="utf-8") as file:
            return parse(path.stem, file)
    except FileNotFoundError:
        return Ledger(path.stem)


class Writer:
    """Writes a ledger from several threads. Times are rounded to milliseconds."""

    def __init__(self, path: Path, patience: float) -> None:
        self._file = path.open("a", encoding="utf-8", buffering=1)
        self._lock = threading.Lock()
        self._put({"patience": patience})

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with self._lock:
            self._file.close()

    def _put(self, entry: dict[str, Any]) -> None:
        line = json.dumps(entry, separators=(",", ":")) + "\n"
        with self._lock:
            if not self._file.closed:
                self._file.write(line)

    def attempt(self, attempt: Attempt) -> None:
        entry: dict[str, Any] = {"n": attempt.number, "s": round(attempt.start, 3), "e": round(attempt.end, 3)}
        entry |= {"v": attempt.state} if attempt.state != "ok" else {}
        entry |= {"k": attempt.kind} if attempt.kind else {}
        entry |= {"d": attempt.detail[:DETAIL]} if attempt.detail else {}
        self._put(entry)

    def fact(self, name: str, value: Any) -> None:
        """Something found out; a later one of the same name replaces it."""
        self._put({"facts": {name: value}})

    def cost(self, cpu: float, wall: float) -> None:
        self._put({"cost": {"cpu": round(cpu, 3), "wall": round(wall, 3)}})
