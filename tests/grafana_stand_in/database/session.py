"""What a request has of the database: a connection from its first statement to its end, in a transaction where it writes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

from .dialect import Connection, Row
from .errors import ConnectionLost, DatabaseError, ReadOnly
from .pool import Pool


class Session:
    def __init__(self, pool: Pool, *, transaction: bool = False) -> None:
        self._pool = pool
        self._transaction = transaction
        self._connection: Connection | None = None
        self._begun = False
        self._after_commit: list[Callable[[], None]] = []

    def __enter__(self) -> Session:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None:
            self.commit()
        else:
            self.rollback()

    def _run(self, sql: str, arguments: Sequence[Any], *, insert: bool = False) -> Any:
        if self._connection is None:
            return self._first(sql, arguments, insert=insert)
        return self._on(self._connection, sql, arguments, insert)

    def _on(self, connection: Connection, sql: str, arguments: Sequence[Any], insert: bool) -> Any:
        return connection.insert(sql, arguments) if insert else connection.run(sql, arguments)

    def _first(self, sql: str, arguments: Sequence[Any], *, insert: bool) -> Any:
        """A connection that lay idle may be dead without knowing. Nothing was done with it yet, so another may be taken."""
        connection, used = self._pool.acquire()
        while True:
            try:
                if self._transaction:
                    connection.run("BEGIN", ())
                    self._begun = True
                    break
                result = self._on(connection, sql, arguments, insert)
                self._connection = connection
                return result
            except ConnectionLost as error:
                self._begun = False
                self._pool.release(connection)
                if not used or isinstance(error, ReadOnly):
                    raise
                connection, used = self._pool.acquire(fresh=True)
            except BaseException:
                self._connection = connection
                raise
        self._connection = connection
        return self._on(connection, sql, arguments, insert)

    def rows(self, sql: str, *arguments: Any) -> list[Row]:
        names, rows, _ = self._run(sql, arguments)
        return [dict(zip(names, row, strict=True)) for row in rows]

    def row(self, sql: str, *arguments: Any) -> Row | None:
        names, rows, _ = self._run(sql, arguments)
        return dict(zip(names, rows[0], strict=True)) if rows else None

    def value(self, sql: str, *arguments: Any) -> Any:
        _, rows, _ = self._run(sql, arguments)
        return rows[0][0] if rows else None

    def column(self, sql: str, *arguments: Any) -> list[Any]:
        _, rows, _ = self._run(sql, arguments)
        return [row[0] for row in rows]

    def execute(self, sql: str, *arguments: Any) -> int:
        return int(self._run(sql, arguments)[2])

    def insert(self, table: str, **values: Any) -> int:
        """Adds a row to a table with a generated id and returns that."""
        return int(self._run(_insert(table, values), tuple(values.values()), insert=True))

    def add(self, table: str, **values: Any) -> None:
        """Adds a row to a table without one."""
        self._run(_insert(table, values), tuple(values.values()))

    def update(self, table: str, where: Row, **values: Any) -> int:
        assignments = ", ".join(f'"{name}" = ?' for name in values)
        conditions = " AND ".join(f'"{name}" = ?' for name in where)
        return self.execute(f'UPDATE "{table}" SET {assignments} WHERE {conditions}', *values.values(), *where.values())

    def put(self, table: str, where: Row, **values: Any) -> None:
        """Updates the row with this key, or adds it."""
        if not self.update(table, where, **values):
            self.add(table, **where, **values)

    def delete(self, table: str, **where: Any) -> int:
        conditions = " AND ".join(f'"{name}" = ?' for name in where)
        return self.execute(f'DELETE FROM "{table}" WHERE {conditions}', *where.values())

    def with_explicit_id(self, table: str, **values: Any) -> None:
        self.add(table, **values)
        assert self._connection is not None
        self._pool.dialect.after_explicit_id(self._connection, table)

    def after_commit(self, action: Callable[[], None]) -> None:
        self._after_commit.append(action)

    def commit(self) -> None:
        try:
            if self._connection is not None and self._begun:
                self._connection.run("COMMIT", ())
                self._begun = False
        finally:
            self._give_back()
        actions, self._after_commit = self._after_commit, []
        for action in actions:
            action()

    def rollback(self) -> None:
        self._after_commit.clear()
        if self._connection is not None and self._begun and not self._connection.broken:
            with contextlib.suppress(DatabaseError):
                self._connection.run("ROLLBACK", ())
        self._give_back()

    def _give_back(self) -> None:
        if self._connection is not None:
            if self._begun and not self._connection.broken:
                with contextlib.suppress(DatabaseError):
                    self._connection.run("ROLLBACK", ())
            self._begun = False
            self._pool.release(self._connection)
            self._connection = None


def _insert(table: str, values: Row) -> str:
    names = ", ".join(f'"{name}"' for name in values)
    return f'INSERT INTO "{table}" ({names}) VALUES ({", ".join("?" * len(values))})'
