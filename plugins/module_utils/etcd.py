# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An etcd cluster: its members, and who may do what: users with a password, each with a prefix of its own.

Speaks the JSON form of the v3 API, so that no password is ever on a command line.
"""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.monitoring.ha.plugins.module_utils.https import Client, Unanswered

ROOT = "root"


class EtcdError(RuntimeError):
    """The cluster cannot be brought into the wanted state; the message names what and the remedy."""


class PasswordError(EtcdError):
    """Not root's password."""


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def permission(prefix: str) -> dict[str, str]:
    """Reading and writing everything below a prefix: the range that ends where the next prefix begins."""
    start = prefix.encode()
    return {"permType": "READWRITE", "key": encoded(start), "range_end": encoded(start[:-1] + bytes([start[-1] + 1]))}


@dataclass
class Api:
    """The API of one member, as root once ``token`` is set."""

    client: Client
    token: str = ""

    def call(self, path: str, area: str = "auth", **body: Any) -> dict[str, Any]:
        """One call of a part of the API; EtcdError with etcd's own words. No password appears in a message."""
        headers = {"Content-Type": "application/json", **({"Authorization": self.token} if self.token else {})}
        status, text = self.client.request("POST", f"/v3/{area}/{path}", json.dumps(body).encode(), headers)
        try:
            answer = json.loads(text)
        except ValueError:
            answer = {"message": text.decode(errors="replace").strip()[:200]}
        if status != 200:
            raise EtcdError(f"{path}: {answer.get('message') or answer.get('error') or f'status {status}'}")
        found: dict[str, Any] = answer
        return found

    def authenticate(self, user: str, password: str) -> str | None:
        """A token for the user, empty when the password is not its own; None while nobody is asked for passwords."""
        try:
            return str(self.call("authenticate", name=user, password=password)["token"])
        except EtcdError as error:
            if "authentication is not enabled" in str(error):
                return None
            if "invalid user ID or password" in str(error):
                return ""
            raise

    def log_in(self, root_password: str) -> bool:
        """Call as root from now on. False while nobody is asked for passwords; EtcdError for a wrong one."""
        token = self.authenticate(ROOT, root_password)
        if token == "":
            raise PasswordError("etcd_root_password is not root's password: give the present one")
        self.token = token or ""
        return token is not None


# --- members -------------------------------------------------------------------------------------------------------

MEMBER = "cluster/member"
#: Why a cluster takes nobody in for a while, and the seconds in which that has to pass.
NOT_YET = ("unhealthy cluster", "not enough started members")
JOINING = 120.0
INITIAL = ("initial-cluster", "initial-cluster-state")


def began_with(data: str, config: str, peers: Mapping[str, str]) -> dict[str, str]:
    """What a member with data was started with, by its configuration; empty for one without data."""
    if not (Path(data) / "member").is_dir():
        return {}
    found = founding(peers)
    try:
        text = Path(config).read_text(encoding="utf-8")
    except OSError:
        return found
    return found | dict(re.findall(rf"^({'|'.join(INITIAL)}): (\S+)$", text, re.MULTILINE))


def founding(peers: Mapping[str, str], state: str = "new") -> dict[str, str]:
    """The settings of a member that begins with these. peers: name → URL."""
    return dict(zip(INITIAL, (",".join(f"{name}={url}" for name, url in peers.items()), state), strict=True))


def known(others: Sequence[Api], root_password: str) -> tuple[Api, list[dict[str, Any]]] | None:
    """(one that answers, called as root; the members that it knows). None where nobody does, and so there is no cluster yet."""
    for api in others:
        try:
            api.log_in(root_password)
            return api, api.call("list", MEMBER)["members"]
        except PasswordError:
            raise
        except (Unanswered, EtcdError):
            # One of those that wait for a majority says that it has no leader.
            continue
    return None


def join(
    others: Sequence[Api], name: str, peers: Mapping[str, str], root_password: str, *, replaces: bool, check: bool
) -> tuple[dict[str, str], list[str]]:
    """(what a member without data starts with, what was changed). replaces: a lost one of the same name is taken out first."""
    found = known(others, root_password)
    if found is None:
        return founding(peers), []
    api, members = found
    changes: list[str] = []
    own = [member for member in members if member.get("name") == name or peers[name] in member["peerURLs"]]
    # Only one that has been there has told where its clients find it.
    lost = [member for member in own if member.get("clientURLs")]
    if lost and not replaces:
        remedy = f"mount its disk; or, if the host is a new one, say so with ha_removed_hosts: [{name}]"
        raise EtcdError(f"{name} is a member of the cluster, but has no data: {remedy}")
    for member in lost:
        changes.append(f"remove the lost member {name}")
        if not check:
            members = api.call("remove", MEMBER, ID=member["ID"])["members"]
    if lost or not own:
        changes.append(f"add member {name}")
        if not check:
            members = add(api, name, peers[name])
    urls = {member.get("name") or name: member["peerURLs"][0] for member in members}
    return founding({**urls, name: peers[name]}, "existing"), changes


def add(api: Api, name: str, peer: str, patience: float = JOINING) -> list[dict[str, Any]]:
    """The members after one more is taken in. EtcdError when the cluster refuses it for longer than ``patience`` seconds.

    It takes nobody in within five seconds after it has lost sight of a member, as of one that has only just joined.
    """
    end = time.monotonic() + patience
    while True:
        try:
            return list(api.call("add", MEMBER, peerURLs=[peer])["members"])
        except EtcdError as error:
            if not any(reason in str(error) for reason in NOT_YET) or time.monotonic() > end:
                raise EtcdError(f"{name} is not taken in ({error}): all others have to be up") from error
        time.sleep(1)


def leave(others: Sequence[Api], name: str, root_password: str, peers: Mapping[str, str], *, check: bool) -> list[str]:
    """A member is taken out of the cluster; what was changed, a line each. peers: name → URL, of those that stay.

    One that was added and never started has told no name: it is known by a URL that is nobody's.
    """
    found = known(others, root_password)
    if found is None:
        return []
    api, members = found
    stay = set(peers.values())
    own = [m for m in members if (m["name"] == name if m.get("name") else not stay.intersection(m["peerURLs"]))]
    for member in [] if check else own:
        api.call("remove", MEMBER, ID=member["ID"])
    return [f"remove member {name}" for _member in own]


# --- users ---------------------------------------------------------------------------------------------------------


def ensure_user(api: Api, name: str, password: str, prefix: str | None, *, enabled: bool, check: bool) -> list[str]:
    """A user, with a role of the same name that may use its prefix; root's role may everything."""
    changes = []
    roles = api.call("role/list").get("roles") or []
    if name not in roles:
        changes.append(f"add role {name}")
        if not check:
            api.call("role/add", name=name)
    if prefix is not None:
        wanted = permission(prefix)
        granted = api.call("role/get", role=name).get("perm") or [] if name in roles else []
        if [{key: entry.get(key) for key in wanted} for entry in granted] != [wanted]:
            changes.append(f"let role {name} use {prefix}")
            for entry in [] if check else granted:
                api.call("role/revoke", role=name, key=entry.get("key", ""), range_end=entry.get("range_end", ""))
            if not check:
                api.call("role/grant", name=name, perm=wanted)
    users = api.call("user/list").get("users") or []
    if name not in users:
        changes.append(f"add user {name}")
        if not check:
            api.call("user/add", name=name, password=password)
    # Passwords can be tried only once they are asked for; until then nobody knows what an earlier run has set.
    elif not enabled or not api.authenticate(name, password):
        changes.append(f"set the password of {name}")
        if not check:
            api.call("user/changepw", name=name, password=password)
    if name not in users or name not in (api.call("user/get", name=name).get("roles") or []):
        changes.append(f"give role {name} to {name}")
        if not check:
            api.call("user/grant", user=name, role=name)
    return changes


def ensure(api: Api, root_password: str, prefixes: Mapping[str, str], passwords: Mapping[str, str], *, check: bool) -> list[str]:
    """Bring users, their passwords and prefixes in order, then ask everybody for a password; what was changed, a line each."""
    enabled = api.log_in(root_password)
    changes = ensure_user(api, ROOT, root_password, None, enabled=enabled, check=check)
    for name, prefix in prefixes.items():
        changes += ensure_user(api, name, str(passwords[name]), prefix, enabled=enabled, check=check)
    if not enabled:
        changes.append("ask for passwords")
        if not check:
            api.call("enable")
    return changes
