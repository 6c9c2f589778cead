# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How far the data of a member reach whose server does not run: from Galera's own note, or from the database's log."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass

from ansible_collections.monitoring.ha.plugins.module_utils.galera import NOBODY, Member, Position

NOTE = "grastate.dat"
#: Directories in the data that are no databases of anybody's, and the one in which the writer is recorded.
OWN = {"mysql", "performance_schema", "sys", "lost+found", "test", "monitoring_ha"}


class DiskError(RuntimeError):
    """The data cannot be read, or not changed; the message says what the server said."""


@dataclass(frozen=True)
class Places:
    """Where things are. run: a directory that goes with the host's next start, for what starter and daemon tell each other."""

    data: str
    run: str

    @property
    def note(self) -> str:
        return os.path.join(self.data, NOTE)

    @property
    def waiting(self) -> str:
        """What the starter found, and is known to hold for as long as it keeps the file locked."""
        return os.path.join(self.run, "waiting.json")

    @property
    def words(self) -> str:
        """Further words of the server's command line, as systemd reads them."""
        return os.path.join(self.run, "start.env")

    @property
    def order(self) -> str:
        """There when somebody has said that this member begins."""
        return os.path.join(self.run, "begin")


def read(path: str) -> str:
    """Text of a file; empty when there is none."""
    with contextlib.suppress(FileNotFoundError), open(path, encoding="utf-8", errors="replace") as file:
        return file.read()
    return ""


def noted(text: str) -> Position:
    """What Galera's note says. A number of -1 beside a history means that the server did not end in an orderly way."""
    values = dict(re.findall(r"^(\w+):\s*(\S+)\s*$", text, re.MULTILINE))
    try:
        return Position(values.get("uuid", NOBODY), int(values.get("seqno", -1)))
    except ValueError:
        return Position()


def foreign(places: Places) -> bool:
    """Whether there are databases of somebody's."""
    with contextlib.suppress(FileNotFoundError), os.scandir(places.data) as entries:
        return any(entry.is_dir() and not entry.name.startswith(("#", ".")) and entry.name not in OWN for entry in entries)
    return False


def recovered(said: str) -> Position | None:
    """The position in what ``mariadbd --wsrep-recover`` says; None when it names none."""
    found = re.search(r"WSREP: Recovered position: ?([0-9a-f-]{36}):(-?\d+)", said)
    return Position(found[1], int(found[2])) if found else None


def recover(command: list[str], timeout: float) -> Position:
    """Ask the database itself, by a run of the server that ends at once. DiskError with its last words."""
    with tempfile.TemporaryDirectory(prefix="galera-") as directory:
        log = os.path.join(directory, "log")
        words = [*command, "--wsrep-recover", "--disable-log-error", f"--pid-file={directory}/pid"]
        try:
            with open(log, "wb") as file:
                code = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=file, stderr=file, timeout=timeout, check=False).returncode
        except (OSError, subprocess.SubprocessError) as error:
            raise DiskError(f"{words[0]} --wsrep-recover: {error}") from error
        said = read(log)
    position = recovered(said)
    if code or position is None:
        raise DiskError(f"{words[0]} --wsrep-recover ended with {code}: " + " | ".join(said.splitlines()[-4:]))
    return position


def position(places: Places, command: list[str], timeout: float) -> Position:
    """How far the data reach; the server must not run. DiskError when nobody can tell."""
    found = noted(read(places.note))
    return recover(command, timeout) if found.number < 0 and not found.empty else found


def permit(places: Places) -> None:
    """Galera refuses to begin with data that it does not take for the furthest; whoever calls this knows better."""
    text = read(places.note)
    if text:
        with open(places.note, "w", encoding="utf-8") as file:
            file.write(re.sub(r"^safe_to_bootstrap:.*$", "safe_to_bootstrap: 1", text, flags=re.MULTILINE))


@contextlib.contextmanager
def told(places: Places, member: Member) -> Iterator[None]:
    """Let the daemon tell others about a member that waits, for as long as the block runs."""
    descriptor = os.open(places.waiting, os.O_RDWR | os.O_CREAT, 0o640)
    with os.fdopen(descriptor, "r+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.truncate(0)
        file.write(json.dumps(member.as_dict()))
        file.flush()
        yield


def stopped(name: str, places: Places) -> Member:
    """A member whose server takes no questions: what its starter told, or else what its note says."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError), open(places.waiting, encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return Member.of(name, json.load(file))
    found = noted(read(places.note))
    if found.number < 0 and not found.empty:
        # It runs and does not answer yet, or has crashed and is not started again.
        return Member(name, "starting")
    return Member(name, "stopped", found, foreign(places))
