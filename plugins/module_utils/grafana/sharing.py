# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Dashboards that were exported for sharing: what is open in them is filled in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .canonical import Json

INPUTS, ELEMENTS, REQUIRES = "__inputs", "__elements", "__requires"
#: What stands for Grafana's own expressions, as a plugin and as a data source; it is in every Grafana, and in no list.
EXPRESSIONS = "__expr__"
_OPEN = re.compile(r"\$\{([^}]+)\}")


@dataclass(frozen=True)
class Source:
    """A data source that may be put in. type: id of its plugin."""

    uid: str
    name: str
    type: str
    default: bool = False


@dataclass(frozen=True)
class Filler:
    """Values by the names of inputs, and the data sources that there are."""

    inputs: Mapping[str, str] = field(default_factory=dict)
    sources: Sequence[Source] = ()

    def fill(self, dashboard: Json) -> tuple[Json, list[str]]:
        """(the dashboard with values in place of its inputs, names of the inputs without a value)."""
        values: dict[str, str] = {}
        open_ones = []
        for wanted in dashboard.get(INPUTS) or ():
            value = self._value(wanted)
            if value is None:
                open_ones.append(str(wanted.get("name")))
            else:
                values[str(wanted.get("name"))] = value
        rest = {name: value for name, value in dashboard.items() if name not in (INPUTS, ELEMENTS, REQUIRES)}
        filled: Json = _put(rest, values)
        return filled, open_ones

    def elements(self, dashboard: Json) -> Iterator[Json]:
        """Library panels that the dashboard brings along, as files have them."""
        elements = dashboard.get(ELEMENTS)
        values = {str(wanted.get("name")): self._value(wanted) or "" for wanted in dashboard.get(INPUTS) or ()}
        for uid, element in elements.items() if isinstance(elements, dict) else ():
            model = _put(element.get("model") or {}, values)
            yield {"uid": element.get("uid") or uid, "name": element["name"], "kind": element.get("kind", 1), "model": model}

    def _value(self, wanted: Json) -> str | None:
        if wanted.get("pluginId") == EXPRESSIONS:
            return EXPRESSIONS
        given = self.inputs.get(str(wanted.get("name")))
        if wanted.get("type") != "datasource":
            value = given if given is not None else wanted.get("value")
            return None if value is None else str(value)
        if given is not None:
            return next((one.uid for one in self.sources if given in (one.uid, one.name)), None)
        # Without a word about it: the only one of its type, or the default one.
        fitting = [one for one in self.sources if one.type == wanted.get("pluginId")]
        chosen = fitting if len(fitting) == 1 else [one for one in fitting if one.default]
        return chosen[0].uid if chosen else None


def is_shared(body: Json) -> bool:
    """Whether a dashboard was exported for sharing."""
    return bool(body.get(INPUTS)) or isinstance(body.get(ELEMENTS), dict)


def _put(value: Any, values: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return _OPEN.sub(lambda found: values.get(found[1], found[0]), value) if "${" in value else value
    if isinstance(value, list):
        return [_put(one, values) for one in value]
    if isinstance(value, dict):
        return {name: _put(one, values) for name, one in value.items()}
    return value
