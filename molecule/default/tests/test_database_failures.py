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
