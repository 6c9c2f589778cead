# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What runs where and how to open it: as data for programs, and as a table for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from ansible_collections.monitoring.ha.plugins.module_utils import preflight_databases, topology
from ansible_collections.monitoring.ha.plugins.module_utils.catalogue import COMPONENTS


def endpoints(
    groups: Mapping[str, Sequence[str]],
    hostvars: Mapping[str, Mapping[str, Any]],
    pki: str,
) -> dict[str, Any]:
    """Addresses, URLs and credentials; parts that the inventory lacks are left out. It holds passwords."""
    fronts = {front["name"]: front for front in topology.frontends(groups, hostvars)}
    of = partial(topology.of_member, groups=groups, hostvars=hostvars)
    users = of("load_balancer", "haproxy_users", default={})
    user = next(iter(users), "")
    login = {"user": user, "password": str(users[user])} if user else {}
    hosts = sorted({h for c in COMPONENTS.values() for h in topology.members(c, groups)}, key=list(groups["all"]).index)
    found: dict[str, Any] = {
        # What it trusts is the whole of it, whoever the authority is.
        "ca": f"{pki}/hosts/controller/ca.pem",
        "client": {"certificate": f"{pki}/hosts/controller/host.pem", "key": f"{pki}/hosts/controller/host.key"},
        "vip": str(of("load_balancer", "ha_virtual_address", default="")),
        "hosts": {host: {"address": topology.host_address(host, hostvars[host])} for host in hosts},
        "prometheus": [{"host": e.host, "url": e.url} for e in topology.endpoints("prometheus", groups, hostvars)],
    }
    for name in ("query", "alertmanager"):
        if name in fronts:
            found[name] = {"url": fronts[name]["url"], **login}
    if "s3" in fronts:
        found["object_store"] = {
            "url": fronts["s3"]["url"],
            "region": str(of("object_store", "object_store_region", default="garage")),
            "bucket": str(of("thanos_sidecar", "thanos_s3_bucket", default="thanos")),
            "access_key": str(of("thanos_sidecar", "thanos_s3_access_key", default="")),
            "secret_key": str(of("thanos_sidecar", "thanos_s3_secret_key", default="")),
        }
    for role in ("postgresql", "mariadb"):
        databases = preflight_databases.present(of(role, f"{role}_databases", default={}))
        if role in fronts and databases:
            name, its = next(iter(databases.items()))
            where = fronts[role]["endpoints"][0]
            found[role] = {
                "host": where["address"],
                "port": where["port"],
                "database": name,
                "user": its["owner"],
                "password": str(of(role, f"{role}_users")[its["owner"]]["password"]),
            }
    if "grafana" in fronts:
        user, password = (str(of("grafana", f"grafana_admin_{name}", default=its)) for name, its in (("user", "admin"), ("password", "")))
        found["grafana"] = {"url": fronts["grafana"]["url"], "user": user, "password": password}
    for name, more in (hostvars[hosts[0]].get("ha_endpoints") or {} if hosts else {}).items():
        if name in found:
            found[name] |= more
    return {key: value for key, value in found.items() if value}


def table(
    groups: Mapping[str, Sequence[str]],
    hostvars: Mapping[str, Mapping[str, Any]],
    pki: str,
    away: Sequence[str] = (),
) -> list[str]:
    """Lines for people: no password is in them. away: hosts that the run has lost."""
    lines = ["What runs where"]
    for component in COMPONENTS.values():
        members = topology.members(component, groups)
        if members:
            shown = ", ".join(members) if len(members) <= 6 else f"{', '.join(members[:5])} and {len(members) - 5} more"
            lines.append(f"  {component.title:24} {shown}")
    fronts = topology.frontends(groups, hostvars)
    users = ", ".join(topology.of_member("load_balancer", "haproxy_users", groups, hostvars, {}))
    if fronts:
        lines.append("How to open it")
        for front in fronts:
            who = f"as {users}" if front["users"] and users else "with a client certificate"
            if front["mode"] == "tcp" or front["own_login"]:
                who = "as one of its own users"
            lines.append(f"  {front['title']:36} {front['url']:32} {who}")
    authority = next((str(its["pki_ca"]) for its in map(hostvars.get, groups.get("all", [])) if its and its.get("pki_ca")), f"{pki}/ca.pem")
    lines.append(f"  Authority to trust                   {authority}")
    if away:
        lines.append(f"Not as the inventory says: {', '.join(away)}; could not be reached, or failed. Run this again for them.")
    return lines
