"""What all tests of instances share: a database server, and instances that end with the test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .databases import DatabaseServer, Postgres
from .instances import Instance, Make


@pytest.fixture(scope="session")
def postgres() -> Iterator[DatabaseServer]:
    server = Postgres()
    yield server
    server.close()


@pytest.fixture
def make() -> Iterator[Make]:
    """Makes instances that end with the test."""
    made: list[Instance] = []

    def instance(version: str, sections: dict[str, dict[str, str]], environment: dict[str, str] | None = None) -> Instance:
        made.append(Instance(version, sections, environment))
        return made[-1]

    yield instance
    for one in made:
        one.close()
