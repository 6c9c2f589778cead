# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What can be known of the stack's own databases before a host is touched: from the inventory alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.monitoring.ha.plugins.module_utils.preflight import Finding, Site
from ansible_collections.monitoring.ha.plugins.module_utils.preflight_secrets import PASSWORD_LENGTH, weakness


@dataclass(frozen=True)
class Accounts:
    """Whose users and databases. own: users that the role makes for itself, or that are the server's."""

    role: str
    own: frozenset[str]


POSTGRESQL = Accounts("postgresql", frozenset({"postgres", "replicator", "postgres_exporter"}))
MARIADB = Accounts("mariadb", frozenset({"root", "mysql", "mariadb.sys", "mysqld_exporter"}))


def present(entries: Mapping[str, Any]) -> dict[str, Any]:
    """Users or databases that are to be there: those that do not say ``state: absent``."""
    return {name: its for name, its in entries.items() if its.get("state") != "absent"}


def entries(site: Site, variable: str) -> dict[str, Mapping[str, Any]]:
    """Users or databases, as far as they are of the form that the check of arguments asks for."""
    given = site.of_all(variable)
    return {name: its for name, its in given.items() if isinstance(its, Mapping)} if isinstance(given, Mapping) else {}


def accounts(site: Site, of: Accounts) -> Iterator[Finding]:
    """Users and databases are complete, and fit each other."""
    of_users, of_databases = f"{of.role}_users", f"{of.role}_databases"
    users, databases = entries(site, of_users), entries(site, of_databases)
    for name, its in users.items():
        if name in of.own:
            yield Finding(of_users, "", f"{of_users}.{name} is a user of the role's own", "choose another name")
        elif its.get("state") != "absent" and (reason := weakness(its.get("password"), f".{{{PASSWORD_LENGTH},}}")):
            remedy = f"give it at least {PASSWORD_LENGTH} characters"
            yield Finding(f"secret:{of_users}", "", f"the password of {name!r} in {of_users} {reason}", remedy)
    given = site.of_all(of_users)
    owners = [name for name in given if name not in users or name in present(users)] if isinstance(given, Mapping) else []
    for name, its in present(databases).items():
        owner = str(its.get("owner") or "")
        if owner not in owners:
            remedy = f"name one of {of_users}{': ' + ', '.join(owners) if owners else ''}"
            problem = (
                f"{of_databases}.{name}.owner is {owner!r}, which is not there" if owner else f"{of_databases}.{name}.owner is missing"
            )
            yield Finding(of_databases, "", problem, remedy)


def mariadb(site: Site) -> Iterator[Finding]:
    """Accounts fit, and silence is judged in the right order."""
    if not site.groups.get("mariadb"):
        return
    yield from accounts(site, MARIADB)
    names = ("mariadb_suspect_timeout", "mariadb_inactive_timeout")
    try:
        suspect, inactive = (int(site.of_all(name) or default) for name, default in zip(names, (3, 10), strict=True))
    except (TypeError, ValueError):
        yield Finding("mariadb_suspect_timeout", "", f"one of {', '.join(names)} is not a number", "give whole seconds")
    else:
        if not 1 < suspect < inactive:
            problem = f"mariadb_suspect_timeout is {suspect}, mariadb_inactive_timeout {inactive}"
            yield Finding("mariadb_suspect_timeout", "", problem, "make the first 2 at least, and the second longer than the first")


def etcd(site: Site) -> Iterator[Finding]:
    """Members wait for several beats before they elect another leader; etcd does not start otherwise."""
    names = ("etcd_heartbeat_interval", "etcd_election_timeout")
    try:
        beat, election = (int(site.of_all(name) or default) for name, default in zip(names, (100, 1000), strict=True))
    except (TypeError, ValueError):
        # The check of arguments says so.
        return
    if site.groups.get("etcd") and not 5 * beat <= election <= 50000:
        problem = f"etcd_election_timeout is {election}, and etcd_heartbeat_interval {beat}"
        yield Finding("etcd_election_timeout", "", problem, "make the first five times the second at least, and 50000 at most")


def postgresql(site: Site) -> Iterator[Finding]:
    """Who leads is agreed on in etcd, in time, and nobody is let in by mistake."""
    hosts = site.groups.get("postgresql", [])
    if not hosts:
        return
    if not site.groups.get("etcd") and not site.of_all("postgresql_etcd"):
        yield Finding(
            "members:etcd", "", "group postgresql has hosts, but group etcd is empty", "put three hosts into it, or set postgresql_etcd"
        )
    password = site.hostvars[hosts[0]].get("postgresql_etcd_password")
    for host in site.groups.get("etcd", []):
        if site.hostvars[host].get("postgresql_etcd_password") != password:
            remedy = "set it for both groups alike"
            yield Finding("secret:postgresql_etcd_password", host, "postgresql_etcd_password is not that of the group postgresql", remedy)
            break
    names = ("postgresql_ttl", "postgresql_loop_wait", "postgresql_retry_timeout")
    try:
        ttl, loop, retry = (int(site.of_all(name) or default) for name, default in zip(names, (20, 5, 5), strict=True))
    except (TypeError, ValueError):
        yield Finding("postgresql_ttl", "", f"one of {', '.join(names)} is not a number", "give whole seconds")
    else:
        if ttl < max(20, loop + 2 * retry):
            remedy = "make it 20 at least, and postgresql_loop_wait plus twice postgresql_retry_timeout at least"
            yield Finding("postgresql_ttl", "", f"postgresql_ttl is {ttl}, too short for members to keep their lock", remedy)
    yield from accounts(site, POSTGRESQL)


CHECKS: tuple[Callable[[Site], Iterator[Finding]], ...] = (etcd, postgresql, mariadb)
