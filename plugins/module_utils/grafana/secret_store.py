# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Secrets that Grafana never gives out: which are needed, and where their values come from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class SecretStore:
    """Values by kind, name (or uid) and field.

    always: values are sent in every run; otherwise only where Grafana has none, or the object changes anyway.
    """

    values: Mapping[str, Mapping[str, Mapping[str, str]]] = field(default_factory=dict, repr=False)
    always: bool = False

    def get(self, kind: str, names: Iterable[str], field_name: str) -> str | None:
        """The value of a field; the first of the names that has one counts. None when there is none."""
        for name in names:
            value = (self.values.get(kind) or {}).get(name, {}).get(field_name)
            if value:
                return value
        return None

    def all(self) -> Iterator[str]:
        """Every value, to keep it out of messages."""
        for kinds in self.values.values():
            for fields in kinds.values():
                yield from (str(value) for value in fields.values() if value)


def problems(values: Any, kinds: Iterable[str]) -> list[str]:
    """What is wrong with the shape ``{kind: {name: {field: value}}}``, without any value."""
    if not isinstance(values, Mapping):
        return ["secrets: a mapping of kind, name and field is needed"]
    found = [f"secrets: {kind} has none" for kind in values if kind not in set(kinds)]
    for kind, named in values.items():
        if not isinstance(named, Mapping):
            found.append(f"secrets.{kind}: a mapping of names is needed")
            continue
        for name, fields in named.items():
            if not isinstance(fields, Mapping) or not all(isinstance(value, str) for value in fields.values()):
                found.append(f"secrets.{kind}.{name}: a mapping of fields to texts is needed")
    return found
