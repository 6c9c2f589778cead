# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What can be known before a host is touched: from the inventory alone.

Every check is a function of the topology that yields findings; all of them run,
so that one run tells everything. The form of values is in ``preflight_arguments``, what the hosts themselves say in
``preflight_hosts``, and what is about one kind of thing in a module of its name (``preflight_secrets``, ``preflight_databases``, …).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

from ansible_collections.monitoring.ha.plugins.module_utils import topology
from ansible_collections.monitoring.ha.plugins.module_utils.catalogue import COMPONENTS, Component

#: Names of hosts that certificates on the controller use for themselves.
RESERVED = {"controller", "virtual", "localhost"}
#: Variables of the inventory that belong to no role, described as the roles' are.
OF_NO_ROLE: dict[str, Mapping[str, Any]] = {
    "ha_address": {"type": "str"},
    "ha_cluster": {"type": "str"},
    "ha_virtual_address": {"type": "str"},
    "ha_removed_hosts": {"type": "list", "elements": "str"},
    "ha_endpoints": {"type": "dict"},
    "ha_endpoints_file": {"type": "path"},
    "failure_domain": {"type": "str"},
    "release_lock": {"type": "path"},
    "release_mirror": {"type": "str"},
    "drills_allowed": {"type": "bool"},
}


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong. code: by which ``preflight_accept`` names it. where: hosts, or empty for all.

    about: the value that cannot be used as it is, if it is one: whatever else is found about it only follows.
    """

    code: str
    where: str
    problem: str
    remedy: str
    about: str = ""

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        # A name of the inventory may have line breaks in it.
        return " ".join(f"{place}{self.problem}: {self.remedy} [{self.code}]".splitlines())


@runtime_checkable
class Partial(Protocol):
    """Variables that can be had in part. broken: those that cannot be evaluated, and why."""

    broken: dict[str, str]

    def partly(self, name: str) -> Any: ...


@dataclass(frozen=True)
class Site:
    """The inventory, as plain mappings. options: role → option → description, of all roles. results: names that tasks register."""

    groups: Mapping[str, Sequence[str]]
    hostvars: Mapping[str, Mapping[str, Any]]
    options: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)
    results: frozenset[str] = frozenset()

    @property
    def hosts(self) -> list[str]:
        """Hosts that run something of the stack, in inventory order."""
        running = {host for component in COMPONENTS.values() for host in self.members(component)}
        return [host for host in self.groups.get("all", []) if host in running]

    def members(self, component: Component) -> list[str]:
        return topology.members(component, self.groups)

    def present(self) -> list[Component]:
        return [c for c in COMPONENTS.values() if self.members(c)]

    def partly(self, host: str, name: str) -> Any:
        """A variable of a host, even where parts of it cannot be evaluated yet: those stand in it as they are written."""
        its = self.hostvars[host]
        return its.partly(name) if isinstance(its, Partial) else its.get(name)

    def of_all(self, name: str) -> Any:
        """A variable that is the same everywhere; of the first host that has it."""
        return next((self.hostvars[h][name] for h in self.hosts if name in self.hostvars[h]), None)


def members(site: Site) -> Iterator[Finding]:
    """Enough members for what each component promises, and not too many."""
    groups: set[str] = set()
    for c in site.present():
        count = len(site.members(c))
        if c.group in groups:
            continue
        groups.add(c.group)
        code = f"members:{c.group}"
        if c.cardinality == "singleton" and count > 1:
            yield Finding(code, "", f"group {c.group} has {count} hosts", f"leave one: two of {c.title} destroy each other's data")
        elif c.cardinality == "quorum" and (count < 3 or count % 2 == 0):
            yield Finding(
                code,
                "",
                f"group {c.group} has {count} host{'s' if count > 1 else ''}",
                "make it an odd number from 3: a majority has to survive one host",
            )
        elif count < c.minimum:
            plural = "hosts" if count > 1 else "host"
            yield Finding(
                code, "", f"group {c.group} has {count} {plural}", f"make it {c.minimum}: otherwise {c.title} is lost with one host"
            )
    if site.of_all("ha_virtual_address") and not site.groups.get("load_balancer"):
        yield Finding("members:load_balancer", "", "ha_virtual_address is set, but group load_balancer is empty", "put two hosts into it")


#: Group → (the group that it works with, variables that name something else in its place).
NEEDS = {
    "thanos_query_frontend": ("thanos_query", ("thanos_query_frontend_downstream",)),
    "thanos_store": ("object_store", ("thanos_objstore", "thanos_s3")),
    "thanos_compact": ("object_store", ("thanos_objstore", "thanos_s3")),
}


def needs(site: Site) -> Iterator[Finding]:
    """What works with another component has it."""
    for group, (other, variables) in NEEDS.items():
        if site.groups.get(group) and not site.groups.get(other) and not any(map(site.of_all, variables)):
            problem = f"group {group} has hosts, but group {other} is empty"
            yield Finding(f"members:{other}", "", problem, f"put hosts into it, set {variables[0]}, or leave {group} empty, too")


def misspelt_groups(site: Site) -> Iterator[Finding]:
    """A group whose name is nearly a component's does nothing, silently."""
    known = {c.group for c in COMPONENTS.values()}
    for group in site.groups:
        close = difflib.get_close_matches(group, known - {group}, 1, 0.85)
        if group not in known and close and not site.groups.get(close[0]):
            yield Finding(f"group:{group}", "", f"group {group} is unknown", f"did you mean {close[0]}?")


def names(site: Site) -> Iterator[Finding]:
    """Inventory names become labels, certificate names and directories."""
    for host in site.hosts:
        if host.lower() in RESERVED or not re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,61}[A-Za-z0-9])?", host):
            yield Finding(
                "name",
                host,
                "this inventory name cannot be a host name",
                "use letters, digits, dots and dashes, and none of " + ", ".join(sorted(RESERVED)),
            )


def cluster(site: Site) -> Iterator[Finding]:
    """The stack's name becomes part of labels, of certificates, and of configuration files of many kinds."""
    name = site.of_all("ha_cluster")
    if isinstance(name, str) and not re.fullmatch(r"[^\x00-\x1f\"#$'/:\\`]{0,64}", name):
        remedy = "use letters, digits, blanks, dots, dashes and underscores, 64 at most"
        yield Finding("cluster", "", f"ha_cluster is {name!r}, which cannot be a name everywhere", remedy)


def replicas(site: Site) -> Iterator[Finding]:
    """Deduplication needs a label that tells replicas apart."""
    labels: dict[str, str] = {}
    for host in site.groups.get("prometheus", []):
        label = str(site.hostvars[host].get("prometheus_replica", host))
        if label in labels:
            yield Finding(
                "replica",
                host,
                f"prometheus_replica is {label!r}, as on {labels[label]}",
                "give each replica another one, or leave it unset",
            )
        labels[label] = host


#: Variable → group whose hosts do something in each other's place, and have to agree about it.
AGREED = {
    "ha_cluster": "all",
    "haproxy_users": "load_balancer",
    **{f"haproxy_{name}_port": "load_balancer" for name in topology.frontend_names()},
    "alertmanager_config": "alertmanager",
    "grafana_database": "grafana",
}


def alike(site: Site) -> Iterator[Finding]:
    """Whichever of several hosts serves, clients find the same."""
    for variable, group in AGREED.items():
        hosts = topology.stack_hosts(site.groups) if group == "all" else site.groups.get(group, [])
        values = {host: site.hostvars[host].get(variable) for host in hosts}
        for host in hosts[1:]:
            if values[host] != values[hosts[0]] and str(values[host]) != str(values[hosts[0]]):
                yield Finding(
                    f"differs:{variable}", host, f"{variable} is not what it is on {hosts[0]}", f"set it once, for the group {group}"
                )


def failure_domains(site: Site) -> Iterator[Finding]:
    """Where failure domains are given, one of them must not take a whole component (or a quorum) with it."""
    domains = {h: str(site.hostvars[h].get("failure_domain") or "") for h in site.hosts}
    if not any(domains.values()):
        return
    groups: set[str] = set()
    for c in site.present():
        hosts = site.members(c)
        # What has no group of its own is beside what has.
        if c.group in groups or not c.group or c.cardinality in ("all", "singleton") or len(hosts) < 2:
            continue
        groups.add(c.group)
        missing = [h for h in hosts if not domains[h]]
        if missing:
            yield Finding(
                f"failure_domain:{c.group}",
                missing[0],
                "failure_domain is not given, though it is for others",
                f"set it on {', '.join(missing)}",
            )
            continue
        counts = {d: sum(domains[h] == d for h in hosts) for d in {domains[h] for h in hosts}}
        largest = max(counts, key=lambda d: (counts[d], d))
        lost = counts[largest] * 2 >= len(hosts) if c.majority else counts[largest] == len(hosts)
        if lost:
            what = "the majority" if c.majority else "all"
            remedy = f"spread its hosts over {'three' if c.majority else 'two'} domains, as failure_domain names them"
            yield Finding(f"failure_domain:{c.group}", "", f"{what} of {c.group} is in failure domain {largest!r}", remedy)


def misspelt_variables(site: Site) -> Iterator[Finding]:
    """A variable with a role's prefix that no role knows has no effect, silently; nor has one of nearly the name of another, unset one."""
    known = {name for options in site.options.values() for name in options} | set(OF_NO_ROLE)
    known |= {f"{c.name}_{port}_port" for c in COMPONENTS.values() for port in c.ports}
    known |= site.results
    known |= {f"haproxy_{name}_port" for name in topology.frontend_names()}
    prefixes = tuple(f"{role}_" for role in site.options)
    seen: set[str] = set()
    for host in site.hosts:
        its = site.hostvars[host]
        for name in its:
            if name in seen or name in known:
                continue
            seen.add(name)
            prefixed = name.startswith(prefixes)
            close = difflib.get_close_matches(name, known, 1, 0.75 if prefixed else 0.9)
            # A name around another one, as vault_… is, is a choice; so is one beside the other.
            if not prefixed and (not close or close[0] in name or close[0] in its):
                continue
            remedy = f"did you mean {close[0]}?" if close else "give a variable of your own another prefix"
            yield Finding(f"variable:{name}", host, f"no role knows the variable {name}", remedy)


CHECKS: tuple[Callable[[Site], Iterator[Finding]], ...] = (
    members,
    needs,
    misspelt_groups,
    names,
    cluster,
    replicas,
    alike,
    failure_domains,
    misspelt_variables,
)


def findings(check: Callable[..., Iterator[Finding]], *of: Any) -> list[Finding]:
    """What a check finds. One that stumbles over a value of a shape that it does not know says so, and hides nothing of the others."""
    found: list[Finding] = []
    try:
        found.extend(check(*of))
    except Exception as error:  # Whatever it is: its words might hold the value, which may be a secret.
        name = check.__name__.replace("_", " ")
        problem = f"the check of {name} stumbled over a value of the wrong form ({type(error).__name__})"
        found.append(Finding(f"check:{check.__name__}", "", problem, f"correct the variables about {name}"))
    return found


def distinct(found: Sequence[Finding], without: Collection[str] = ()) -> list[Finding]:
    """Each fault once: without what only follows from another one, and the same of several hosts together.

    without: codes of what is not told.
    """
    faults = {its.about for its in found if its.about}
    told = re.compile(rf"(?<![\w.])(?:{'|'.join(map(re.escape, sorted(faults))) or '(?!)'})(?!\w)")
    # Of what cannot be read as it is, nothing can be said as a secret.
    hidden = {*without, *(f"secret:{name}" for name in faults)}
    alike: dict[Finding, list[str]] = {}
    for its in found:
        if its.code not in hidden and (its.about or not told.search(f"{its.problem} {its.remedy}")):
            alike.setdefault(replace(its, where=""), []).append(its.where)
    return [replace(its, where=", ".join(dict.fromkeys(hosts))) for its, hosts in alike.items()]


def inspect(site: Site, checks: Iterable[Callable[[Site], Iterator[Finding]]]) -> list[Finding]:
    """Every finding of every check."""
    return [finding for check in checks for finding in findings(check, site)]
