# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Checks of what an inventory says about backups, before anything is touched."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.monitoring.ha.plugins.module_utils.backup.settings import holds_secret
from ansible_collections.monitoring.ha.plugins.module_utils.grafana import given, options
from ansible_collections.monitoring.ha.plugins.module_utils.preflight import Finding, Site

#: Options of an export that the role sets by itself.
OWN = {"dest", "url", "user", "password", "token", "ca"}


def members(site: Site) -> Iterator[Finding]:
    """There is something to save, and somebody notices when it is not."""
    hosts = site.groups.get("backup", [])
    if hosts and not site.groups.get("grafana") and not site.of_all("backup_grafana_url"):
        remedy = "set backup_grafana_url, or leave the group empty"
        yield Finding("backup:grafana", "", "group backup has hosts, but there is no Grafana to save", remedy)
    for host in hosts:
        if host not in site.groups.get("monitored", []):
            remedy = "put it into the group monitored: by its node exporter members take turns, and alerts know how old the backup is"
            yield Finding("backup:monitored", host, "nobody sees whether this host saves anything", remedy)


def remote(name: Any, its: Any) -> Iterator[tuple[str, str]]:
    """(problem, remedy) of everything that is wrong with a remote. No secret appears in it."""
    where = f"backup_remotes.{name}"
    if not isinstance(its, Mapping) or not its.get("url"):
        # The check of arguments says so.
        return
    url = str(its["url"])
    if holds_secret(url):
        yield f"{where}.url holds a user or a password", "give user and token instead: a URL is seen by everybody on the host"
    elif url.startswith("http://"):
        yield f"{where}.url is not encrypted", "use https://"
    elif url.startswith("https://"):
        if not its.get("token"):
            yield f"{where} has no token", "make one that may write to the repository"
    elif url.startswith("ssh://") or re.match(r"[^/:]+:(?!//)", url):
        if not its.get("key"):
            yield f"{where} has no key", "give it a private key whose public one may write to the repository"
        elif "PRIVATE KEY-----" not in str(its["key"]) or "ENCRYPTED" in str(its["key"]):
            yield f"{where}.key is no private SSH key without a passphrase", "make one with ssh-keygen -t ed25519 -N ''"
        if not its.get("known_hosts"):
            yield f"{where} has no known_hosts, so that any server would do", "give it what ssh-keyscan prints, once you have compared it"


def remotes(site: Site) -> Iterator[Finding]:
    """The backup leaves its hosts, and no secret is seen on the way."""
    hosts = site.groups.get("backup", [])
    if not hosts:
        return
    given = site.of_all("backup_remotes") or {}
    if not isinstance(given, Mapping):
        return
    if not given:
        remedy = "name a repository elsewhere"
        yield Finding("backup:remotes", "", "backup_remotes is empty, so that the backup stays on the hosts that make it", remedy)
    for name, its in given.items():
        for problem, remedy in remote(name, its):
            yield Finding("backup_remotes", "", problem, remedy)


def export(site: Site) -> Iterator[Finding]:
    """Options of the export are spelt right, and have values of the right form: a choice of nothing would look like a backup."""
    found = site.of_all("backup_grafana_options") or {}
    if not site.groups.get("backup") or not isinstance(found, Mapping):
        return
    known = {name: option for name, option in options.EXPORT.items() if name not in OWN}
    for problem, remedy in given.faults(found, known, "backup_grafana_options"):
        yield Finding("backup_grafana_options", "", problem, remedy)


CHECKS = (members, remotes, export)
