# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Shows what runs where, and writes it down for programs."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.monitoring.ha.plugins.module_utils import topology
from ansible_collections.monitoring.ha.plugins.plugin_utils import summary
from ansible_collections.monitoring.ha.plugins.plugin_utils.hostvars import once

display = Display()


class ActionModule(ActionBase):
    """``monitoring.ha.summary``."""

    _supports_check_mode = True
    _VALID_ARGS = frozenset({"file", "pki_directory"})
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Print the table; write the file when it differs."""
        super().run(tmp, task_vars)
        values = task_vars or {}
        pki = os.path.abspath(str(self._task.args.get("pki_directory") or ""))
        file = str(self._task.args.get("file") or "")
        hostvars = once(values["hostvars"])
        try:
            away = [host for host in values["ansible_play_hosts_all"] if host not in values["ansible_play_hosts"]]
            lines = summary.table(values["groups"], hostvars, pki, away)
            data = summary.endpoints(values["groups"], hostvars, pki)
        except topology.TopologyError as error:
            raise AnsibleActionFail(str(error)) from error
        display.display("\n".join(["", *lines, ""]))
        changed = bool(file) and self._write(Path(file), json.dumps(data, indent=2, sort_keys=True) + "\n")
        return {"changed": changed, "file": file}

    def _write(self, path: Path, text: str) -> bool:
        """Replace the file in one step, readable by its owner alone; whether it differed."""
        if path.exists() and path.read_text(encoding="utf-8") == text:
            return False
        if not self._task.check_mode:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=path.parent)
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                stream.write(text)
            os.replace(temporary, path)
        return True
