"""MySQL and MariaDB through PyMySQL."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, ClassVar

from .. import vendored
from .dialect import CONNECT_TIMEOUT, Connection, Dialect, Target
from .errors import Conflict, ConnectionLost, DatabaseError, InvalidValue, ReadOnly, UniqueViolation

pymysql = vendored.load("pymysql")

_CLIENT_FOUND_ROWS = 2
_READ_ONLY = {1290, 1792, 1836, 3100}
_GONE = {1047, 1053, 1152, 1158, 1159, 1160, 1161, 1184, 1317, 1927, 2006, 2013, 2014, 4031}
_VALUE = {1264, 1366, 1406, 3988}


@lru_cache(maxsize=2000)
def _formatted(sql: str) -> str:
    return sql.replace("%", "%%").replace("?", "%s")


def _translated(error: Exception) -> DatabaseError:
    code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
    text = f"Error {code}: {error.args[1]}" if code and len(error.args) > 1 else str(error)
    if code in _READ_ONLY:
        return ReadOnly(text)
    if code == 1062:
        return UniqueViolation(text)
    # A Galera node reports a failed certification as a deadlock.
    if code in (1205, 1213):
        return Conflict(text)
    if code in _VALUE:
        return InvalidValue(text)
    if code in _GONE or code == 0 or 2000 <= code < 3000 or isinstance(error, pymysql.err.InterfaceError):
        return ConnectionLost(text)
    return DatabaseError(text)


class MySQLConnection(Connection):
    def __init__(self, target: Target, tls: Any) -> None:
        where: dict[str, Any] = {"host": target.host, "port": target.port}
        if target.host.startswith("/"):
            where = {"unix_socket": target.host}
        try:
            self._raw = pymysql.connect(
                user=target.user,
                password=target.password,
                database=target.name,
                charset="utf8mb4",
                autocommit=True,
                connect_timeout=int(CONNECT_TIMEOUT),
                client_flag=_CLIENT_FOUND_ROWS,
                ssl=tls,
                ssl_disabled=tls is None,
                **where,
            )
            with self._raw.cursor() as cursor:
                cursor.execute("SET SESSION sql_mode = CONCAT(@@sql_mode, ',ANSI_QUOTES')")
                if target.isolation_level:
                    cursor.execute(f"SET SESSION TRANSACTION ISOLATION LEVEL {target.isolation_level.replace('-', ' ')}")
        except (OSError, pymysql.err.Error, RuntimeError) as error:
            raise _translated(error) from error
        link: socket.socket = self._raw._sock
        if link.family != socket.AF_UNIX:
            for option, value in ((socket.TCP_KEEPIDLE, 15), (socket.TCP_KEEPINTVL, 15), (socket.TCP_KEEPCNT, 9)):
                link.setsockopt(socket.IPPROTO_TCP, option, value)
        self.opened = time.monotonic()

    def _execute(self, sql: str, arguments: Sequence[Any]) -> Any:
        cursor = self._raw.cursor()
        try:
            cursor.execute(_formatted(sql), tuple(arguments))
        except (OSError, pymysql.err.Error, ValueError, RuntimeError, AttributeError) as error:
            failure = InvalidValue(str(error)) if isinstance(error, UnicodeEncodeError) else _translated(error)
            self.broken = self.broken or isinstance(failure, ConnectionLost)
            raise failure from error
        return cursor

    def run(self, sql: str, arguments: Sequence[Any]) -> tuple[list[str], list[Any], int]:
        cursor = self._execute(sql, arguments)
        names = [column[0] for column in cursor.description or ()]
        return names, list(cursor.fetchall()) if names else [], cursor.rowcount

    def insert(self, sql: str, arguments: Sequence[Any]) -> int:
        return int(self._execute(sql, arguments).lastrowid)

    def lock(self, name: str, wait: float) -> bool:
        _, rows, _ = self.run("SELECT GET_LOCK(?, ?)", (name, int(wait)))
        return bool(rows[0][0])

    def unlock(self, name: str) -> None:
        self.run("SELECT RELEASE_LOCK(?)", (name,))

    def close(self) -> None:
        with contextlib.suppress(OSError, pymysql.err.Error):
            self._raw.close()


class MySQL(Dialect):
    name = "mysql"
    column_types: ClassVar = {
        "serial": "BIGINT AUTO_INCREMENT PRIMARY KEY",
        "int": "BIGINT",
        "flag": "SMALLINT",
        "key": "VARCHAR(190)",
        "text": "LONGTEXT",
    }
    table_suffix = " ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin"

    def __init__(self, target: Target) -> None:
        self._target = target
        self._tls: Any = None
        if target.ssl_mode in ("true", "skip-verify"):
            self._tls = target.tls(verify=target.ssl_mode == "true", names=True)

    def connect(self) -> Connection:
        return MySQLConnection(self._target, self._tls)

    def after_explicit_id(self, connection: Connection, table: str) -> None:
        """InnoDB continues after the highest id by itself."""
