"""PostgreSQL through pg8000, with every statement prepared once for each connection: one round trip per statement."""

from __future__ import annotations

import contextlib
import socket
import struct
import time
import zlib
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, ClassVar

from .. import vendored
from .dialect import CONNECT_TIMEOUT, Connection, Dialect, Target
from .errors import Conflict, ConnectionLost, DatabaseError, InvalidValue, ReadOnly, UniqueViolation

pg8000_core = vendored.load("pg8000.core")
pg8000_errors = vendored.load("pg8000.exceptions")

_MAX_PREPARED = 400
_GONE = {"57P01", "57P02", "57P03", "08000", "08003", "08006"}


@lru_cache(maxsize=2000)
def _numbered(sql: str) -> str:
    parts = sql.split("?")
    return "".join(part + (f"${i}" if i < len(parts) else "") for i, part in enumerate(parts, 1))


def _parameter(value: Any) -> str | None:
    if value is None or type(value) is str:
        return value
    if value is True or value is False:
        return "1" if value else "0"
    return str(value)


def _translated(error: Exception) -> DatabaseError:
    details = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
    code, message = details.get("C", ""), details.get("M", str(error))
    text = f"pq: {message}"
    if code == "25006":
        return ReadOnly(text)
    if code in _GONE:
        return ConnectionLost(text)
    if code == "23505":
        return UniqueViolation(text)
    if code in ("40001", "40P01"):
        return Conflict(text)
    if code[:2] == "22":
        return InvalidValue(text)
    if isinstance(error, pg8000_errors.InterfaceError) or not details:
        return ConnectionLost(text)
    return DatabaseError(text)


class PostgresConnection(Connection):
    def __init__(self, target: Target, tls: Any) -> None:
        where: dict[str, Any] = {"host": target.host, "port": target.port}
        if target.host.startswith("/"):
            where = {"unix_sock": f"{target.host}/.s.PGSQL.{target.port or 5432}"}
        try:
            self._raw = pg8000_core.CoreConnection(
                target.user,
                database=target.name,
                password=target.password or None,
                ssl_context=tls,
                timeout=CONNECT_TIMEOUT,
                application_name="grafana",
                **where,
            )
        except (OSError, pg8000_errors.Error, struct.error) as error:
            raise _translated(error) from error
        link: socket.socket = self._raw._usock
        link.settimeout(None)
        if link.family != socket.AF_UNIX:
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for option, value in ((socket.TCP_KEEPIDLE, 15), (socket.TCP_KEEPINTVL, 15), (socket.TCP_KEEPCNT, 9)):
                link.setsockopt(socket.IPPROTO_TCP, option, value)
        self._prepared: dict[str, tuple[Any, Any, Any, list[str]]] = {}
        self.opened = time.monotonic()

    def run(self, sql: str, arguments: Sequence[Any]) -> tuple[list[str], list[Any], int]:
        parameters = [_parameter(value) for value in arguments]
        try:
            prepared = self._prepared.get(sql)
            if prepared is None:
                numbered = _numbered(sql)
                if len(self._prepared) >= _MAX_PREPARED:
                    context = self._raw.execute_unnamed(numbered, parameters)
                    return [column["name"] for column in context.columns or ()], context.rows or [], context.row_count
                name, columns, readers = self._raw.prepare_statement(numbered, ())
                prepared = name, columns, readers, [column["name"] for column in columns or ()]
                self._prepared[sql] = prepared
            name, columns, readers, names = prepared
            context = self._raw.execute_named(name, parameters, columns, readers, sql)
        except (OSError, pg8000_errors.Error, struct.error, ValueError, AttributeError) as error:
            failure = InvalidValue(str(error)) if isinstance(error, UnicodeEncodeError) else _translated(error)
            self.broken = self.broken or isinstance(failure, ConnectionLost) or isinstance(error, UnicodeEncodeError)
            raise failure from error
        return names, context.rows or [], context.row_count

    def insert(self, sql: str, arguments: Sequence[Any]) -> int:
        _, rows, _ = self.run(f"{sql} RETURNING id", arguments)
        return int(rows[0][0])

    def lock(self, name: str, wait: float) -> bool:
        until = time.monotonic() + wait
        while True:
            _, rows, _ = self.run("SELECT pg_try_advisory_lock(?)", (zlib.crc32(name.encode()),))
            if rows[0][0]:
                return True
            if time.monotonic() >= until:
                return False
            time.sleep(0.1)

    def unlock(self, name: str) -> None:
        self.run("SELECT pg_advisory_unlock(?)", (zlib.crc32(name.encode()),))

    def close(self) -> None:
        with contextlib.suppress(OSError, pg8000_errors.Error, AttributeError, ValueError):
            self._raw.close()


class Postgres(Dialect):
    name = "postgres"
    column_types: ClassVar = {"serial": "BIGSERIAL PRIMARY KEY", "int": "BIGINT", "flag": "SMALLINT", "key": "VARCHAR(190)", "text": "TEXT"}

    def __init__(self, target: Target) -> None:
        self._target = target
        # False: no TLS; a context: TLS or nothing.
        self._tls: Any = False
        if target.ssl_mode != "disable":
            verify = target.ssl_mode in ("verify-ca", "verify-full")
            self._tls = target.tls(verify=verify, names=target.ssl_mode == "verify-full")

    def connect(self) -> Connection:
        return PostgresConnection(self._target, self._tls)

    def after_explicit_id(self, connection: Connection, table: str) -> None:
        connection.run(f"SELECT setval(pg_get_serial_sequence('\"{table}\"', 'id'), (SELECT max(id) FROM \"{table}\"))", ())
