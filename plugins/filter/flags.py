# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

DOCUMENTATION = r"""
name: flags
short_description: Command line flags for a systemd unit
version_added: 0.1.0
author: monitoring.ha contributors (@monitoring-ha)
description:
  - Turns a mapping into the flags of a Go daemon, quoted for C(ExecStart=), one per line.
  - V(true) gives C(--name), V(false) gives C(--no-name), a list repeats the flag, an empty value or V(null) leaves it out.
options:
  _input:
    description: Flag (without dashes) to value.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: In the template of a unit
  ansible.builtin.debug:
    msg: "ExecStart=/usr/bin/prometheus {{ {'query.timeout': '1m', 'enable-feature': ['a', 'b']} | monitoring.ha.flags }}"
"""

RETURN = r"""
_value:
  description: The flags, joined by a backslash, a newline and two blanks.
  type: str
"""


def quote(argument: str) -> str:
    """One argument of ``ExecStart=``: no specifier, no variable and no blank is interpreted."""
    if any(c in argument for c in "\n\r\0"):
        raise AnsibleFilterError(f"flags: a line break in {argument!r} cannot stand in a unit file")
    escaped = argument.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    plain = escaped == argument and not any(c in argument for c in " \t';")
    return escaped if plain else f'"{escaped}"'


def flags(values: Mapping[str, Any]) -> str:
    """``{"a": 1, "b": False}`` → ``--a=1 --no-b``."""
    if not isinstance(values, Mapping):
        raise AnsibleFilterError(f"flags: a mapping is needed, not {type(values).__name__}")
    found: list[str] = []
    for name, value in values.items():
        if isinstance(value, bool):
            found.append(f"--{name}" if value else f"--no-{name}")
        elif isinstance(value, list | tuple):
            found += [f"--{name}={item}" for item in value]
        elif value is not None and value != "":
            found.append(f"--{name}={value}")
    return " \\\n  ".join(quote(flag) for flag in found)


class FilterModule:
    """``mapping | monitoring.ha.flags``."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"flags": flags}
