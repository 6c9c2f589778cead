"""Servers on loopback: real sockets and real TLS, answers as a test wants them."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Request:
    """What was asked."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    """What is said. promised: the length that is announced, when it is not the body's; -1 announces none.

    wait: seconds before the answer.
    """

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    promised: int | None = None
    wait: float = 0.0


@dataclass
class Server:
    """A server and what it was asked."""

    port: int
    asked: list[Request] = field(default_factory=list)
    tls: bool = False

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def paths(self) -> list[str]:
        return [request.path for request in self.asked]


Answerer = Callable[[Request], Answer]


def texts(answers: Mapping[str, str | Answer]) -> Answerer:
    """Answers by path, whatever the query; 404 for others."""

    def answer(request: Request) -> Answer:
        found = answers.get(request.path, answers.get(request.path.partition("?")[0], Answer(status=404)))
        return Answer(found.encode()) if isinstance(found, str) else found

    return answer


def files(directory: Path) -> Answerer:
    """A directory, as any web server gives it."""

    def answer(request: Request) -> Answer:
        path = directory / request.path.lstrip("/")
        return Answer(path.read_bytes()) if path.is_file() else Answer(status=404)

    return answer


@contextlib.contextmanager
def serve(answerer: Answerer, context: ssl.SSLContext | None = None) -> Iterator[Server]:
    """Serve until the end of the block."""
    server = Server(0, tls=context is not None)
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            request = Request(self.command, self.path, dict(self.headers), body)
            server.asked.append(request)
            said = answerer(request)
            over.wait(said.wait)
            self.send_response(said.status)
            if said.promised != -1:
                self.send_header("Content-Length", str(len(said.body) if said.promised is None else said.promised))
            for name, value in said.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(said.body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

        def log_message(self, *_words: object) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def get_request(self) -> tuple[socket.socket, Any]:
            connection, address = super().get_request()
            # The handshake belongs to the connection's own thread, so that a client that refuses does not stop the server.
            wrapped = context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False) if context else connection
            return wrapped, address

        def handle_error(self, request: object, client_address: object) -> None:
            """A client that hangs up is what some tests are about."""

    http = Quiet(("127.0.0.1", 0), Handler)
    server.port = http.server_address[1]
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        over.set()
        http.shutdown()
        http.server_close()


def free_port() -> int:
    """A port at which nothing listens."""
    with serve(texts({})) as server:
        return server.port


def eventually(condition: Callable[[], bool]) -> bool:
    """Whether it comes true, in many times of what it takes, since other work may share the machine."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return condition()
