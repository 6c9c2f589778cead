"""Brings the schema up to date, one instance at a time."""

from __future__ import annotations

import contextlib
import time

from ..log import Logger
from ..settings.settings import Settings
from .dialect import Connection
from .errors import DatabaseError
from .pool import Pool
from .schema import TABLES

_LOCK = "MigratorLock"


class MigrationError(Exception):
    """What stops an instance from starting."""


def migrate(pool: Pool, settings: Settings, hold: float = 0.0) -> None:
    """`hold` makes the whole take longer, so that a race of several instances can be watched."""
    log = Logger("migrator")
    if settings.flag("database", "skip_migrations"):
        log.info("Skipping database migrations")
        return
    connection, _ = pool.acquire()
    try:
        locking = settings.flag("database", "migration_locking", True)
        if locking:
            _lock(connection, settings, log)
        try:
            _apply(pool, connection, log, hold)
        finally:
            if locking:
                log.info("Unlocking database")
                with contextlib.suppress(DatabaseError):
                    connection.unlock(_LOCK)
    finally:
        pool.release(connection)


def _lock(connection: Connection, settings: Settings, log: Logger) -> None:
    log.info("Locking database")
    try:
        locked = connection.lock(_LOCK, float(settings.number("database", "locking_attempt_timeout_sec")))
        reason = "failed to obtain lock"
    except DatabaseError as error:
        # Galera in strict mode knows no named locks.
        locked, reason = False, f"failed to obtain lock: {error}"
    if not locked:
        log.error("Failed to lock database", error=reason)
        raise MigrationError(reason)


def _apply(pool: Pool, connection: Connection, log: Logger, hold: float) -> None:
    started = time.monotonic()
    log.info("Starting DB migrations")
    kinds = pool.dialect.column_types
    connection.run(
        f'CREATE TABLE IF NOT EXISTS "migration_log" ("id" {kinds["serial"]}, "migration_id" {kinds["key"]} NOT NULL, '
        f'"success" {kinds["flag"]} NOT NULL, "timestamp" {kinds["int"]} NOT NULL){pool.dialect.table_suffix}',
        (),
    )
    _, rows, _ = connection.run('SELECT "migration_id" FROM "migration_log" WHERE "success" = 1', ())
    done = {row[0] for row in rows}
    performed = 0
    time.sleep(hold)
    for table in TABLES:
        name = f"create {table.name} table"
        if name in done:
            continue
        log.info("Executing migration", id=name)
        for statement in table.statements(pool.dialect):
            try:
                connection.run(statement, ())
            except DatabaseError as error:
                log.error("Executing migration failed", id=name, error=error)
                raise MigrationError(f"migration failed (id = {name}): {error}") from error
        connection.run('INSERT INTO "migration_log" ("migration_id", "success", "timestamp") VALUES (?, 1, ?)', (name, int(time.time())))
        performed += 1
    log.info("migrations completed", performed=performed, skipped=len(TABLES) - performed, duration=f"{time.monotonic() - started:.3f}s")
