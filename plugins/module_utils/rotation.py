# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Taking a host out of a load balancer's rotation, and back, without a new configuration.

HAProxy's runtime API is a socket that takes one command a connection. A drained server finishes what it
has begun and gets nothing new; what is said here is forgotten when HAProxy is started anew.
"""

from __future__ import annotations

import csv
import io
import socket
import time
from collections.abc import Callable, Container
from dataclasses import dataclass

#: Seconds between two looks at the sessions that are left.
PAUSE = 0.2
#: Of a server's administrative state: it was put into maintenance, or drained, by a command (HAProxy's SRV_ADMF_FMAINT, SRV_ADMF_FDRAIN).
TAKEN_OUT = 0x01 | 0x08
#: Answers that are no refusal: a command that was done says nothing.
DONE = ("", "\n")


class RotationError(RuntimeError):
    """HAProxy does not answer at its socket, or refuses; the message says which and why."""


@dataclass(frozen=True)
class Server:
    """A server of a back end. status: as HAProxy says it, for instance ``UP``, ``DRAIN``, ``DOWN``. sessions: those that go on.

    drained: somebody took it out; one that is down, too, has no other status than any that is down.
    """

    backend: str
    name: str
    status: str
    sessions: int
    drained: bool

    @property
    def serves(self) -> bool:
        return self.status.startswith("UP")


def said(path: str, command: str, timeout: float = 5) -> str:
    """HAProxy's answer to one command at its socket."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout)
            connection.connect(path)
            connection.sendall(command.encode() + b"\n")
            parts = []
            while part := connection.recv(65536):
                parts.append(part)
    except OSError as error:
        raise RotationError(f"{path}: {error.strerror or error}") from error
    return b"".join(parts).decode(errors="replace")


def taken_out(table: str) -> set[tuple[str, str]]:
    """(back end, server) of those that somebody took out, in the answer to ``show servers state``: a version, names, and rows."""
    lines = [line.lstrip("# ").split() for line in table.splitlines()[1:] if line.strip()]
    rows = [dict(zip(lines[0], line, strict=False)) for line in lines[1:]]
    return {(row["be_name"], row["srv_name"]) for row in rows if int(row["srv_admin_state"]) & TAKEN_OUT}


def servers(table: str, out: Container[tuple[str, str]]) -> list[Server]:
    """The servers of every back end, in the answer to ``show stat``; ``out``: those that were taken out."""
    rows = csv.DictReader(io.StringIO(table.lstrip("# ")))
    # Type 2 is a server; 0 and 1 are front and back ends.
    places = [(row, (row["pxname"], row["svname"])) for row in rows if row.get("type") == "2"]
    return [Server(*place, row["status"], int(row["scur"] or 0), place in out) for row, place in places]


def sessions(path: str, name: str, say: Callable[[str, str], str]) -> int:
    """Sessions that go on at server ``name``."""
    return sum(server.sessions for server in servers(say(path, "show stat"), ()) if server.name == name)


def rotate(
    path: str,
    name: str,
    *,
    ready: bool,
    timeout: float,
    check: bool = False,
    say: Callable[[str, str], str] = said,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> tuple[list[str], int]:
    """Take server ``name`` out of every back end, or back into it; (back ends that were changed, sessions that are left).

    A back end in which nobody else serves is left alone. After draining, waits until its sessions have ended, ``timeout``
    seconds at most: some are kept open on purpose.
    """
    found = servers(say(path, "show stat"), taken_out(say(path, "show servers state")))
    others = {server.backend for server in found if server.name != name and server.serves}
    changing = [server for server in found if server.name == name and server.drained == ready and (ready or server.backend in others)]
    for server in changing:
        answer = "" if check else say(path, f"set server {server.backend}/{name} state {'ready' if ready else 'drain'}")
        if answer not in DONE:
            raise RotationError(f"{server.backend}/{name}: {' '.join(answer.split())}")
    end = clock() + timeout
    while not ready and not check and (left := sessions(path, name, say)) and clock() < end:
        sleep(PAUSE)
    return [server.backend for server in changing], 0 if ready or check else left
