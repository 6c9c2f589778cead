# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who runs a component, and where: catalogue + inventory → endpoints.

Works on plain mappings: ``groups`` (group → host names) and ``hostvars``
(host → variables), as Ansible provides them.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ansible_collections.monitoring.ha.plugins.module_utils.catalogue import COMPONENTS, Component, Frontend, component


class TopologyError(ValueError):
    """The inventory cannot answer; the message names the variable, the host and the remedy."""


@dataclass(frozen=True)
class Endpoint:
    """A member of a component, or a front end on the virtual address."""

    host: str
    address: str
    port: int
    scheme: str
    component: str

    @property
    def authority(self) -> str:
        """``address:port``, IPv6 in brackets."""
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.authority}"

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "authority": self.authority, "url": self.url}


def is_address(value: object) -> bool:
    """True for an IPv4 or IPv6 address in text form."""
    try:
        ipaddress.ip_address(str(value))
    except ValueError:
        return False
    return True


def is_reachable(address: object) -> bool:
    """Whether others may reach a host at an address: not where it means themselves, everything, or many."""
    its = ipaddress.ip_address(str(address))
    return not (its.is_loopback or its.is_unspecified or its.is_multicast)


def canonical(value: object) -> str:
    """An address in the one form in which addresses are compared, as kernels and daemons write it; other text as it is."""
    text = str(value or "")
    return str(ipaddress.ip_address(text)) if is_address(text) else text


def host_address(host: str, variables: Mapping[str, Any]) -> str:
    """The address others reach ``host`` at: ``ha_address``, else ``ansible_host`` when that is an address."""
    for name in ("ha_address", "ansible_host"):
        value = variables.get(name)
        if value and is_address(value):
            return canonical(value)
        if value and name == "ha_address":
            raise TopologyError(f"{host}: ha_address is {value!r}, not an IP address: set it to the address the other hosts use")
    raise TopologyError(f"{host}: no address known: set ha_address (ansible_host is not an IP address)")


def members(comp: Component, groups: Mapping[str, Sequence[str]]) -> list[str]:
    """Inventory names of the hosts that run ``comp``, in inventory order."""
    if comp.beside:
        hosts = {host for name in comp.beside for host in members(component(name), groups)}
        return [host for host in groups.get("all", []) if host in hosts]
    return list(groups.get(comp.group, []))


def stack_hosts(groups: Mapping[str, Sequence[str]]) -> list[str]:
    """Hosts that run more than what every host runs, in inventory order."""
    running = {h for c in COMPONENTS.values() if c.cardinality != "all" for h in members(c, groups)}
    return [host for host in groups.get("all", []) if host in running]


def port_number(comp: Component, port: str, variables: Mapping[str, Any]) -> int:
    """The port's number: ``<component>_<port>_port`` of the inventory, else the catalogue's."""
    if port not in comp.ports:
        raise TopologyError(f"{comp.name} has no port {port!r}; it has: {', '.join(comp.ports) or 'none'}")
    return number_of(f"{comp.name}_{port}_port", variables, comp.ports[port].number)


def number_of(name: str, variables: Mapping[str, Any], default: int) -> int:
    """The port number in a variable, ``default`` when it is not set; TopologyError for anything else."""
    value = variables.get(name)
    if value in (None, ""):
        return default
    try:
        number = int(value)
    except (TypeError, ValueError):
        number = 0
    if not 0 < number < 65536:
        raise TopologyError(f"{name} is {value!r}: give a port from 1 to 65535")
    return number


def endpoint(comp: Component, port: str, host: str, hostvars: Mapping[str, Mapping[str, Any]]) -> Endpoint:
    """The endpoint of ``comp`` on ``host``."""
    variables = hostvars[host]
    number = port_number(comp, port, variables)
    description = comp.ports[port]
    address = "127.0.0.1" if description.scope == "loopback" else host_address(host, variables)
    return Endpoint(host, address, number, description.scheme, comp.name)


def endpoints(
    name: str,
    groups: Mapping[str, Sequence[str]],
    hostvars: Mapping[str, Mapping[str, Any]],
    port: str = "http",
    host: str | None = None,
) -> list[Endpoint]:
    """Every endpoint of component ``name``, or the one on ``host``."""
    comp = component(name)
    hosts = [host] if host else members(comp, groups)
    return [endpoint(comp, port, h, hostvars) for h in hosts]


def offers(groups: Mapping[str, Sequence[str]]) -> dict[str, tuple[Frontend, Component]]:
    """Front end name → (front end, component behind it), for the components that the inventory has."""
    found: dict[str, tuple[Frontend, Component]] = {}
    for comp in COMPONENTS.values():
        for offer in comp.frontends if members(comp, groups) else ():
            if offer.name not in found or offer.rank < found[offer.name][0].rank:
                found[offer.name] = (offer, comp)
    return found


def frontend_names() -> list[str]:
    """Every front end of the catalogue."""
    return sorted({offer.name for comp in COMPONENTS.values() for offer in comp.frontends})


def frontend_port(offer: Frontend, variables: Mapping[str, Any]) -> int:
    """``haproxy_<name>_port`` of the inventory, else the catalogue's."""
    return number_of(f"haproxy_{offer.name}_port", variables, offer.number)


def of_member(
    name: str, variable: str, groups: Mapping[str, Sequence[str]], hostvars: Mapping[str, Mapping[str, Any]], default: Any = None
) -> Any:
    """A variable of component ``name``, as its first member has it: other hosts need not have it.

    ``default`` where there is no member, and for one that is not set.
    """
    hosts = members(component(name), groups)
    value = hostvars[hosts[0]].get(variable) if hosts and hosts[0] in hostvars else None
    return default if value in (None, "") else value


def frontends(groups: Mapping[str, Sequence[str]], hostvars: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What the load balancers publish, as plain data; nothing without a load balancer. Their variables say at which ports.

    ``endpoints``: where clients reach it, that is the virtual address, else every
    load balancer. ``members``: the endpoints behind it, ``check`` being the port of their health check.
    """
    balancers = list(groups.get("load_balancer", []))
    virtual = canonical(of_member("load_balancer", "ha_virtual_address", groups, hostvars))
    if virtual and not is_address(virtual):
        raise TopologyError(f"ha_virtual_address is {virtual!r}, not an IP address")
    found = []
    for offer, comp in offers(groups).values() if balancers else ():
        number = frontend_port(offer, hostvars[balancers[0]])
        scheme = "https" if offer.mode == "http" else comp.ports[offer.port].scheme
        places = [("virtual", virtual)] if virtual else [(h, host_address(h, hostvars[h])) for h in balancers]
        where = [Endpoint(host, address, number, scheme, comp.name).as_dict() for host, address in places]
        found.append(
            {
                **asdict(offer),
                "component": comp.name,
                "endpoints": where,
                "url": where[0]["url"],
                "authority": where[0]["authority"],
                "members": [
                    {
                        **endpoint(comp, offer.port, h, hostvars).as_dict(),
                        "check": endpoint(comp, offer.check_port or offer.port, h, hostvars).port,
                    }
                    for h in members(comp, groups)
                ],
            }
        )
    return found


def loopback_twin(address: str) -> str:
    """The loopback address that stands for a member's: ``192.0.2.11`` → ``127.0.2.11``.

    The same whatever else is in the inventory, since a client ties an address to a certificate's name.
    """
    packed = ipaddress.ip_address(address).packed
    tail = packed[1:] if len(packed) == 4 else hashlib.sha256(packed).digest()[:3]
    return str(ipaddress.IPv4Address(bytes([127, *tail])))


def upstreams(groups: Mapping[str, Sequence[str]], hostvars: Mapping[str, Mapping[str, Any]], host: str) -> list[dict[str, Any]]:
    """The ways that the proxy on ``host`` offers to clients there, as plain data.

    ``local`` is ``address:port`` for clients, with the members' own port;
    ``servers`` are the endpoints behind it, the preferred one first.
    """
    found: list[dict[str, Any]] = []
    for number, (comp, way) in enumerate(((c, w) for c in COMPONENTS.values() for w in c.upstreams), start=1):
        if way.clients and not any(host in members(component(name), groups) for name in way.clients):
            continue
        servers = []
        hosts = members(comp, groups)
        removed = [h for h in hostvars[host].get("ha_removed_hosts") or [] if way.leaving and h in groups.get("all", [])]
        for member in [*hosts, *(h for h in removed if h not in hosts)]:
            check = endpoint(comp, way.check[0], member, hostvars)
            servers.append({**endpoint(comp, way.port, member, hostvars).as_dict(), "check": check.port})
        if way.near:
            servers.sort(key=lambda server: server["host"] != host)
        for some in [[server] for server in servers] if way.each else [servers] if servers else []:
            first = some[0]
            address = loopback_twin(first["address"]) if way.each else f"127.0.2.{number}"
            found.append(
                {
                    "name": f"{way.name}_{comp.name}_{first['host']}" if way.each else way.name,
                    "kind": way.name,
                    "component": comp.name,
                    "host": first["host"] if way.each else "",
                    "local": f"{address}:{first['port']}",
                    "check": way.check[1],
                    "tls": way.tls,
                    "check_method": way.check_method,
                    "check_body": way.check_body,
                    "one_writer": way.one_writer,
                    # Who is out by what it says of itself goes on to answer, and wrongly.
                    "cut": bool(way.cut or way.one_writer or way.check_body),
                    "servers": some,
                }
            )
    return found


def describe(groups: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    """The catalogue as plain data, each component with its ``members`` of this inventory."""
    return [{**c.as_dict(), "members": members(c, groups)} for c in COMPONENTS.values()]


def expectations(groups: Mapping[str, Sequence[str]], hosts: Sequence[str] = ()) -> dict[str, dict[str, Any]]:
    """Component → what each of its members has to show for the stack to be whole, as in the module ``gate``. hosts: as in ``targets``."""
    count = {name: len(members(c, groups)) for name, c in COMPONENTS.items()}
    return {
        "alertmanager": {"peers": count["alertmanager"]},
        "thanos_query": {"stores": count["thanos_sidecar"] + count["thanos_store"]},
        "prometheus": {"targets_up": list(hosts) or True},
        "load_balancer": {"backends": True},
        "grafana": {"peers": count["grafana"]},
        "postgresql": {"standbys": count["postgresql"] - 1},
        "mariadb": {"nodes": count["mariadb"]},
        "object_store": {"nodes": count["object_store"]},
    }


def targets(
    groups: Mapping[str, Sequence[str]], hostvars: Mapping[str, Mapping[str, Any]], hosts: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """Every member of every component that can be asked, with what is expected of it, as ``verification`` wants them.

    hosts: those that have to be there; empty for all.
    """
    expected = expectations(groups, hosts)
    confirmed = str(of_member("postgresql", "postgresql_synchronous_mode", groups, hostvars, "quorum"))
    # YAML's off is no.
    expected["postgresql"]["synchronous"] = confirmed not in ("off", "False")
    return [
        {
            "component": c.name,
            "title": c.title,
            "host": its.host,
            "address": its.address,
            "port": its.port,
            "expect": expected.get(c.name, {}),
        }
        for c in COMPONENTS.values()
        if c.metrics
        for its in endpoints(c.name, groups, hostvars, c.metrics[0])
        if not hosts or its.host in hosts
    ]
