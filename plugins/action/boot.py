# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which boot a host runs; and waiting for another one, through all that a reboot does to a connection."""

from __future__ import annotations

import contextlib
import time
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.action import ActionBase

#: Of the machine, and of systemd's start in it: a container shares its machine's.
IDENTITY = "cat /proc/sys/kernel/random/boot_id && systemctl show --property=UserspaceTimestampMonotonic --value"
#: Seconds between two looks.
PAUSE = 2.0


class ActionModule(ActionBase):
    """``monitoring.ha.boot``."""

    _supports_check_mode = True
    _VALID_ARGS = frozenset({"after", "timeout"})

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """The present boot; with ``after``, once it is another one than that."""
        super().run(tmp, task_vars)
        given, host = self._task.args, (task_vars or {})["inventory_hostname"]
        after, timeout = str(given.get("after") or ""), int(given.get("timeout", 600))
        if not after:
            return {"changed": False, "boot": self._boot()}
        if self._task.check_mode:
            return {"changed": False, "boot": after}
        deadline = time.monotonic() + timeout
        while True:
            # One that was open when the host went down may wait for an answer for ever.
            with contextlib.suppress(AnsibleError):
                self._connection.reset()
            try:
                boot, state = self._boot(), "it still runs as it did before"
            except AnsibleError as error:
                boot, state = after, f"it cannot be asked: {error}"
            if boot != after:
                return {"changed": False, "boot": boot}
            if time.monotonic() > deadline:
                return {"failed": True, "msg": f"{host} has not been started anew in {timeout} s: {state}"}
            time.sleep(PAUSE)

    def _boot(self) -> str:
        """Identity of the present boot; AnsibleError when the host does not say."""
        done = self._low_level_execute_command(IDENTITY)
        if done["rc"]:
            raise AnsibleActionFail(" ".join((done["stderr"] or done["stdout"]).split()))
        return " ".join(done["stdout"].split())
