# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Lists that come in numbered pages, whoever fetches them. Needs nothing but Python, as it runs on the stack's hosts too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .errors import GrafanaError

#: Organisations to a page.
ORGANISATIONS = 1000
#: How often a list of several pages is read until it holds still.
PASSES = 6

#: What one pass through a list has found, by what tells the items apart, and the number of its pages.
Pass = tuple[dict[Any, Any], int]


def settled(once: Callable[[], Pass], what: str) -> dict[Any, Any]:
    """A list as it is, however many pages it has. GrafanaError when it does not hold still.

    What is made or deleted between two pages moves the others to and fro over the border, and one of them may be on
    neither. Two passes that show the same ones have missed none; a single page cannot.
    """
    found, pages = once()
    for _again in range(PASSES - 1):
        if pages < 2:
            return found
        before = set(found)
        # Not twice in memory.
        found = {}
        found, pages = once()
        if before == set(found):
            return found
    raise GrafanaError(f"{what}: objects are made or deleted faster than all of them can be listed; run again when it is quieter")


def organisations(page: Callable[[int], Sequence[dict[str, Any]]]) -> dict[str, int]:
    """Name to id of all organisations; GrafanaError when they do not hold still. page: gives the page of a number, of ``ORGANISATIONS``.

    Grafana numbers these from 0, all its other lists from 1. Should that change, what counts 0 as 1 only shows its first
    page twice, and what has nothing at 0 is asked for 1.
    """

    def once() -> Pass:
        found: dict[Any, Any] = {}
        number = 0
        while True:
            part = page(number)
            found.update((int(one["id"]), str(one["name"])) for one in part)
            number += 1
            if len(part) < ORGANISATIONS and (found or number > 1):
                return found, number

    return {name: key for key, name in settled(once, "organisations").items()}
