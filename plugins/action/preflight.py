# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The checks before anything is touched, all of them, on the controller."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase
from ansible_collections.monitoring.ha.plugins.module_utils import preflight, preflight_hosts
from ansible_collections.monitoring.ha.plugins.module_utils.catalogue import COMPONENTS
from ansible_collections.monitoring.ha.plugins.module_utils.preflight import Finding, Site
from ansible_collections.monitoring.ha.plugins.plugin_utils import grafana, lock

#: Roles that every host of the stack gets.
EVERYWHERE = {"pki", "preflight"}


def role_options() -> dict[str, dict[str, dict[str, Any]]]:
    """Role → option → description, of every role of the collection."""
    found = {}
    for path in sorted((lock.ROOT / "roles").glob("*/meta/argument_specs.yml")):
        specs = yaml.safe_load(path.read_text(encoding="utf-8"))["argument_specs"]
        found[path.parent.parent.name] = specs["main"].get("options", {})
    return found


def results_of_tasks() -> frozenset[str]:
    """Names under which the roles' tasks register what they found."""
    files = (lock.ROOT / "roles").glob("*/tasks/*.yml")
    return frozenset(name for path in files for name in re.findall(r"^\s*register: (\w+)$", path.read_text(encoding="utf-8"), re.MULTILINE))


def roles_of(site: Site, host: str) -> set[str]:
    """Roles that ``host`` gets."""
    return EVERYWHERE | {c.role for c in COMPONENTS.values() if host in site.members(c)}


def arguments(site: Site) -> Iterator[Finding]:
    """Values of the wrong type, or none of the choices, in any role's variables."""
    seen: set[str] = set()
    for host in site.hosts:
        for role in sorted(roles_of(site, host)):
            specified = site.options.get(role, {})
            given = {name: site.hostvars[host][name] for name in specified if name in site.hostvars[host]}
            spec = {name: {k: v for k, v in specified[name].items() if k not in ("required", "default", "description")} for name in given}
            for message in ArgumentSpecValidator(spec).validate(given).error_messages:
                if message not in seen:
                    seen.add(message)
                    variable = next((name for name in given if name in message), role)
                    yield Finding(f"argument:{variable}", host, message.rstrip("."), f"see the documentation of the role {role}")


def versions(site: Site) -> Iterator[Finding]:
    """Versions that the lock file does not know."""
    try:
        components = lock.read(str(site.of_all("release_lock") or "") or None)
    except lock.LockError as error:
        yield Finding("release_lock", "", str(error), "correct the file that release_lock names")
        return
    for component in {c.role: c for c in site.present() if c.release}.values():
        variable = f"{component.role}_version"
        for version in sorted({str(site.hostvars[h].get(variable) or "") for h in site.hosts} - {""}):
            try:
                lock.find(components, component.release, version)
            except lock.LockError as error:
                problem, _colon, remedy = str(error).rpartition(": ")
                yield Finding(f"version:{component.role}", "", f"{variable}: {problem}", remedy)


class ActionModule(ActionBase):
    """``monitoring.ha.preflight``."""

    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """All findings at once."""
        super().run(tmp, task_vars)
        values = task_vars or {}
        accept = [str(code) for code in self._task.args.get("accept") or []]
        facts: Mapping[str, Mapping[str, Any]] = self._task.args.get("facts") or {}
        site = Site(values["groups"], values["hostvars"], role_options(), results_of_tasks())
        found = preflight.inspect(site, accept)
        found += [finding for check in (arguments, versions, *grafana.CHECKS) for finding in check(site) if finding.code not in accept]
        found += preflight_hosts.inspect(site, facts, accept)
        lines = [str(finding) for finding in found]
        if not lines:
            return {"changed": False, "findings": []}
        count = f"{len(lines)} thing{'s' if len(lines) > 1 else ''} to put right before anything is touched"
        return {"failed": True, "msg": "\n".join([f"{count}:", *(f"  - {line}" for line in lines)])}
