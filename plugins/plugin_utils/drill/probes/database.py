# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Numbered rows, one transaction each, on a connection that is kept for as long as it lasts, as a pool does it.

A client that waits without end, and keeps a connection that only answers with
errors, meets failures that one which connects anew each time never sees. What
it does is ask the network whether there is still somebody, each second: an
address that has moved to another host tells nobody who only waits.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Mapping
from typing import Any, Protocol

from ansible_collections.monitoring.ha.plugins.plugin_utils.drill.ledger import Attempt, State

from .common import PERIOD, Probe

#: Seconds that a client waits for an answer before it gives a connection up.
WAIT = 60.0
#: Seconds until a connection has to be made, handshakes included. A load balancer may hold one that it was about to make to a member
#: in the very moment in which it gives that member up.
CONNECT = 3.0
#: Level, option and value: after a second of silence ask each second, and give up after two questions or 3 s without an acknowledgement.
KEEPALIVE = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 2),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 3000),
)


def dial(its: Mapping[str, Any]) -> socket.socket:
    """A connection that notices when nobody is there any more."""
    found = socket.create_connection((its["host"], its["port"]), CONNECT)
    for level, option, value in KEEPALIVE:
        found.setsockopt(level, option, value)
    return found


class Connection(Protocol):
    """What the probe needs of a database's driver."""

    def run(self, statement: str) -> list[tuple[Any, ...]]: ...

    def broken(self, error: Exception) -> bool:
        """Whether the connection is gone, rather than a statement refused."""

    def close(self) -> None: ...


class PostgreSQL:
    """Through the library pg8000, with a certificate that is verified."""

    where = "SELECT host(inet_server_addr())"

    def __init__(self, its: Mapping[str, Any], ca: str) -> None:
        import pg8000.exceptions
        import pg8000.native

        self._refused = pg8000.exceptions.DatabaseError
        self._connection = pg8000.native.Connection(
            user=its["user"],
            password=its["password"],
            host=its["host"],
            port=its["port"],
            database=its["database"],
            ssl_context=ssl.create_default_context(cafile=ca),
            sock=dial(its),
        )
        self._connection._usock.settimeout(WAIT)

    def run(self, statement: str) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in self._connection.run(statement) or []]

    def broken(self, error: Exception) -> bool:
        return not isinstance(error, self._refused) or self._shut(error)

    @staticmethod
    def _shut(error: Exception) -> bool:
        """Class 57P of the error codes: the server ends the connection."""
        its = error.args[0] if error.args else {}
        return isinstance(its, dict) and str(its.get("C", "")).startswith("57P")

    def close(self) -> None:
        self._connection.close()


class MariaDB:
    """Through the library PyMySQL, with a certificate that is verified."""

    where = "SELECT @@hostname"

    def __init__(self, its: Mapping[str, Any], ca: str) -> None:
        import pymysql

        self._refused = pymysql.err.ProgrammingError, pymysql.err.IntegrityError, pymysql.err.OperationalError
        self._connection = pymysql.connect(
            user=its["user"],
            password=its["password"],
            host=its["host"],
            port=its["port"],
            database=its["database"],
            ssl=ssl.create_default_context(cafile=ca),
            read_timeout=int(CONNECT),
            write_timeout=int(WAIT),
            autocommit=True,
            defer_connect=True,
        )
        self._connection.connect(dial(its))
        vars(self._connection)["_read_timeout"] = WAIT

    def run(self, statement: str) -> list[tuple[Any, ...]]:
        with self._connection.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall())

    def broken(self, error: Exception) -> bool:
        # 2006, 2013 and their like are the client's: the server has gone away.
        number = error.args[0] if error.args else 0
        return not isinstance(error, self._refused) or (isinstance(number, int) and 2000 <= number < 3000)

    def close(self) -> None:
        self._connection.close()


DRIVERS: dict[str, type[PostgreSQL] | type[MariaDB]] = {"postgresql": PostgreSQL, "mariadb": MariaDB}


class Database(Probe):
    name = "database"
    patience = 2.0

    @property
    def kind(self) -> str:
        return next(name for name in DRIVERS if name in self.settings.endpoints)

    @property
    def table(self) -> str:
        return f"monitoring_ha_drill_{self.settings.run}"

    def connect(self) -> Connection:
        return DRIVERS[self.kind](self.settings.endpoints[self.kind], self.settings.endpoints["ca"])

    def prepare(self) -> None:
        with contextlib.closing(self.connect()) as connection:
            connection.run(f"CREATE TABLE IF NOT EXISTS {self.table} (number bigint PRIMARY KEY)")

    def _attempts(self) -> None:
        connection: Connection | None = None
        where, number, streak = "", 0, 0
        self.ledger.fact("sequential", True)
        due = self.now()
        while not self.stopped():
            number += 1
            start = self.now()
            state: State = "ok"
            detail = where
            try:
                if connection is None:
                    connection = self.connect()
                    where = detail = str(connection.run(DRIVERS[self.kind].where)[0][0])
                connection.run(f"INSERT INTO {self.table} VALUES ({number})")
                streak += 1
            except Exception as error:
                state, detail, streak = "error", f"{type(error).__name__}: {error}", 0
                if connection is not None and connection.broken(error):
                    with contextlib.suppress(Exception):
                        connection.close()
                    connection = None
            end = self.now()
            self.ledger.attempt(Attempt(number, start, end, state, "", detail))
            if streak == 5 and not self._ready:
                self._ready = True
                self.ledger.fact("ready", end)
            # One that took its time is made up for; a whole outage is not.
            due = max(due + PERIOD, end - 1)
            time.sleep(max(0.0, due - end))
        if connection is not None:
            with contextlib.suppress(Exception):
                connection.close()

    def finish(self) -> None:
        with contextlib.closing(self.connect()) as connection:
            found = [int(row[0]) for row in connection.run(f"SELECT number FROM {self.table} ORDER BY number")]
        self.ledger.fact("found", found)

    def tidy(self) -> None:
        with contextlib.closing(self.connect()) as connection:
            connection.run(f"DROP TABLE IF EXISTS {self.table}")
