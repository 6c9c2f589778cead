# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""grafana.ini and provisioning files from variables: names that Grafana knows, values that it reads back as they were, secrets in files
of their own.

Grafana's dialect: ``#`` and ``;`` begin a comment anywhere, quotes around a value
are taken off, ``%(name)s`` and ``$__file{…}`` are replaced. A value in triple
quotes or backticks is taken as it stands, but for those replacements.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.monitoring.ha.plugins.module_utils.catalogue import COMPONENTS
from ansible_collections.monitoring.ha.plugins.module_utils.preflight import Finding, Site
from ansible_collections.monitoring.ha.plugins.module_utils.preflight_secrets import weakness
from ansible_collections.monitoring.ha.plugins.plugin_utils.lock import ROOT

OPTIONS = ROOT / "roles" / "grafana" / "files" / "options.yml"
#: Where Grafana finds the files of ``render``.
SECRETS = "/etc/grafana/secrets"
#: Options that hold a secret, by their names; two hold it within a URL.
SECRET = re.compile(r"(?:^|_)(?:password|secret|token|connstr|(?:secret|secret_access|private|encryption|account|access|api|write)_key)$")
SECRET_URLS = {("database", "url"), ("caching.redis", "url")}
#: A value that says where Grafana finds it.
REFERENCE = re.compile(r"\$__\w+\{[^{}]+\}")


#: (section, option) → variable from which the role sets it. Without a value Grafana takes one that everybody knows.
GUARDED = {
    ("security", "secret_key"): "grafana_secret_key",
    ("secrets_manager.encryption.secret_key.v1", "secret_key"): "grafana_secret_key",
    ("security", "admin_password"): "grafana_admin_password",
}


class IniError(ValueError):
    """The mapping cannot be written; the message names section, option and remedy."""


@cache
def known() -> dict[str, list[str]]:
    """Section → its options; an empty list takes any."""
    found: dict[str, list[str]] = yaml.safe_load(OPTIONS.read_text(encoding="utf-8"))
    return found


def sections(ini: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Section → option → value; what stands outside of a section is in ``""``. Without what is null."""
    found: dict[str, dict[str, Any]] = {"": {str(k): v for k, v in ini.items() if not isinstance(v, Mapping) and v is not None}}
    for section, options in ini.items():
        if isinstance(options, Mapping):
            found[str(section)] = {str(k): v for k, v in options.items() if v is not None}
    return {section: options for section, options in found.items() if options}


def misspelt(ini: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """(name, problem, remedy) of each section or option that Grafana does not know."""
    names = known()
    for section, options in sections(ini).items():
        if section.startswith("plugin."):
            continue
        if section not in names:
            close = difflib.get_close_matches(section, names, 1, 0.5)
            homes = [f"{home}.{o}" for o in options for home in names if o in names[home]][:1]
            remedy = (
                f"did you mean {close[0]}?" if close else f"did you mean {homes[0]}?" if homes else "see Grafana's configuration reference"
            )
            yield section, f"grafana_ini: Grafana knows no section {section!r}", remedy
            continue
        for option in options if names[section] else ():
            if option in names[section]:
                continue
            close = difflib.get_close_matches(option, names[section], 1, 0.6)
            homes = [home for home in names if option in names[home]]
            remedy = f"did you mean {close[0]}?" if close else f"it belongs to {', '.join(homes[:3])}" if homes else ""
            where = f"in section {section!r}" if section else "outside of a section"
            name = f"{section}.{option}" if section else option
            yield name, f"grafana_ini: Grafana knows no option {option!r} {where}", remedy or "see Grafana's configuration reference"


def is_secret(section: str, option: str, value: Any) -> bool:
    """Whether a value belongs into a file of its own; one that is in a file or the environment already does not."""
    if not isinstance(value, str) or not value or REFERENCE.fullmatch(value):
        return False
    return bool(SECRET.search(option)) or (section, option) in SECRET_URLS or bool(re.search(r"://[^/@\s]*:[^/@\s]+@", value))


def text(value: Any) -> str:
    """A value as Grafana writes it: lists with commas, booleans in small letters."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return ",".join(text(item) for item in value)
    return str(value)


def quoted(value: str) -> str:
    """A value so that it is read back as it is; IniError when no quotes can do that."""
    if value == value.strip() and not re.search(r"[#;\n\\]", value) and value[:1] not in ("'", '"', "`"):
        return value
    for quote in ('"""', "`"):
        if quote not in value and not value.endswith(quote[0]):
            return f"{quote}{value}{quote}"
    raise IniError("it holds both kinds of quotes")


def render(ini: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    """(text of grafana.ini, name of a file below ``SECRETS`` → its content)."""
    lines: list[str] = []
    secrets: dict[str, str] = {}
    for section, options in sections(ini).items():
        lines += ["", f"[{section}]"] if section else []
        for option, value in options.items():
            name = f"{section}.{option}" if section else option
            if is_secret(section, option, value):
                if value != value.strip():
                    raise IniError(f"grafana_ini: {name} begins or ends with a blank, which Grafana would drop: choose another")
                secrets[name] = value
                lines.append(f"{option} = $__file{{{SECRETS}/{name}}}")
                continue
            try:
                lines.append(f"{option} = {quoted(text(value))}".rstrip())
            except IniError as error:
                raise IniError(f"grafana_ini: {name} cannot be written, {error}: put it into a file (grafana_secret_files)") from error
    return "\n".join(lines).strip() + "\n", secrets


def ini_of(site: Site, host: str) -> Mapping[str, Any]:
    """``grafana_ini`` of a host. What refers to something that only the role knows stands there as it is written."""
    ini = site.partly(host, "grafana_ini")
    return ini if isinstance(ini, Mapping) else {}


def options(site: Site) -> Iterator[Finding]:
    """What is wrong with ``grafana_ini``, of all hosts, each thing once."""
    seen: set[str] = set()
    for host in site.groups.get("grafana", []):
        for name, problem, remedy in misspelt(ini_of(site, host)):
            if problem not in seen:
                seen.add(problem)
                yield Finding(f"grafana_ini:{name}", "", problem, remedy)


def chosen(ini: Mapping[str, Any], section: str, option: str, otherwise: Any) -> Any:
    """What an option will be: as ``grafana_ini`` says, null included, else ``otherwise``."""
    options = ini.get(section, {})
    return options.get(option, otherwise) if isinstance(options, Mapping) else None if options is None else otherwise


def secrets(site: Site) -> Iterator[Finding]:
    """What takes the place of the role's own secrets is one, and the same for all instances."""
    hosts = site.groups.get("grafana", [])
    of = {secret.variable: secret for secret in COMPONENTS["grafana"].secrets}
    for (section, option), variable in GUARDED.items():
        name, secret = f"grafana_ini.{section}.{option}", of[variable]
        own = {host: site.hostvars[host].get(variable) for host in hosts}
        values = {host: chosen(ini_of(site, host), section, option, own[host]) for host in hosts}
        given = [values[host] for host in hosts if values[host] != own[host]]
        # What is in a file, or refers to something that only the role knows, cannot be looked at.
        shown = [value for value in given if not re.search(r"\$__\w+\{|\{\{", str(value))]
        for reason in sorted({weakness(value, secret.pattern) for value in shown} - {""}):
            yield Finding(f"secret:{name}", "", f"{name} {reason}", secret.remedy)
        if given and len({str(value) for value in values.values()}) > 1:
            yield Finding(f"secret:{name}", "", f"{name} differs between the hosts of grafana", "set it once, for the group")


def literal(value: Any) -> Any:
    """Text that Grafana reads back as it is, as it replaces ``$`` in provisioning files; what says where to find it stays."""
    if isinstance(value, str):
        return value if REFERENCE.fullmatch(value) else value.replace("$", "$$")
    if isinstance(value, Mapping):
        return {key: literal(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [literal(item) for item in value]
    return value


class ProvisioningError(ValueError):
    """What is to be provisioned names something that is not there."""


def placed(items: Iterable[Any], organisations: Mapping[str, int]) -> list[Any]:
    """Entries with ``orgId`` instead of the name in ``organisation``; without those of one that has no number yet (0)."""
    found = []
    for item in items:
        name = item.get("organisation") if isinstance(item, Mapping) else None
        if name is None:
            found.append(item)
        elif name not in organisations:
            raise ProvisioningError(f"organisation {name!r} is not there: name it in grafana_organisations")
        elif organisations[name]:
            found.append({**{key: value for key, value in item.items() if key != "organisation"}, "orgId": organisations[name]})
    return found


def provisioning(
    datasources: list[Mapping[str, Any]],
    folders: list[Mapping[str, Any]],
    alerting: Mapping[str, list[Any]],
    organisations: Mapping[str, int],
) -> list[dict[str, Any]]:
    """Provisioning files. folders: ``name``, ``folder`` and ``path``. alerting: as Grafana's own file, by kind."""

    def document(**content: Any) -> str:
        # By way of JSON, as Ansible's own kinds of text are none of YAML's.
        plain = json.loads(json.dumps({"apiVersion": 1, **literal(content)}))
        return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=1000)

    def entry(kind: str, content: str, secret: bool = False) -> dict[str, Any]:
        return {"path": f"provisioning/{kind}/monitoring-ha.yml", "content": content, "secret": secret}

    sources = [{"access": "proxy", **source, "editable": False} for source in placed(datasources, organisations)]
    providers = [
        {
            **{key: folder[key] for key in ("name", "folder", "orgId") if key in folder},
            "type": "file",
            "updateIntervalSeconds": 30,
            "options": {"path": folder["path"]},
        }
        for folder in placed(folders, organisations)
    ]
    kinds = {kind: placed(items, organisations) for kind, items in alerting.items() if items}
    return [
        entry("datasources", document(prune=True, datasources=sources), any("secureJsonData" in source for source in sources)),
        entry("dashboards", document(providers=providers)),
        entry("alerting", document(**kinds), bool(alerting.get("contactPoints"))),
        # Without these Grafana complains at every start.
        *({"path": f"provisioning/{kind}/monitoring-ha.yml", "content": document()} for kind in ("plugins", "access-control")),
    ]


def dashboards(site: Site) -> Iterator[Finding]:
    """Dashboards that Grafana would not show: no JSON, no uid, the uid of another one, or made for sharing."""
    owners: dict[str, str] = {}
    given = [site.hostvars[h].get("grafana_dashboards") for h in site.groups.get("grafana", [])]
    entries = [entry for its in given if isinstance(its, (list, tuple)) for entry in its]
    directories = {str(entry.get("directory")) for entry in entries if isinstance(entry, Mapping)}
    for directory in sorted(directories):
        files = sorted(Path(directory).glob("*.json"))
        if not files:
            yield Finding(
                "grafana_dashboards", "", f"grafana_dashboards: no .json file in {directory}", "name a directory of the controller"
            )
        for file in files:
            try:
                its = json.loads(file.read_text(encoding="utf-8"))
                inputs, uid = its.get("__inputs"), str(its.get("uid") or its.get("metadata", {}).get("name") or "")
            except (OSError, ValueError, AttributeError) as error:
                yield Finding("grafana_dashboards", "", f"{file}: no dashboard ({error})", "export it as JSON")
                continue
            if inputs:
                yield Finding("grafana_dashboards", "", f"{file}: made for sharing (__inputs)", "export it without that")
            if not uid:
                yield Finding("grafana_dashboards", "", f"{file}: no uid, so that every start could make another one", "give it one")
            elif uid in owners:
                yield Finding("grafana_dashboards", "", f"{file}: uid {uid!r} is also that of {owners[uid]}", "give it another one")
            owners.setdefault(uid, str(file))


def database(site: Site) -> Iterator[Finding]:
    """There is a database, and it lets Grafana in."""
    code = "grafana_database"
    if not site.groups.get("grafana"):
        return
    its = site.of_all("grafana_database") or {}
    if not isinstance(its, Mapping):
        # The check of arguments says so.
        return
    if its.get("host"):
        if not its.get("password") and not its.get("certificate"):
            yield Finding(code, "", "grafana_database has neither password nor certificate", "give it what the database asks for")
        return
    roles = {"postgres": "postgresql", "mysql": "mariadb"}
    kind = str(its.get("type") or "")
    present = [role for role in roles.values() if site.groups.get(role)]
    role = roles.get(kind, present[0] if present else "postgresql")
    if role not in present:
        problem = f"grafana_database names no host, and there is no {kind or 'database'} in the inventory"
        remedy = "name the host of a database, or put hosts into the group "
        yield Finding(code, "", problem, remedy + (role if kind in roles else " or ".join(roles.values())))
        return
    name, user = str(its.get("name") or "grafana"), str(its.get("user") or "grafana")
    users, databases = site.of_all(f"{role}_users") or {}, site.of_all(f"{role}_databases") or {}
    if not isinstance(users, Mapping) or not isinstance(databases, Mapping) or not isinstance(users.get(user, {}), Mapping):
        # The checks of the database say so.
        return
    if name not in databases:
        yield Finding(code, "", f"{role}_databases has no {name!r}, which Grafana uses", f"add it, owned by {user!r}")
    if user not in users:
        yield Finding(code, "", f"{role}_users has no {user!r}, as which Grafana comes", "add it with a password")
    elif users[user].get("password") and str(users[user]["password"]) != str(its.get("password") or ""):
        yield Finding(code, "", f"grafana_database.password is not {role}_users.{user}.password", "let one refer to the other")


#: What may name an organisation that it belongs to.
BELONGING = (
    "grafana_datasources",
    "grafana_dashboards",
    "grafana_contact_points",
    "grafana_notification_policies",
    "grafana_alert_groups",
    "grafana_mute_times",
    "grafana_message_templates",
)
#: The first organisation, as Grafana calls it.
FIRST = "Main Org."


def organisations(site: Site) -> Iterator[Finding]:
    """Whatever belongs to an organisation belongs to one that is there, or will be."""
    given = site.of_all("grafana_organisations")
    there = {FIRST, *map(str, given if isinstance(given, (list, tuple)) else ())}
    for variable in BELONGING if site.groups.get("grafana") else ():
        items = site.of_all(variable)
        for number, item in enumerate(items if isinstance(items, (list, tuple)) else ()):
            name = item.get("organisation") if isinstance(item, Mapping) else None
            if name is not None and str(name) not in there:
                problem = f"{variable}[{number}].organisation is {str(name)!r}, which is not there"
                yield Finding(variable, "", problem, "add it to grafana_organisations")


def source(site: Site) -> Iterator[Finding]:
    """A repository has many versions, and instances on one database run the same."""
    if site.groups.get("grafana") and site.of_all("grafana_source") == "apt" and not site.of_all("grafana_version"):
        yield Finding("grafana_source", "", "grafana_source is apt, and grafana_version is not named", "name the version to install")


CHECKS = (options, secrets, dashboards, database, organisations, source)
