"""In which order objects that need something of each other are written."""

from __future__ import annotations

import pytest
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.ties import takers_first


@pytest.mark.parametrize(
    ("takes", "order"),
    [
        ({}, ["a", "b", "c"]),
        ({"b": {"a"}}, ["b", "a", "c"]),
        ({"b": {"a"}, "c": {"b"}}, ["c", "b", "a"]),
        ({"c": {"a", "b"}}, ["c", "a", "b"]),
        ({"c": {"elsewhere"}}, ["a", "b", "c"]),
    ],
)
def test_takers_come_first(takes: dict[str, set[str]], order: list[str]) -> None:
    assert takers_first(["a", "b", "c"], takes) == order


def test_a_circle_ends() -> None:
    assert sorted(takers_first(["a", "b", "c"], {"a": {"b"}, "b": {"c"}, "c": {"a"}})) == ["a", "b", "c"]
