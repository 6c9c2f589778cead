"""Backups of real instances: the program as it lies on a host, without Ansible; and the playbook that brings them back."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import git_servers
from tests.stand_in.databases import DatabaseServer
from tests.stand_in.instances import ADMIN, Instance, Make, database_section

from .content import SECRETS, Filler, fill

ROOT = Path(__file__).parents[2]
CODE = ROOT / "plugins" / "module_utils"
Start = Callable[[], Instance]


@pytest.fixture
def start(make: Make, postgres: DatabaseServer) -> Start:
    """Makes empty Grafanas."""
    return lambda: make("13.0.1", {"database": database_section(postgres, postgres.new_database())}).start()


@dataclass
class Host:
    """A host as the role leaves it: the program in a directory of its own, settings, and no Ansible."""

    directory: Path

    @classmethod
    def make(cls, directory: Path, instance: Instance, remotes: dict[str, Path], **options: Any) -> Host:
        package = directory / "program" / "monitoring_ha"
        for part in ("backup", "grafana"):
            shutil.copytree(CODE / part, package / part, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("https.py", "durations.py"):
            shutil.copy(CODE / name, package / name)
        (directory / "password").write_text(ADMIN[1])
        connection = {"url": instance.url, "user": ADMIN[0], "password_file": str(directory / "password"), "organisations": ["all"]}
        given = {
            "member": "mon1",
            "directory": str(directory / "state"),
            "grafana": {**connection, "pause": 0.01, "retries": 3, **options},
            "remotes": [{"name": name, "url": str(path)} for name, path in remotes.items()],
            "textfile": str(directory / "backup.prom"),
        }
        (directory / "settings.json").write_text(json.dumps(given))
        return cls(directory)

    def run(self, *words: str, code: int = 0) -> str:
        # Where nothing of Ansible can be imported.
        start = "import runpy, sys; sys.modules['ansible'] = sys.modules['ansible_collections'] = None; "
        start += "sys.argv[0] = 'backup'; runpy.run_module('monitoring_ha.backup', run_name='__main__', alter_sys=False)"
        command = [sys.executable, "-c", start, "--settings", str(self.directory / "settings.json"), *words]
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(self.directory / "program")}
        done = subprocess.run(command, env=environment, cwd=self.directory, capture_output=True, text=True, check=False, timeout=300)
        assert done.returncode == code, done.stdout + done.stderr
        assert ADMIN[1] not in done.stdout + done.stderr
        return done.stdout


def git(repository: Path, *words: str) -> str:
    done = subprocess.run(["git", "--git-dir", str(repository), *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_a_commit_for_each_change_and_none_without(start: Start, tmp_path: Path) -> None:
    instance, remote = start(), git_servers.bare(tmp_path / "remote")
    fill(instance)
    instance.post("/api/orgs", {"name": "Second"}).raise_for_status()
    host = Host.make(tmp_path, instance, {"remote": remote})
    host.run("run")
    first = git(remote, "rev-parse", "main")
    assert "25 dashboards added" in git(remote, "log", "-1", "--format=%s")
    assert "grafana/second.8b88a850/organisation.json" in git(remote, "ls-tree", "-r", "--name-only", "main")
    for secret in (*SECRETS["data_sources"]["Metrics"].values(), *SECRETS["contact_points"]["on call"].values()):
        assert secret not in git(remote, "log", "-p", "main")
    host.run("run")
    assert git(remote, "rev-parse", "main") == first
    to = Filler(instance)
    for number in range(3):
        to.dashboard(f"in-awkward{number}", f"changed {number}", f"awkward{number}", tags=["z"])
    to.send("PUT", "/api/folders/level0", {"title": "Renamed", "overwrite": True})
    to.send("DELETE", "/api/dashboards/uid/same2")
    host.run("run")
    assert git(remote, "log", "-1", "--format=%s") == ("3 dashboards changed, 3 dashboards renamed, 1 dashboard removed, 1 folder renamed")
    metrics = (tmp_path / "backup.prom").read_text()
    assert 'monitoring_ha_backup_objects{what="grafana",organisation="Main Org.",kind="dashboards"} 24' in metrics


def test_one_that_cannot_be_read_fails_the_run_or_is_counted(start: Start, tmp_path: Path) -> None:
    instance, remote = start(), git_servers.bare(tmp_path / "remote")
    to = Filler(instance)
    to.folder("f", "Folder")
    for number in range(5):
        to.dashboard(f"d{number}", f"D {number}", "f")
    host = Host.make(tmp_path / "strict", instance, {"remote": remote}, kinds=["dashboards", "dashboard_permissions"])
    host.run("run")
    before = git(remote, "rev-parse", "main")
    instance.faults(error_rate=1, error_status=403, paths="^/api/dashboards/uid/d3/permissions$")
    said = host.run("run", code=1)
    assert said.startswith("failed: not everything could be read") and "d3" in said
    assert git(remote, "rev-parse", "main") == before
    assert 'last_run_success{what="grafana"} 0' in (tmp_path / "strict" / "backup.prom").read_text()
    kinds = ["dashboards", "dashboard_permissions"]
    lenient = Host.make(tmp_path / "lenient", instance, {"remote": remote}, kinds=kinds, on_error="continue")
    assert "not read: Main Org.: dashboard_permissions d3" in lenient.run("run")
    assert 'unreadable_objects{what="grafana"} 1' in (tmp_path / "lenient" / "backup.prom").read_text()


def test_grafana_dies_during_a_run_and_the_next_one_completes_it(start: Start, tmp_path: Path) -> None:
    instance, remote = start(), git_servers.bare(tmp_path / "remote")
    fill(instance)
    host = Host.make(tmp_path, instance, {"remote": remote}, retries=1)
    host.run("run")
    before = git(remote, "rev-parse", "main")
    Filler(instance).dashboard("new", "New")
    # Before the whole of it could be read, however fast the machine is.
    instance.faults(latency_ms=500)
    timer = threading.Timer(1.2, instance.stop)
    timer.start()
    said = host.run("run", code=1)
    timer.join()
    assert said.startswith("failed: ") and git(remote, "rev-parse", "main") == before
    instance.start()
    host.run("run")
    assert git(remote, "log", "-1", "--format=%s") == "1 dashboard added"


class Playbook:
    """``monitoring.ha.restore`` on this machine, where no member of the group backup is left."""

    def __init__(self, directory: Path, instance: Instance, tree: Path) -> None:
        self.directory = directory
        self.variables: dict[str, Any] = {
            "restore_url": instance.url,
            "restore_user": ADMIN[0],
            "restore_password": ADMIN[1],
            "restore_ca": "",
            "restore_certificate": "",
            "restore_key": "",
            "restore_tree": str(tree),
            "restore_from": "localhost",
        }
        (directory / "hosts.yml").write_text(yaml.safe_dump({"all": {"hosts": {"gone": {"ansible_host": "192.0.2.1"}}}}))

    def run(self, *words: str, code: int = 0, **more: Any) -> str:
        command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(self.directory / "hosts.yml")]
        command += ["-e", json.dumps({**self.variables, **more}), *words, str(ROOT / "playbooks" / "restore.yml")]
        environment = {**os.environ, "NO_COLOR": "1", "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=300)
        assert done.returncode == code, done.stdout + done.stderr
        assert ADMIN[1] not in done.stdout + done.stderr and "hunter-two" not in done.stdout + done.stderr
        return done.stdout


def test_a_clone_is_brought_into_another_grafana(start: Start, tmp_path: Path) -> None:
    old, new = start(), start()
    fill(old)
    remote = git_servers.bare(tmp_path / "remote")
    host = Host.make(tmp_path, old, {"remote": remote})
    host.run("run")
    old.close()
    subprocess.run(["git", "clone", "--quiet", str(remote), str(tmp_path / "clone")], check=True)
    Filler(new).user("someone")
    playbook = Playbook(tmp_path, new, tmp_path / "clone" / "grafana")
    # What no backup has is named before anything is written.
    said = playbook.run(code=2)
    assert "secrets.data_sources.Metrics.basicAuthPassword is missing" in said
    said = playbook.run(restore_secrets=SECRETS)
    assert "created dashboards Main Org./Level 0/the same title" in said and "Nothing was written" in said
    assert new.get("/api/search?type=dash-db").json() == []
    said = playbook.run("--check", restore_secrets=SECRETS, restore_apply=True)
    assert "Nothing was written" in said and new.get("/api/search?type=dash-db").json() == []
    Filler(new).dashboard("not-in-it", "Not in it")
    playbook.run(restore_secrets=SECRETS, restore_apply=True)
    assert len(new.get("/api/search?type=dash-db").json()) == 26
    said = playbook.run(restore_secrets=SECRETS)
    assert "nothing differs" in said
    said = playbook.run(restore_secrets=SECRETS, restore_prune=True)
    assert "deleted dashboards Main Org./Not in it" in said and len(new.get("/api/search?type=dash-db").json()) == 26
    playbook.run(restore_secrets=SECRETS, restore_prune=True, restore_apply=True)
    # The new Grafana's own backup goes on where the old one's ended.
    second = Host.make(tmp_path / "second", new, {"remote": remote})
    before = git(remote, "rev-parse", "main:grafana")
    second.run("run")
    assert git(remote, "rev-parse", "main:grafana") == before and len(git(remote, "log", "--format=%s", "main").splitlines()) == 1
