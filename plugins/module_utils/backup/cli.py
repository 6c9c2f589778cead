# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The program on a host: ``run`` by the timer, ``status``, ``history`` and ``checkout`` for people and for a restore."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..grafana import client
from . import job, report, settings
from .errors import BackupError
from .repository import Repository
from .settings import Settings

SETTINGS = Path("/etc/monitoring-ha/backup/settings.json")
FAILED = 1
#: What systemd names the timer in that has started a service (since 252).
TRIGGER = "TRIGGER_UNIT"


def parser() -> argparse.ArgumentParser:
    """All options."""
    top = argparse.ArgumentParser(prog="backup", description="Grafana in Git.")
    top.add_argument("--settings", type=Path, default=SETTINGS, help=f"default: {SETTINGS}")
    commands = top.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="back up, if it is this member's turn")
    run.add_argument("--force", action="store_true", help="whatever the other members do")
    commands.add_parser("check", help="whether the settings can be used; nothing is done")
    commands.add_parser("status", help="how the last run went")
    history = commands.add_parser("history", help="the latest commits, also those of remotes")
    history.add_argument("--limit", type=int, default=20)
    checkout = commands.add_parser("checkout", help="write the tree of a commit to a directory")
    checkout.add_argument("dest", type=Path, help="directory; replaced as a whole")
    checkout.add_argument("--at", default="", help="a commit, or a date and time; the latest commit by default")
    for name, one in commands.choices.items():
        if name != "check":
            one.add_argument("--json", action="store_true", help="print the result as JSON")
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; its exit code."""
    parsed = parser().parse_args(arguments)
    try:
        found = settings.read(parsed.settings)
        code, result, lines = _COMMANDS[parsed.command](found, parsed)
    except (BackupError, OSError) as error:
        sys.stderr.write(f"{parsed.command}: {error}\n")
        return FAILED
    if getattr(parsed, "json", False):
        lines = [json.dumps(result, ensure_ascii=False)]
    for line in lines:
        # Names of files need not be text.
        sys.stdout.buffer.write(f"{line}\n".encode(errors="replace"))
    return code


_Result = tuple[int, Any, list[str]]


def _run(found: Settings, parsed: argparse.Namespace) -> _Result:
    if os.environ.get(TRIGGER):
        time.sleep(found.wait)
    outcome = job.run(found, force=parsed.force)
    return (0 if outcome.ok else FAILED), report.status(found), outcome.lines()


def _check(found: Settings, _parsed: argparse.Namespace) -> _Result:
    if client.REQUESTS_ERROR:
        raise BackupError("requests is missing: install python3-requests")
    # The files with secrets need not be there yet.
    job.checked(found)
    return 0, {}, []


def _status(found: Settings, _parsed: argparse.Namespace) -> _Result:
    known = report.status(found)
    if not known:
        raise BackupError("there has been no run yet")
    return (0 if known["ok"] else FAILED), known, json.dumps(known, indent=2, ensure_ascii=False).splitlines()


def _fetched(found: Settings) -> tuple[Repository, list[str]]:
    """The repository with what remotes have, and which of them could not be asked."""
    repository = Repository(found)
    repository.open()
    missing = []
    for remote in found.remotes:
        try:
            repository.fetch(remote)
        except BackupError as error:
            missing.append(f"remote {remote.name}: {error}")
    return repository, missing


def _history(found: Settings, parsed: argparse.Namespace) -> _Result:
    with job.alone(found):
        repository, missing = _fetched(found)
        commits = repository.history(parsed.limit)
    lines = [f"{one.sha[:12]}  {one.at}  {one.subject}" for one in commits]
    return 0, {"commits": [one.as_dict() for one in commits], "missing": missing}, [*lines, *missing]


def _checkout(found: Settings, parsed: argparse.Namespace) -> _Result:
    with job.alone(found):
        repository, missing = _fetched(found)
        commit = repository.resolve(parsed.at)
        repository.checkout(commit, parsed.dest)
        one = repository.show(commit)
    result = {**one.as_dict(), "dest": str(parsed.dest), "missing": missing}
    return 0, result, [f"{one.sha[:12]}  {one.at}  {one.subject}", *missing]


_COMMANDS = {"run": _run, "check": _check, "status": _status, "history": _history, "checkout": _checkout}
