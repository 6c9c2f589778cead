"""Connections that are kept between requests."""

from __future__ import annotations

import threading
import time
from collections import deque

from ..settings.settings import Settings
from .dialect import Connection, Dialect

# Grafana keeps two by default; making a connection costs Python more than Go.
_IDLE_FLOOR = 16


class Pool:
    def __init__(self, dialect: Dialect, settings: Settings) -> None:
        self.dialect = dialect
        self._lifetime = settings.duration("database", "conn_max_lifetime", 14400.0)
        self._max_idle = max(_IDLE_FLOOR, settings.number("database", "max_idle_conn", 2))
        limit = settings.number("database", "max_open_conn")
        self._slots = threading.BoundedSemaphore(limit) if limit > 0 else None
        self._idle: deque[Connection] = deque()
        self._stale_before = 0.0
        self.open = 0
        self._lock = threading.Lock()

    def acquire(self, *, fresh: bool = False) -> tuple[Connection, bool]:
        """Returns a connection and whether it was used before."""
        if self._slots is not None:
            self._slots.acquire()
        while not fresh:
            try:
                connection = self._idle.pop()
            except IndexError:
                break
            if self._lifetime <= 0 or time.monotonic() - connection.opened < self._lifetime:
                return connection, True
            self._close(connection)
        try:
            made = self.dialect.connect()
        except BaseException:
            if self._slots is not None:
                self._slots.release()
            raise
        with self._lock:
            self.open += 1
        return made, False

    def release(self, connection: Connection) -> None:
        if connection.broken:
            # What broke this one broke its siblings: the server went away or changed its role.
            self._stale_before = time.monotonic()
            self._close(connection)
            self.discard_idle()
        elif connection.opened < self._stale_before or len(self._idle) >= self._max_idle:
            self._close(connection)
        else:
            self._idle.append(connection)
        if self._slots is not None:
            self._slots.release()

    def discard_idle(self) -> None:
        while True:
            try:
                self._close(self._idle.pop())
            except IndexError:
                return

    def _close(self, connection: Connection) -> None:
        connection.close()
        with self._lock:
            self.open -= 1

    @property
    def idle(self) -> int:
        return len(self._idle)
