"""What the playbook says of its members' runs, and when it fails."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from tests.unit.plays import Play
from tools.steps import ROOT

ROLE = ROOT / "roles" / "backup"
COMMIT = "0123456789abcdef"


def run(play: Play, code: int = 0, **outcome: Any) -> Any:
    """The end of a run whose only member has this outcome; what was found, and what was said."""
    known = {"state": "worked", "why": "", "committed": False, "commit": COMMIT, "message": "m", "remotes": {"one": ""}, **outcome}
    member = {"backup_run": {"rc": code}, "backup_status": {"stdout": json.dumps(known)}}
    end = yaml.safe_load((ROLE / "tasks" / "run.yml").read_text())[-1]
    tasks = [{"name": "Member", "ansible.builtin.set_fact": member}, end]
    variables = str(ROLE / "vars" / "main.yml")
    done = play.site([{"hosts": "localhost", "gather_facts": False, "vars_files": [variables], "tasks": tasks}])
    return done.results["Result"]


def test_everything_is_saved(play: Play) -> None:
    found = run(play, unreadable=[])
    assert not found.get("failed") and found["msg"] == [
        "localhost: worked",
        "localhost: nothing has changed since commit 0123456789ab",
        "localhost: remote one: has everything",
    ]


def test_what_could_not_be_read_is_named_and_is_a_failure(play: Play) -> None:
    found = run(play, unreadable=["Main Org.: dashboards d3: GET /api: 403"])
    assert found["failed"] and "localhost: not read, and not saved: Main Org.: dashboards d3: GET /api: 403" in found["msg"]


@pytest.mark.parametrize(
    "outcome",
    [{"code": 1, "remotes": {"one": "refused"}}, {"state": "stood by", "why": "mon1 does the work"}, {"code": 1, "state": "failed"}],
)
def test_nobody_has_saved_it(outcome: dict[str, Any], play: Play) -> None:
    assert run(play, **outcome)["failed"]


def test_a_file_of_people_that_could_not_be_merged_is_named(play: Play) -> None:
    found = run(play, disputed=["README.md"])
    assert not found.get("failed") and "localhost: README.md: changed in several ways, one of which was taken" in found["msg"]


@pytest.mark.parametrize(("before", "remotes", "wait"), [(0, {}, 0), (1, {}, 30), (2, {}, 60), (9, {}, 120), (2, {"one": {}}, 0)])
def test_where_everybody_works_it_is_one_after_the_other(before: int, remotes: dict[str, Any], wait: int, play: Play) -> None:
    members = [*({"name": f"mon{number}"} for number in range(before)), {"name": "localhost"}]
    given = {"backup_members": members, "backup_remotes": remotes, "backup_time_limit": "10m"}
    unit = (ROLE / "templates" / "monitoring-ha-backup.service.j2").read_text()
    (line,) = [text for text in unit.splitlines() if text.startswith("TimeoutStartSec=")]
    task = {"name": "Wait", "ansible.builtin.debug": {"msg": ["{{ backup_wait | int }}", line]}, "vars": given}
    variables = str(ROLE / "vars" / "main.yml")
    done = play.site([{"hosts": "localhost", "gather_facts": False, "vars_files": [variables], "tasks": [task]}])
    assert done.result("Wait")["msg"] == [wait, "TimeoutStartSec=10m" + (f" {wait}s" if wait else "")]
