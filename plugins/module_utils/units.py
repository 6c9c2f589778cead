# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A systemd unit that runs with exactly what is on disk.

What a unit was last started and reloaded with is recorded below
``/var/lib/monitoring-ha/services``. A run that died between a change and the
restart is finished by the next one, because the record still differs. So is one
after which the unit did not behave, be it by going back to what it ran with before:
the record names that, and what was tried.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field

UNITS = "/etc/systemd/system"
RECORDS = "/var/lib/monitoring-ha/services"
DROPIN = "monitoring-ha.conf"
PROPERTIES = (
    "LoadState",
    "ActiveState",
    "SubState",
    "UnitFileState",
    "NeedDaemonReload",
    "CanReload",
    "InvocationID",
    "Result",
    "NRestarts",
    "ExecStart",
)


class UnitError(RuntimeError):
    """systemd refused; the message names the unit and ends with its own words."""


@dataclass(frozen=True)
class Wanted:
    """What a unit has to be.

    content: the whole unit file, or None for a package's. dropin: lines on top of a
    package's unit, or None. restart: changes when only a restart takes it in; reload:
    when a reload does; restart_files, reload_files: files whose content does. started: whether it runs; None leaves that to
    whatever starts it, for instance a timer. enabled: whether it starts with the host. timeout: seconds.
    """

    unit: str
    content: str | None = None
    dropin: str | None = None
    restart: str = ""
    reload: str = ""
    restart_files: tuple[str, ...] = ()
    reload_files: tuple[str, ...] = ()
    started: bool | None = True
    enabled: bool = True
    timeout: int = 120


@dataclass
class Outcome:
    """What was done. action: ``none``, ``start``, ``restart``, ``reload`` or ``stop``. identity: to be recorded."""

    changed: bool = False
    action: str = "none"
    reasons: list[str] = field(default_factory=list)
    diff: list[dict[str, str]] = field(default_factory=list)
    identity: dict[str, str] = field(default_factory=dict)


def systemctl(*words: str, timeout: float = 120) -> str:
    """Standard output of ``systemctl``; UnitError with what it said otherwise."""
    try:
        done = subprocess.run(["systemctl", *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired as error:
        raise UnitError(f"systemctl {' '.join(words)}: not done after {timeout:.0f} s") from error
    except FileNotFoundError as error:
        raise UnitError("systemctl: no such program: the host has to run systemd") from error
    if done.returncode:
        raise UnitError(f"systemctl {' '.join(words)}: {' '.join((done.stderr or done.stdout).split())}")
    return done.stdout


def show(unit: str) -> dict[str, str]:
    """The properties of a unit that decide."""
    text = systemctl("show", "--property", ",".join(PROPERTIES), unit, timeout=30)
    return dict(line.partition("=")[::2] for line in text.splitlines())


def journal(unit: str, lines: int = 8) -> str:
    """The last lines that a unit logged since it was started last, in one line; empty when there are none."""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        command = ["journalctl", "--quiet", "--no-pager", "--output", "cat", "--lines", str(lines), "--unit", unit]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20, check=False)
        return " | ".join(line.strip() for line in done.stdout.splitlines() if line.strip())
    return ""


def read(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return None


def write(path: str, text: str) -> None:
    """Replace a file in one step."""
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=f".{os.path.basename(path)}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def files(wanted: Wanted) -> dict[str, str]:
    """Path → text of the files that make the unit."""
    found = {}
    if wanted.content is not None:
        found[os.path.join(UNITS, wanted.unit)] = wanted.content
    if wanted.dropin is not None:
        found[os.path.join(UNITS, f"{wanted.unit}.d", DROPIN)] = wanted.dropin
    return found


def verify(wanted: Wanted) -> None:
    """Refuse a unit file that systemd does not understand, before it is written.

    Only what it says of the file itself counts: that a program is still missing is found out by the start.
    """
    if wanted.content is None:
        return
    with tempfile.TemporaryDirectory(prefix="monitoring-ha-unit-") as directory:
        path = os.path.join(directory, wanted.unit)
        with open(path, "w", encoding="utf-8") as file:
            file.write(wanted.content)
        command = ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", path]
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
        except (FileNotFoundError, subprocess.TimeoutExpired):
            return
        complaints = [line.replace(path, wanted.unit) for line in done.stderr.splitlines() if line.startswith(path + ":")]
    if complaints:
        raise UnitError(f"systemd refuses the unit, nothing was changed: {' | '.join(complaints[:5])}")


def record_path(unit: str) -> str:
    return os.path.join(RECORDS, f"{unit}.json")


def recorded(unit: str) -> dict[str, str]:
    """What the unit was last started and reloaded with; empty when nobody knows."""
    try:
        data = json.loads(read(record_path(unit)) or "{}")
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}


def record(unit: str, identity: dict[str, str]) -> None:
    """Remember that the unit runs with ``identity`` and behaves."""
    write(record_path(unit), json.dumps(identity, sort_keys=True) + "\n")


def record_attempt(unit: str, identity: dict[str, str]) -> None:
    """Remember that the unit is about to run with ``identity``, of which nobody knows yet whether it behaves."""
    write(record_path(unit), json.dumps({**recorded(unit), **{tried(what): its for what, its in identity.items()}}, sort_keys=True) + "\n")


def tried(what: str) -> str:
    """Where a record has what the unit was last started or reloaded with, whether or not it behaved."""
    return f"tried_{what}"


def program(now: dict[str, str]) -> list[int]:
    """Size and time of change of the program that a unit starts: another one after a package was upgraded. Empty while it is not known."""
    found = re.search(r"path=(\S+) ;", now.get("ExecStart", ""))
    try:
        its = os.stat(found[1] if found else "")
    except OSError:
        return []
    return [its.st_size, its.st_mtime_ns]


def identity_of(wanted: Wanted, now: dict[str, str]) -> dict[str, str]:
    """Digests of what a restart and what a reload takes in."""
    restart = [wanted.content, wanted.dropin, wanted.restart, program(now), *map(fingerprint, wanted.restart_files)]
    reload = [wanted.reload, *map(fingerprint, wanted.reload_files)]
    return {name: hashlib.sha256(json.dumps(facts).encode()).hexdigest() for name, facts in (("restart", restart), ("reload", reload))}


def fingerprint(path: str) -> str:
    """sha256 of a file; empty when there is none yet."""
    try:
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except OSError:
        return ""


def decide(wanted: Wanted, now: dict[str, str], known: dict[str, str], identity: dict[str, str]) -> tuple[str, str]:
    """(action, reason) that brings the unit into the wanted state."""
    if wanted.started is None:
        return "none", ""
    active = now["ActiveState"] in ("active", "activating", "reloading")
    if not wanted.started:
        return ("stop", "it runs") if active else ("none", "")
    if not active:
        return "start", f"it is {now['ActiveState']}" + (f" ({now['Result']})" if now["ActiveState"] == "failed" else "")
    for what, reason in (("restart", "unit or release"), ("reload", "configuration")):
        if not known.get(what) == known.get(tried(what), known.get(what)) == identity[what]:
            return what, reason if what in known else "nobody knows what it was started with"
    return "none", ""


def ensure(wanted: Wanted, *, check: bool) -> Outcome:
    """Write the files, then start, restart, reload or stop as needed. What is started counts as an attempt: see ``record``."""
    if "." not in wanted.unit:
        raise UnitError(f"unit {wanted.unit!r}: name it with its suffix, {wanted.unit}.service")
    outcome = Outcome()
    texts = files(wanted)
    stale = {path: text for path, text in texts.items() if read(path) != text}
    for path, text in stale.items():
        before = read(path)
        outcome.diff.append({"before_header": path, "after_header": path, "before": before or "", "after": text})
    now = show(wanted.unit)
    if now["LoadState"] in ("not-found", "masked") and not texts:
        if check:
            outcome.changed, outcome.action = True, "start" if wanted.started else "none"
            return outcome
        raise UnitError(f"{wanted.unit} is {now['LoadState']}: install its package, or unmask it")
    if stale:
        outcome.changed = True
        verify(wanted)
        if not check:
            for path, text in stale.items():
                write(path, text)
    if not check and (stale or now["NeedDaemonReload"] == "yes"):
        systemctl("daemon-reload")
        now = show(wanted.unit)
    # A static or generated unit starts for somebody else's sake; there is nothing to enable.
    switchable = now["UnitFileState"] not in ("static", "generated", "indirect", "alias", "transient")
    if switchable and (now["UnitFileState"] == "enabled") != wanted.enabled:
        outcome.changed = True
        if not check:
            systemctl("enable" if wanted.enabled else "disable", "--quiet", wanted.unit)
    outcome.identity = identity_of(wanted, now)
    outcome.action, reason = decide(wanted, now, recorded(wanted.unit), outcome.identity)
    if outcome.action == "none":
        return outcome
    outcome.changed = True
    outcome.reasons = [reason]
    if not check:
        if outcome.action != "stop":
            record_attempt(wanted.unit, outcome.identity)
        act(wanted, outcome.action, now)
    return outcome


def act(wanted: Wanted, action: str, now: dict[str, str]) -> None:
    """Do it; UnitError with the unit's last words when systemd says that it failed."""
    if action == "reload" and now["CanReload"] != "yes":
        action = "restart"
    if now["ActiveState"] == "failed":
        systemctl("reset-failed", wanted.unit)
    try:
        systemctl(action, wanted.unit, timeout=wanted.timeout)
    except UnitError as error:
        last: Sequence[str] = [part for part in (str(error), journal(wanted.unit)) if part]
        raise UnitError("; it last said: ".join(last)) from error
