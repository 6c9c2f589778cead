# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A gate as tasks ask for it: until a component behaves, or its unit cannot any more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.monitoring.ha.plugins.module_utils import gates, identity, units

#: Arguments of a gate.
OPTIONS: dict[str, dict[str, Any]] = {
    "component": {"type": "str", "required": True},
    "address": {"type": "str", "required": True},
    "port": {"type": "int", "required": True},
    "timeout": {"type": "int", "default": 60},
    "expect": {"type": "dict", "default": {}},
    **identity.OPTIONS,
}
#: How often a unit may die on the way: longer than a database needs to choose another leader.
DEATHS = 15


class GateError(RuntimeError):
    """It does not behave. missing: what was seen last."""

    def __init__(self, message: str, missing: list[str] | None = None) -> None:
        super().__init__(message)
        self.missing = missing or []


def arguments(given: Mapping[str, Any]) -> dict[str, Any]:
    """OPTIONS with their defaults; GateError for what is not one of them."""
    validated = ArgumentSpecValidator(OPTIONS).validate(dict(given))
    if validated.error_messages:
        raise GateError("; ".join(validated.error_messages))
    found: dict[str, Any] = validated.validated_parameters
    return found


def fate(unit: str, deaths: int) -> str:
    """Why waiting for a unit is pointless; empty when it is not. deaths: how often it had been started again before."""
    try:
        now = units.show(unit)
    except units.UnitError as error:
        return str(error)
    died = int(now.get("NRestarts") or 0) - deaths
    if died >= DEATHS:
        return f"{unit} has died {died} times"
    return f"{unit} is {now['ActiveState']} ({now['Result']})" if now["ActiveState"] in ("failed", "inactive") else ""


def passed(given: Mapping[str, Any], unit: str, after: str) -> float:
    """Seconds until the component behaved. given: OPTIONS. unit: whose end makes waiting pointless, if named. after: what was done to it.

    GateError with what was seen last, and the unit's last words.
    """
    if given["component"] not in gates.GATES:
        raise GateError(f"no gate for {given['component']!r}; there are: {', '.join(sorted(gates.GATES))}")
    client = identity.client(given, given["address"], given["port"])
    question = gates.Question(client, given["expect"], after in ("start", "restart"))
    deaths = int(units.show(unit).get("NRestarts") or 0) if unit else 0
    verdict = gates.wait(given["component"], question, given["timeout"], hopeless=lambda: fate(unit, deaths) if unit else "")
    if verdict.passed:
        return round(verdict.seconds, 1)
    words = units.journal(unit) if unit else ""
    message = f"{given['component']} does not behave after {verdict.seconds:.0f} s: {'; '.join(verdict.missing)}"
    raise GateError(message + (f"; {unit} last said: {words}" if words else ""), verdict.missing)
