# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From a failure to what is done on which host: units, neighbours, directories and commands, out of catalogue and inventory."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from ansible_collections.monitoring.ha.plugins.module_utils import certificates, topology
from ansible_collections.monitoring.ha.plugins.module_utils.catalogue import COMPONENTS, Component
from ansible_collections.monitoring.ha.plugins.plugin_utils.drill.failures import Failure
from ansible_collections.monitoring.ha.plugins.plugin_utils.drill.stack import Stack

#: What a host of which a drill knows no other power says instead of a command: it starts anew by itself, at once.
SYSRQ = "sysrq"
#: Daemons below which others go on when they die alone.
SUPERVISORS = {"postgresql"}
#: Component → variable of its hosts that leads its data elsewhere.
ELSEWHERE = {"object_store": "object_store_data_directory"}
TEXTFILES = "/var/lib/node_exporter/textfile"


def components_of(stack: Stack, host: str) -> list[Component]:
    """What runs on a host."""
    return [c for c in COMPONENTS.values() if host in topology.members(c, stack.groups)]


def units_of(stack: Stack, host: str) -> list[str]:
    """Units of the stack on a host."""
    return [unit for c in components_of(stack, host) for unit in (c.unit, *c.helpers)]


def answers(stack: Stack, host: str) -> list[str]:
    """Where a host that is on can be told from one that is not: ``address:port`` of what runs there."""
    return [topology.endpoint(c, c.metrics[0], host, stack.hostvars).authority for c in components_of(stack, host) if c.metrics]


def neighbours(stack: Stack, host: str) -> list[str]:
    """Addresses of the stack's other hosts, and the one that moves among them."""
    others = [h for h in topology.stack_hosts(stack.groups) if h != host]
    return [topology.host_address(h, stack.hostvars[h]) for h in others] + ([stack.virtual] if stack.virtual else [])


def of_host(stack: Stack, host: str, variable: str, default: str = "") -> str:
    value = stack.hostvars[host].get(variable)
    return default if value in (None, "") else str(value)


def data_of(stack: Stack, host: str, component: Component) -> str:
    """Directory that a component fills on a host."""
    return of_host(stack, host, ELSEWHERE.get(component.name, ""), component.data)


def given(failure: Failure, host: str, stack: Stack, stage: bool) -> dict[str, Any]:
    """What the module on the host needs to know."""
    component = COMPONENTS.get(failure.daemon)
    its: dict[str, Any] = {"host": host}
    if component and failure.do in ("kill", "hang", "stop", "disk_full"):
        # A leader whose data are moved is none any more.
        its |= {"units": [component.unit], "main_process": component.name in SUPERVISORS, "stage": stage and failure.which != "leader"}
        its |= {"path": data_of(stack, host, component)}
    elif component and failure.do == "crash":
        its |= {"path": component.data}
    elif component and failure.do == "switch_over":
        cluster = of_host(stack, host, "postgresql_scope", of_host(stack, host, "ha_cluster", "main"))
        its |= {"path": component.config, "name": of_host(stack, host, "postgresql_name", host), "cluster": cluster}
    elif failure.do in ("cut_off", "cut_off_in", "cut_off_out", "lossy", "slow"):
        its |= {"peers": neighbours(stack, host)}
    elif failure.do == "power_cut":
        its |= {"off": of_host(stack, host, "drill_power_off"), "on": of_host(stack, host, "drill_power_on")}
        its |= {"answers": answers(stack, host)}
    elif failure.do == "certificate_expired":
        renewed = [c.unit for c in components_of(stack, host) if c.renewal]
        its |= {"units": units_of(stack, host), "renewed": renewed, "pki": stack.pki}
    return its


def unsupported(failure: Failure, host: str, its: dict[str, Any], stack: Stack) -> str:
    """Why a failure cannot be made on a host, as far as the controller knows; empty when it can."""
    if failure.do == "power_cut" and not its["off"]:
        return f"{host}: drill_power_off says no command that cuts its power"
    if failure.do == "power_cut" and its["off"] != SYSRQ and not its["on"]:
        return f"{host}: drill_power_on says no command that gives it power again"
    if failure.do == "certificate_expired" and not os.path.exists(f"{stack.pki}/ca.key"):
        return f"{host}: its authority is not on the controller, to sign a certificate that has expired"
    return ""


def faults(failure: Failure, hosts: Sequence[str], stack: Stack, stage: bool) -> list[dict[str, Any]]:
    """What is done to each host: ``host``, ``fault``, ``given``, and why it cannot be done (``unsupported``)."""
    found = []
    for host in hosts:
        its = given(failure, host, stack, stage)
        fault = "sysrq" if its.get("off") == SYSRQ else failure.do
        found.append({"host": host, "fault": fault, "given": its, "unsupported": unsupported(failure, host, its, stack)})
    return found


def shown(made: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The same for Ansible to see and show: without commands, which may hold a password."""
    return [{**its, "given": {name: value for name, value in its["given"].items() if name not in ("off", "on")}} for its in made]


def marked(stack: Stack) -> list[str]:
    """Hosts that tell every Prometheus that a drill goes on: its own ones, of which one is enough."""
    exporting = topology.members(COMPONENTS["node_exporter"], stack.groups)
    return [host for host in topology.members(COMPONENTS["prometheus"], stack.groups) if host in exporting]


def textfiles(stack: Stack, host: str) -> str:
    return of_host(stack, host, "node_exporter_textfile_directory", TEXTFILES)


def expired(directory: str, host: str, passphrase: str, now: datetime) -> dict[str, str]:
    """Files of an identity like the host's own that has run out: name → content. It holds a key."""
    settings = certificates.Settings(directory, passphrase=passphrase.encode() if passphrase else None)
    authority = certificates.ensure_authority(settings, now, save=False)
    path = f"{directory}/hosts/{host}/host.pem"
    names = certificates.texts(certificates.names_of(certificates.load_certificate(certificates.need(path), path)))
    # A minute ago, and not before the authority itself began.
    end = now - timedelta(minutes=1)
    begin = certificates.not_before(authority.certificate)
    days = (end - begin) / timedelta(days=1)
    leaf, key = certificates.make_leaf(certificates.Wanted(host, tuple(names)), authority, days, begin)
    certificate, secret = certificates.pem(leaf).decode(), certificates.key_pem(key).decode()
    return {"host.pem": certificate, "host.key": secret, "host-bundle.pem": certificate + secret}
