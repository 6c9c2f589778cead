"""Names of files: readable, safe, and never the same for two objects."""

from __future__ import annotations

import pytest
from ansible_collections.monitoring.ha.plugins.module_utils.grafana import names
from hypothesis import given
from hypothesis import strategies as st

TEXT = st.text(st.characters(codec=None), max_size=300)
UID = st.text("abcXYZ019-_", min_size=1, max_size=40)


@given(TEXT, UID)
def test_safe_on_every_file_system(title: str, uid: str) -> None:
    name = f"{names.of_uid(title, uid)}.json"
    assert len(name.encode()) <= 255 and name.isprintable() and not set(name) & set('/\\:*?"<>|\0\n ')
    assert not name.startswith((".", "-"))


@given(TEXT, UID, TEXT, UID)
def test_never_the_same_for_two(title: str, uid: str, other_title: str, other_uid: str) -> None:
    if uid != other_uid:
        assert names.of_uid(title, uid) != names.of_uid(other_title, other_uid)
    assert names.uid_of(names.of_uid(title, uid)) == uid


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Node / CPU & memory (5m)", "node-cpu-memory-5m"),
        ("..", "untitled"),
        ("", "untitled"),
        ("Zażółć", "zażółć"),
        ("Zaz\u0307o\u0301łć", "zażółć"),
        ("\N{FIRE} on \N{FIRE}", "on"),
        ("x" * 500, "x" * 80),
        ("ж" * 500, "ж" * 40),
    ],
)
def test_readable(title: str, expected: str) -> None:
    assert names.readable(title) == expected


def test_organisations() -> None:
    assert names.organisation("ops") == "ops"
    assert names.organisation("Main Org.") != names.organisation("Main Org")
