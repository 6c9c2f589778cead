"""What tells systemd that a HAProxy beside a component works."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PROGRAM = Path(__file__).resolve().parent.parent.parent / "roles" / "haproxy" / "files" / "watch.py"


@contextmanager
def watched(directory: Path, answer: bytes) -> Iterator[socket.socket]:
    """The socket on which it tells systemd, while a master's socket answers so; nothing for a process that hangs."""
    with socket.socket(socket.AF_UNIX) as master, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        master.bind(str(directory / "master.sock"))
        master.listen()
        told.bind(str(directory / "notify.sock"))
        kept = []

        def serve() -> None:
            while True:
                try:
                    asked, _address = master.accept()
                except OSError:
                    return
                kept.append(asked)
                if asked.recv(100) == b"@1 show info\n" and answer:
                    asked.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        environment = {**os.environ, "NOTIFY_SOCKET": str(directory / "notify.sock")}
        process = subprocess.Popen([sys.executable, "-I", str(PROGRAM), str(directory / "master.sock")], env=environment)
        try:
            yield told
        finally:
            process.kill()
            process.wait()
            master.shutdown(socket.SHUT_RDWR)
            for one in kept:
                one.close()


def test_as_long_as_it_answers_systemd_is_told_so(tmp_path: Path) -> None:
    with watched(tmp_path, b"Name: HAProxy\n") as told:
        told.settimeout(30)
        assert told.recv(100) == told.recv(100) == b"WATCHDOG=1"


def test_of_one_that_hangs_systemd_hears_nothing(tmp_path: Path) -> None:
    with watched(tmp_path, b"") as told:
        told.settimeout(3)
        with pytest.raises(TimeoutError):
            told.recv(100)


def test_one_that_cannot_be_told_for_a_while_is_told_later(tmp_path: Path) -> None:
    """The watch would otherwise end, and systemd would end what works."""
    with watched(tmp_path, b"Name: HAProxy\n") as told:
        told.settimeout(30)
        assert told.recv(100) == b"WATCHDOG=1"
        (tmp_path / "notify.sock").rename(tmp_path / "elsewhere.sock")
        time.sleep(3)
        while select.select([told], [], [], 0)[0]:
            told.recv(100)
        (tmp_path / "elsewhere.sock").rename(tmp_path / "notify.sock")
        assert told.recv(100) == b"WATCHDOG=1"
