# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The controller's half of ``service``: look, and where something differs, one host after the other: change, gate, record."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ansible import constants
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.monitoring.ha.plugins.plugin_utils import rendering

HANDED_ON = ("unit", "state", "enabled", "timeout", "restart_files", "reload_files", "gate")


class ActionModule(ActionBase):
    """``monitoring.ha.service``."""

    _supports_check_mode = True
    _supports_diff = True
    _VALID_ARGS = frozenset({*HANDED_ON, "template", "content", "dropin_template", "dropin", "restart_on", "reload_on", "at_once"})

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Render, change what differs, wait for the gate, record."""
        super().run(tmp, task_vars)
        values = task_vars or {}
        given = dict(self._task.args)
        if not given.get("unit"):
            raise AnsibleActionFail("service: name a unit")
        arguments = self._arguments(given, values)
        at_once = int(given.get("at_once", 1))
        result = self._host({**arguments, "look": True}, values)
        if self._task.check_mode or result.get("failed") or not result["changed"]:
            return self._public(result)
        with self._turn(at_once, values):
            # Where hosts have their turn one by one, one that failed at this very task is the last.
            halted = self._shared("halt")
            if at_once == 1 and halted.exists():
                elsewhere = halted.read_text(encoding="utf-8")
                raise AnsibleActionFail(f"{given['unit']} was left as it is, because it failed on {elsewhere} before")
            return self._public(self._host(arguments, values))

    @contextlib.contextmanager
    def _turn(self, at_once: int, values: dict[str, Any]) -> Iterator[None]:
        """This host's turn among all that have something to do: ``at_once`` of them together, all of them with 0."""
        if not at_once:
            yield
            return
        place = values["ansible_play_hosts_all"].index(values["inventory_hostname"]) % at_once
        with self._shared(f"turn-{place}").open("a", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _shared(self, name: str) -> Path:
        """A file of this run, which all workers see, and of this task in all hosts."""
        return Path(vars(constants)["DEFAULT_LOCAL_TMP"]) / f"monitoring-ha-{name}-{self._task._uuid}"

    def _arguments(self, given: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
        """Arguments of the host's half."""
        arguments = {key: given[key] for key in HANDED_ON if key in given}
        for key, template in (("content", "template"), ("dropin", "dropin_template")):
            if given.get(template):
                arguments[key] = rendering.render(self, given[template], values)
            elif given.get(key) is not None:
                arguments[key] = str(given[key])
        for key, option in (("restart", "restart_on"), ("reload", "reload_on")):
            arguments[key] = "\n".join(str(value) for value in given.get(option) or [])
        return arguments

    def _host(self, arguments: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
        """What the host's half comes to; a failure is written down for the hosts after this one."""
        result: dict[str, Any] = self._execute_module(module_name="monitoring.ha.service_host", module_args=arguments, task_vars=values)
        if result.get("failed") and not self._task.check_mode:
            self._shared("halt").write_text(values["inventory_hostname"], encoding="utf-8")
        return result

    @staticmethod
    def _public(result: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in result.items() if key != "invocation"}
