"""One instance of each release for all tests; each test has organisations of its own."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.stand_in.databases import DatabaseServer
from tests.stand_in.fixtures import make, postgres
from tests.stand_in.instances import Instance, database_section

from .site import Site

__all__ = ["make", "postgres"]

RELEASE = "13.0.1"
RELEASES = ("11.6.0", "12.4.0", RELEASE, "13.2.1")


@pytest.fixture(scope="session")
def released(postgres: DatabaseServer) -> Iterator[Callable[[str], Instance]]:
    """The shared instance of a release."""
    running: dict[str, Instance] = {}

    def get(version: str) -> Instance:
        if version not in running:
            running[version] = Instance(version, {"database": database_section(postgres, postgres.new_database())}).start()
        return running[version]

    yield get
    for instance in running.values():
        instance.close()


_numbers = itertools.count(1)


@pytest.fixture
def new_site(released: Callable[[str], Instance], tmp_path: Path) -> Callable[..., Site]:
    """Makes empty organisations."""

    def make(version: str = RELEASE) -> Site:
        return Site.create(released(version), f"Org / {next(_numbers)}", tmp_path)

    return make


@pytest.fixture
def site(new_site: Callable[..., Site]) -> Site:
    return new_site()


@pytest.fixture
def other(new_site: Callable[..., Site]) -> Site:
    """A second, empty organisation."""
    return new_site()
