"""The libraries the archive carries. None of them ships type information, so they are typed as Any here and nowhere else."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def load(name: str) -> Any:
    """Each is loaded where it is used: an instance needs the driver of one database only."""
    return import_module(name)
