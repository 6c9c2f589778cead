# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the steps of a drill are told, and where they keep their files."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean
from ansible_collections.monitoring.ha.plugins.plugin_utils.drill.failures import DrillError


def words(given: Any, variable: str) -> list[str]:
    """Names in a list, or in a text with commas between them."""
    if not isinstance(given, (str, list, tuple)):
        raise DrillError(f"{variable} is {given!r}: give a name, names with commas between them, or a list")
    found = given.split(",") if isinstance(given, str) else [str(word) for word in given]
    return [word.strip() for word in found if word.strip()]


@dataclass(frozen=True)
class Options:
    """What the inventory and the command line say.

    directory: where the report goes. host: strike there. seconds: how long each failure lasts, instead of its own. patience: seconds until
    the stack has to be whole. settle: seconds in which it has to stay so. stage: directories may be moved to memory to fill their disk.
    going_on: further drills after one that failed. index: which drill. addresses: host → its addresses. logs: host → what its components
    said. unmended: hosts on which mending did not work. unsupported: why hosts cannot have the failure. unreachable: hosts that it would
    strike, and Ansible does not reach. trouble: what went wrong in between. check: say what is meant, and leave everything as it is.
    typed: passwords that this run was given by hand (``watch.typed``).
    """

    directory: Path
    wanted: list[str] = field(default_factory=list)
    beyond: bool = False
    repeat: int = 1
    host: str = ""
    seconds: float = 0.0
    objectives: Mapping[str, Any] = field(default_factory=dict)
    pager: str = ""
    probes: list[str] = field(default_factory=list)
    patience: float = 180.0
    settle: float = 5.0
    stage: bool = False
    going_on: bool = False
    index: int = 0
    addresses: Mapping[str, str] = field(default_factory=dict)
    logs: Mapping[str, str] = field(default_factory=dict)
    unmended: list[str] = field(default_factory=list)
    unsupported: list[str] = field(default_factory=list)
    unreachable: list[str] = field(default_factory=list)
    trouble: str = ""
    check: bool = False
    typed: Mapping[str, str | None] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Options:
        """From a task's arguments; DrillError for one that is not known."""
        if unknown := set(given) - set(cls.__dataclass_fields__):
            raise DrillError(f"drill: unknown option {', '.join(sorted(unknown))}")
        found = {name: value for name, value in given.items() if value is not None}
        found["directory"] = Path(str(given["directory"])).expanduser().absolute()
        # A variable of the command line is text, and "false" is not true.
        kinds: dict[str, Callable[[Any], Any]] = {"repeat": int, "index": int, "seconds": float, "patience": float, "settle": float}
        kinds |= dict.fromkeys(("beyond", "stage", "going_on"), boolean)
        for name, kind in kinds.items():
            try:
                found |= {name: kind(found[name])} if name in found else {}
            except (TypeError, ValueError) as error:
                raise DrillError(f"drill: {name} is {found[name]!r}: {error}") from error
        for name in ("seconds", "patience", "settle"):
            if not 0 <= found.get(name, 0) < math.inf:
                raise DrillError(f"drill_{name} is {found[name]:g}: say how many seconds, no less than 0")
        for name, variable in (("wanted", "drill"), ("probes", "drill_probes")):
            found[name] = words(found.get(name, []), variable)
        return cls(**found)

    @property
    def work(self) -> Path:
        """Of this run, and of nobody else's eyes."""
        return self.directory / ".work"

    def drill(self, index: int) -> Path:
        """Of one drill."""
        return self.work / f"{index:03}"

    def verdict(self, index: int) -> Path:
        return self.work / f"{index:03}.json"
