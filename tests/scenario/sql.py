"""PostgreSQL as its clients see it: through the virtual address, over TLS that they verify."""

from __future__ import annotations

import contextlib
import json
import ssl
from collections.abc import Iterator
from functools import partial
from typing import Any

import pg8000.exceptions
import pg8000.native

from tests.scenario import numbered
from tests.scenario.stack import Stack

CONFIG = "/etc/monitoring-ha/patroni/patroni.yml"
#: What a client sees of a leader that is gone, or not there yet.
ERRORS = (pg8000.exceptions.Error, OSError)


def connect(stack: Stack, *, read_only: bool = False, timeout: float = 3, tls: Any = None, **other: Any) -> Any:
    """A connection through the load balancers; verify-full, unless another ``tls`` is given."""
    its = stack.endpoints["postgresql"]
    context = ssl.create_default_context(cafile=stack.endpoints["ca"]) if tls is None else tls
    given = {name: its[name] for name in ("host", "port", "database", "user", "password")} | other
    if read_only:
        given["port"] = its["port"] + 1
    return pg8000.native.Connection(ssl_context=context, timeout=timeout, **given)


def members(stack: Stack) -> list[dict[str, Any]]:
    """What Patroni says of every member; empty while nobody answers."""
    for host in stack.hosts:
        with contextlib.suppress(AssertionError, ValueError, Exception):
            found: list[dict[str, Any]] = json.loads(stack.run(host, f"timeout 10 patronictl -c {CONFIG} list --format json"))
            return found
    return []


def leader(stack: Stack) -> str:
    return next((str(member["Member"]) for member in members(stack) if member["Role"] == "Leader"), "")


def healthy(stack: Stack) -> bool:
    """A leader and two standbys at least, and every other member follows it and may confirm its writes."""
    found = [(member["Role"], member["State"]) for member in members(stack)]
    wanted = [("Leader", "running")] + [("Quorum Standby", "streaming")] * (len(found) - 1)
    assert len(found) >= 3 and sorted(found) == sorted(wanted), found
    return True


def kept(stack: Stack) -> set[int]:
    """The rows that are there."""
    with contextlib.closing(connect(stack, timeout=30)) as connection:
        return {number for (number,) in connection.run("SELECT number FROM numbered")}


def insert(connection: Any, number: int) -> None:
    connection.run("INSERT INTO numbered VALUES (:number)", number=number)


@contextlib.contextmanager
def writing(stack: Stack) -> Iterator[numbered.Writer]:
    """Writes go on while the block runs, one transaction each."""
    with contextlib.closing(connect(stack)) as connection:
        connection.run("CREATE TABLE IF NOT EXISTS numbered (number bigint PRIMARY KEY)")
        connection.run("TRUNCATE numbered")
    with numbered.writing(numbered.Writer(numbered.Rows(partial(connect, stack), insert, ERRORS), ERRORS)) as found:
        yield found
