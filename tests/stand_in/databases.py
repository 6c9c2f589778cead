"""Throw-away PostgreSQL and MariaDB servers on loopback, run by a user without rights."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from pathlib import Path

import pymysql
from pg8000 import native


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _unprivileged(user: str) -> tuple[list[str], int, int]:
    """What to put before a command so that it runs without rights, and as whom."""
    if os.geteuid() != 0:
        return [], os.geteuid(), os.getegid()
    for name in (user, "nobody"):
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        return ["setpriv", f"--reuid={found.pw_uid}", f"--regid={found.pw_gid}", "--clear-groups"], found.pw_uid, found.pw_gid
    raise RuntimeError("no user without rights to run the database as")


class DatabaseServer(ABC):
    kind: str
    user: str

    def __init__(self, files: dict[str, Path] | None = None) -> None:
        """`files` are put into the directory under these names, for options to refer to."""
        self.port = free_port()
        self.directory = Path(tempfile.mkdtemp(prefix=f"stand-in-{self.kind}-"))
        self._prefix, uid, gid = _unprivileged(self.user)
        os.chown(self.directory, uid, gid)
        self.files = files or {}
        for name, source in self.files.items():
            shutil.copy(source, self.directory / name)
            os.chown(self.directory / name, uid, gid)
            (self.directory / name).chmod(0o600)
        self._process: subprocess.Popen[bytes] | None = None
        self._count = 0
        self.prepare()
        self.start()

    def command(self, *words: str, check: bool = True) -> None:
        subprocess.run([*self._prefix, *words], check=check, cwd=self.directory, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def start(self) -> None:
        with (self.directory / "server.log").open("ab") as log:
            self._process = subprocess.Popen([*self._prefix, *self.arguments()], cwd=self.directory, stdout=log, stderr=log)
        until = time.monotonic() + 30
        while True:
            try:
                self.execute("SELECT 1")
                return
            except Exception:
                if time.monotonic() > until or self._process.poll() is not None:
                    raise RuntimeError((self.directory / "server.log").read_text()[-2000:]) from None
                time.sleep(0.05)

    def stop(self, number: int = signal.SIGINT) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(20)
            self._process = None

    def restart(self) -> None:
        self.stop()
        self.start()

    def close(self) -> None:
        self.stop(signal.SIGKILL)
        shutil.rmtree(self.directory, ignore_errors=True)

    def new_database(self) -> str:
        self._count += 1
        name = f"grafana{self._count}"
        self.execute(f"CREATE DATABASE {name}")
        return name

    @abstractmethod
    def prepare(self) -> None: ...

    @abstractmethod
    def arguments(self) -> list[str]: ...

    @abstractmethod
    def execute(self, sql: str, database: str = "") -> None: ...


class Postgres(DatabaseServer):
    kind = "postgres"
    user = "postgres"

    def prepare(self) -> None:
        candidates = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
        if not candidates:
            raise RuntimeError("no /usr/lib/postgresql/*/bin/initdb: install the package postgresql")
        self._bin = candidates[-1].parent
        self.command(str(self._bin / "initdb"), "-D", "data", "-U", "grafana", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")

    def arguments(self) -> list[str]:
        options = {
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
            "max_connections": "200",
            "shared_buffers": "64MB",
        }
        if self.files:
            options |= {"ssl": "on", "ssl_ca_file": "../ca.pem", "ssl_cert_file": "../server.pem", "ssl_key_file": "../server.key"}
        words = [f"-c{key}={value}" for key, value in options.items()]
        return [str(self._bin / "postgres"), "-D", "data", "-h", "127.0.0.1", "-p", str(self.port), "-k", str(self.directory), *words]

    def execute(self, sql: str, database: str = "") -> None:
        connection = native.Connection("grafana", host="127.0.0.1", port=self.port, database=database or "postgres")
        try:
            connection.run(sql)
        finally:
            connection.close()


class MariaDB(DatabaseServer):
    kind = "mysql"
    user = "mysql"

    def prepare(self) -> None:
        install, server = shutil.which("mariadb-install-db"), shutil.which("mariadbd") or shutil.which("mariadbd", path="/usr/sbin")
        if install is None or server is None:
            raise RuntimeError("no mariadb-install-db or mariadbd: install the package mariadb-server")
        self._server = server
        self.command(
            install, "--no-defaults", f"--datadir={self.directory / 'data'}", "--auth-root-authentication-method=normal", "--skip-test-db"
        )

    def arguments(self) -> list[str]:
        options = {
            "datadir": str(self.directory / "data"),
            "bind-address": "127.0.0.1",
            "port": str(self.port),
            "socket": str(self.directory / "mysqld.sock"),
            "pid-file": str(self.directory / "mysqld.pid"),
            "innodb-flush-log-at-trx-commit": "0",
            "innodb-buffer-pool-size": "64M",
            "max-connections": "200",
            "skip-name-resolve": "1",
        }
        if self.files:
            options |= {
                f"ssl-{key}": str(self.directory / name) for key, name in (("ca", "ca.pem"), ("cert", "server.pem"), ("key", "server.key"))
            }
        return [self._server, "--no-defaults", *(f"--{key}={value}" for key, value in options.items())]

    def stop(self, number: int = signal.SIGTERM) -> None:
        super().stop(signal.SIGTERM if number == signal.SIGINT else number)

    def execute(self, sql: str, database: str = "") -> None:
        connection = pymysql.connect(host="127.0.0.1", port=self.port, user="root", password="", database=database or None, autocommit=True)
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql)
        finally:
            connection.close()
