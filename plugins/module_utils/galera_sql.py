# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A member's own server, asked by its socket: what it sees, and the row that says who writes."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.monitoring.ha.plugins.module_utils.galera import NOBODY, Look, Position

#: Seconds for one question. A cluster that has just lost a member holds writes back for longer; the question is asked again then.
PATIENCE = 4
STATUS = (
    "wsrep_cluster_status",
    "wsrep_ready",
    "wsrep_local_state",
    "wsrep_local_state_uuid",
    "wsrep_last_committed",
    "wsrep_incoming_addresses",
)
#: Who is in the majority; without one the table is out of reach.
MEMBERS = "SELECT node_incoming_address FROM mysql.wsrep_cluster_members"
TABLE = (
    "CREATE DATABASE IF NOT EXISTS monitoring_ha",
    "CREATE TABLE IF NOT EXISTS monitoring_ha.writer (seat TINYINT NOT NULL PRIMARY KEY, member VARCHAR(64) NOT NULL,"
    " since TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP) ENGINE=InnoDB",
    "INSERT IGNORE INTO monitoring_ha.writer (seat, member) VALUES (1, '')",
)
#: The server's numbers for a database or table that is not there.
ABSENT = {1049, 1146}


class SqlError(RuntimeError):
    """The server does not answer, or refuses."""


def kill(path: str) -> None:
    """End the server behind a socket at once, by its process's number as the kernel knows it; nothing where there is none."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as its:
        its.settimeout(PATIENCE)
        its.connect(path)
        pid, _uid, _gid = struct.unpack("3i", its.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
        os.kill(pid, signal.SIGKILL)


def connection(path: str, user: str) -> Any:
    """By the socket, as the system's user of that name."""
    # Debian's package; it is on members alone.
    import pymysql

    return pymysql.connect(
        unix_socket=path, user=user, autocommit=True, connect_timeout=PATIENCE, read_timeout=PATIENCE, write_timeout=PATIENCE
    )


@dataclass
class Server:
    """names: ``address:port`` for clients → member. open: makes a connection."""

    names: Mapping[str, str]
    open: Callable[[], Any]
    _connection: Any = field(default=None, repr=False)

    def run(self, statement: str, arguments: Sequence[Any] = ()) -> tuple[int, list[tuple[Any, ...]]]:
        """(rows touched, rows). SqlError; its second argument is the server's number, 0 for none."""
        import pymysql

        try:
            self._connection = self._connection or self.open()
            with self._connection.cursor() as cursor:
                touched = cursor.execute(statement, tuple(arguments))
                return int(touched), list(cursor.fetchall())
        except (OSError, pymysql.err.MySQLError) as error:
            number = error.args[0] if error.args and isinstance(error.args[0], int) else 0
            # What it answered to, it goes on with; whatever else there was, the connection is not to be trusted.
            if not 1000 <= number < 2000 or number == 1927:
                self.close()
            raise SqlError(f"{type(error).__name__}: {error}", number) from error

    def close(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(Exception):
                self._connection.close()
            self._connection = None

    def look(self) -> tuple[Look, Position]:
        """What the member sees of itself, and how far its data reach."""
        marks = ", ".join(["%s"] * len(STATUS))
        status = dict(self.run(f"SHOW GLOBAL STATUS WHERE Variable_name IN ({marks})", STATUS)[1])
        primary = status.get("wsrep_cluster_status") == "Primary" and status.get("wsrep_ready") == "ON"
        # With a majority, a member that joined while others did keeps a list in its status that lacks some of them.
        addresses = [str(row[0]) for row in self.run(MEMBERS)[1]] if primary else str(status.get("wsrep_incoming_addresses", "")).split(",")
        read_only = bool(int(self.run("SELECT @@GLOBAL.read_only")[1][0][0])) if primary else False
        look = Look(
            primary,
            int(status.get("wsrep_local_state", 0)),
            read_only,
            frozenset(self.names[address] for address in addresses if address in self.names),
            self.writer() if primary else "",
        )
        return look, Position(str(status.get("wsrep_local_state_uuid", NOBODY)), int(status.get("wsrep_last_committed", -1)))

    def writer(self) -> str:
        """Who is recorded; empty for nobody, also where the table is not there yet."""
        try:
            rows = self.run("SELECT member FROM monitoring_ha.writer WHERE seat = 1")[1]
        except SqlError as error:
            if error.args[1] not in ABSENT:
                raise
            return ""
        return str(rows[0][0]) if rows else ""

    def seat(self, member: str, instead_of: str) -> bool:
        """Record another writer, unless somebody has been quicker. Makes the table where there is none."""
        change = "UPDATE monitoring_ha.writer SET member = %s WHERE seat = 1 AND member = %s"
        try:
            return self.run(change, (member, instead_of))[0] == 1
        except SqlError as error:
            if error.args[1] not in ABSENT:
                raise
        for statement in TABLE:
            self.run(statement)
        return self.run(change, (member, instead_of))[0] == 1

    def make_majority(self) -> None:
        """This member and those who are with it are the majority from now on."""
        self.run("SET GLOBAL wsrep_provider_options = 'pc.bootstrap=true'")
