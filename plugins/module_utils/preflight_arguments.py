# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether the roles' variables have the form that the roles document: from the inventory alone.

Ansible's own validator takes whatever it could convert, a text for a list among it. Roles get the value as it was given, though.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from ansible_collections.monitoring.ha.plugins.module_utils import durations
from ansible_collections.monitoring.ha.plugins.module_utils.backup.settings import NAME, Remote
from ansible_collections.monitoring.ha.plugins.module_utils.catalogue import COMPONENTS
from ansible_collections.monitoring.ha.plugins.module_utils.grafana import given
from ansible_collections.monitoring.ha.plugins.module_utils.preflight import OF_NO_ROLE, Finding, Partial, Site

#: Roles that every host of the stack gets.
EVERYWHERE = {"pki", "preflight"}
#: Type of an option → what a value of it is, and how to write one.
FORMS = {
    **given.FORMS,
    "float": ("a number from 0", "write it in digits, with a dot"),
    "list": ("a list", "write it as [one, another]; on the command line within -e '{…}'"),
    "dict": ("a mapping", "write it as {name: value}; on the command line within -e '{…}'"),
}
#: Whole numbers, by the name of the option → from and to. The first one that fits counts; others are from 0.
LIMITS: tuple[tuple[str, int, int | None], ...] = (
    (r"(?:.*[_.])?port", 1, 65535),
    ("keepalived_router_id", 1, 255),
    ("keepalived_priority", 1, 254),
    ("keepalived_prefix_length", 0, 128),
    # -1 is PostgreSQL's word for none.
    (r".*\.connection_limit", -1, None),
)


@dataclass(frozen=True)
class Entries:
    """Members of a mapping whose names a site chooses. names: what they may be. remedy: the same, for people. each: as an option."""

    names: str
    remedy: str
    each: Mapping[str, Any]


TEXT = {"type": "str", "required": True}
STATE = {"type": "str", "choices": ["present", "absent"]}
FILES = Entries(
    r"(?!/)(?!(?:.*/)?\.\.?(?:/|$))(?!.*(?://|/$))[^\x00-\x1f]+", "give a path below the directory, without . and .. in it", TEXT
)
WORDS = {"type": "list", "elements": "str"}
#: Option → its entries.
ENTRIES = {
    "haproxy_users": Entries(r"[!%&(-9;-\[\]^_a-~]+", "use letters, digits, dots, dashes and underscores", TEXT),
    "alertmanager_templates": FILES,
    "alertmanager_secret_files": FILES,
    "grafana_secret_files": FILES,
    "prometheus_secret_files": FILES,
    "prometheus_rule_files": replace(FILES, each={"type": "raw", "required": True}),
    "postgresql_users": Entries(
        r"[^\x00-\x1f\"]{1,63}",
        "use 63 characters at most, without quotes and line breaks",
        {
            "type": "dict",
            "required": True,
            "options": {"password": {"type": "str"}, "roles": WORDS, "flags": WORDS, "connection_limit": {"type": "int"}, "state": STATE},
        },
    ),
    "postgresql_databases": Entries(
        r"(?!(?:postgres|template[01])$)[^\x00-\x1f\"]{1,63}",
        "use 63 characters at most, without quotes and line breaks, and none of the server's own",
        {"type": "dict", "required": True, "options": {"owner": {"type": "str"}, "connection_limit": {"type": "int"}, "state": STATE}},
    ),
    "mariadb_users": Entries(
        r"[^\x00-\x1f'\"`\\]{1,80}",
        "use 80 characters at most, without quotes and line breaks",
        {
            "type": "dict",
            "required": True,
            "options": {"password": {"type": "str"}, "privileges": {"type": "dict"}, "connection_limit": {"type": "int"}, "state": STATE},
        },
    ),
    "mariadb_databases": Entries(
        r"(?!(?:mysql|sys|information_schema|performance_schema|monitoring_ha)$)[\w$ -]{1,64}",
        "use letters, digits, blanks, dashes, underscores and $, and none of the server's own",
        {"type": "dict", "required": True, "options": {"owner": {"type": "str"}, "state": STATE}},
    ),
    "backup_remotes": Entries(
        NAME.pattern,
        "use letters, digits, dashes and underscores",
        {
            "type": "dict",
            "required": True,
            "options": {its.name: TEXT if its.name == "url" else {"type": "str"} for its in fields(Remote) if its.name != "name"},
        },
    ),
}


@dataclass(frozen=True)
class Notation:
    """How an amount is written. what: it is. example: for people."""

    what: str
    pattern: str
    example: str


#: Role → how its component reads times and sizes; "" for all others.
TIMES = {
    "": Notation("time with a unit", durations.STRICT, "500ms, 30s, 5m, 1h30m or 15d"),
    **dict.fromkeys(("haproxy", "proxy"), Notation("time with one unit", r"\d+(?:ms|[smhd])", "500ms, 30s, 90m or 1d")),
}
SIZES = {
    "": Notation("size with a unit", r"\d+(?:\.\d+)?(?:[KMGTPE]i?)?B", "256MB or 1.5GiB"),
    "mariadb": Notation("size", r"\d+[KMGTPE]?", "256M or 4G"),
    "object_store": Notation("size", r"\d+(?:\.\d+)?(?:[KMGT]i?)?B?", "100G or 1.5TiB"),
}


def roles_of(site: Site, host: str) -> set[str]:
    """Roles that ``host`` gets."""
    return EVERYWHERE | {c.role for c in COMPONENTS.values() if host in site.members(c)}


def fits(kind: str, value: Any) -> bool:
    """Whether a value is of the type of an option. Numbers and booleans may be text, as the command line gives them."""
    if kind == "bool":
        return isinstance(value, bool) or str(value).lower() in ("true", "false", "yes", "no", "on", "off", "1", "0")
    if isinstance(value, bool):
        return kind == "raw"
    if kind in ("int", "float"):
        return bool(re.fullmatch(r"-?\d+" if kind == "int" else r"\d+(?:\.\d+)?", str(value)))
    types: dict[str, tuple[type, ...]] = {"str": (str, int, float), "path": (str,), "list": (list, tuple), "dict": (Mapping,)}
    return isinstance(value, types.get(kind, (object,)))


def said(value: Any) -> str:
    """A value in a message: what kind of thing it is, as text or what is in it may be a secret."""
    if value is None or isinstance(value, (bool, int, float)):
        return "null" if value is None else str(value).lower()
    return "a mapping" if isinstance(value, Mapping) else "a list" if isinstance(value, (list, tuple)) else "text"


def wrong(option: Mapping[str, Any], value: Any, path: str) -> Iterator[tuple[str, str, str]]:
    """(path, problem, remedy) of everything in a value that is not as its option says."""
    kind = option.get("type", "str")
    if value is None:
        # It takes the place of the default, and is as good as an empty text, but as nothing else.
        if option.get("required") or option.get("default") not in (None, ""):
            yield path, f"{path} is null", "give it a value, or leave it out"
        return
    if not fits(kind, value):
        what, remedy = FORMS[kind]
        shown = repr(value) if kind in ("int", "float", "bool") and isinstance(value, str) else said(value)
        yield path, f"{path} is {shown}, not {what}", remedy
    elif "choices" in option and kind != "list" and str(value) not in map(str, option["choices"]):
        yield path, f"{path} is {str(value)!r}", f"choose one of {', '.join(map(str, option['choices']))}"
    elif kind == "int":
        low, high = next(((low, high) for names, low, high in LIMITS if re.fullmatch(names, path)), (0, None))
        if int(value) < low or (high is not None and int(value) > high):
            yield path, f"{path} is {value}", f"give a number from {low}{'' if high is None else f' to {high}'}"
    elif kind == "list":
        for number, item in enumerate(value):
            yield from wrong({**option, "type": option.get("elements", "raw"), "default": []}, item, f"{path}[{number}]")
    elif kind == "dict" and "options" in option:
        yield from members(option["options"], value, path)
    elif path in ENTRIES:
        its = ENTRIES[path]
        for name, item in value.items():
            if not isinstance(name, str) or not re.fullmatch(its.names, name):
                yield f"{path}.{name}", f"{path} has the name {name!r}", its.remedy
            yield from wrong(its.each, item, f"{path}.{name}")


def members(options: Mapping[str, Mapping[str, Any]], value: Mapping[Any, Any], path: str) -> Iterator[tuple[str, str, str]]:
    """The same of a mapping whose members are known by name."""
    meant: set[str] = set()
    for name in value:
        if name not in options:
            close = difflib.get_close_matches(str(name), options, 1)
            meant.update(close)
            remedy = f"did you mean {close[0]}?" if close else f"known are {', '.join(options)}"
            # That the one which was meant is missing only follows.
            yield f"{path}.{close[0] if close else name}", f"{path} has an unknown key {name}", remedy
    for name, option in options.items():
        if name in value:
            yield from wrong(option, value[name], f"{path}.{name}")
        elif option.get("required") and name not in meant:
            yield f"{path}.{name}", f"{path} has no {name}", "add it"


def notation(role: str, name: str, default: Any) -> Notation | None:
    """How an option's value is written, if it is a time or a size: as its default is, which for a size may be empty."""
    for notations in (TIMES, SIZES):
        found = notations.get(role, notations[""])
        if isinstance(default, str) and re.fullmatch(found.pattern, default):
            return found
    return SIZES[""] if name.endswith("_size") else None


def miswritten(role: str, name: str, option: Mapping[str, Any], value: Any) -> Iterator[tuple[str, str, str]]:
    """Times and sizes without a unit, or with one that the component does not take."""
    its = notation(role, name, option.get("default"))
    if its and value is not None and not value == option["default"] == "" and not re.fullmatch(its.pattern, str(value)):
        yield name, f"{name} is {str(value)!r}, which is no {its.what}", f"write it like {its.example}"


def arguments(site: Site) -> Iterator[Finding]:
    """Values of the wrong form in any role's variables: each fault once, with the hosts that have it, unless all do."""
    faults: dict[tuple[str, str, str, str], list[str]] = {}
    concerned: dict[str, list[str]] = {}
    for host in site.hosts:
        its = site.hostvars[host]
        for role in ("", *sorted(roles_of(site, host))):
            concerned.setdefault(role, []).append(host)
            for name, option in (site.options.get(role, {}) if role else OF_NO_ROLE).items():
                # What cannot be evaluated is told by itself, or refers to what only the role knows.
                if name not in its or (its[name] is None and isinstance(its, Partial) and name in its.broken):
                    continue
                found = [*wrong(option, its[name], name)] or miswritten(role, name, option, its[name])
                for path, problem, remedy in found:
                    faults.setdefault((role, path, problem, remedy), []).append(host)
    for (role, path, problem, remedy), hosts in faults.items():
        variable = re.split(r"[.[]", path)[0]
        where = "" if hosts == concerned[role] else ", ".join(hosts)
        yield Finding(f"argument:{variable}", where, problem, remedy, path)


CHECKS: tuple[Callable[[Site], Iterator[Finding]], ...] = (arguments,)
