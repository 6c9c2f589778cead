# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An end to requests that take too long as a whole.

The timeout of a socket counts from each piece of an answer to the next, so that one that trickles never ends. A thread looks after
all requests of a client and shuts down the sockets of those whose time is over. Reading stays as it is, in pieces as large as they come.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any


class Deadline:
    """When a request has to be done. Its time begins when it has a connection. passed: whether it took longer."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.at = float("inf")
        self.passed = False
        self.connection: Any = None
        #: The socket, which a connection forgets when the server is to close it.
        self.socket: socket.socket | None = None

    def begin(self) -> None:
        if self.at == float("inf"):
            self.at = time.monotonic() + self._seconds

    def cut(self) -> None:
        """Ends what waits for the socket. The connection may have gone on to another request, which is none of this one's business."""
        self.passed = True
        if self.connection is None or self.connection.deadline is not self:
            return
        for one in (self.socket, self.connection.sock):
            if one is not None:
                # That of TLS would take the encryption away, and leave the rest to be read as it came.
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(one, socket.SHUT_RDWR)


class Deadlines:
    """The deadlines of all requests that are under way."""

    def __init__(self) -> None:
        self._here = threading.local()
        self._under_way: set[Deadline] = set()
        self._changed = threading.Condition()
        self._closed = False
        #: When the thread looks next. Requests end long before, so that it is seldom woken.
        self._wakes = float("inf")
        self._thread: threading.Thread | None = None

    @contextlib.contextmanager
    def within(self, seconds: float) -> Iterator[Deadline]:
        """The request that this thread makes in the block has to be done in time. What the cut looks like is up to the library."""
        deadline = Deadline(seconds)
        self._here.deadline = deadline
        try:
            yield deadline
        finally:
            self._here.deadline = None
            with self._changed:
                self._under_way.discard(deadline)

    def attach(self, connection: Any) -> None:
        """The request of this thread uses a connection now. TimeoutError when its time is over already."""
        deadline: Deadline | None = getattr(self._here, "deadline", None)
        with self._changed:
            connection.deadline = deadline
            if deadline is None:
                return
            if deadline.passed:
                raise TimeoutError
            deadline.connection = connection
            deadline.socket = connection.sock or deadline.socket
            deadline.begin()
            if deadline not in self._under_way:
                self._under_way.add(deadline)
                self._look_after(deadline)

    def _look_after(self, deadline: Deadline) -> None:
        if self._thread is None and not self._closed:
            self._thread = threading.Thread(target=self._watch, name="grafana-deadlines", daemon=True)
            self._thread.start()
        elif deadline.at < self._wakes:
            self._changed.notify()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _watch(self) -> None:
        with self._changed:
            while not self._closed:
                now = time.monotonic()
                for one in [one for one in self._under_way if one.at <= now]:
                    self._under_way.discard(one)
                    one.cut()
                self._wakes = min((one.at for one in self._under_way), default=float("inf"))
                self._changed.wait(None if self._wakes == float("inf") else max(0.0, self._wakes - time.monotonic()))

    def pools(self, classes: dict[str, Any]) -> dict[str, Any]:
        """Classes of urllib3's connection pools by scheme, with connections that are looked after."""
        return {scheme: self._pool(pool) for scheme, pool in classes.items()}

    def _pool(self, pool: Any) -> Any:
        if issubclass(pool.ConnectionCls, _Attached):
            return pool
        connection = type(pool.ConnectionCls.__name__, (_Attached, pool.ConnectionCls), {"deadlines": self})
        return type(pool.__name__, (pool,), {"ConnectionCls": connection})


class _Attached:
    """A connection that says when a request begins to use it."""

    deadlines: Deadlines
    deadline: Deadline | None = None
    sock: Any

    def connect(self, *arguments: Any, **named: Any) -> Any:
        self.deadlines.attach(self)
        result = super().connect(*arguments, **named)  # type: ignore[misc]
        self.deadlines.attach(self)
        return result

    def request(self, *arguments: Any, **named: Any) -> Any:
        self.deadlines.attach(self)
        return super().request(*arguments, **named)  # type: ignore[misc]
