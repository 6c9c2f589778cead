# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Lists that come in numbered pages, whoever fetches them. Needs nothing but Python, as it runs on the stack's hosts too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

#: Organisations to a page.
ORGANISATIONS = 1000


def organisations(page: Callable[[int], Sequence[dict[str, Any]]]) -> dict[str, int]:
    """Name to id of all organisations. page: gives the page of a number, of ``ORGANISATIONS``.

    Grafana numbers these from 0, all its other lists from 1. Should that change, what counts 0 as 1 only shows its first
    page twice, and what has nothing at 0 is asked for 1.
    """
    found: dict[int, str] = {}
    number = 0
    while True:
        part = page(number)
        found.update((int(one["id"]), str(one["name"])) for one in part)
        if len(part) < ORGANISATIONS and (found or number):
            return {name: key for key, name in found.items()}
        number += 1
