"""What is done on the controller is done as whoever runs the playbook, whatever the inventory says of all hosts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tools.steps import ROOT

FILES = [path for name in ("roles", "playbooks") for path in sorted((ROOT / name).rglob("*.yml")) if "test_hosts" not in str(path)]


def tasks(entries: Any) -> Iterator[dict[str, Any]]:
    """Every task of a file, those of plays and blocks included."""
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict):
            yield entry
            for part in ("tasks", "block", "rescue", "always"):
                yield from tasks(entry.get(part))


def on_the_controller() -> list[tuple[Path, dict[str, Any]]]:
    found = [(path, task) for path in FILES for task in tasks(yaml.safe_load(path.read_text(encoding="utf-8")))]
    return [(path, task) for path, task in found if task.get("delegate_to") == "localhost"]


@pytest.mark.parametrize(("path", "task"), on_the_controller(), ids=lambda its: its.get("name") if isinstance(its, dict) else its.parts[-3])
def test_nobody_becomes_another_user_there(path: Path, task: dict[str, Any]) -> None:
    assert task["vars"]["ansible_become"] is False, f"{path}: a variable of all hosts wins over the keyword become"


def test_the_stack_is_looked_at_from_the_controller_as_whoever_runs_the_playbook() -> None:
    look = yaml.safe_load((ROOT / "roles" / "verify" / "tasks" / "main.yml").read_text(encoding="utf-8"))
    (local,) = [task for task in look if task.get("when") == "verify_local"]
    assert local["ansible.builtin.include_tasks"]["apply"]["vars"]["ansible_become"] is False
    assert len(on_the_controller()) >= 3
