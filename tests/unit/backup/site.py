"""Members with repositories of their own, remotes, and a Grafana that is a mapping of paths to texts."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ansible_collections.monitoring.ha.plugins.module_utils.backup import job, settings
from ansible_collections.monitoring.ha.plugins.module_utils.backup.report import Outcome
from ansible_collections.monitoring.ha.plugins.module_utils.backup.repository import TREE, Repository
from ansible_collections.monitoring.ha.plugins.module_utils.backup.settings import Settings

HOSTS = "main-org/dashboards/linux.f1/hosts.d1.json"
DISKS = "main-org/dashboards/linux.f1/disks.d2.json"
RULES = "main-org/alert_rules/linux.f1/disks.5e6f7a8b.json"
FOLDER = "main-org/folders/linux.f1.json"


def git(directory: Path, *words: str, **variables: str) -> str:
    """What Git says about a repository, as somebody else's Git."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    person = {f"GIT_{role}_{what}": "x" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    environment = {**clean, **person, "GIT_CONFIG_GLOBAL": "/dev/null", **variables}
    done = subprocess.run(["git", *words], cwd=directory, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (words, done.stderr)
    return done.stdout.rstrip("\n")


def bare(path: Path) -> Path:
    """An empty repository to push to."""
    path.mkdir(parents=True)
    git(path, "init", "--quiet", "--bare", "--initial-branch=main")
    return path


def subjects(repository: Path, branch: str = "main") -> list[str]:
    """First lines of all commits, newest first."""
    return git(repository, "log", "--format=%s", branch).splitlines()


def tree(repository: Path, commit: str = "main") -> dict[str, str]:
    """Path to text of what a commit has below the tree."""
    paths = git(repository, "ls-tree", "-r", "--name-only", "-z", f"{commit}:{TREE}").split("\0")
    return {path: git(repository, "show", f"{commit}:{TREE}/{path}") for path in paths if path}


@dataclass
class World:
    """Grafana and the members that save it. content: what an export writes."""

    directory: Path
    content: dict[str, str] = field(default_factory=dict)
    release: str = "13.0.1"
    now: float = 1_800_000_000.0

    def member(self, name: str = "mon1", remotes: Mapping[str, Path | str] | None = None, **more: Any) -> Settings:
        """A member's settings. remotes: name to path or URL."""
        given = {
            "member": name,
            "directory": str(self.directory / name),
            "grafana": {"url": "http://localhost:1"},
            "remotes": [{"name": one, "url": str(url)} for one, url in (remotes or {}).items()],
            "textfile": str(self.directory / f"{name}.prom"),
            **more,
        }
        return settings.of(given)

    def export(self, work: job.Work) -> None:
        """Stands for Grafana's export, in its effects."""
        directory = work.settings.work / TREE
        subprocess.run(["rm", "-rf", str(directory)], check=True)
        for path, text in {"manifest.json": str(sorted(self.content.items())), **self.content}.items():
            (directory / path).parent.mkdir(parents=True, exist_ok=True)
            (directory / path).write_text(text)
        work.outcome.release = self.release
        work.outcome.counts = {"Main Org.": {"dashboards": sum("/dashboards/" in path for path in self.content)}}

    def run(self, member: Settings, *, force: bool = True) -> Outcome:
        return job.run(member, force=force, clock=lambda: self.now)


def log(member: Settings) -> list[str]:
    return subjects(member.repository, member.branch)


def unreachable(member: Settings, *names: str) -> Settings:
    """The same, but some remotes are gone."""
    gone = tuple(replace(one, url=f"{one.url}-gone") if one.name in names else one for one in member.remotes)
    return replace(member, remotes=gone)


def repository(member: Settings) -> Repository:
    found = Repository(member)
    found.open()
    return found
