# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A Garage cluster as it should be: nodes with roles, keys, buckets and who may use them.

Speaks version 2 of the administration API. Nothing that holds data is ever
removed unless it is named for removal.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.monitoring.ha.plugins.module_utils.https import Client, Unanswered

#: Seconds in which a node that works is connected again: Garage tries after 30 s at first.
SILENCE = 120.0
PERMISSIONS = ("read", "write", "owner")
UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "KI": 2**10, "MI": 2**20, "GI": 2**30, "TI": 2**40}


class GarageError(RuntimeError):
    """The cluster cannot be brought into the wanted state; the message names what and the remedy."""


@dataclass(frozen=True)
class Node:
    """A host of the cluster. id: public key, in hex. address: ``address:port`` of its RPC. capacity: bytes."""

    id: str
    address: str
    zone: str
    capacity: int
    name: str


@dataclass
class Plan:
    """What differs, one readable line a change; empty when nothing does."""

    lines: list[str] = field(default_factory=list)


def size(text: str | int) -> int:
    """``100G`` → bytes; decimal units, binary ones with an i."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*((?:[KMGT]I?)?)B?", str(text).strip().upper())
    if not match:
        raise GarageError(f"capacity {text!r}: write it as 100G or 1.5TiB")
    return int(float(match.group(1)) * UNITS[match.group(2)])


@dataclass
class Api:
    """The administration API of one node.

    patience: seconds in which the others may come back, when too few of them are there to read, or are busy with moving data.
    """

    client: Client
    token: str
    patience: float = 60.0
    sleep: Callable[[float], None] = time.sleep

    def call(self, method: str, name: str, body: Any = None, **parameters: str) -> Any:
        """One call; GarageError with Garage's own words. The token appears in no message."""
        query = "&".join(f"{key}={value}" for key, value in parameters.items())
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        path, end = f"/v2/{name}" + (f"?{query}" if query else ""), time.monotonic() + self.patience

        def over() -> bool:
            return method != "GET" or time.monotonic() > end

        while True:
            try:
                status, text = self.client.request(method, path, data, headers)
                if status != 503 or over():
                    break
            except Unanswered as error:
                # Nobody there is something else than somebody who takes too long.
                if over() or not isinstance(error.__cause__, TimeoutError):
                    raise
            self.sleep(1)
        try:
            answer = json.loads(text) if text else None
        except ValueError:
            answer = None
        if status >= 300:
            said = answer.get("message") if isinstance(answer, dict) else text.decode(errors="replace")[:200]
            raise GarageError(f"{name}: {status} {said}")
        return answer

    def get(self, name: str, **parameters: str) -> Any:
        return self.call("GET", name, None, **parameters)

    def post(self, name: str, body: Any = None, **parameters: str) -> Any:
        return self.call("POST", name, {} if body is None else body, **parameters)


def wait(api: Api, timeout: float, sleep: Callable[[float], None] = time.sleep) -> None:
    """Until the daemon answers; GarageError after ``timeout`` seconds."""
    end = time.monotonic() + timeout
    while True:
        try:
            api.get("GetClusterStatus")
            return
        except Unanswered as error:
            if time.monotonic() > end:
                raise GarageError(f"no answer within {timeout:.0f} s: {error}") from error
        sleep(0.5)


def look(api: Api) -> dict[str, Any]:
    """``id`` of the node that is asked, and ``version`` of the layout that it knows, 0 for none."""
    (node,) = api.get("GetNodeInfo", node="self")["success"]
    return {"id": node, "version": api.get("GetClusterLayout")["version"]}


# --- nodes ---------------------------------------------------------------------------------------------------------


def strangers(api: Api, nodes: Sequence[Node]) -> list[Node]:
    """Nodes that this one is not connected to."""
    up = {n["id"] for n in api.get("GetClusterStatus")["nodes"] if n["isUp"]}
    return [n for n in nodes if n.id not in up]


def connect(
    api: Api, nodes: Sequence[Node], plan: Plan, timeout: float, *, check: bool, sleep: Callable[[float], None] = time.sleep
) -> None:
    """Every node knows every other one; a node that has just been started is given ``timeout`` seconds."""
    missing = strangers(api, nodes)
    if not missing:
        return
    known = {n["id"] for n in api.get("GetClusterStatus")["nodes"]}
    # One that is known and down comes back by itself; that is no change.
    new = [n.name for n in missing if n.id not in known]
    if new:
        plan.lines.append(f"connect {', '.join(new)}")
    end = time.monotonic() + timeout
    while missing and not check:
        answers = api.post("ConnectClusterNodes", [f"{n.id}@{n.address}" for n in missing])
        failed = [f"{n.name} ({n.address}): {a['error']}" for n, a in zip(missing, answers, strict=True) if not a["success"]]
        missing = strangers(api, nodes)
        if missing and time.monotonic() > end:
            raise GarageError(
                f"not connected: {'; '.join(failed) or ', '.join(n.name for n in missing)}: is the RPC secret the same everywhere?"
            )
        if missing:
            sleep(0.5)


def refuse_alone(api: Api, nodes: Sequence[Node], members: Sequence[str]) -> None:
    """GarageError where a node without a layout is asked without the others: it would found a cluster of its own."""
    if len(nodes) < len(members) and not api.get("GetClusterLayout")["roles"]:
        raise GarageError(
            f"{', '.join(n.name for n in nodes)} is new, and {len(members) - len(nodes)} others are not part of this run: leave out --limit"
        )


def leaves(role: Mapping[str, Any], remove: Sequence[str]) -> bool:
    """Whether a role is one of those that are named (ids or names)."""
    return role["id"] in remove or bool(set(role["tags"]) & set(remove))


def refuse_without_data(roles: Sequence[Mapping[str, Any]], nodes: Sequence[Node], remove: Sequence[str]) -> None:
    """GarageError where a node is new and its host has a place already: its disk may be missing, and another one would be filled."""
    present, given = {role["id"] for role in roles}, {node.id for node in nodes}
    # A node that is in use under another name has not lost its data.
    held = {tag for role in roles if role["id"] not in given and not leaves(role, remove) for tag in role["tags"]}
    if lost := [node.name for node in nodes if node.id not in present and node.name in held]:
        have, its = ("has a place", "its disk") if len(lost) == 1 else ("have places", "their disks")
        remedy = f"mount {its}; or, if the host is a new one, say so with ha_removed_hosts: [{', '.join(lost)}]"
        raise GarageError(f"{', '.join(lost)} {have} in the layout, but no data of it: {remedy}")


def meant(nodes: Sequence[Node], remove: Sequence[str], members: Sequence[str]) -> list[str]:
    """Names and ids to remove, without members that are to stay and are not among ``nodes`` now: only a fresh node takes one's place."""
    fresh = {node.name for node in nodes}
    return [name for name in remove if name not in members or name in fresh]


def changes(roles: Sequence[Mapping[str, Any]], nodes: Sequence[Node], remove: Sequence[str]) -> list[dict[str, Any]]:
    """What to stage so that the layout has ``nodes`` and no longer has ``remove`` (ids or names)."""
    present = {role["id"]: role for role in roles}
    found: list[dict[str, Any]] = []
    for node in nodes:
        wanted = {"zone": node.zone, "capacity": node.capacity, "tags": [node.name]}
        if any(present.get(node.id, {}).get(key) != value for key, value in wanted.items()):
            found.append({"id": node.id, **wanted})
    kept = {node.id for node in nodes}
    for role in roles:
        if role["id"] not in kept and leaves(role, remove):
            found.append({"id": role["id"], "remove": True})
    return found


def layout(api: Api, nodes: Sequence[Node], remove: Sequence[str], plan: Plan, *, check: bool) -> None:
    """Roles of the nodes, staged and applied in one new version of the layout."""
    now = api.get("GetClusterLayout")
    if now["stagedRoleChanges"]:
        raise GarageError("somebody has staged changes of the layout: apply or revert them first (garage layout show)")
    refuse_without_data(now["roles"], nodes, remove)
    wanted = changes(now["roles"], nodes, remove)
    if not wanted:
        return
    names = {n.id: n.name for n in nodes}
    for change in wanted:
        label = names.get(change["id"], change["id"][:16])
        plan.lines.append(
            f"remove {label} from the layout" if "remove" in change else f"{label}: {change['capacity']} bytes in zone {change['zone']}"
        )
    if check:
        return
    api.post("UpdateClusterLayout", {"roles": wanted, "parameters": {"zoneRedundancy": "maximum"}})
    try:
        api.post("ApplyClusterLayout", {"version": now["version"] + 1})
    except GarageError as error:
        api.post("RevertClusterLayout")
        raise GarageError(f"the layout is refused, and nothing was changed: {error}") from error
    up = {n["id"] for n in api.get("GetClusterStatus")["nodes"] if n["isUp"]}
    if any("remove" in change and change["id"] not in up for change in wanted):
        # One that is lost will never say that it knows the new layout, and the old one would be waited for.
        api.post("ClusterLayoutSkipDeadNodes", {"version": now["version"] + 1, "allowMissingData": False})


def refuse_cut_off(api: Api, reached: Sequence[str]) -> None:
    """GarageError where a node works and has data for the others, and they would not reach it any more. reached: hosts by name."""
    working = [node for node in api.get("GetClusterStatus")["nodes"] if node["isUp"]]
    tags = [node["role"]["tags"] for node in working if node.get("role") and node["role"]["tags"]]
    lost = sorted(its[0] for its in tags if not set(its) & set(reached))
    # One that gives its data away has no tags any more: as many hosts are needed as there are of those.
    draining = [node.get("hostname") or node["id"][:16] for node in working if not node.get("role") and node.get("draining")]
    spare = set(reached) - {tag for its in tags for tag in its}
    lost += sorted(draining) if len(draining) > len(spare) else []
    if lost:
        raise GarageError(
            f"the others would not reach {', '.join(lost)} any more, with data that has not moved yet: have it in the inventory, in no"
            " group of the stack, and in ha_removed_hosts"
        )


def leaving(api: Api, sleep: Callable[[float], None] = time.sleep) -> dict[str, int | None]:
    """Nodes that have no place in the layout and still hold data: host → how many blocks, roughly; None where it does not say.

    A block is given away soon, and kept for ten minutes more. A node that is out of reach may have lost no more than a
    connection, and is waited for; one that stays away for ``SILENCE`` seconds is lost and gives nothing away.
    """

    def placeless() -> list[dict[str, Any]]:
        return [node for node in api.get("GetClusterStatus")["nodes"] if not node.get("role")]

    nodes, end = placeless(), time.monotonic() + SILENCE
    # When it was seen is not known to a daemon that was started after it.
    while any(not node["isUp"] and (node.get("lastSeenSecsAgo") or 0) < SILENCE for node in nodes) and time.monotonic() < end:
        sleep(1)
        nodes = placeless()
    nodes = [node for node in nodes if node["isUp"]]
    known = api.get("GetNodeStatistics", node="*")["success"] if nodes else {}
    found: dict[str, int | None] = {}
    for node in nodes:
        entries = ((known.get(node["id"]) or {}).get("blockManagerStats") or {}).get("rcEntries")
        # A node that did not answer has not said that it is empty.
        if entries is None or entries or node.get("draining"):
            found[node.get("hostname") or node["id"][:16]] = entries
    return found


# --- keys and buckets ----------------------------------------------------------------------------------------------


def keys(api: Api, wanted: Sequence[Mapping[str, Any]], plan: Plan, *, check: bool) -> None:
    """Access keys with the given ids and secrets."""
    present = {key["id"] for key in api.get("ListKeys")}
    for key in wanted:
        if not re.fullmatch(r"GK[0-9a-f]{24}", key["id"]) or not re.fullmatch(r"[0-9a-f]{64}", key["secret"]):
            raise GarageError(f"key {key['name']}: the id is GK and 24 hexadecimal digits, the secret 64 of them")
        if key["id"] in present:
            found = api.get("GetKeyInfo", id=key["id"], showSecretKey="true")
            if found["secretAccessKey"] != key["secret"]:
                raise GarageError(f"key {key['name']} ({key['id']}) has another secret: give the new secret a new id")
            if found["name"] != key["name"]:
                plan.lines.append(f"key {key['id']}: called {key['name']}")
                if not check:
                    api.post("UpdateKey", {"name": key["name"]}, id=key["id"])
            continue
        plan.lines.append(f"key {key['name']} ({key['id']})")
        if not check:
            api.post("ImportKey", {"accessKeyId": key["id"], "secretAccessKey": key["secret"], "name": key["name"]})


def buckets(api: Api, wanted: Sequence[Mapping[str, Any]], known: Sequence[Mapping[str, Any]], plan: Plan, *, check: bool) -> None:
    """Buckets, their quotas, and exactly the given permissions of the given keys on them."""
    ids = {key["name"]: key["id"] for key in known}
    present = {alias: bucket["id"] for bucket in api.get("ListBuckets") for alias in bucket["globalAliases"]}
    for bucket in wanted:
        name = bucket["name"]
        if unknown := set(bucket["keys"]) - set(ids):
            raise GarageError(f"bucket {name}: no key is called {', '.join(sorted(unknown))}")
        if name not in present:
            plan.lines.append(f"bucket {name}")
            if check:
                continue
            info = api.post("CreateBucket", {"globalAlias": name})
        else:
            info = api.get("GetBucketInfo", id=present[name])
        quotas = {"maxSize": size(bucket["max_size"]) if bucket.get("max_size") else None, "maxObjects": bucket.get("max_objects")}
        if {key: info["quotas"].get(key) for key in quotas} != quotas:
            plan.lines.append(f"bucket {name}: quotas {quotas['maxSize']} bytes, {quotas['maxObjects']} objects")
            if not check:
                api.post("UpdateBucket", {"quotas": quotas}, id=info["id"])
        granted = {key["accessKeyId"]: key["permissions"] for key in info["keys"]}
        declared = {ids[label]: (label, given) for label, given in bucket["keys"].items()}
        # A key that was taken out may be one that somebody has stolen.
        others: dict[str, tuple[str, Sequence[str]]] = {
            key["accessKeyId"]: (key.get("name") or key["accessKeyId"], ()) for key in info["keys"]
        }
        for key_id, (label, given) in {**others, **declared}.items():
            if unknown := set(given) - set(PERMISSIONS):
                raise GarageError(
                    f"bucket {name}, key {label}: unknown permission {', '.join(sorted(unknown))}; known: {', '.join(PERMISSIONS)}"
                )
            now = granted.get(key_id, {})
            for name_of_call, verb, differing in (
                ("AllowBucketKey", "may", [p for p in PERMISSIONS if p in given and not now.get(p)]),
                ("DenyBucketKey", "may no longer", [p for p in PERMISSIONS if p not in given and now.get(p)]),
            ):
                if differing:
                    plan.lines.append(f"bucket {name}: {label} {verb} {', '.join(differing)}")
                    if not check:
                        permissions = {p: p in differing for p in PERMISSIONS}
                        api.post(name_of_call, {"bucketId": info["id"], "accessKeyId": key_id, "permissions": permissions})


def ensure(
    api: Api,
    nodes: Sequence[Node],
    wanted_keys: Sequence[Mapping[str, Any]],
    wanted_buckets: Sequence[Mapping[str, Any]],
    remove: Sequence[str] = (),
    timeout: float = 60,
    *,
    members: Sequence[str] = (),
    check: bool = False,
) -> list[str]:
    """Nodes, layout, keys and buckets; returns what was (or would be) changed, a line each. members: hosts of the inventory."""
    plan = Plan()
    connect(api, nodes, plan, timeout, check=check)
    layout(api, nodes, meant(nodes, remove, members), plan, check=check)
    keys(api, wanted_keys, plan, check=check)
    buckets(api, wanted_buckets, wanted_keys, plan, check=check)
    return plan.lines
