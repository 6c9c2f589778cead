# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who may do what in an etcd cluster: users with a password, each with a prefix of its own.

Speaks the JSON form of the v3 API, so that no password is ever on a command line.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.monitoring.ha.plugins.module_utils.https import Client

ROOT = "root"


class EtcdError(RuntimeError):
    """The cluster cannot be brought into the wanted state; the message names what and the remedy."""


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

    def call(self, path: str, **body: Any) -> dict[str, Any]:
        """One call; EtcdError with etcd's own words. No password appears in a message."""
        headers = {"Content-Type": "application/json", **({"Authorization": self.token} if self.token else {})}
        status, text = self.client.request("POST", f"/v3/auth/{path}", json.dumps(body).encode(), headers)
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
    token = api.authenticate(ROOT, root_password)
    if token == "":
        raise EtcdError("etcd_root_password is not root's password: give the present one")
    enabled = token is not None
    api.token = token or ""
    changes = ensure_user(api, ROOT, root_password, None, enabled=enabled, check=check)
    for name, prefix in prefixes.items():
        changes += ensure_user(api, name, str(passwords[name]), prefix, enabled=enabled, check=check)
    if not enabled:
        changes.append("ask for passwords")
        if not check:
            api.call("enable")
    return changes
