# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The checks before anything is touched, all of them, on the controller."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import yaml
from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible_collections.monitoring.ha.plugins.module_utils import (
    preflight,
    preflight_alertmanager,
    preflight_arguments,
    preflight_databases,
    preflight_hosts,
    preflight_network,
    preflight_object_store,
    preflight_secrets,
)
from ansible_collections.monitoring.ha.plugins.module_utils.preflight import Finding, Site
from ansible_collections.monitoring.ha.plugins.plugin_utils import backup, grafana, lock


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


class Values(Mapping[str, Any]):
    """A host's variables. One that cannot be evaluated counts as empty, and why is kept in ``broken``."""

    def __init__(self, values: Mapping[str, Any], evaluate: Callable[[Any], Any]) -> None:
        self._values, self._evaluate = values, evaluate
        self._known: dict[str, Any] = {}
        self.broken: dict[str, str] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._known:
            value = self._values[name]
            try:
                self._known[name] = self._evaluate(value)
            except AnsibleError as error:
                self._known[name] = None
                self.broken[name] = " ".join(str(error).split())
        return self._known[name]

    def partly(self, name: str) -> Any:
        """One that cannot be evaluated as a whole, value by value: what cannot be stands in it as it is written."""
        value = self.get(name)
        return self._parts(self._values[name]) if name in self.broken else value

    def _parts(self, value: Any) -> Any:
        try:
            return self._evaluate(value)
        except AnsibleError:
            if isinstance(value, Mapping):
                return {key: self._parts(item) for key, item in value.items()}
            return [self._parts(item) for item in value] if isinstance(value, list) else value

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def unknown(broken: Mapping[str, Mapping[str, str]], roles: Iterable[str]) -> list[Finding]:
    """Variables that refer to one that is not there. What a role knows by itself is there when its turn comes."""
    found: dict[str, Finding] = {}
    for host, its in broken.items():
        for name, reason in its.items():
            missing = re.search(r"'(\w+)' is undefined", reason)
            if not missing or not missing[1].startswith(tuple(f"{role}_" for role in roles)):
                problem = f"{name} cannot be evaluated: {reason.rstrip('.')}"
                found.setdefault(name, Finding(f"variable:{name}", host, problem, "define what it refers to, or correct it", name))
    return list(found.values())


def versions(site: Site) -> Iterator[Finding]:
    """Versions that the lock file does not know."""
    try:
        components = lock.read(str(site.of_all("release_lock") or "") or None)
    except lock.LockError as error:
        yield Finding("release_lock", "", str(error), "correct the file that release_lock names")
        return
    for component in {c.role: c for c in site.present() if c.release}.values():
        variable = f"{component.role}_version"
        # What comes from a repository of packages is none of the lock file's.
        hosts = [h for h in site.hosts if site.hostvars[h].get(f"{component.role}_source") != "apt"]
        for version in sorted({str(site.hostvars[h].get(variable) or "") for h in hosts} - {""}):
            try:
                lock.find(components, component.release, version)
            except lock.LockError as error:
                problem, _colon, remedy = str(error).rpartition(": ")
                yield Finding(f"version:{component.role}", "", f"{variable}: {problem}", remedy)


CHECKS: tuple[Callable[[Site], Iterator[Finding]], ...] = (
    *preflight_arguments.CHECKS,
    *preflight.CHECKS,
    *preflight_network.CHECKS,
    *preflight_secrets.CHECKS,
    *preflight_alertmanager.CHECKS,
    versions,
    *preflight_databases.CHECKS,
    *preflight_object_store.CHECKS,
    *grafana.CHECKS,
    *backup.CHECKS,
)


class ActionModule(ActionBase):
    """``monitoring.ha.preflight``."""

    _supports_check_mode = True
    _VALID_ARGS = frozenset({"accept", "facts", "needed"})
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """All findings at once."""
        super().run(tmp, task_vars)
        values = task_vars or {}
        accept = [str(code) for code in self._task.args.get("accept") or []]
        facts: Mapping[str, Mapping[str, Any]] = self._task.args.get("facts") or {}
        hostvars = {host: self._values_of(host, values["hostvars"]) for host in values["groups"]["all"]}
        site = Site(values["groups"], hostvars, role_options(), results_of_tasks())
        needed = [str(host) for host in self._task.args.get("needed") or []]
        found = [*preflight.inspect(site, CHECKS), *preflight_hosts.inspect(site, facts, needed)]
        # What cannot be evaluated is known once somebody has asked for it.
        broken = {host: its.broken for host, its in hostvars.items()}
        unread = {f"secret:{name}" for its in broken.values() for name in its}
        told = preflight.distinct([*unknown(broken, site.options), *found], {*accept, *unread})
        lines = [str(finding) for finding in told]
        if not lines:
            return {"changed": False, "findings": []}
        count = f"{len(lines)} thing{'s' if len(lines) > 1 else ''} to put right before anything is touched"
        return {"failed": True, "msg": "\n".join([f"{count}:", *(f"  - {line}" for line in lines)])}

    def _values_of(self, host: str, hostvars: Any) -> Values:
        """Variables of ``host`` as a task on it would see them, but for what roles know by themselves."""
        raw = hostvars.raw_get(host)
        templar = self._templar.copy_with_new_env(available_variables={**raw, "hostvars": hostvars})
        return Values(raw, templar.template)
