"""Databases and instances that tests share."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest

from .contract import Contract
from .databases import DatabaseServer
from .fixtures import make, postgres
from .instances import Instance, database_section

__all__ = ["make", "postgres"]

CONTRACT_VERSION = "13.0.1"


@pytest.fixture(scope="session")
def contract() -> Contract:
    return Contract()


@pytest.fixture(scope="session")
def released(postgres: DatabaseServer, contract: Contract) -> Iterator[Callable[[str], Instance]]:
    """One running instance for each release, shared by all tests. Answers of the contract's release are held to the contract."""
    running: dict[str, Instance] = {}

    def get(version: str) -> Instance:
        if version not in running:
            instance = Instance(version, {"database": database_section(postgres, postgres.new_database())}).start()
            if version == CONTRACT_VERSION:
                instance.session.hooks["response"].append(contract.check)
            running[version] = instance
        return running[version]

    yield get
    for instance in running.values():
        instance.close()


@pytest.fixture(scope="session")
def grafana(released: Callable[[str], Instance]) -> Instance:
    return released(CONTRACT_VERSION)


_numbers = itertools.count(1)


@pytest.fixture
def name() -> str:
    """A name no other test uses."""
    return f"t{next(_numbers)}"
