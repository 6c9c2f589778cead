# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a drill writes down while it goes on, in a directory: events, settings of the probes, and what is still to be mended."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

EVENTS = "events.jsonl"
STOP = "stop"
MENDS = "mends"


@dataclass(frozen=True)
class Event:
    """Something that was done. what: ``injected``, ``mended``, ``whole``, … words: more about it, for people."""

    at: float
    what: str
    host: str = ""
    words: str = ""


def event(directory: Path, at: float, what: str, host: str = "", words: str = "") -> None:
    with (directory / EVENTS).open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(Event(round(at, 3), what, host, words))) + "\n")


def events(directory: Path) -> list[Event]:
    """Everything that was done, in the order of the times."""
    try:
        lines = (directory / EVENTS).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    return sorted((Event(**json.loads(line)) for line in lines), key=lambda one: one.at)


def own(path: Path, text: str) -> None:
    """A file that its owner alone can read. Whatever bytes a text was made of, they are the file's."""
    with open(path, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(text.encode(errors="surrogateescape"))


def secret(path: Path, content: Any) -> None:
    """A JSON file that its owner alone can read."""
    own(path, json.dumps(content))


def promise_to_mend(
    directory: Path, number: int, command: Sequence[str], environment: Mapping[str, str], itself: float = 0.0, *, power: bool = False
) -> None:
    """Leave a command that mends, for the guardian to run when the playbook has gone.

    itself: seconds after the failure in which the hosts have mended themselves, where the command will hardly work; it is tried once then.
    power: it gives a host its power, which somebody may still be about to cut.
    """
    (directory / MENDS).mkdir(mode=0o700, exist_ok=True)
    its = {"command": list(command), "environment": dict(environment), "itself": itself, "power": power}
    secret(directory / MENDS / f"{number}.json", its)


def password(directory: Path, name: str, text: str) -> Path:
    """A file with a password for what mends, which is there no longer than that."""
    (directory / MENDS).mkdir(mode=0o700, exist_ok=True)
    path = directory / MENDS / name
    own(path, text)
    return path


def mends(directory: Path) -> dict[Path, dict[str, Any]]:
    """What is still to be mended: where it is written, and ``command``, ``environment``, ``itself`` and ``power``; in order."""
    return {path: json.loads(path.read_text(encoding="utf-8")) for path in sorted((directory / MENDS).glob("*.json"))}


def mended(directory: Path) -> None:
    """Nothing is left to be mended, and no password for it."""
    for path in (directory / MENDS).glob("*"):
        path.unlink(missing_ok=True)


def stamp(moment: float | None = None) -> str:
    """A moment as a name: ``20261125T071500``."""
    return time.strftime("%Y%m%dT%H%M%S", time.gmtime(moment))
