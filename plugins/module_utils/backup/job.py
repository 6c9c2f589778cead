# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One run: whose turn it is, then fetch, export, commit, push."""

from __future__ import annotations

import contextlib
import fcntl
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from ..grafana import exporter, given, options, signals
from ..grafana.errors import GrafanaError, Incomplete
from ..grafana.selection import Selection
from . import merging, message, report, retention, turn
from .errors import BackupError, Rejected, SettingsError, Stopped
from .report import STOOD_BY, WORKED, Outcome
from .repository import TREE, Repository
from .settings import Settings

#: How often a run begins anew because somebody else has pushed meanwhile.
ATTEMPTS = 4
#: What is said of a remote that answered, until it has everything.
WAITING = "the run ended before it was given everything"
#: Options of an export that the settings may have, and the variable that people set them by.
OPTIONS = {name: option for name, option in options.EXPORT.items() if name != "dest"}
VARIABLE = "backup_grafana_options"
#: Files that the settings name instead of a secret.
SECRETS = {"password_file": "password", "token_file": "token"}


def run(settings: Settings, *, force: bool = False, clock: Callable[[], float] = time.time) -> Outcome:
    """Does this member's part, and writes down how it went. force: works whatever the others do. Nothing is raised but bugs."""
    outcome = Outcome(settings.member, clock())
    begun = time.monotonic()
    try:
        with interruptible(), alone(settings):
            chosen, signs = (None, []) if force else turn.stand_by_for(settings)
            if chosen:
                outcome.state, outcome.why = STOOD_BY, f"{chosen.member} does the work, {chosen.why}"
            else:
                outcome.why = "; ".join(f"{sign.member} does not: {sign.why}" for sign in signs)
                Work(settings, outcome, clock).all()
                outcome.state = WORKED
    except (BackupError, GrafanaError, OSError) as error:
        outcome.why = str(error)
        if isinstance(error, Incomplete):
            outcome.unreadable = [str(failure) for failure in error.failures]
    except Exception as error:
        outcome.why = f"{type(error).__name__}: {error}"
        raise
    finally:
        outcome.duration = time.monotonic() - begun
        report.remember(settings, outcome)
    return outcome


@contextlib.contextmanager
def alone(settings: Settings) -> Iterator[None]:
    """No other run of this host at the same time; it waits for one that is under way."""
    settings.directory.mkdir(parents=True, exist_ok=True)
    with (settings.directory / "lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def interruptible() -> AbstractContextManager[None]:
    """SIGTERM ends the block with Stopped, so that it is known that the run failed."""
    stopped = "the run was told to end: did it take longer than it may?"
    return signals.interruptible(lambda _number: Stopped(stopped), signal.SIGTERM)


def checked(settings: Settings) -> dict[str, Any]:
    """Options of an export, but for the secrets that are in files. SettingsError names what is wrong with them."""
    try:
        return given.taken({name: value for name, value in settings.grafana.items() if name not in SECRETS}, OPTIONS, VARIABLE)
    except GrafanaError as error:
        raise SettingsError(str(error)) from error


def connection(settings: Settings) -> dict[str, Any]:
    """Options of an export, with the secrets from their files. BackupError for one that cannot be read."""
    found = checked(settings)
    for file, name in SECRETS.items():
        if path := settings.grafana.get(file):
            try:
                found[name] = Path(path).read_text(encoding="utf-8").rstrip("\n")
            except OSError as error:
                raise BackupError(f"{path}: {error.strerror}") from error
    return found


class Work:
    """The work of one run, noted in its outcome."""

    def __init__(self, settings: Settings, outcome: Outcome, clock: Callable[[], float] = time.time) -> None:
        self.settings, self.outcome, self.clock = settings, outcome, clock
        self.repository = Repository(settings)
        #: Names of the remotes that answered, and have refused nothing.
        self.answering: set[str] = set()

    def all(self) -> None:
        """Everything. What a remote refuses is noted; other errors are raised."""
        self.repository.open()
        for attempt in range(ATTEMPTS):
            leases = self.fetch()
            self.catch_up(leases)
            self.export()
            self.commit(leases)
            if self.push(leases, last=attempt == ATTEMPTS - 1):
                break
        self.shorten()
        self.repository.git.run("gc", "--auto", "--quiet")

    def fetch(self) -> dict[str, str]:
        """Learns what remotes have; those that still have history which was cut, with the commit that may be overwritten."""
        remotes = self.settings.remotes
        before = {remote.name: self.repository.find(self.repository.tracking(remote)) for remote in remotes}
        self.answering = set()
        for remote in remotes:
            self.outcome.remotes[remote.name] = WAITING
            try:
                self.repository.fetch(remote)
                self.answering.add(remote.name)
            except BackupError as error:
                self.outcome.remotes[remote.name] = str(error)
        return retention.reconcile(self.repository, before)

    def catch_up(self, leases: dict[str, str]) -> None:
        """Gives remotes what earlier runs or other members could not give them, as the export may fail. Histories that went
        apart need a commit that unites them first."""
        heads = self.repository.heads(leases)
        if len(heads) == 1:
            self.repository.move(heads[0])
            self.push(leases, last=False)

    def export(self) -> None:
        """Writes Grafana to the directory that is committed."""
        asked = connection(self.settings)
        with options.client(asked) as client:
            done = exporter.export(
                client,
                self.settings.work / TREE,
                wanted=asked["organisations"],
                selection=Selection.of(asked),
                keep_going=asked["on_error"] == "continue",
            )
        self.outcome.counts, self.outcome.release = done.counts, done.release
        self.outcome.unreadable = [str(failure) for failure in done.failures]

    def commit(self, leases: Mapping[str, str]) -> None:
        """Commits the tree on top of everything that is known, if it differs or histories went apart. What others keep beside it stays."""
        repository, outcome = self.repository, self.outcome
        heads = repository.heads(leases)
        base = heads[0] if heads else ""
        ground = merging.united(repository, heads)
        before, after = repository.content(base), repository.stage(ground.content)
        if base and before == after and len(heads) == 1:
            repository.move(base)
            outcome.commit, outcome.message = base, outcome.message or repository.show(base).message
            return
        outcome.remotes |= dict.fromkeys(self.answering, WAITING)
        made = message.changes(repository.changes(before, after), repository.lines)
        text = message.message(made, self.settings.member, outcome.release, united=len(heads), disputed=ground.disputed)
        outcome.commit = repository.commit(after, heads, text)
        repository.move(outcome.commit)
        outcome.committed, outcome.message = True, text
        outcome.changes = [str(one) for one in made]
        outcome.disputed = list(dict.fromkeys([*outcome.disputed, *ground.disputed]))

    def push(self, leases: dict[str, str], *, last: bool) -> bool:
        """Gives the branch to every remote that answered; whether nobody else has pushed meanwhile."""
        overtaken = False
        head = self.repository.find(self.repository.branch)
        for remote in self.settings.remotes:
            if remote.name not in self.answering:
                continue
            try:
                if self.repository.find(self.repository.tracking(remote)) != head:
                    self.repository.push(remote, instead_of=leases.get(remote.name, ""))
                    leases.pop(remote.name, None)
                self.outcome.remotes[remote.name] = ""
            except Rejected as error:
                overtaken = True
                self.outcome.remotes[remote.name] = str(error) if last else WAITING
            except BackupError as error:
                self.answering.discard(remote.name)
                self.outcome.remotes[remote.name] = str(error)
        return not overtaken

    def shorten(self) -> None:
        """Removes history that is older than it is to be kept, where every remote has everything."""
        base = "" if self.outcome.behind else retention.due(self.repository, self.clock())
        if not base:
            return
        old = self.repository.find(self.repository.branch)
        self.outcome.commit = retention.cut(self.repository, base)
        for remote in self.settings.remotes:
            try:
                self.repository.push(remote, instead_of=old)
            except BackupError as error:
                self.outcome.remotes[remote.name] = str(error)
        retention.forget(self.repository)
