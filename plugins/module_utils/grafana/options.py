# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Options of the modules, what they mean, and results in plain data. The command line uses the same."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import secret_store
from .canonical import Json, pick
from .client import Client, Connection
from .desired import API, KEEP, NONE, Choices
from .errors import Blocked, GrafanaError, Incomplete, Interrupted
from .exporter import Exported
from .importer import Imported, Request
from .kinds import KINDS
from .planner import CREATE, DELETE, SKIP, UPDATE, Change, Plan
from .secret_store import SecretStore
from .selection import Selection

Spec = dict[str, dict[str, Any]]

CONNECTION: Spec = {
    "url": {"type": "str", "required": True},
    "user": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "token": {"type": "str", "no_log": True},
    "ca": {"type": "path"},
    "certificate": {"type": "path"},
    "key": {"type": "path", "no_log": False},
    "verify": {"type": "bool", "default": True},
    "timeout": {"type": "float", "default": 30.0},
    "time_limit": {"type": "float", "default": 0.0},
    "retries": {"type": "int", "default": 8},
    "pause": {"type": "float", "default": 0.25},
    "max_connections": {"type": "int", "default": 8},
}
SELECTION: Spec = {
    "organisations": {"type": "list", "elements": "str", "default": []},
    "kinds": {"type": "list", "elements": "str", "default": [], "choices": list(KINDS)},
    "folders": {"type": "list", "elements": "str", "default": []},
    "names": {"type": "list", "elements": "str", "default": []},
}
MAPPING: Spec = {
    "organisation_map": {"type": "dict", "default": {}},
    "datasource_map": {"type": "dict", "default": {}},
    "inputs": {"type": "dict", "default": {}},
    "provenance": {"type": "str", "choices": [KEEP, API, NONE], "default": KEEP},
    "unknown_users": {"type": "str", "choices": ["fail", "skip"], "default": "fail"},
}
ON_ERROR: Spec = {"on_error": {"type": "str", "choices": ["fail", "continue"], "default": "fail"}}
EXPORT: Spec = {**CONNECTION, **SELECTION, **ON_ERROR, "dest": {"type": "path", "required": True}}
IMPORT: Spec = {
    **CONNECTION,
    **SELECTION,
    **MAPPING,
    **ON_ERROR,
    "src": {"type": "path", "required": True},
    "prune": {"type": "bool", "default": False},
    "secrets": {"type": "dict", "default": {}, "no_log": True},
    "update_secrets": {"type": "str", "choices": ["when_missing", "always"], "default": "when_missing"},
    "provisioned": {"type": "str", "choices": ["fail", "skip"], "default": "fail"},
}
DIFF: Spec = {**CONNECTION, **SELECTION, **MAPPING, "src": {"type": "path", "required": True}}
#: Rules between options, as Ansible has them.
TOGETHER: dict[str, list[tuple[str, ...]]] = {
    "mutually_exclusive": [("token", "user"), ("token", "password")],
    "required_one_of": [("token", "user")],
    "required_together": [("user", "password")],
}


def client(given: Mapping[str, Any]) -> Client:
    """The client that the options describe. GrafanaError where they contradict each other."""
    if given["max_connections"] < 1 or given["retries"] < 0 or given["timeout"] <= 0:
        raise GrafanaError("max_connections and timeout have to be above 0, and retries not below")
    names = ("user", "password", "token", "ca", "certificate", "key")
    values: dict[str, Any] = {name: given.get(name) or "" for name in names}
    values |= {name: given[name] for name in ("verify", "timeout", "time_limit", "retries", "pause", "max_connections")}
    return Client(Connection(str(given["url"]), **values), secrets(given).all())


def secrets(given: Mapping[str, Any]) -> SecretStore:
    """Values of secrets. GrafanaError for another shape, without any value."""
    values = given.get("secrets") or {}
    if found := secret_store.problems(values, ("data_sources", "contact_points")):
        raise GrafanaError("; ".join(found))
    return SecretStore(values, given.get("update_secrets") == "always")


def request(given: Mapping[str, Any], *, drift: bool = False) -> Request:
    """What an import is asked for. drift: everything that Grafana has beyond the tree counts, and nothing stands in the way."""
    choices = Choices(
        provenance=given["provenance"],
        datasource_map=given["datasource_map"],
        inputs={name: str(value) for name, value in given["inputs"].items()},
        prune=drift or bool(given.get("prune")),
        skip_locked=not drift and given.get("provisioned") == "skip",
        skip_unknown_users=given["unknown_users"] == "skip",
    )
    keep_going = given.get("on_error") == "continue"
    selection, targets = Selection.of(given), given["organisation_map"]
    return Request(tuple(given["organisations"]), targets, selection, choices, secrets(given), keep_going)


# --- results ---------------------------------------------------------------------------------------------------------


def exported(result: Exported, dest: Path) -> Json:
    """What an export did."""
    return {
        "changed": bool(result.changes),
        "dest": str(dest),
        "release": result.release,
        "counts": result.counts,
        "files": result.changes.as_dict(),
        "failures": [failure.as_dict() for failure in result.failures],
    }


def imported(result: Imported) -> Json:
    """What an import did, or would do."""
    return {
        "changed": result.changed,
        "summary": result.summary(),
        "changes": [described(plan, change) for plan, change in result.changes()],
        "organisations_created": result.created,
        "failures": [failure.as_dict() for failure in result.failures],
        "problems": result.problems,
        "warnings": result.warnings,
    }


def described(plan: Plan, change: Change) -> Json:
    """One change in plain data."""
    at = change.wanted or change.stub
    found: Json = {
        "organisation": plan.org.name,
        "kind": change.kind,
        "action": change.action,
        "key": change.key,
        "name": change.name,
        "folder": plan.folder_path(at.folder) if at is not None else "",
    }
    if change.moved and change.stub is not None:
        found["moved_from"] = plan.folder_path(change.stub.folder)
    if change.reason:
        found["reason"] = change.reason
    return found


#: What a step towards the tree says about how Grafana has drifted from it.
_DRIFT = {DELETE: "added", UPDATE: "changed", CREATE: "removed"}
_PLACE = ("organisation", "kind", "key", "name", "folder")


def drifted(result: Imported) -> Json:
    """How Grafana differs from a tree: what was added, changed and removed in it, and what people should know about the comparison."""
    differences: dict[str, list[Json]] = {"added": [], "changed": [], "removed": []}
    for plan, change in result.changes():
        action = change.action
        if action == SKIP:
            action = DELETE if change.wanted is None else UPDATE
        one = described(plan, change)
        differences[_DRIFT[action]].append({name: value for name, value in one.items() if name in _PLACE})
    return {
        "drifted": bool(result.created or result.beyond) or any(differences.values()),
        "differences": differences,
        "organisations_added": result.beyond,
        "organisations_removed": result.created,
        "warnings": result.warnings,
    }


def diffs(result: Imported, *, towards_tree: bool = True) -> list[dict[str, str]]:
    """Before and after of every change, as Ansible shows it."""
    found = []
    for plan, change in result.changes():
        old, new, before, after = plan.texts(change)
        if not towards_tree:
            old, new, before, after = new, old, after, before
        found.append({"before_header": old or "(not there)", "after_header": new or "(not there)", "before": before, "after": after})
    return found


def failed(error: GrafanaError | Interrupted) -> Json:
    """What is known about a failure beyond its message."""
    found: Json = {"error": type(error).__name__}
    if isinstance(error, Incomplete):
        found["failures"] = [failure.as_dict() for failure in error.failures]
    if isinstance(error, Blocked):
        found["problems"] = error.problems
    if error.done is not None:
        found |= pick(imported(error.done), "changed", "summary", "changes", "organisations_created")
    return found
