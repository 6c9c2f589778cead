"""The quality gates, one part each."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tools.steps import ROOT

BIN = Path(sys.executable).parent
#: What ansible-test looks at: what it has rules for among what is published.
PUBLISHED = ["plugins", "roles", "playbooks", "meta", "changelogs", "galaxy.yml", "README.md", "LICENSE", "releases.lock.yml"]
TYPED = ["tests", "tools", "benchmarks", "molecule"]


def tracked(*patterns: str) -> list[str]:
    """Files of the repository, relative to its root."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return [name for name in listed if (ROOT / name).is_file()]


def sanity_tree() -> Path:
    """A copy of what is published, in the place where ``ansible-test`` wants a collection."""
    top = ROOT / "build" / "sanity"
    tree = top / "ansible_collections" / "monitoring" / "ha"
    shutil.rmtree(top, ignore_errors=True)
    for name in tracked(*PUBLISHED):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, tree / name)
    bootstrap_pip()
    # Otherwise ansible-test would see files that the repository around it ignores.
    subprocess.run(["git", "init", "--quiet"], cwd=tree, check=True)
    return tree


def bootstrap_pip() -> None:
    """``ansible-test`` fetches a script that installs pip; where its site is out of reach, one of our own does the same."""
    cache = Path.home() / ".ansible" / "test" / "cache"
    script = cache / "get_pip_24_2.py"
    if not script.exists():
        cache.mkdir(parents=True, exist_ok=True)
        script.write_text("import ensurepip\n\nensurepip.bootstrap(upgrade=True)\n", encoding="utf-8")


@dataclass(frozen=True)
class Gate:
    """One quality gate. directory: makes ready, and tells, where the command runs."""

    name: str
    command: list[str]
    directory: Callable[[], Path] = lambda: ROOT


# Plugins are named by their place in the collection, the rest by its place in the repository.
PLUGINS = "build/typing/ansible_collections/monitoring/ha/plugins"
GATES = (
    Gate("ruff", [str(BIN / "ruff"), "check", "."]),
    Gate("format", [str(BIN / "ruff"), "format", "--check", "."]),
    Gate("mypy", [str(BIN / "mypy"), PLUGINS, *TYPED]),
    Gate("yamllint", [str(BIN / "yamllint"), "--strict", "."]),
    # It checks the syntax without an inventory, which ansible.cfg forbids.
    Gate("ansible-lint", ["env", "ANSIBLE_INVENTORY_UNPARSED_FAILED=false", str(BIN / "ansible-lint"), "--offline", "--strict"]),
    Gate("shellcheck", [str(BIN / "shellcheck"), *tracked("*.sh", ".ci/run")]),
    Gate("sanity", [str(BIN / "ansible-test"), "sanity", "--python", "3.11", "--requirements", "--color", "no"], sanity_tree),
)
