"""What keepalived asks, with sockets on loopback: a HAProxy that works, hangs or is gone, and load balancers that are reached or not."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.unit.servers import Answer, serve

FILES = Path(__file__).resolve().parent.parent.parent / "roles" / "keepalived" / "files"

#: Seconds after which a script that waits is given up.
GIVEN_UP = 60

Listen = Callable[[], int]


@pytest.fixture
def listen() -> Iterator[Listen]:
    """Makes ports whose connections the kernel takes, and that nobody answers on, as of a process that is stopped."""
    with ExitStack() as kept:
        yield lambda: int(kept.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1])


def closed() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def passes(script: str, *words: object, path: str = "") -> bool:
    command = ["bash", str(FILES / script), *map(str, words)]
    environment = {**os.environ, "PATH": f"{path}:{os.environ['PATH']}"} if path else None
    return not subprocess.run(command, check=False, capture_output=True, timeout=GIVEN_UP, env=environment).returncode


@pytest.mark.parametrize(("status", "alive"), [(200, True), (503, False), (403, False)])
def test_haproxy_is_alive_when_it_says_so(status: int, alive: bool) -> None:
    with serve(lambda request: Answer(status=status)) as server:
        assert passes("alive.sh", server.port) is alive
    assert server.paths == ["/alive"]


def test_haproxy_that_hangs_is_not_alive(listen: Listen) -> None:
    assert not passes("alive.sh", listen())


def test_haproxy_that_is_gone_is_not_alive() -> None:
    assert not passes("alive.sh", closed())


#: Whether each load balancer is reached, the first with half a vote more; and whether that is the greater part.
PARTS = [
    ("+", True),
    ("-", False),
    ("+-", True),
    ("-+", False),
    ("++-", True),
    ("-++", True),
    ("+--", False),
    ("--+", False),
    ("++--", True),
    ("-++-", False),
    ("---", False),
]


@pytest.mark.parametrize(("reached", "greater"), PARTS)
@pytest.mark.parametrize("taken", [True, False])
def test_the_lesser_part_leaves_the_address_to_whoever_answers_for_it(
    reached: str, greater: bool, taken: bool, listen: Listen, tmp_path: Path
) -> None:
    """What arping finds is told by a program of its name: nobody answers for an address of loopback."""
    arping = tmp_path / "arping"
    arping.write_text(f'#!/bin/sh\necho "$@" >"{tmp_path}/asked"\nexit {int(taken)}\n')
    arping.chmod(0o755)
    members = [f"127.0.0.1/{listen() if is_reached == '+' else closed()}" for is_reached in reached]
    assert passes("majority.sh", "eth7", "192.0.2.9", *members, path=str(tmp_path)) is (greater or not taken)
    asked = tmp_path / "asked"
    assert asked.exists() is not greater
    if not greater:
        assert asked.read_text().split()[-2:] == ["eth7", "192.0.2.9"]


def test_whoever_cannot_look_keeps_the_address(tmp_path: Path) -> None:
    """arping that fails for another reason than an answer."""
    arping = tmp_path / "arping"
    arping.write_text("#!/bin/sh\nexit 2\n")
    arping.chmod(0o755)
    assert passes("majority.sh", "eth7", "192.0.2.9", f"127.0.0.1/{closed()}", path=str(tmp_path))


def waiting(member: str) -> bool:
    """Whether a script that asks this member is still there."""
    found = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found.append(process.read_bytes())
    return any(b"majority.sh" in command and member.encode() in command for command in found)


def test_nothing_that_waits_for_a_host_that_is_away_is_left_behind(listen: Listen) -> None:
    """As of a host that is off: a connection to a server whose queue is full is neither made nor refused."""
    with ExitStack() as kept:
        server = kept.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            one = kept.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(server.getsockname())
        away = f"127.0.0.1/{server.getsockname()[1]}"
        assert passes("majority.sh", "eth7", "192.0.2.9", f"127.0.0.1/{listen()}", f"127.0.0.1/{listen()}", away)
        deadline = time.monotonic() + 10
        while waiting(away) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not waiting(away)
