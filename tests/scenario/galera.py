"""MariaDB as its clients see it: through the virtual address, over TLS that they verify; and each member by its daemon."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterator
from functools import partial
from typing import Any

import pymysql
import requests

from tests.scenario import numbered
from tests.scenario.stack import Stack

#: What a client sees of a writer that is gone, or not there yet.
ERRORS = (pymysql.err.MySQLError, OSError)
COMMAND = "/etc/monitoring-ha/galera/galera"
#: Of the daemon.
PORT = 9105


def connect(stack: Stack, *, timeout: int = 3, tls: ssl.SSLContext | None = None, **other: Any) -> Any:
    """A connection through the load balancers, which believes the stack's authority alone."""
    its = stack.endpoints["mariadb"]
    given = {name: its[name] for name in ("host", "port", "database", "user", "password")} | other
    # As text, the client would send it in another encoding than everybody else.
    given["password"] = given["password"].encode()
    context = tls or ssl.create_default_context(cafile=stack.endpoints["ca"])
    return pymysql.connect(ssl=context, autocommit=True, connect_timeout=timeout, read_timeout=timeout, write_timeout=timeout, **given)


def rows(connection: Any, statement: str, *arguments: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, arguments or None)
        return list(cursor.fetchall())


def asked(stack: Stack, host: str, page: str) -> requests.Response:
    return stack.member.get(f"https://{stack.hosts[host]}:{PORT}{page}", timeout=3)


def states(stack: Stack) -> dict[str, dict[str, Any]]:
    """What the daemon of each member tells; without those that do not answer."""
    found = {}
    for host in stack.hosts:
        with contextlib.suppress(requests.RequestException):
            found[host] = asked(stack, host, "/state").json()
    return found


def writer(stack: Stack) -> str:
    """Who takes traffic; empty for nobody."""
    return next((host for host, its in states(stack).items() if its["writer"]), "")


def healthy(stack: Stack) -> bool:
    """All members are together and in step, one of them writes, and the load balancers have seen it."""
    found = states(stack)
    assert sorted(found) == sorted(stack.hosts), found
    assert all(its["synced"] and sorted(its["component"]) == sorted(stack.hosts) for its in found.values()), found
    assert [its["writer"] for its in found.values()].count(True) == 1, found
    try:
        connect(stack).close()
    except ERRORS as error:
        raise AssertionError(f"{found}, and yet: {error}") from error
    return True


#: Each server behind the front end, and its state in the eyes of the load balancer.
SHOW = """
import csv, socket
with socket.socket(socket.AF_UNIX) as asked:
    asked.connect("/run/haproxy/admin.sock")
    asked.sendall(b"show stat\\n")
    for row in csv.reader(asked.makefile()):
        if row and row[0] == "mariadb" and row[1] not in ("FRONTEND", "BACKEND") and row[17].startswith("UP"):
            print(row[1])
"""


def behind(stack: Stack) -> list[str]:
    """The members that the load balancers send traffic to, as far as these run."""
    hosts = [host for host in stack.hosts if stack.container(host).status == "running"]
    return [member for host in hosts for member in stack.run(host, f"python3 -c '{SHOW}'").split()]


INSERT = "INSERT INTO numbered VALUES (%s)"


def kept(stack: Stack) -> set[int]:
    """The rows that are there."""
    with contextlib.closing(connect(stack, timeout=30)) as connection:
        return {number for (number,) in rows(connection, "SELECT number FROM numbered")}


@contextlib.contextmanager
def writing(stack: Stack) -> Iterator[numbered.Writer]:
    """Writes go on while the block runs."""
    with contextlib.closing(connect(stack, timeout=10)) as connection:
        rows(connection, "CREATE TABLE IF NOT EXISTS numbered (number BIGINT PRIMARY KEY)")
        rows(connection, "DELETE FROM numbered")
    write = numbered.Rows(partial(connect, stack), lambda connection, number: rows(connection, INSERT, number), ERRORS)
    with numbered.writing(numbered.Writer(write, ERRORS)) as found:
        yield found
