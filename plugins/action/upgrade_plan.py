# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who is upgraded, in which order, from what to what; and why not."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible_collections.monitoring.ha.plugins.module_utils import topology
from ansible_collections.monitoring.ha.plugins.plugin_utils import lock, upgrades
from ansible_collections.monitoring.ha.plugins.plugin_utils.hostvars import once


class ActionModule(ActionBase):
    """``monitoring.ha.upgrade_plan``."""

    _supports_check_mode = True
    _VALID_ARGS = frozenset(
        {
            "away",
            "backup_max_age",
            "backups",
            "downgrade",
            "everybody",
            "fleet_batch",
            "fleet_failures",
            "idle",
            "last",
            "lock",
            "reason",
            "releases",
            "resume",
            "strategy",
            "turns",
            "unfinished",
        }
    )
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """The plan of all hosts that were looked at."""
        super().run(tmp, task_vars)
        values = task_vars or {}
        given = self._task.args
        strategy = str(given.get("strategy") or "one_by_one")
        if strategy not in upgrades.STRATEGIES:
            raise AnsibleActionFail(f"upgrade_strategy is {strategy!r}: choose one of {', '.join(upgrades.STRATEGIES)}")
        reason = str(given.get("reason") or "version")
        if reason not in upgrades.REASONS:
            raise AnsibleActionFail(f"reason is {reason!r}: choose one of {', '.join(upgrades.REASONS)}")
        everybody = boolean(given.get("everybody", True))
        unfinished = [str(host) for host in given.get("unfinished") or []]
        turns = given.get("turns") or {}
        try:
            done = upgrades.had(turns, reason, str(given.get("resume") or ""))
        except ValueError as error:
            raise AnsibleActionFail(f"upgrade_resume: {error}") from error
        try:
            plan = upgrades.plan(
                given.get("releases") or {},
                values["groups"],
                once(values["hostvars"]),
                lock.read(str(given.get("lock") or "") or None),
                last=[str(host) for host in given.get("last") or []],
                strategy=strategy,
                downgrade=boolean(given.get("downgrade") or False),
                fleet_batch=given.get("fleet_batch", "25%"),
                fleet_failures=given.get("fleet_failures", 0),
                due=lambda host, moves: (everybody and host not in done) or bool(moves) or host in unfinished,
            )
        except ValueError as error:
            raise AnsibleActionFail(str(error)) from error
        away = [str(host) for host in given.get("away") or [] if host in topology.stack_hosts(values["groups"])]
        plan.problems += [
            f"{host} could not be looked at: bring it back, or replace it, as every host of the stack has to be there" for host in away
        ]
        plan.problems += [
            f"{host}: no keepalived runs there that could take the virtual address, or none can be asked: run monitoring.ha.site first"
            for host in given.get("idle") or []
        ]
        saved = {host: float(json.loads(said or "{}").get("last_success", 0)) for host, said in (given.get("backups") or {}).items()}
        silent = [member for member in values["groups"].get("backup", []) if member not in saved]
        # What keeps Grafana's data, or has to do with it, changes; PostgreSQL is a package.
        risky = reason == "packages" or any(plan.moves.get(host) for host in topology.stack_hosts(values["groups"]))
        longest = str(given.get("backup_max_age") or "") if risky else ""
        try:
            plan.problems += filter(None, [upgrades.outdated(saved, silent, longest, time.time())])
        except ValueError as error:
            raise AnsibleActionFail(f"upgrade_backup_max_age: {error}") from error
        told = {"failed": True, "msg": "\n".join(plan.problems)} if plan.problems else {}
        return {"changed": False, **asdict(plan), **told}
