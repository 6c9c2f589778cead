"""Git servers to push to: over HTTPS with a token, by Git's own back end, and over SSH with a key, by OpenSSH."""

from __future__ import annotations

import base64
import contextlib
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


def bare(path: Path) -> Path:
    """An empty repository to push to."""
    path.mkdir(parents=True)
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", str(path)], check=True)
    subprocess.run(["git", "--git-dir", str(path), "config", "http.receivepack", "true"], check=True)
    return path


def free_port(address: str = "127.0.0.1") -> int:
    with socket.create_server((address, 0)) as one:
        return int(one.getsockname()[1])


@dataclass
class Https:
    """Serves the repositories below a directory to whoever shows the token. seen: (method, path, whether let in)."""

    address: str
    port: int
    directory: Path
    context: ssl.SSLContext
    user: str
    token: str
    seen: list[tuple[str, str, bool]] = field(default_factory=list)

    def url(self, name: str) -> str:
        return f"https://{self.address}:{self.port}/{name}"


def _body(request: BaseHTTPRequestHandler) -> bytes:
    if request.headers.get("Transfer-Encoding", "") != "chunked":
        return request.rfile.read(int(request.headers.get("Content-Length") or 0))
    parts = []
    while size := int(request.rfile.readline().split(b";")[0], 16):
        parts.append(request.rfile.read(size))
        request.rfile.readline()
    request.rfile.readline()
    return b"".join(parts)


def _headers(stream: IO[bytes]) -> Iterator[tuple[str, str]]:
    while line := stream.readline().strip():
        name, _colon, value = line.decode().partition(":")
        yield name, value.strip()


@contextlib.contextmanager
def https(
    directory: Path, context: ssl.SSLContext, *, token: str, user: str = "git", address: str = "127.0.0.1", port: int = 0
) -> Iterator[Https]:
    """Serve until the end of the block."""
    server = Https(address, port or free_port(address), directory, context, user, token)
    wanted = "Basic " + base64.b64encode(f"{user}:{token}".encode()).decode()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 20

        def answer(self) -> None:
            body = _body(self)
            allowed = self.headers.get("Authorization") == wanted
            server.seen.append((self.command, self.path, allowed))
            if not allowed:
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="git"')
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            path, _mark, query = self.path.partition("?")
            environment = {
                "PATH": os.environ["PATH"],
                "GIT_PROJECT_ROOT": str(directory),
                "GIT_HTTP_EXPORT_ALL": "1",
                "REQUEST_METHOD": self.command,
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "CONTENT_LENGTH": str(len(body)),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
                "REMOTE_USER": user,
                "GIT_CONFIG_COUNT": "1",
                "GIT_CONFIG_KEY_0": "safe.directory",
                "GIT_CONFIG_VALUE_0": "*",
            }
            done = subprocess.run(["git", "http-backend"], env=environment, input=body, capture_output=True, check=False)
            head, _gap, content = done.stdout.partition(b"\r\n\r\n")
            found = dict(line.partition(": ")[::2] for line in head.decode().split("\r\n"))
            self.send_response(int(found.pop("Status", "200 OK").split()[0]))
            for name, value in found.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = answer

        def log_message(self, *_words: object) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def finish_request(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
            assert isinstance(request, socket.socket)
            super().finish_request(context.wrap_socket(request, server_side=True), client_address)

        def handle_error(self, request: object, client_address: object) -> None:
            """A client that hangs up is what some tests are about."""

    http = Quiet((address, server.port), Handler)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()


@dataclass(frozen=True)
class Ssh:
    """An SSH server. key: private key that it lets in. known_hosts: the line by which clients know it."""

    address: str
    port: int
    key: str
    known_hosts: str

    def url(self, path: Path) -> str:
        return f"ssh://{_whoami()}@{self.address}:{self.port}{path}"


def _whoami() -> str:
    return subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()


def keypair(path: Path) -> tuple[str, str]:
    """(private, public) key, made at a path."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", path.name, "-f", str(path)], check=True)
    return path.read_text(), path.with_suffix(".pub").read_text().strip()


@contextlib.contextmanager
def ssh(*, address: str = "127.0.0.1", port: int = 0) -> Iterator[Ssh]:
    """An SSH server for the user that runs the tests, until the end of the block."""
    assert SSHD, "there is no sshd"
    port = port or free_port(address)
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="sshd-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        _private, host = keypair(directory / "host")
        key, public = keypair(directory / "user")
        (directory / "authorized").write_text(f"{public}\n")
        (directory / "config").write_text(
            f"ListenAddress {address}\nPort {port}\nHostKey {directory}/host\nAuthorizedKeysFile {directory}/authorized\nPidFile none\n"
            "StrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin prohibit-password\nLogLevel VERBOSE\n"
        )
        with (directory / "log").open("wb") as log:
            process = subprocess.Popen([SSHD, "-D", "-e", "-f", str(directory / "config")], stdout=log, stderr=log)
        try:
            until = time.monotonic() + 10
            while time.monotonic() < until and process.poll() is None:
                with contextlib.suppress(OSError), socket.create_connection((address, port), 1):
                    break
                time.sleep(0.05)
            assert process.poll() is None, (directory / "log").read_text()
            yield Ssh(address, port, key, f"[{address}]:{port} {' '.join(host.split()[:2])}\n")
        finally:
            process.terminate()
            process.wait(10)
