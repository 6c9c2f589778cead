"""The modules as a playbook runs them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from tests.stand_in.instances import ADMIN

from .content import SECRETS, fill
from .site import Site, objects

COLLECTIONS = Path(__file__).parents[2] / "build" / "collections"


def play(tmp_path: Path, tasks: list[dict[str, Any]], *words: str) -> list[dict[str, Any]]:
    """Results of the tasks of a play, all of which are carried out."""
    book = tmp_path / "play.yml"
    tasks = [{"ignore_errors": True, "name": f"task {number}", **task} for number, task in enumerate(tasks)]
    book.write_text(yaml.safe_dump([{"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": tasks}]))
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
        "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
        "ANSIBLE_LOCALHOST_WARNING": "false",
    }
    command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", "localhost,", str(book), *words]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    for secret in ("pager-password", "hunter-two", ADMIN[1]):
        assert secret not in done.stdout + done.stderr, "no secret in any output"
    found = json.loads(done.stdout[done.stdout.index("{") :])
    return [task["hosts"]["localhost"] for task in found["plays"][0]["tasks"]]


def test_modules(site: Site, other: Site, tmp_path: Path) -> None:
    fill(site.instance, site.number)
    other.fill.user("someone")
    known = {"url": site.instance.url, "user": ADMIN[0], "password": ADMIN[1]}
    tree = str(tmp_path / "tree")
    source = {**known, "organisations": [site.name], "dest": tree}
    target = {**known, "src": tree, "organisation_map": {site.name: other.name}}
    export, bring, diff = (f"monitoring.ha.grafana_{name}" for name in ("export", "import", "diff"))
    dry = {"check_mode": True, "diff": True}
    results = play(
        tmp_path,
        [
            {export: source, **dry},
            {export: source, "diff": True},
            {export: source},
            {bring: target, **dry},
            {bring: {**target, "secrets": SECRETS}, **dry},
            {bring: {**target, "secrets": SECRETS}},
            {bring: target},
            {diff: target, "diff": True},
            {export: {**source, "user": "", "password": "wrong"}},
            {export: {"url": site.instance.url, "dest": tree}},
        ],
    )
    dry_export, exported, again, blocked, planned, brought, unchanged, compared, wrong, incomplete = results
    assert dry_export["changed"] and exported["changed"] and not again["changed"]
    assert dry_export["files"] == exported["files"] and "added manifest.json" in exported["diff"]["prepared"]
    assert exported["counts"][site.name]["dashboards"] == 25 and exported["release"] == "13.0.1"
    assert blocked["failed"] and blocked["error"] == "Blocked" and len(blocked["problems"]) == 4
    told = ("changed", "changes", "summary", "diff", "organisations_created")
    assert [blocked[name] for name in told] == [planned[name] for name in told], "the plan is shown all the same"
    assert planned["changed"] and planned["changes"] == brought["changes"] and planned["summary"] == brought["summary"]
    after = {one["after_header"]: one["after"] for one in planned["diff"]}
    assert '"title": "the same title"' in after[f"{other.name}/dashboards/Level 0/the same title"]
    assert brought["summary"][other.name]["dashboards"] == {"created": 25, "updated": 0, "unchanged": 0, "deleted": 0, "skipped": 0}
    assert not unchanged["changed"] and unchanged["changes"] == []
    assert not compared["changed"] and not compared["drifted"] and compared["diff"] == []
    assert wrong["failed"] and incomplete["failed"] and "one of the following is required: token, user" in incomplete["msg"]
    assert objects(other.export("copy")) == objects(tmp_path / "tree")


def test_failures_are_typed(site: Site, tmp_path: Path) -> None:
    fill(site.instance, site.number)
    site.instance.faults(error_rate=1, error_status=403, paths="^/api/dashboards/uid/same1/permissions$")
    task = {
        "url": site.instance.url,
        "user": ADMIN[0],
        "password": ADMIN[1],
        "organisations": [site.name],
        "dest": str(tmp_path / "tree"),
        "retries": 0,
    }
    try:
        failed, continued = play(
            tmp_path, [{"monitoring.ha.grafana_export": task}, {"monitoring.ha.grafana_export": {**task, "on_error": "continue"}}]
        )
    finally:
        site.instance.delete("/-/stand-in/faults")
    expected = {"kind": "dashboard_permissions", "key": "same1", "name": "the same title", "status": 403, "organisation": site.name}
    for result in (failed, continued):
        ((failure),) = result["failures"]
        assert {name: failure[name] for name in expected} == expected
    assert failed["failed"] and failed["error"] == "Incomplete"
    assert not continued.get("failed") and continued["changed"] and "not exported" in continued["warnings"][0]


def test_what_was_done_is_returned_with_a_failure(site: Site, other: Site, tmp_path: Path) -> None:
    site.fill.folder("f", "f")
    for uid in ("good", "refused"):
        site.fill.dashboard(uid, uid, "f")
    site.fill.send("POST", "/api/playlists", {"name": "p", "interval": "1m", "items": []})
    other.fill.folder("f", "f")
    other.fill.folder("extra", "extra")
    tree = site.export()
    task = {
        "url": site.instance.url,
        "user": ADMIN[0],
        "password": ADMIN[1],
        "src": str(tree),
        "organisation_map": {site.name: other.name},
        "retries": 0,
        "prune": True,
    }
    bring = "monitoring.ha.grafana_import"
    site.instance.faults(error_rate=1, error_status=403, methods=["POST"], paths="^/api/dashboards/db$")
    try:
        continued, stopped = play(tmp_path, [{bring: {**task, "on_error": "continue"}, "diff": True}, {bring: task}])
    finally:
        site.instance.delete("/-/stand-in/faults")
    assert continued["failed"] and continued["error"] == "Incomplete" and continued["changed"]
    assert {one["key"] for one in continued["failures"]} == {"good", "refused"}
    ((change),) = continued["changes"]
    assert (change["action"], change["kind"], change["key"]) == ("created", "playlists", "p"), "nothing was deleted"
    summary = continued["summary"][other.name]
    assert summary["playlists"]["created"] == 1 and summary["folders"] == {**dict.fromkeys(summary["folders"], 0), "unchanged": 1}
    assert summary["dashboards"]["created"] == 0 and [one["after_header"] for one in continued["diff"]] == [f"{other.name}/playlists/p"]
    assert stopped["failed"] and not stopped["changed"] and stopped["changes"] == [] and stopped["organisations_created"] == []
