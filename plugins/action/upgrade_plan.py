# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who is upgraded, in which order, from what to what; and why not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.monitoring.ha.plugins.module_utils import topology
from ansible_collections.monitoring.ha.plugins.module_utils.catalogue import COMPONENTS
from ansible_collections.monitoring.ha.plugins.plugin_utils import lock, upgrades
from ansible_collections.monitoring.ha.plugins.plugin_utils.upgrades import Move, Plan


class ActionModule(ActionBase):
    """``monitoring.ha.upgrade_plan``."""

    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """The plan of all hosts that were looked at."""
        super().run(tmp, task_vars)
        values = task_vars or {}
        given = self._task.args
        strategy = str(given.get("strategy") or "one_by_one")
        if strategy not in upgrades.STRATEGIES:
            raise AnsibleActionFail(f"upgrade_strategy is {strategy!r}: choose one of {', '.join(upgrades.STRATEGIES)}")
        looked: Mapping[str, Mapping[str, str]] = given.get("releases") or {}
        groups, hostvars = values["groups"], values["hostvars"]
        members = {c.name: topology.members(c, groups) for c in COMPONENTS.values()}
        plan = Plan()
        components = lock.read(str(values.get("release_lock") or "") or None)
        for host in looked:
            moves = []
            for component in {c.release: c for c in COMPONENTS.values() if c.release and host in members[c.name]}.values():
                chosen = str(hostvars[host].get(f"{component.role}_version") or "")
                after = lock.find(components, component.release, chosen or None).version
                move = Move(host, component.release, str(looked[host].get(component.release, "")), after)
                rules = components[component.release].get("upgrade") or {}
                problem = upgrades.complaint(move, rules, downgrade=bool(given.get("downgrade")))
                plan.problems += [problem] if problem else []
                moves += [move.line] if move.before != move.after else []
            plan.moves[host] = moves
        core = [h for h in looked if any(h in members[c.name] for c in COMPONENTS.values() if c.cardinality != "all" and c.name != "proxy")]
        plan.fleet = [host for host in looked if host not in core]
        domains = {host: str(hostvars[host].get("failure_domain") or "") for host in core}
        ordered = upgrades.order(core, [str(host) for host in given.get("last") or []])
        plan.turns, plan.batches = upgrades.batches(ordered, strategy, domains)
        found = asdict(plan)
        if plan.problems:
            return {"failed": True, "changed": False, **found, "msg": "\n".join(plan.problems)}
        return {"changed": False, **found}
