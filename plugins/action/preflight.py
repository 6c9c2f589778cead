# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The checks before anything is touched, all of them, on the controller."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import yaml
from ansible.errors import AnsibleError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase
from ansible_collections.monitoring.ha.plugins.module_utils import durations, preflight, preflight_databases, preflight_hosts
from ansible_collections.monitoring.ha.plugins.module_utils.catalogue import COMPONENTS
from ansible_collections.monitoring.ha.plugins.module_utils.preflight import Finding, Site
from ansible_collections.monitoring.ha.plugins.plugin_utils import backup, grafana, lock

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
                found.setdefault(name, Finding(f"variable:{name}", host, problem, "define what it refers to, or correct it"))
    return list(found.values())


def roles_of(site: Site, host: str) -> set[str]:
    """Roles that ``host`` gets."""
    return EVERYWHERE | {c.role for c in COMPONENTS.values() if host in site.members(c)}


def complaints(spec: Mapping[str, Any], given: Mapping[str, Any]) -> list[str]:
    """What is wrong with a role's arguments. Ansible's own validator ends where a value lacks the shape that it looks into."""
    try:
        return list(ArgumentSpecValidator(spec).validate(given).error_messages)
    except (TypeError, AttributeError, KeyError, ValueError):
        if len(given) == 1:
            (name,) = given
            return [f"{name} is not of the form that is documented"]
        return [words for name in given for words in complaints({name: spec[name]}, {name: given[name]})]


def arguments(site: Site) -> Iterator[Finding]:
    """Values of the wrong type, or none of the choices, in any role's variables."""
    seen: set[str] = set()
    for host in site.hosts:
        for role in sorted(roles_of(site, host)):
            specified = site.options.get(role, {})
            given = {name: site.hostvars[host][name] for name in specified if name in site.hostvars[host]}
            spec = {name: {k: v for k, v in specified[name].items() if k not in ("required", "default", "description")} for name in given}
            for message in complaints(spec, given):
                if message not in seen:
                    seen.add(message)
                    variable = next((name for name in given if name in message), role)
                    yield Finding(f"argument:{variable}", host, message.rstrip("."), f"see the documentation of the role {role}")


def is_duration(value: Any) -> bool:
    """Whether ``value`` is a time with its unit, as the components write it; ``0`` needs none."""
    try:
        durations.seconds(value)
    except ValueError:
        return False
    return True


def spans(site: Site) -> Iterator[Finding]:
    """Times without a unit, or with a wrong one. An option whose default is a time with a unit takes one."""
    timed = {
        (role, name)
        for role, options in site.options.items()
        for name, its in options.items()
        if isinstance(its.get("default"), str) and its["default"] != "0" and is_duration(its["default"])
    }
    seen: set[str] = set()
    for host in site.hosts:
        for name in sorted(name for role, name in timed if role in roles_of(site, host) and name in site.hostvars[host]):
            value = site.hostvars[host][name]
            if value is not None and name not in seen and not is_duration(value):
                seen.add(name)
                problem = f"{name} is {str(value)!r}, which is no time with a unit"
                yield Finding(f"argument:{name}", host, problem, "write it like 500ms, 30s, 5m, 1h30m or 15d")


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
    arguments,
    spans,
    versions,
    *preflight_databases.CHECKS,
    *grafana.CHECKS,
    *backup.CHECKS,
)


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
        hostvars = {host: self._values_of(host, values["hostvars"]) for host in values["groups"]["all"]}
        site = Site(values["groups"], hostvars, role_options(), results_of_tasks())
        found = preflight.inspect(site, accept)
        found += [finding for check in CHECKS for finding in preflight.findings(check, site) if finding.code not in accept]
        needed = [str(host) for host in self._task.args.get("needed") or []]
        found += preflight_hosts.inspect(site, facts, accept, needed)
        broken = {host: its.broken for host, its in hostvars.items()}
        found = [*(f for f in unknown(broken, site.options) if f.code not in accept), *found]
        empty = {f"secret:{name}" for its in broken.values() for name in its}
        lines = [str(finding) for finding in found if finding.code not in empty]
        if not lines:
            return {"changed": False, "findings": []}
        count = f"{len(lines)} thing{'s' if len(lines) > 1 else ''} to put right before anything is touched"
        return {"failed": True, "msg": "\n".join([f"{count}:", *(f"  - {line}" for line in lines)])}

    def _values_of(self, host: str, hostvars: Any) -> Values:
        """Variables of ``host`` as a task on it would see them, but for what roles know by themselves."""
        raw = hostvars.raw_get(host)
        templar = self._templar.copy_with_new_env(available_variables={**raw, "hostvars": hostvars})
        return Values(raw, templar.template)
