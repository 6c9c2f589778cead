# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The controller's half of ``preflight_host``: measures the clock, which a module cannot."""

from __future__ import annotations

import time
from typing import Any

from ansible.plugins.action import ActionBase

#: The quickest of several readings is the most certain one; one that is certain enough, in seconds, does.
READINGS = 3
CERTAIN = 0.25


class ActionModule(ActionBase):
    """``monitoring.ha.preflight_host``."""

    _supports_check_mode = True
    _VALID_ARGS = frozenset({"names", "paths", "reach", "virtual_address"})

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Look, then read the clock."""
        super().run(tmp, task_vars)
        result = self._execute_module(module_name="monitoring.ha.preflight_host", module_args=dict(self._task.args), task_vars=task_vars)
        result.pop("invocation", None)
        if not result.get("failed"):
            readings = [self._clock()]
            while len(readings) < READINGS and readings[-1][1] > CERTAIN:
                readings.append(self._clock())
            result["facts"]["clock"] = min(readings, key=lambda reading: reading[1])
        return result

    def _clock(self) -> tuple[float, float]:
        """(offset, uncertainty): seconds by which the host is ahead of the controller."""
        before = time.time()
        said = self._low_level_execute_command("date +%s.%N", sudoable=False)["stdout"].strip()
        after = time.time()
        try:
            return float(said) - (before + after) / 2, (after - before) / 2
        except ValueError:
            return 0.0, float("inf")
