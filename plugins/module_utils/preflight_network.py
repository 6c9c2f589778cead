# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What can be known of addresses and ports before a host is touched: from the inventory alone."""

from __future__ import annotations

import contextlib
import ipaddress
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ansible_collections.monitoring.ha.plugins.module_utils import topology
from ansible_collections.monitoring.ha.plugins.module_utils.catalogue import COMPONENTS, Port
from ansible_collections.monitoring.ha.plugins.module_utils.preflight import Finding, Site


def addresses(site: Site) -> Iterator[Finding]:
    """Every host of the stack has an address of its own, and the virtual address is nobody's."""
    owners: dict[str, str] = {}
    for host in site.hosts:
        try:
            address = topology.host_address(host, site.hostvars[host])
        except topology.TopologyError as error:
            text = str(error).removeprefix(f"{host}: ")
            problem, _colon, remedy = text.rpartition(": ")
            yield Finding("address", host, problem, remedy)
            continue
        if not topology.is_reachable(address):
            yield Finding(
                "address", host, f"its address is {address}, at which no other host reaches it", "set ha_address to one that they do"
            )
        elif address in owners:
            yield Finding("address", host, f"its address {address} is also {owners[address]}'s", "set ha_address to its own")
        owners[address] = host
    virtual = topology.canonical(site.of_all("ha_virtual_address"))
    if virtual and not (topology.is_address(virtual) and topology.is_reachable(virtual)):
        yield Finding(
            "virtual_address",
            "",
            f"ha_virtual_address is {virtual!r}, not the IP address of a host",
            "set it to a free address in the network of the load balancers",
        )
    elif virtual in owners:
        yield Finding(
            "virtual_address", owners[virtual], f"its own address is the virtual address {virtual}", "choose one that no host has"
        )
    differing = {topology.canonical(site.hostvars[h].get("ha_virtual_address")) for h in site.hosts}
    if len(differing) > 1:
        yield Finding(
            "virtual_address",
            "",
            f"ha_virtual_address differs between hosts ({', '.join(sorted(differing))})",
            "set it once, for the group all",
        )


@dataclass(frozen=True)
class Socket:
    """A place where the stack listens. owner: for people. variable: sets the port. units: one of them listens."""

    address: str
    port: int
    owner: str
    variable: str
    units: tuple[str, ...]


def sockets(site: Site, host: str) -> Iterator[Socket]:
    """Everything the stack listens on at a host; TopologyError for a bad port."""
    variables = site.hostvars[host]
    own = topology.host_address(host, variables)
    for c in site.present():
        if host not in site.members(c):
            continue
        port: Port
        for name, port in c.ports.items():
            address = "127.0.0.1" if port.scope == "loopback" else own
            yield Socket(address, topology.port_number(c, name, variables), c.title, f"{c.name}_{name}_port", (c.unit, *c.helpers))
    if host in site.groups.get("load_balancer", []):
        virtual = topology.canonical(variables.get("ha_virtual_address")) or own
        for offer, c in topology.offers(site.groups).values():
            number, owner = topology.frontend_port(offer, variables), f"front end {offer.name} ({c.title})"
            yield Socket(virtual, number, owner, f"haproxy_{offer.name}_port", (COMPONENTS["load_balancer"].unit,))


def ports(site: Site) -> Iterator[Finding]:
    """No two sockets of a host want the same address and port."""
    for host in site.hosts:
        taken: dict[tuple[str, int], str] = {}
        try:
            for its in sockets(site, host):
                place = (its.address, its.port)
                if place in taken:
                    remedy = f"set {its.variable} to a free one, or ha_virtual_address so that front ends get an address of their own"
                    yield Finding("port", host, f"{its.owner} and {taken[place]} both want {its.address}:{its.port}", remedy)
                taken.setdefault(place, its.owner)
        except topology.TopologyError as error:
            problem, _colon, remedy = str(error).rpartition(": ")
            if "address" not in problem:
                yield Finding("port", host, problem, remedy)


def ports_of_roles(site: Site) -> Iterator[Finding]:
    """What a role is told of its own port is what everybody else is told. Other faults of a port are told by ``ports``."""
    for host in site.hosts:
        variables = site.hostvars[host]
        for c in site.present():
            variable, name = f"{c.name}_port", next(iter(c.ports), "")
            known = name and variable in site.options.get(c.role, {})
            if not known or variable not in variables or host not in site.members(c):
                continue
            with contextlib.suppress(topology.TopologyError):
                everybody, own = topology.port_number(c, name, variables), str(variables[variable])
                if own != str(everybody):
                    problem = f"{variable} is {own}, and everybody else looks for {c.title} at {everybody}"
                    yield Finding(variable, host, problem, f"set {c.name}_{name}_port instead, for all")


def addresses_of_roles(site: Site) -> Iterator[Finding]:
    """What a role is told of its own address is where everybody else looks, or every address of the host."""
    for host in site.hosts:
        variables = site.hostvars[host]
        with contextlib.suppress(topology.TopologyError):
            own, virtual = topology.host_address(host, variables), topology.canonical(variables.get("ha_virtual_address"))
            for role in dict.fromkeys(c.role for c in site.present() if host in site.members(c)):
                for variable, general, known in (
                    (f"{role}_address", "ha_address", own),
                    (f"{role}_virtual_address", "ha_virtual_address", virtual),
                ):
                    told = topology.canonical(variables.get(variable)) if variable in site.options.get(role, {}) else ""
                    if told and told != known and not (topology.is_address(told) and ipaddress.ip_address(told).is_unspecified):
                        problem = f"{variable} is {told}, and everybody else looks for it at {known or 'no such address'}"
                        yield Finding(variable, host, problem, f"set {general} instead")


CHECKS: tuple[Callable[[Site], Iterator[Finding]], ...] = (addresses, ports, ports_of_roles, addresses_of_roles)
