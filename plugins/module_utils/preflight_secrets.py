# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What can be known of secrets before a host is touched: from the inventory alone. None of them appears in a message."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ansible_collections.monitoring.ha.plugins.module_utils import topology
from ansible_collections.monitoring.ha.plugins.module_utils.preflight import Finding, Site

#: Passwords that everybody tries first.
WEAK = {"admin", "password", "passw0rd", "changeme", "change_me", "secret", "grafana", "prometheus", "monitoring", "default", "letmein"}
WEAK |= {"change_me_to_a_random_secret", "sw2ycwtib9zpoohopsmm", "1ce24b6e", "12345678", "qwertyuiop"}
PASSWORD_LENGTH = 12


def weakness(value: Any, pattern: str) -> str:
    """Why a secret is none; empty when it is. The value appears in no message."""
    text = "" if value is None else str(value)
    if not text:
        return "is missing"
    if text.lower() in WEAK or len(set(text)) < 4:
        return "is one that everybody tries"
    return "" if re.fullmatch(pattern, text, re.DOTALL) else "is too short or of the wrong form"


def secrets(site: Site) -> Iterator[Finding]:
    """Secrets are there, and are some."""
    for c in site.present():
        for secret in c.secrets:
            reasons = {weakness(site.hostvars[h].get(secret.variable), secret.pattern) for h in site.members(c)} - {""}
            for reason in sorted(reasons):
                yield Finding(f"secret:{secret.variable}", "", f"{secret.variable} {reason}", secret.remedy)
            if len({str(site.hostvars[h].get(secret.variable)) for h in site.members(c)}) > 1:
                yield Finding(
                    f"secret:{secret.variable}",
                    "",
                    f"{secret.variable} differs between the hosts of {c.group}",
                    "set it once, for the group",
                )
    if site.groups.get("load_balancer"):
        users = site.of_all("haproxy_users") or {}
        people = [offer.name for offer, _component in topology.offers(site.groups).values() if offer.users]
        if people and not users:
            yield Finding(
                "secret:haproxy_users",
                "",
                f"haproxy_users is empty, so that nobody may see {', '.join(people)}",
                "set it to a user name and a password",
            )
        for name, password in users.items() if isinstance(users, Mapping) else ():
            reason = weakness(password, f".{{{PASSWORD_LENGTH},}}")
            if reason:
                yield Finding(
                    "secret:haproxy_users",
                    "",
                    f"the password of {name!r} in haproxy_users {reason}",
                    f"give it at least {PASSWORD_LENGTH} characters",
                )
    if site.groups.get("prometheus") and not site.of_all("thanos_objstore") and site.groups.get("object_store"):
        for variable in ("thanos_s3_access_key", "thanos_s3_secret_key"):
            if not site.of_all(variable):
                yield Finding(f"secret:{variable}", "", f"{variable} is missing", "set it to what object_store_keys declares for Thanos")


#: Variables that hold a secret and belong to no single component.
SECRETS = ("thanos_s3_access_key", "thanos_s3_secret_key", "pki_ca_passphrase", "backup_grafana_token", "backup_signing_key")


def values_of_secrets(site: Site) -> Iterator[tuple[str, str]]:
    """(variable, value) of everything that is a secret."""
    for c in site.present():
        yield from ((s.variable, str(site.hostvars[h].get(s.variable) or "")) for s in c.secrets for h in site.members(c))
    users = site.of_all("haproxy_users")
    yield from (("haproxy_users", str(password)) for password in (users.values() if isinstance(users, Mapping) else ()))
    for variable in ("postgresql_users", "mariadb_users"):
        users = site.of_all(variable)
        entries = [its for its in users.values() if isinstance(its, Mapping)] if isinstance(users, Mapping) else []
        yield from ((variable, str(its.get("password") or "")) for its in entries)
    remotes = site.of_all("backup_remotes")
    entries = [its for its in remotes.values() if isinstance(its, Mapping)] if isinstance(remotes, Mapping) else []
    yield from (("backup_remotes", str(its.get(name) or "")) for its in entries for name in ("key", "token"))
    yield from ((name, str(site.of_all(name) or "")) for name in SECRETS)


CHECKS: tuple[Callable[[Site], Iterator[Finding]], ...] = (secrets,)
