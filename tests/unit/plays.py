"""Plays on this machine, as a user runs them, and what came of each task."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tools.steps import ROOT

BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Played:
    """A run. hosts: task → host → what it returned there. said: everything that was printed."""

    code: int
    hosts: dict[str, dict[str, dict[str, Any]]]
    said: str

    @property
    def results(self) -> dict[str, dict[str, Any]]:
        """Task → what it returned on the only host, or the first."""
        return {task: next(iter(hosts.values())) for task, hosts in self.hosts.items()}

    def result(self, task: str) -> dict[str, Any]:
        """Of a task that went well."""
        found = self.results[task]
        assert not found.get("failed"), found.get("msg")
        return found

    def message(self, task: str) -> str:
        """Of a task that failed."""
        found = self.results[task]
        assert found.get("failed"), found
        return str(found["msg"])

    @property
    def changed(self) -> list[str]:
        return [task for task, result in self.results.items() if result.get("changed")]


def environment(home: Path) -> dict[str, str]:
    """Of a command that finds the collection, and leaves nothing outside ``home``."""
    return {
        **os.environ,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_HOME": str(home / "ansible"),
        "ANSIBLE_LOCAL_TEMP": str(home / "ansible" / "tmp"),
        "XDG_CACHE_HOME": str(home / "cache"),
        "NO_COLOR": "1",
        "no_proxy": "127.0.0.1",
    }


def command(
    program: str, *words: str | Path, home: Path, directory: Path = ROOT, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """One of Ansible's programs."""
    return subprocess.run(
        [str(BIN / program), *map(str, words)],
        cwd=directory,
        env={**environment(home), **(env or {})},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@dataclass
class Play:
    """A place for plays: ``home`` has the playbook, its templates and files, a cache and temporary files."""

    home: Path

    def run(self, tasks: Sequence[Mapping[str, Any]], *words: str, variables: Mapping[str, Any] | None = None) -> Played:
        """Run tasks on this machine. ``words``: further words of the command line."""
        return self.site([{"hosts": "localhost", "gather_facts": False, "tasks": list(tasks)}], *words, variables=variables)

    def site(
        self,
        plays: Sequence[Mapping[str, Any]],
        *words: str,
        inventory: Mapping[str, Any] | None = None,
        variables: Mapping[str, Any] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Played:
        """Run plays. The inventory is this machine alone, unless another one is given."""
        local = {"all": {"hosts": {"localhost": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}}}}
        (self.home / "hosts.yml").write_text(yaml.safe_dump(dict(inventory or local)), encoding="utf-8")
        (self.home / "play.yml").write_text(yaml.safe_dump([dict(play) for play in plays]), encoding="utf-8")
        (self.home / "vars.json").write_text(json.dumps(dict(variables or {})), encoding="utf-8")
        done = command(
            "ansible-playbook",
            *("-i", str(self.home / "hosts.yml"), "-e", f"@{self.home / 'vars.json'}", *words, str(self.home / "play.yml")),
            home=self.home,
            env={"ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json", **(env or {})},
        )
        return Played(done.returncode, by_host(done.stdout), done.stdout + done.stderr)


def by_host(output: str) -> dict[str, dict[str, dict[str, Any]]]:
    """Task → host → result, from the report of a run; nothing when it ended before the first task."""
    start = output.find("\n{\n") + 1 if not output.startswith("{") else 0
    try:
        report = json.JSONDecoder().raw_decode(output[start:])[0]
    except ValueError:
        return {}
    tasks = [task for play in report["plays"] for task in play["tasks"] if task["hosts"]]
    return {task["task"]["name"]: task["hosts"] for task in tasks}
