# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What can be known of the object store before a host is touched: from the inventory alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ansible_collections.monitoring.ha.plugins.module_utils.garage import PERMISSIONS, GarageError, size
from ansible_collections.monitoring.ha.plugins.module_utils.preflight import Finding, Site
from ansible_collections.monitoring.ha.plugins.module_utils.preflight_secrets import weakness

#: What Garage takes for the id and the secret of a key, and how to make one.
GARAGE_KEY = {
    "id": (r"GK[0-9a-f]{24}", "make it GK and 24 hexadecimal digits (openssl rand -hex 12)"),
    "secret": (r"[0-9a-f]{64}", "make it 64 hexadecimal digits (openssl rand -hex 32)"),
}


def mappings(site: Site, variable: str) -> list[tuple[int, Mapping[str, Any]]]:
    """(number, item) of a list, as far as items are of the form that the check of arguments asks for."""
    given = site.of_all(variable)
    items = given if isinstance(given, (list, tuple)) else ()
    return [(number, its) for number, its in enumerate(items) if isinstance(its, Mapping)]


def of_thanos(site: Site) -> bool:
    """Whether Thanos keeps its blocks in it, and not elsewhere."""
    return bool(site.groups.get("prometheus")) and not site.of_all("thanos_objstore") and not site.of_all("thanos_s3")


def keys(site: Site) -> Iterator[Finding]:
    """Keys are such that Garage takes them, and the one that Thanos comes with is among them."""
    given = [key for _number, key in mappings(site, "object_store_keys")]
    names = [str(key["name"]) for key in given if key.get("name")]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield Finding("object_store_keys", "", f"object_store_keys has {name!r} more than once", "give each key a name of its own")
    for key in given:
        for part, (pattern, remedy) in GARAGE_KEY.items():
            if reason := weakness(key.get(part), pattern):
                yield Finding("secret:object_store_keys", "", f"{part} of {key.get('name')!r} in object_store_keys {reason}", remedy)
    own = {part: str(site.of_all(f"thanos_s3_{name}") or "") for part, name in (("id", "access_key"), ("secret", "secret_key"))}
    if not of_thanos(site) or not all(own.values()):
        return
    for (part, (pattern, remedy)), name in zip(GARAGE_KEY.items(), ("access_key", "secret_key"), strict=True):
        if reason := weakness(own[part], pattern):
            yield Finding(f"secret:thanos_s3_{name}", "", f"thanos_s3_{name} {reason}", remedy)
    if not any(all(str(key.get(part) or "") == own[part] for part in own) for key in given):
        problem = "object_store_keys does not have the key in thanos_s3_access_key and thanos_s3_secret_key"
        yield Finding("secret:object_store_keys", "", problem, "add it, by referring to both")


def bucket(path: str, its: Mapping[str, Any], known: list[str]) -> Iterator[tuple[str, str]]:
    """(problem, remedy) of everything that is wrong with a bucket. known: names of keys."""
    name = str(its.get("name") or "")
    if name and not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", name):
        yield f"{path}.name is {name!r}", "use 3 to 63 small letters, digits, dots and dashes"
    try:
        size(its.get("max_size") or 0)
    except GarageError as error:
        problem, _colon, remedy = str(error).rpartition(": ")
        yield f"{path}.max_size: {problem}", remedy
    allowed = its.get("keys")
    for key, permissions in allowed.items() if isinstance(allowed, Mapping) else ():
        if str(key) not in known:
            among = f", or name one of {', '.join(known)}" if known else ""
            yield f"{path}.keys has {key!r}, which is not there", f"add it to object_store_keys{among}"
        if not isinstance(permissions, (list, tuple)) or not set(map(str, permissions)) <= set(PERMISSIONS):
            yield f"{path}.keys.{key} is no list of permissions", f"known are {', '.join(PERMISSIONS)}"


def buckets(site: Site) -> Iterator[Finding]:
    """Buckets are told apart, refer to keys and permissions that there are, and have one for Thanos."""
    known = [str(key["name"]) for _number, key in mappings(site, "object_store_keys") if key.get("name")]
    names: list[str] = []
    for number, its in mappings(site, "object_store_buckets"):
        path, name = f"object_store_buckets[{number}]", str(its.get("name") or "")
        if name in names:
            yield Finding("object_store_buckets", "", f"{path}.name is {name!r}, as that of another", "name each bucket once")
        names.append(name)
        for problem, remedy in bucket(path, its, known):
            yield Finding("object_store_buckets", "", problem, remedy)
    own = str(site.of_all("thanos_s3_bucket") or "thanos")
    if of_thanos(site) and own not in names:
        problem = f"object_store_buckets does not have {own!r}, where Thanos keeps its blocks"
        yield Finding("object_store_buckets", "", problem, "add it, or name another one in thanos_s3_bucket")


def copies(site: Site) -> Iterator[Finding]:
    """Copies are on hosts of their own."""
    factor, hosts = site.of_all("object_store_replication_factor"), site.groups["object_store"]
    if re.fullmatch(r"\d+", str(factor)) and not 0 < int(factor) <= len(hosts):
        problem = f"object_store_replication_factor is {factor}, and group object_store has {len(hosts)} hosts"
        yield Finding("object_store_replication_factor", "", problem, "make it 3, or leave it out")


def object_store(site: Site) -> Iterator[Finding]:
    """All of it, where there is one."""
    if site.groups.get("object_store"):
        for check in (keys, buckets, copies):
            yield from check(site)


CHECKS: tuple[Callable[[Site], Iterator[Finding]], ...] = (object_store,)
