# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The controller's half of ``packages``: hands what is missing to ``ansible.builtin.apt``."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

#: Seconds for which lists of packages are fresh enough, once something has to be installed.
FRESH = 3600


class ActionModule(ActionBase):
    """``monitoring.ha.packages``."""

    _supports_check_mode = True
    _VALID_ARGS = frozenset({"names"})

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Look, then install what is missing."""
        super().run(tmp, task_vars)
        result = self._execute_module(module_name="monitoring.ha.packages", module_args=dict(self._task.args), task_vars=task_vars)
        result.pop("invocation", None)
        if result.get("failed") or not result["missing"] or self._task.check_mode:
            return result
        # Lists that look fresh may be empty, as on an image; the second try fetches them whatever their age.
        done: dict[str, Any] = {}
        for age in (FRESH, 0):
            arguments = {
                "name": result["missing"],
                "update_cache": True,
                "cache_valid_time": age,
                "install_recommends": False,
                "allow_downgrade": any("=" in name for name in result["missing"]),
                "policy_rc_d": 101,
                "lock_timeout": 300,
            }
            done = self._execute_module(module_name="ansible.builtin.apt", module_args=arguments, task_vars=task_vars)
            if not done.get("failed"):
                return result
        return {"failed": True, "msg": f"{', '.join(result['missing'])}: {done.get('msg')}", "missing": result["missing"]}
