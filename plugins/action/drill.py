# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The steps of a drill on the controller: choose, guard, look, begin, last, finish, log, tell. The role drill puts them in order."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.monitoring.ha.plugins.module_utils import topology
from ansible_collections.monitoring.ha.plugins.plugin_utils.drill import conduct, failures, watch
from ansible_collections.monitoring.ha.plugins.plugin_utils.drill.options import Options
from ansible_collections.monitoring.ha.plugins.plugin_utils.drill.stack import Stack
from ansible_collections.monitoring.ha.plugins.plugin_utils.hostvars import once

display = Display()


class ActionModule(ActionBase):
    """``monitoring.ha.drill``."""

    _supports_check_mode = True
    _VALID_ARGS = frozenset({"addresses", "index", "logs", "options", "step", "trouble", "unmended", "unreachable", "unsupported"})
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """One step."""
        super().run(tmp, task_vars)
        values = task_vars or {}
        its = {**(self._task.args.get("options") or {}), **self._task.args}
        its.pop("options", None)
        step = str(its.pop("step", ""))
        if step not in conduct.STEPS:
            raise AnsibleActionFail(f"drill: step is one of {', '.join(conduct.STEPS)}")
        stack = Stack(values["groups"], once(values["hostvars"]), str(Path(str(its.pop("pki_directory"))).absolute()))
        started = time.time()
        try:
            typed = watch.typed(self._play_context, values)
            options = Options.of({**its, "check": self._task.check_mode, "typed": typed})
            try:
                result = conduct.STEPS[step](stack, options, self._say)
            except Exception as error:
                # A drill that breaks off in the middle is one that came to no verdict.
                if step in ("look", "begin", "finish"):
                    conduct.broken_off(stack, options, error)
                raise
        except (failures.DrillError, topology.TopologyError) as error:
            return {"failed": True, "msg": str(error)}
        return {"changed": False, "seconds": round(time.time() - started, 1), **result}

    def _say(self, line: str) -> None:
        """What happens, for whoever watches."""
        display.display(f"    {line}")
