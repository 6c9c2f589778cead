"""What several tests need."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit import identities
from tests.unit.plays import Play


@pytest.fixture
def play(tmp_path: Path) -> Play:
    """A place for plays on this machine."""
    home = tmp_path / "play"
    home.mkdir()
    return Play(home)


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> identities.Site:
    """An authority, a server's identity and the controller's."""
    return identities.make(tmp_path_factory.mktemp("pki"))
