# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Variables of other hosts, evaluated once a task.

Every look into ``hostvars`` gathers and evaluates all of a host's variables anew. A role's variables look hundreds of times within
one task, during which they cannot change.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Mapping
from typing import Any

#: (host, variable) → (whether it is set, value); of this process, which lives for one task.
_known: dict[tuple[str, str], tuple[bool, Any]] = {}


class Variables(Mapping[str, Any]):
    """A host's variables, each evaluated when it is first asked for."""

    def __init__(self, host: str, hostvars: Mapping[str, Mapping[str, Any]]) -> None:
        self._host, self._hostvars = host, hostvars

    def _find(self, name: str) -> tuple[bool, Any]:
        key = (self._host, name)
        if key not in _known:
            its = self._hostvars[self._host]
            _known[key] = (name in its, its.get(name))
        return _known[key]

    def __getitem__(self, name: str) -> Any:
        found, value = self._find(name)
        if not found:
            raise KeyError(name)
        return value

    def __contains__(self, name: object) -> bool:
        return self._find(str(name))[0]

    def __iter__(self) -> Iterator[str]:
        return iter(self._hostvars[self._host])

    def __len__(self) -> int:
        return len(self._hostvars[self._host])


class Hosts(Mapping[str, Mapping[str, Any]]):
    """Hosts by name."""

    def __init__(self, hostvars: Mapping[str, Mapping[str, Any]]) -> None:
        self._hostvars = hostvars

    def __getitem__(self, host: str) -> Mapping[str, Any]:
        if host not in self._hostvars:
            raise KeyError(host)
        return Variables(host, self._hostvars)

    def __iter__(self) -> Iterator[str]:
        return iter(self._hostvars)

    def __len__(self) -> int:
        return len(self._hostvars)


def once(hostvars: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Mapping[str, Any]]:
    """``hostvars`` for a plugin. Only a task's own process remembers: the one that all tasks share would keep what has changed since."""
    return Hosts(hostvars) if multiprocessing.parent_process() else hostvars
