"""What the role's tasks do around a failure: when the address moves, who is mended, and what could not be mended is known."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml

from tests.unit.plays import Play
from tools.steps import ROOT

TASKS = yaml.safe_load((ROOT / "roles" / "drill" / "tasks" / "drill.yml").read_text(encoding="utf-8"))


def named(tasks: list[dict[str, Any]], name: str) -> dict[str, Any]:
    (found,) = [task for task in tasks if task["name"] == name]
    return found


def test_what_could_not_be_mended_is_told(play: Play, tmp_path: Path) -> None:
    steps = named(TASKS, "Break, wait, mend, judge")["block"]
    mending = named(steps, "Break and wait")["always"]
    named(mending, "Mending")["retries"] = 1
    judged = named(steps, "A whole stack again, and the verdict")
    told = {"name": "Told", "ansible.builtin.debug": {"msg": judged["monitoring.ha.drill"]["unmended"]}, "vars": judged["vars"]}
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    gone = {"ansible_host": "127.0.0.1", "ansible_port": 1, "ansible_connection": "ssh"}
    power = {"on": "touch given", "off": "exit 1"}
    powered = {host: {**local, "drill_power_on": f"cd {tmp_path} && {how}"} for host, how in power.items()}
    inventory = {"all": {"hosts": {"first": local, **powered, "here": local, "gone": gone}}}
    faults = [
        *({"host": host, "fault": "power_cut", "given": {"host": host}} for host in power),
        # In this order, as whoever is gone keeps nobody from being mended.
        *({"host": host, "fault": "nothing", "given": {"host": host}} for host in ("gone", "here")),
    ]
    variables = {"drill_begun": {"faults": faults, "directory": str(tmp_path)}, "drill_patience": 2}
    done = play.site([{"hosts": "first", "gather_facts": False, "tasks": [*mending, told]}], inventory=inventory, variables=variables)
    assert done.code == 0 and sorted(done.result("Told")["msg"]) == ["gone", "off"], done.said
    assert (tmp_path / "given").exists()
    waited = {its["item"]["host"]: its for its in done.results["Whoever has to be mended can be reached"]["results"]}
    # Who has no power yet is not waited for.
    assert list(waited) == ["gone", "here"] and "msg" not in waited["here"]


def test_a_drill_that_does_not_begin_ends_nothing(play: Play) -> None:
    done = play.run([named(TASKS, "Break, wait, mend, judge")], variables={"drill_begun": {"run": False}, "drill_options": {}})
    assert done.code == 0 and "undefined" not in done.said, done.said


def test_nothing_counts_as_mended_that_was_not_tried(play: Play) -> None:
    judged = named(named(TASKS, "Break, wait, mend, judge")["block"], "A whole stack again, and the verdict")
    told = {"name": "Told", "ansible.builtin.debug": {"msg": judged["monitoring.ha.drill"]["unmended"]}, "vars": judged["vars"]}
    done = play.run([told], variables={"drill_begun": {"faults": [{"host": "mon1"}]}})
    assert done.result("Told")["msg"] == ["mon1"]


def test_a_host_that_cannot_be_reached_ends_the_drill_and_not_the_run(play: Play) -> None:
    asked, begun = named(TASKS, "Can they have it?"), named(TASKS, "A whole stack, and probes that run")
    told = {"name": "Told", "ansible.builtin.debug": {"msg": begun["monitoring.ha.drill"]["unreachable"]}}
    gone = {"ansible_host": "127.0.0.1", "ansible_port": 1, "ansible_connection": "ssh"}
    here = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    inventory = {"all": {"hosts": {"first": here, "gone": gone}}}
    faults = [{"host": "gone", "fault": "hang", "unsupported": "", "given": {"host": "gone", "units": ["haproxy.service"]}}]
    variables = {"drill_apart": {"faults": faults}, "drill_report": "report"}
    done = play.site([{"hosts": "first", "gather_facts": False, "tasks": [asked, told]}], inventory=inventory, variables=variables)
    assert done.code == 0 and done.result("Told")["msg"] == ["gone"], done.said


def test_the_address_stays_where_a_host_cannot_have_the_failure(play: Play) -> None:
    told = {"name": "Told", "ansible.builtin.debug": {"msg": "it moves"}, "when": named(TASKS, "The address moves away first")["when"]}
    for said, moves in (("", True), ("its kernel filters no packets", False)):
        results = [{"unsupported": ""}, {"unsupported": said}, {"failed": True}]
        done = play.run([told], variables={"drill_apart": {"move": "mon1"}, "drill_possible": {"results": results}})
        assert done.code == 0 and done.results["Told"].get("skipped", False) is not moves, done.said
