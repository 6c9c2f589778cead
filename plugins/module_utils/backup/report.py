# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How runs went: a file for programs and people, and metrics for the node exporter."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .settings import Settings

#: What is backed up, a label of every metric; jobs for other data have names of their own.
WHAT = "grafana"
PREFIX = "monitoring_ha_backup"
RUN, SUCCESS = f"{PREFIX}_last_run_timestamp_seconds", f"{PREFIX}_last_run_success"
WORKED, STOOD_BY, FAILED = "worked", "stood by", "failed"
STATUS = "status.json"


@dataclass
class Outcome:
    """What a run did.

    state: WORKED, STOOD_BY or FAILED. why: for people. commit, message: of the repository's head, and whether this run made it.
    changes: a line each. counts: organisation to kind to number. unreadable: objects that were left out, as asked for.
    disputed: files beside the tree that people changed in different ways at several remotes, of which one version was taken. remotes:
    name to what went wrong, empty when it has every commit. untold: why something of this could not be written down.
    started: seconds since 1970; duration: seconds.
    """

    member: str
    started: float
    state: str = FAILED
    why: str = ""
    duration: float = 0.0
    commit: str = ""
    committed: bool = False
    message: str = ""
    changes: list[str] = field(default_factory=list)
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    unreadable: list[str] = field(default_factory=list)
    disputed: list[str] = field(default_factory=list)
    remotes: dict[str, str] = field(default_factory=dict)
    release: str = ""
    untold: list[str] = field(default_factory=list)

    @property
    def behind(self) -> list[str]:
        """Remotes that do not have everything."""
        return [name for name, error in self.remotes.items() if error]

    @property
    def safe(self) -> bool:
        """Whether Grafana as it is now is in the repository, and in one of the remotes where there are any."""
        return self.state == WORKED and len(self.behind) < max(1, len(self.remotes))

    @property
    def ok(self) -> bool:
        """Whether nothing is left to be desired."""
        return self.state != FAILED and not self.behind and not self.untold

    def lines(self) -> list[str]:
        """The outcome for people, the most important first."""
        found = [f"{self.state}: {self.why}" if self.why else self.state]
        found += [f"commit {self.commit[:12]}: {self.message.partition(chr(10))[0]}"] if self.committed else []
        found += self.changes[:20]
        found += [f"and {len(self.changes) - 20} more"] if len(self.changes) > 20 else []
        found += [f"not read: {one}" for one in self.unreadable]
        found += [f"{one}: changed in several ways, one of which was taken" for one in self.disputed]
        found += [f"remote {name}: {error or 'has everything'}" for name, error in self.remotes.items()]
        return found + self.untold


def status(settings: Settings) -> dict[str, Any]:
    """What is known of earlier runs; empty where there is nothing."""
    with contextlib.suppress(OSError, ValueError):
        found = json.loads((settings.directory / STATUS).read_text(encoding="utf-8"))
        return found if isinstance(found, dict) else {}
    return {}


def remember(settings: Settings, outcome: Outcome) -> None:
    """Writes down how a run went, with what stays of earlier ones. What cannot be written is noted in the outcome."""
    before = status(settings)
    end = outcome.started + outcome.duration
    reached: dict[str, float] = {remote.name: before.get("reached", {}).get(remote.name, 0.0) for remote in settings.remotes}
    reached |= {name: end for name, error in outcome.remotes.items() if not error}
    now = {
        "last_run": end,
        "last_success": end if outcome.safe else before.get("last_success", 0.0),
        "last_change": end if outcome.committed else before.get("last_change", 0.0),
        "reached": reached,
    }
    if settings.textfile:
        attempt(outcome, Path(settings.textfile), "\n".join(metrics(settings, outcome, now)) + "\n", 0o644)
    known = {**asdict(outcome), "ok": outcome.ok, **now}
    attempt(outcome, settings.directory / STATUS, json.dumps(known, indent=2, ensure_ascii=False) + "\n", 0o640)


def attempt(outcome: Outcome, path: Path, text: str, mode: int) -> None:
    """Writes a file, or notes why not: a run that went well has gone well, and yet nobody may learn of it."""
    try:
        write(path, text, mode)
    except OSError as error:
        outcome.untold.append(f"{path} could not be written: {error.strerror}")


def metrics(settings: Settings, outcome: Outcome, now: Mapping[str, Any]) -> Iterator[str]:
    """The node exporter's file. Of a member that stands by, nothing but that it is well."""
    yield from one("last_run_timestamp_seconds", "When this member last ran, whether it worked or stood by.", [({}, now["last_run"])])
    # What reached no remote is not saved: another member, who may reach one, has to work instead.
    well = outcome.safe or outcome.state == STOOD_BY
    yield from one("last_run_success", "Whether it stood by in its last run, or saved Grafana (in a remote, too).", [({}, int(well))])
    yield from one("working", "Whether it did the work in its last run.", [({}, int(outcome.state != STOOD_BY))])
    success = "When Grafana was last saved: in the repository, and in one of the remotes where there are any."
    yield from one("last_success_timestamp_seconds", success, [({}, now["last_success"])])
    yield from one("last_change_timestamp_seconds", "When this member last committed something.", [({}, now["last_change"])])
    yield from one("max_age_seconds", "Age from which on a backup counts as old.", [({}, settings.max_age)])
    reached = [({"remote": name}, at) for name, at in now["reached"].items()]
    yield from one("remote_last_success_timestamp_seconds", "When a remote last had everything.", reached)
    if outcome.state == STOOD_BY:
        return
    yield from one("duration_seconds", "How long the last run took.", [({}, round(outcome.duration, 3))])
    behind = [({"remote": name}, int(not error)) for name, error in outcome.remotes.items()]
    yield from one("remote_success", "Whether a remote has every commit.", behind)
    if outcome.state != WORKED:
        return
    objects = [({"organisation": org, "kind": kind}, count) for org, kinds in outcome.counts.items() for kind, count in kinds.items()]
    yield from one("objects", "Objects in the backup.", objects)
    yield from one("unreadable_objects", "Objects that could not be read, and are not in the backup.", [({}, len(outcome.unreadable))])


def one(name: str, about: str, samples: Sequence[tuple[dict[str, str], float]]) -> Iterator[str]:
    """A metric in the text format; nothing without samples."""
    if samples:
        yield f"# HELP {PREFIX}_{name} {about}"
        yield f"# TYPE {PREFIX}_{name} gauge"
    for labels, value in samples:
        inside = ",".join(f'{label}="{escaped(text)}"' for label, text in {"what": WHAT, **labels}.items())
        yield f"{PREFIX}_{name}{{{inside}}} {value}"


def escaped(text: str) -> str:
    """A label's value as the text format wants it."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def write(path: Path, text: str, mode: int) -> None:
    """Replaces a file in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="replace") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(mode)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
