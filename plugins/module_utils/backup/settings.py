# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The settings of a member, as the role writes them: one JSON file without secrets, which names the files that hold them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..durations import seconds
from .errors import SettingsError

#: Names of remotes become part of a ref and of a metric's label.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


@dataclass(frozen=True)
class Member:
    """A host of the group. address, port: of its node exporter; without an address nobody can ask it."""

    name: str
    address: str = ""
    port: int = 9100


@dataclass(frozen=True)
class Remote:
    """A repository that commits are pushed to.

    url: of Git, without a password. key, known_hosts: files for SSH. token: file with a token for HTTPS, user: who shows it.
    ca: file with the authority of the server's certificate, empty for the system's.
    """

    name: str
    url: str
    key: str = ""
    known_hosts: str = ""
    token: str = ""
    user: str = "git"
    ca: str = ""


@dataclass(frozen=True)
class Settings:
    """Everything that a run has to know.

    member: this one's name. members: all of them in order of precedence. directory: where repository and state are. grafana:
    options of an export, as the module has them, with ``password_file`` or ``token_file`` instead of a secret. max_age: seconds
    after which a backup counts as old. patience: seconds for which a member's last run counts as a sign of life, half as long.
    wait: seconds between a timer's moment, which is everybody's, and this one's run.
    retention_days: how long history is kept, 0 for ever. remote_timeout: seconds for one fetch or push. signing_key: file of an
    SSH key, empty for none. textfile: file for the node exporter, empty for none. identity: ca, certificate and key by which
    members ask each other.
    """

    member: str
    directory: Path
    grafana: Mapping[str, Any]
    members: tuple[Member, ...] = ()
    remotes: tuple[Remote, ...] = ()
    branch: str = "main"
    author: str = "Grafana backup"
    email: str = "backup@localhost"
    max_age: float = 3600.0
    patience: float = 1800.0
    wait: float = 0.0
    retention_days: float = 0.0
    remote_timeout: float = 120.0
    signing_key: str = ""
    textfile: str = ""
    identity: Mapping[str, str] = field(default_factory=dict)

    @property
    def repository(self) -> Path:
        return self.directory / "repository.git"

    @property
    def work(self) -> Path:
        """What is committed is below this directory."""
        return self.directory / "work"


def of(given: Mapping[str, Any]) -> Settings:
    """Settings from plain data, times in seconds or as ``1h30m``; SettingsError names what is wrong with them."""
    values = dict(given)
    try:
        values["directory"] = Path(values["directory"])
        values["members"] = tuple(Member(**one) for one in values.get("members") or ())
        values["remotes"] = tuple(Remote(**one) for one in values.get("remotes") or ())
        values |= {name: seconds(values[name]) for name in ("max_age", "patience", "remote_timeout") if isinstance(values.get(name), str)}
        values.setdefault("patience", values.get("max_age", Settings.max_age) / 2)
        found = Settings(**values)
    except (TypeError, KeyError, ValueError) as error:
        raise SettingsError(f"settings: {error}") from error
    names = [remote.name for remote in found.remotes]
    for remote in found.remotes:
        if not NAME.fullmatch(remote.name) or names.count(remote.name) > 1:
            raise SettingsError(f"remote {remote.name!r}: give each a name of its own, of letters, digits, dashes and underscores")
        if holds_secret(remote.url):
            raise SettingsError(f"remote {remote.name}: its URL holds a user or a password: give user and token instead")
    if found.members and found.member not in [member.name for member in found.members]:
        raise SettingsError(f"{found.member!r} is none of the members")
    return found


def read(path: Path) -> Settings:
    """Settings from a file; SettingsError when it is none."""
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise SettingsError(f"{path}: not JSON: {error}") from error
    if not isinstance(given, dict):
        raise SettingsError(f"{path}: not a mapping")
    return of(given)


def holds_secret(url: str) -> bool:
    """Whether a URL holds a password, or a user of HTTPS who may be a token; both would be seen in lists of processes."""
    scheme, _slashes, rest = url.partition("://")
    user, at, _host = rest.partition("/")[0].rpartition("@")
    return bool(at) and (scheme.startswith("http") or ":" in user)
