"""The same state gives the same bytes."""

from __future__ import annotations

import json
import random
import re
from typing import Any

from ansible_collections.monitoring.ha.plugins.module_utils.grafana.canonical import dumps, loads
from hypothesis import given
from hypothesis import strategies as st

TEXT = st.text(st.characters(codec=None))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


def shuffled(value: Any, chance: random.Random) -> Any:
    """The same value with the members of every object in another order."""
    if isinstance(value, dict):
        items = [(name, shuffled(one, chance)) for name, one in value.items()]
        chance.shuffle(items)
        return dict(items)
    return [shuffled(one, chance) for one in value] if isinstance(value, list) else value


@given(VALUES, st.integers())
def test_order_and_spelling_do_not_matter(value: Any, seed: int) -> None:
    once = dumps(loads(json.dumps(value)))
    assert dumps(loads(json.dumps(shuffled(value, random.Random(seed)), indent=1))) == once
    assert dumps(loads(once)) == once, "what was read from a file is written the same"


@given(VALUES)
def test_it_is_what_the_library_writes(value: Any) -> None:
    plain = json.dumps(value, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False)
    assert dumps(value) == re.sub("[\ud800-\udfff]", lambda half: f"\\u{ord(half[0]):04x}", plain).encode() + b"\n"


@given(VALUES)
def test_nothing_is_lost(value: Any) -> None:
    assert loads(dumps(value)) == value


@given(st.lists(TEXT, max_size=5))
def test_lists_keep_their_order(value: list[str]) -> None:
    assert loads(dumps(value)) == value


def test_numbers() -> None:
    assert dumps(loads(b"[1.0, 1e3, 1.50, 0.1, -0.0, 12345678901234567890]")) == dumps([1, 1000, 1.5, 0.1, 0, 12345678901234567890])
