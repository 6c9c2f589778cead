"""PostgreSQL as its clients see it: through the virtual address, over TLS that they verify."""

from __future__ import annotations

import contextlib
import itertools
import json
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pg8000.exceptions
import pg8000.native

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
    """A leader, and every other member follows it and may confirm its writes."""
    found = [(member["Role"], member["State"]) for member in members(stack)]
    wanted = [("Leader", "running")] + [("Quorum Standby", "streaming")] * (len(stack.hosts) - 1)
    assert sorted(found) == sorted(wanted), found
    return True


@dataclass
class Writer:
    """Writes numbered rows, one transaction each, as fast as they are acknowledged.

    acknowledged: their numbers. moments: when each was. errors: what was seen instead.
    """

    stack: Stack
    acknowledged: list[int] = field(default_factory=list)
    moments: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.work, daemon=True)

    def work(self) -> None:
        connection: Any = None
        for number in itertools.count():
            if self.stop.is_set():
                break
            try:
                connection = connection or connect(self.stack)
                connection.run("INSERT INTO numbered VALUES (:number)", number=number)
                self.moments.append(time.monotonic())
                self.acknowledged.append(number)
            except ERRORS as error:
                self.errors.append(f"{time.monotonic():.1f}: {error}")
                with contextlib.suppress(*ERRORS, AttributeError):
                    connection.close()
                connection = None
                time.sleep(0.1)
            time.sleep(0.01)

    def outage(self) -> float:
        """The longest time between two acknowledged writes."""
        return max((after - before for before, after in itertools.pairwise(self.moments)), default=0.0)

    def lost(self) -> set[int]:
        """Acknowledged rows that are not there."""
        with contextlib.closing(connect(self.stack, timeout=30)) as connection:
            return set(self.acknowledged) - {row[0] for row in connection.run("SELECT number FROM numbered")}


@contextlib.contextmanager
def writing(stack: Stack) -> Iterator[Writer]:
    """Writes go on while the block runs."""
    with contextlib.closing(connect(stack)) as connection:
        connection.run("CREATE TABLE IF NOT EXISTS numbered (number bigint PRIMARY KEY)")
        connection.run("TRUNCATE numbered")
    writer = Writer(stack)
    writer.thread.start()
    try:
        time.sleep(2)
        yield writer
    finally:
        writer.stop.set()
        writer.thread.join()
