# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The controller's half of ``drill_fault``: power, and when everything was done."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.monitoring.ha.plugins.module_utils import certificates, faults, https
from ansible_collections.monitoring.ha.plugins.plugin_utils.drill import faults_of, guardian, record
from ansible_collections.monitoring.ha.plugins.plugin_utils.drill.clock import Clock

OPTIONS = {
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "fault": {"type": "str", "choices": [*faults.FAULTS, "power_cut"], "required": True},
    "given": {"type": "dict", "default": {}},
    "deadline": {"type": "int", "default": 300},
    "pause": {"type": "float", "default": 0},
    "directory": {"type": "path", "required": True},
}
#: Seconds that a command that cuts or gives power may take.
POWER = guardian.POWER


class ActionModule(ActionBase):
    """``monitoring.ha.drill_fault``."""

    _supports_check_mode = True
    _VALID_ARGS = frozenset(OPTIONS)

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Do it, and write down when."""
        super().run(tmp, task_vars)
        # Before anything is done: what comes to nothing in the middle leaves something broken.
        _validated, its = self.validate_argument_spec(OPTIONS)
        fault, state, given = its["fault"], its["state"], its["given"]
        host = str(given.get("host") or (task_vars or {}).get("inventory_hostname"))
        directory = Path(its["directory"])
        clock = Clock.of(directory)
        begun = clock.now()
        if fault == "power_cut":
            result = self._power(given, state, (task_vars or {})["hostvars"][host], its["pause"])
        else:
            arguments = {"state": state, "fault": fault, "given": given, "deadline": its["deadline"], "pause": its["pause"]}
            if fault == "certificate_expired" and state == "present":
                passphrase = str((task_vars or {}).get("pki_ca_passphrase") or "")
                arguments["files"] = faults_of.expired(str(given["pki"]), host, passphrase, datetime.now(certificates.UTC))
            result = self._execute_module(module_name="monitoring.ha.drill_fault_host", module_args=arguments, task_vars=task_vars or {})
        result = {key: value for key, value in result.items() if key != "invocation"}
        if not result.get("failed") and not result.get("unreachable") and not self._task.check_mode:
            # What clients see of a mending, they see before it has come back from the host.
            result["at"] = begun if state == "absent" else clock.now() - float(result.get("ago", 0))
            if result.get("changed"):
                what = "injected" if state == "present" else "mended"
                record.event(directory, result["at"], what, host)
        return result

    def _power(self, given: dict[str, Any], state: str, variables: Mapping[str, Any], pause: float = 0.0) -> dict[str, Any]:
        """Run the inventory's command, one of the host's variables, on the controller."""
        name = f"drill_power_{'off' if state == 'present' else 'on'}"
        command = str(variables.get(name) or "")
        if not command:
            return {"changed": False, "unsupported": "" if state == "absent" else f"{name} says no command for it"}
        name = f"{name} of {given['host']}"
        if self._task.check_mode:
            return {"changed": True, "unsupported": ""}
        watched = [its for its in given.get("answers") or () if state == "present" and https.connects(its)][:2]
        if state == "present" and not watched:
            return {"failed": True, "msg": "nothing on the host answers: whether its power goes cannot be told"}
        time.sleep(pause)
        last = time.monotonic()
        try:
            faults.shell(command, POWER, flags=())
        except faults.FaultError as error:
            return {"failed": True, "msg": f"{name}: {error}"}
        # A command may end before it has worked, and one that has no effect is no failure that could be measured.
        end = time.monotonic() + POWER
        while answering := [its for its in watched if https.connects(its)]:
            last = time.monotonic()
            if last > end:
                return {"failed": True, "msg": f"{name}: ended well, and {POWER:.0f} s later {answering[0]} still answers"}
            time.sleep(0.1)
        return {"changed": True, "unsupported": "", "ago": time.monotonic() - last}
