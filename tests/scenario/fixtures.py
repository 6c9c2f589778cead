"""Fixtures of every scenario."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.scenario.pages import Alarm, Pager
from tests.scenario.stack import Stack


@pytest.fixture(scope="session")
def stack() -> Stack:
    return Stack.of_environment()


@pytest.fixture(scope="session")
def pager(stack: Stack) -> Iterator[Pager]:
    with Pager(stack.gateway) as found:
        yield found


@pytest.fixture
def alarm(stack: Stack) -> Iterator[Alarm]:
    found = Alarm(stack)
    yield found
    found.clear()


@pytest.fixture
def powered(stack: Stack) -> Iterator[None]:
    """Whatever a test switches off is on again afterwards."""
    yield
    for host in stack.hosts:
        container = stack.container(host)
        if container.status != "running":
            container.start()
