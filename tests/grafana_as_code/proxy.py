"""A virtual address: connections go to the first instance that takes them, and end with it."""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
from collections.abc import Iterator, Sequence

from tests.stand_in.databases import free_port


class Proxy:
    """Forwards bytes. spread: connections go to the instances in turn, as a load balancer without affinity does."""

    def __init__(self, ports: Sequence[int], *, spread: bool = False) -> None:
        self.ports, self.port = list(ports), free_port()
        self._turn = itertools.count() if spread else itertools.repeat(0)
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=64)
        self._closed = False
        self._lock, self._open = threading.Lock(), 0
        #: Connections at the same time, at most.
        self.most = 0
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _serve(self) -> None:
        while not self._closed:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._forward, args=(client,), daemon=True).start()

    def _backend(self) -> socket.socket | None:
        first = next(self._turn)
        for number in range(len(self.ports)):
            with contextlib.suppress(OSError):
                return socket.create_connection(("127.0.0.1", self.ports[(first + number) % len(self.ports)]), 2)
        return None

    def _forward(self, client: socket.socket) -> None:
        backend = self._backend()
        if backend is None:
            client.close()
            return
        with self._lock:
            self._open += 1
            self.most = max(self.most, self._open)
        threading.Thread(target=_pump, args=(backend, client), daemon=True).start()
        _pump(client, backend)
        with self._lock:
            self._open -= 1

    def close(self) -> None:
        self._closed = True
        self._listener.close()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for one in (source, target):
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
        one.close()


@contextlib.contextmanager
def proxy(ports: Sequence[int], *, spread: bool = False) -> Iterator[Proxy]:
    made = Proxy(ports, spread=spread)
    try:
        yield made
    finally:
        made.close()
