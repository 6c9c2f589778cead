# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the hosts themselves say before they are touched: ``look`` runs on each, ``CHECKS`` judge the answers."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.monitoring.ha.plugins.module_utils import identity, topology, units
from ansible_collections.monitoring.ha.plugins.module_utils.catalogue import COMPONENTS
from ansible_collections.monitoring.ha.plugins.module_utils.https import connects
from ansible_collections.monitoring.ha.plugins.module_utils.preflight import Finding, Site, findings
from ansible_collections.monitoring.ha.plugins.module_utils.preflight_network import Socket, sockets
from ansible_collections.monitoring.ha.plugins.module_utils.preflight_secrets import values_of_secrets

SUPPORTED = (("debian", "12"), ("debian", "13"))
#: Groups whose packages Debian 12 has only in releases that are too old.
NEWER = ("etcd", "postgresql", "mariadb")
#: Seconds that clocks may differ.
CLOCKS = 1.0
#: Bytes that have to be free where a component keeps its data.
SPACE = 2 * 1024**3
#: What the secrets of ``inventories/production`` contain: ``example``, and the same in hexadecimal digits.
EXAMPLE = re.compile("example|6578616d706c65", re.IGNORECASE)
#: Seconds for a connection to something outside of the stack.
PATIENCE = 5.0

# --- on the host ---------------------------------------------------------------------------------------------------


def run(*command: str) -> str:
    """Standard output of a command; empty when there is no such command or it fails."""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout
    return ""


def release() -> dict[str, str]:
    """``ID`` and ``VERSION_ID`` of the system."""
    with contextlib.suppress(OSError), open("/etc/os-release", encoding="utf-8") as file:
        values = dict(line.strip().partition("=")[::2] for line in file if "=" in line)
        return {"id": values.get("ID", "").strip('"'), "version": values.get("VERSION_ID", "").strip('"')}
    return {"id": "", "version": ""}


def own_addresses() -> list[dict[str, Any]]:
    """Address, prefix length and interface of each address of the host."""
    found = []
    for link in json.loads(run("ip", "-json", "address", "show") or "[]"):
        for its in link.get("addr_info", []):
            found.append({"address": its["local"], "prefix": its["prefixlen"], "interface": link["ifname"]})
    return found


def held(addresses: Sequence[Mapping[str, Any]]) -> set[str]:
    """The addresses alone, in the form in which they are compared."""
    return {topology.canonical(its["address"]) for its in addresses}


def unit_of(pid: str) -> str:
    """The systemd unit of a process."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/cgroup", encoding="utf-8") as file:
        match = re.search(r"/([^/\n]+\.service)", file.read())
        return match.group(1) if match else ""
    return ""


def listeners() -> list[dict[str, Any]]:
    """Address, port, process and unit of each TCP listener."""
    found = []
    for line in run("ss", "-Hltnp").splitlines():
        address, _colon, port = line.split()[3].rpartition(":")
        process = re.search(r'\(\("([^"]+)",pid=(\d+)', line)
        name, pid = process.groups() if process else ("", "")
        found.append(
            {"address": address.strip("[]").partition("%")[0], "port": int(port), "process": name, "unit": unit_of(pid) if pid else ""}
        )
    return found


def active() -> list[str]:
    """Services that run."""
    words = ("systemctl", "list-units", "--type=service", "--state=active,activating,reloading", "--plain", "--no-legend")
    return sorted(line.split()[0] for line in run(*words).splitlines() if line.strip())


def recorded() -> list[str]:
    """Services that roles have set up."""
    with contextlib.suppress(OSError):
        return sorted(name.removesuffix(".json") for name in os.listdir(units.RECORDS))
    return []


def space(path: str) -> dict[str, int]:
    """Bytes free and in all, of the file system that will hold ``path``."""
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    usage = shutil.disk_usage(path)
    return {"free": usage.free, "total": usage.total}


def resolve(name: str) -> list[str]:
    """Addresses of a name; empty when it does not resolve."""
    with contextlib.suppress(OSError):
        return sorted({str(info[4][0]) for info in socket.getaddrinfo(name, None)})
    return []


def neighbour(address: str) -> str:
    """Link-layer address of whoever holds an address in the same network; empty when nobody does."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
        # The content does not matter: sending makes the kernel ask who has the address.
        probe.sendto(b"", (address, 9))
    for _look in range(10):
        for entry in json.loads(run("ip", "-json", "neigh", "show", address) or "[]"):
            if entry.get("lladdr") and not set(entry.get("state", [])) & {"FAILED", "INCOMPLETE"}:
                return str(entry["lladdr"])
        time.sleep(0.1)
    return ""


def authorities() -> str:
    """The authorities that the host trusts, as PEM; empty when it has not been set up yet."""
    with contextlib.suppress(OSError), open(identity.CA, encoding="utf-8") as file:
        return file.read()
    return ""


def look(paths: Sequence[str], names: Sequence[str], address: str, reach: Mapping[str, str]) -> dict[str, Any]:
    """Everything that the checks ask of a host. Changes nothing."""
    addresses = own_addresses()
    return {
        "system": release(),
        "systemd": os.path.isdir("/run/systemd/system"),
        "addresses": addresses,
        "listeners": listeners(),
        "active": active(),
        "recorded": recorded(),
        "space": {path: space(path) for path in paths},
        "names": {name: resolve(name) for name in [socket.gethostname(), "localhost", *names]},
        "hostname": socket.gethostname(),
        "unreached": [variable for variable, authority in reach.items() if not connects(authority, PATIENCE)],
        "authorities": authorities(),
        "neighbour": neighbour(address) if address and topology.canonical(address) not in held(addresses) else "",
    }


# --- on the controller ---------------------------------------------------------------------------------------------

Facts = Mapping[str, Mapping[str, Any]]


def address_of(site: Site, host: str) -> str:
    """The address of a host; empty when the inventory gives none, of which the checks of the inventory tell."""
    with contextlib.suppress(topology.TopologyError):
        return topology.host_address(host, site.hostvars[host])
    return ""


def sockets_of(site: Site, host: str) -> list[Socket]:
    """What the stack listens on at a host, as far as the inventory is right."""
    found: list[Socket] = []
    with contextlib.suppress(topology.TopologyError):
        found.extend(sockets(site, host))
    return found


def systems(site: Site, facts: Facts) -> Iterator[Finding]:
    """Debian 12 or 13 under systemd."""
    for host, its in facts.items():
        system = (its["system"]["id"], its["system"]["version"])
        if system not in SUPPORTED:
            yield Finding(
                "system",
                host,
                f"it runs {' '.join(system).strip() or 'an unknown system'}",
                "use Debian 12 or 13, which are what is tested",
            )
        old = [group for group in NEWER if host in site.groups.get(group, [])] if system == ("debian", "12") else []
        if old:
            yield Finding("system", host, f"it runs Debian 12, too old for {' and '.join(old)}", "use Debian 13 for these groups")
        if not its["systemd"]:
            yield Finding("systemd", host, "it does not run systemd", "boot it with systemd")


def own(site: Site, facts: Facts) -> Iterator[Finding]:
    """The address that the others use is one of the host's."""
    for host, its in facts.items():
        address = address_of(site, host)
        if address and address not in held(its["addresses"]):
            yield Finding("address", host, f"it does not have its address {address}", "set ha_address to the one it has")


def clocks(site: Site, facts: Facts) -> Iterator[Finding]:
    """Certificates, leases and deduplication rely on clocks that agree. ``clock``: (offset, uncertainty) in seconds."""
    known = {h: its["clock"] for h, its in facts.items() if its.get("clock")}
    if len(known) < 2:
        return
    middle = sorted(offset for offset, _uncertainty in known.values())[len(known) // 2]
    for host, (offset, uncertainty) in known.items():
        if abs(offset - middle) - uncertainty > CLOCKS:
            yield Finding(
                "clock", host, f"its clock is {offset - middle:+.1f} s off the others'", "synchronise it (chrony or systemd-timesyncd)"
            )


def disks(site: Site, facts: Facts) -> Iterator[Finding]:
    """Room for data."""
    for host, its in facts.items():
        for path, room in its["space"].items():
            if room["free"] < SPACE:
                yield Finding("space", host, f"{room['free'] / 1024**3:.1f} GiB are free for {path}", f"make it {SPACE // 1024**3} GiB")


def resolution(site: Site, facts: Facts) -> Iterator[Finding]:
    """The host knows its own name, localhost, and whatever names the inventory gives it to talk to."""
    for host, its in facts.items():
        for name, found in its["names"].items():
            if not found:
                remedy = "add it to /etc/hosts" if name in (its["hostname"], "localhost") else "correct the name, or the host's DNS"
                yield Finding("name_resolution", host, f"it cannot resolve {name}", remedy)


def outside(site: Site, facts: Facts) -> Iterator[Finding]:
    """What the inventory names outside of the stack accepts connections."""
    for host, its in facts.items():
        for variable in its.get("unreached", []):
            yield Finding(
                f"unreached:{variable}", host, f"nothing answers where {variable} says", "correct it, start it, or open the way to it"
            )


def occupied(site: Site, facts: Facts) -> Iterator[Finding]:
    """Nobody else listens where the stack will."""
    ours = {unit for c in site.present() for unit in (c.unit, *c.helpers)}
    for host, its in facts.items():
        wanted = sockets_of(site, host)
        for listener in its["listeners"]:
            address = topology.canonical(listener["address"])
            everywhere = address in ("0.0.0.0", "*", "::")
            for socket_ in wanted:
                # Where the kernel does not tell whose socket it is, a unit that runs is taken for the listener.
                running = any(unit in its["active"] for unit in socket_.units)
                known = listener["unit"] in ours if listener["unit"] else not listener["process"] and running
                if socket_.port == listener["port"] and (everywhere or socket_.address == address) and not known:
                    who = listener["unit"] or listener["process"] or "another process"
                    place = f"{listener['address']}:{listener['port']}"
                    yield Finding(
                        "port", host, f"{who} listens on {place}, which {socket_.owner} needs", f"stop it, or set {socket_.variable}"
                    )


def virtual_address(site: Site, facts: Facts) -> Iterator[Finding]:
    """It is in the network of the load balancers, and held by one of them or nobody."""
    virtual = topology.canonical(site.of_all("ha_virtual_address"))
    balancers = [h for h in site.groups.get("load_balancer", []) if h in facts]
    if not virtual or not balancers or not topology.is_address(virtual):
        return
    for host in balancers:
        mine = address_of(site, host)
        for its in facts[host]["addresses"]:
            network = ipaddress.ip_network(f"{its['address']}/{its['prefix']}", strict=False)
            if topology.canonical(its["address"]) == mine and ipaddress.ip_address(virtual) not in network:
                yield Finding(
                    "virtual_address", host, f"ha_virtual_address {virtual} is not in its network {network}", "choose a free address in it"
                )
    if len(balancers) < len(site.groups["load_balancer"]):
        # Whoever answers may be one that is not looked at, as with --limit.
        return
    holders = [h for h, its in facts.items() if virtual in held(its["addresses"])]
    strangers = {facts[h]["neighbour"] for h in balancers} - {""}
    if strangers and not holders:
        yield Finding(
            "virtual_address", "", f"ha_virtual_address {virtual} is in use by {', '.join(sorted(strangers))}", "choose a free address"
        )
    if len(holders) > 1:
        yield Finding(
            "virtual_address",
            "",
            f"{', '.join(holders)} hold {virtual} at once",
            "let VRRP (IP protocol 112) pass between the load balancers",
        )


def intruders(site: Site, facts: Facts) -> Iterator[Finding]:
    """Nothing runs where it is no member any more, and would work against the members."""
    for component in (c for c in COMPONENTS.values() if c.intrudes):
        members = topology.members(component, site.groups)
        # Somebody else's is none of the stack's business.
        runs = [host for host, its in facts.items() if component.unit in its["active"] and component.unit in its["recorded"]]
        for host in (host for host in runs if members and host not in members):
            problem = f"{component.title} still runs there, and works against {', '.join(members)}"
            yield Finding(
                "intruder", host, problem, f"end it (systemctl disable --now {component.unit}), or put the host into {component.group}"
            )


def published(site: Site, facts: Facts) -> Iterator[Finding]:
    """Secrets of the example inventory, which everybody knows, are for looking at it; no host is set up with them."""
    for variable in dict.fromkeys(name for name, value in values_of_secrets(site) if facts and EXAMPLE.search(value)):
        yield Finding(f"secret:{variable}", "", f"{variable} is the one of the example inventory", "make one of your own")


CHECKS: tuple[Callable[[Site, Facts], Iterator[Finding]], ...] = (
    systems,
    own,
    clocks,
    disks,
    resolution,
    outside,
    occupied,
    virtual_address,
    intruders,
    published,
)


def inspect(site: Site, facts: Facts, needed: Sequence[str] = ()) -> list[Finding]:
    """Every finding of every check; none about hosts that run nothing of the stack.

    needed: hosts that have to be in ``facts``.
    """
    running = set(site.hosts)
    facts = {host: its for host, its in facts.items() if host in running}
    found = [
        Finding("unreachable", host, "it could not be looked at", f"bring it back, or leave it out with --limit 'all:!{host}'")
        for host in needed
        if host not in facts
    ]
    return found + [finding for check in CHECKS for finding in findings(check, site, facts)]
