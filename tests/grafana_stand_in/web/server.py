"""HTTP/1.1 over threads: one for each connection, since the database drivers block."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable
from email.utils import formatdate
from http import HTTPStatus
from pathlib import Path

from ..log import Logger
from .message import Request, Response

_REASONS = {status.value: status.phrase for status in HTTPStatus}
_MAX_HEAD = 1 << 16
_MAX_BODY = 256 << 20
_COMPRESS_FROM = 1400


class ProtocolError(Exception):
    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Stream:
    """What a client sends, cut into requests."""

    def __init__(self, link: socket.socket, remote: str, tls: bool) -> None:
        self._link = link
        self._buffer = b""
        self._remote = remote
        self._tls = tls

    def _more(self) -> None:
        data = self._link.recv(65536)
        if not data:
            raise EOFError
        self._buffer += data

    def _until(self, mark: bytes, limit: int) -> bytes:
        while (end := self._buffer.find(mark)) < 0:
            if len(self._buffer) > limit:
                raise ProtocolError(431)
            self._more()
        found, self._buffer = self._buffer[:end], self._buffer[end + len(mark) :]
        return found

    def _exactly(self, size: int) -> bytes:
        if size > _MAX_BODY:
            raise ProtocolError(413)
        if len(self._buffer) < size:
            parts, have = [self._buffer], len(self._buffer)
            while have < size:
                data = self._link.recv(min(1 << 20, size - have))
                if not data:
                    raise EOFError
                parts.append(data)
                have += len(data)
            self._buffer = b"".join(parts)
        found, self._buffer = self._buffer[:size], self._buffer[size:]
        return found

    def next(self) -> tuple[Request, bool]:
        """The next request, and whether the connection stays open after it."""
        head = self._until(b"\r\n\r\n", _MAX_HEAD).lstrip(b"\r\n").decode("latin-1")
        first, *lines = head.split("\r\n")
        parts = first.split(" ")
        if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
            raise ProtocolError(400)
        method, target, version = parts
        headers: dict[str, str] = {}
        for line in lines:
            name, colon, value = line.partition(":")
            if not colon:
                raise ProtocolError(400)
            headers[name.lower()] = value.strip()
        if "://" in target.partition("?")[0]:
            target = "/" + target.split("://", 1)[1].partition("/")[2]
        if "100-continue" in headers.get("expect", "").lower():
            self._link.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        connection = headers.get("connection", "").lower()
        keep = "close" not in connection and (version != "HTTP/1.0" or "keep-alive" in connection)
        return Request(method, target, headers, self._body(headers), self._remote, self._tls), keep

    def _body(self, headers: dict[str, str]) -> bytes:
        if "chunked" in headers.get("transfer-encoding", "").lower():
            parts = []
            while size := self._chunk_size():
                parts.append(self._exactly(size))
                self._exactly(2)
            while self._until(b"\r\n", _MAX_HEAD):
                pass
            return b"".join(parts)
        length = headers.get("content-length", "0")
        if not length.isdecimal():
            raise ProtocolError(400)
        return self._exactly(int(length))

    def _chunk_size(self) -> int:
        try:
            return int(self._until(b"\r\n", _MAX_HEAD).partition(b";")[0], 16)
        except ValueError:
            raise ProtocolError(400) from None


def encode(request: Request | None, response: Response, *, keep: bool, compress: bool) -> bytes:
    body = response.body
    lines = [f"HTTP/1.1 {response.status} {_REASONS.get(response.status, '')}"]
    if response.content_type:
        lines.append(f"Content-Type: {response.content_type}")
    if compress and len(body) >= _COMPRESS_FROM and request is not None and "gzip" in request.header("accept-encoding"):
        packer = zlib.compressobj(1, zlib.DEFLATED, 31)
        body = packer.compress(body) + packer.flush()
        lines.append("Content-Encoding: gzip\r\nVary: Accept-Encoding")
    lines.extend(f"{name}: {value}" for name, value in response.headers.items())
    lines.extend(f"Set-Cookie: {cookie}" for cookie in response.cookies)
    if response.status not in (204, 304):
        lines.append(f"Content-Length: {len(body)}")
    lines.append(f"Date: {formatdate(usegmt=True)}\r\nConnection: {'keep-alive' if keep else 'close'}\r\n\r\n")
    head = "\r\n".join(lines).encode("latin-1", "replace")
    return head if (request is not None and request.method == "HEAD") or response.status in (204, 304) else head + body


class Server:
    def __init__(self, handle: Callable[[Request], Response], *, host: str, port: int, tls: TlsFiles | None, compress: bool) -> None:
        self._handle = handle
        self._tls = tls
        self._compress = compress
        self._closing = False
        self._links: set[socket.socket] = set()
        self._busy = 0
        self._lock = threading.Lock()
        if host in ("", "::", "[::]") and socket.has_dualstack_ipv6():
            self._listener = socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=512)
        else:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            self._listener = socket.create_server((host.strip("[]"), port), family=family, backlog=512)
        self.address: tuple[str, int] = self._listener.getsockname()[:2]

    def serve(self) -> None:
        while True:
            try:
                link, remote = self._listener.accept()
            except OSError:
                if self._closing:
                    return
                # Out of file descriptors, for instance: the next one may do better.
                time.sleep(0.05)
                continue
            threading.Thread(target=self._connection, args=(link, remote[0]), daemon=True).start()

    def _connection(self, link: socket.socket, remote: str) -> None:
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(OSError, EOFError), contextlib.ExitStack() as stack:
            stack.callback(link.close)
            if self._tls is not None:
                link.settimeout(10)
                link = self._tls.context().wrap_socket(link, server_side=True)
                stack.callback(link.close)
                link.settimeout(None)
            with self._lock:
                self._links.add(link)
            stack.callback(self._links.discard, link)
            self._requests(link, Stream(link, remote.removeprefix("::ffff:"), self._tls is not None))

    def _requests(self, link: socket.socket, stream: Stream) -> None:
        keep = True
        while keep and not self._closing:
            try:
                request, keep = stream.next()
            except ProtocolError as error:
                link.sendall(encode(None, Response.text(_REASONS[error.status], error.status), keep=False, compress=False))
                return
            with self._lock:
                self._busy += 1
            try:
                response = self._handle(request)
                keep = keep and not self._closing
                if response.dropped:
                    return
                data = encode(request, response, keep=keep, compress=self._compress)
                if response.rate:
                    self._slowly(link, data, response.rate)
                else:
                    link.sendall(data)
            finally:
                with self._lock:
                    self._busy -= 1

    @staticmethod
    def _slowly(link: socket.socket, data: bytes, rate: int) -> None:
        step = max(1, rate // 10)
        for start in range(0, len(data), step):
            link.sendall(data[start : start + step])
            time.sleep(step / rate)

    def close(self, grace: float = 5.0) -> None:
        """Takes no more connections, lets requests under way end, then cuts what is left."""
        self._closing = True
        self._listener.close()
        until = time.monotonic() + grace
        while self._busy and time.monotonic() < until:
            time.sleep(0.02)
        with self._lock:
            links = list(self._links)
        for link in links:
            with contextlib.suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)


class TlsFiles:
    """A certificate and its key, read again when a file changes if the configuration asks for that."""

    def __init__(self, certificate: Path, key: Path, minimum: str, watch: float) -> None:
        self._files = certificate, key
        self._minimum = ssl.TLSVersion.TLSv1_3 if minimum.upper() == "TLS1.3" else ssl.TLSVersion.TLSv1_2
        self._watch = watch
        self._context = self._load()
        self._checked = time.monotonic()
        self._stamps = self._modified()

    def _modified(self) -> list[int]:
        return [path.stat().st_mtime_ns for path in self._files]

    def _load(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = self._minimum
        context.load_cert_chain(*self._files)
        return context

    def context(self) -> ssl.SSLContext:
        if self._watch > 0 and time.monotonic() - self._checked >= self._watch:
            self._checked = time.monotonic()
            try:
                stamps = self._modified()
                if stamps != self._stamps:
                    self._context, self._stamps = self._load(), stamps
            except (OSError, ssl.SSLError) as error:
                Logger("http.server").error("Failed to reload the certificate", error=error)
        return self._context
