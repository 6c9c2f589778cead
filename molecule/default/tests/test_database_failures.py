"""Nothing that was acknowledged is ever lost, and writes work again in time. Other failures are drills."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.scenario import sql
from tests.scenario.stack import Stack, wait_for

#: Seconds within which writes go on, and after which members that have come back follow the leader.
WRITES = 90.0
RETURN = 120.0
#: A client whose connection to its member is still being made when the member goes out, and one whose connection is there: prints how
#: many seconds later each of them is told. HAProxy and cut.lua are the host's own; a member whose backlog is full answers nobody.
TOLD = """
import contextlib, pathlib, socket, subprocess, tempfile, time

def member(backlog):
    listening = socket.create_server(("127.0.0.1", 0), backlog=backlog)
    return listening, listening.getsockname()[1]

def told(client, begun):
    client.settimeout(10)
    with contextlib.suppress(ConnectionResetError):
        assert client.recv(1) == b""
    return time.monotonic() - begun

full, nobody = member(0)
crowd = [socket.socket() for _ in range(5)]
for one in crowd:
    one.setblocking(False)
    one.connect_ex(("127.0.0.1", nobody))
well, somebody = member(9)
with tempfile.TemporaryDirectory() as home:
    ways = [member(1) for _ in range(2)]
    for way, _ in ways:
        way.close()
    listens = [
        f"listen way{i}\\n bind 127.0.0.1:{way}\\n server one 127.0.0.1:{server} check inter 1h\\n"
        for i, ((_, way), server) in enumerate(zip(ways, (nobody, somebody)))
    ]
    (config := pathlib.Path(home) / "its.cfg").write_text(
        f"global\\n stats socket {home}/admin level admin\\n setenv CUT '1.0 way0 way1'\\n lua-load /etc/monitoring-ha/haproxy/cut.lua\\n"
        "defaults\\n mode tcp\\n retries 0\\n timeout connect 1s\\n timeout client 1h\\n timeout server 1h\\n" + "".join(listens)
    )
    with subprocess.Popen(["haproxy", "-db", "-f", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        try:
            while not (admin := pathlib.Path(home) / "admin").is_socket():
                assert running.poll() is None
                time.sleep(0.1)
            clients = [socket.create_connection(("127.0.0.1", way)) for _, way in ways]
            time.sleep(0.2)
            for number in range(2):
                with socket.socket(socket.AF_UNIX) as asked:
                    asked.connect(str(admin))
                    asked.sendall(f"set server way{number}/one health down\\n".encode())
                    asked.recv(100)
            begun = time.monotonic()
            print(*(told(client, begun) for client in clients))
        finally:
            running.kill()
"""


@pytest.fixture(autouse=True)
def whole(stack: Stack, powered: None) -> Iterator[None]:
    """Every test begins with all members, and ends with them."""
    del powered
    wait_for("a whole cluster", lambda: sql.healthy(stack), RETURN)
    yield
    for host in stack.hosts:
        stack.run(host, "systemctl start etcd patroni", check=False)


def test_all_hosts_lose_power_at_once(stack: Stack) -> None:
    with sql.writing(stack) as writer:
        for host in stack.hosts:
            stack.container(host).kill()
        time.sleep(2)
        for host in stack.hosts:
            stack.container(host).start()
        writer.until_written(WRITES, least=5)
    writer.judge(sql.kept(stack), "power cut of all hosts", RETURN)
    wait_for("everybody's return", lambda: sql.healthy(stack), RETURN)
    assert not set(writer.acknowledged) - sql.kept(stack)


def test_nobody_waits_for_a_member_that_went_out(stack: Stack) -> None:
    connecting, connected = map(float, stack.run(stack.holder(), f"python3 - <<'END'\n{TOLD}\nEND").split())
    assert connecting < 5 and connected < 5
