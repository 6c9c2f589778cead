"""What the role's tasks do around a failure: when the address moves, who is mended, and what could not be mended is known."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.plays import Play
from tools.steps import ROOT

ROLE = ROOT / "roles" / "drill"
TASKS = yaml.safe_load((ROLE / "tasks" / "drill.yml").read_text(encoding="utf-8"))

#: Steps on the controller that touch nothing; those that are come to are written down. ``trouble`` in ``drill_objectives``: where the
#: first drill ends, and how.
STEPS = """
from ansible_collections.monitoring.ha.plugins.action import drill
from ansible_collections.monitoring.ha.plugins.plugin_utils.drill import conduct, failures, record, report

def come_to(step, options):
    with (options.directory / "steps").open("a") as steps:
        steps.write(f"{step} {options.index}\\n")
    return "" if options.index else options.objectives["trouble"].get(step, "")

def choose(stack, options, say):
    options.work.mkdir(parents=True)
    record.secret(options.work / "run.json", {"started": 1.0, "versions": {}, "without": [], "left_out": []})
    drills = [{"index": index, "name": case.name} for index, case in enumerate(conduct.cases(stack, options))]
    return {"drills": drills, "marks": [], "hosts": ["mon1"], "longest": 9, "run": "here"}

def look(stack, options, say):
    if trouble := come_to("look", options):
        raise failures.DrillError(trouble)
    return {"faults": [], "move": "", "unit": ""}

def begin(stack, options, say):
    if trouble := come_to("begin", options):
        conduct.broken_off(stack, options, failures.DrillError(trouble))
        return {"failed": True, "msg": trouble, "run": False}
    return {"run": True, "faults": [], "directory": str(options.directory), "deadline": 9}

def finish(stack, options, say):
    state = come_to("finish", options) or "passed"
    case = conduct.cases(stack, options)[options.index]
    conduct.put(options, report.Result(case.name, "", state, 1.0))
    return {"halt": conduct.halts(state, options), "since": 1, "logged": [], "units": []}

def nothing(stack, options, say):
    return {}

conduct.STEPS.update(choose=choose, guard=nothing, look=look, begin=begin, last=nothing, finish=finish, log=nothing)

class ActionModule(drill.ActionModule):
    pass
"""
#: Nothing is done to a host.
FAULT = """
from ansible.plugins.action import ActionBase

class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        return {"changed": False}
"""


def drilled(play: Play, **variables: Any) -> tuple[list[str], list[str]]:
    """The role's own tasks with two drills: the steps that were come to, and how the drills ended by the report."""
    report, role, actions = play.home / "report", play.home / "roles" / "drill", play.home / "action"
    report.mkdir()
    shutil.copytree(ROLE, role)
    for path in (role / "tasks").glob("*.yml"):
        text = path.read_text(encoding="utf-8").replace("monitoring.ha.drill_fault_host:", "fault:")
        path.write_text(text.replace("monitoring.ha.drill:", "steps:"), encoding="utf-8")
    actions.mkdir()
    for name, text in (("steps", STEPS), ("fault", FAULT)):
        (actions / f"{name}.py").write_text(text, encoding="utf-8")
    here = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, "ha_address": "192.0.2.1"}
    members: dict[str, Any] = {group: {"hosts": {"mon1": {}}} for group in ("prometheus", "load_balancer")}
    play.site(
        [{"hosts": "mon1", "gather_facts": False, "roles": ["drill"]}],
        inventory={"all": {"hosts": {"mon1": here}, "children": members}},
        variables={"drill_names": "prometheus_killed,prometheus_hung", "drill_report": str(report), **variables},
        env={"ANSIBLE_ACTION_PLUGINS": str(actions)},
    )
    told = json.loads((report / "report.json").read_text(encoding="utf-8"))["results"]
    return (report / "steps").read_text(encoding="utf-8").splitlines(), [its["state"] for its in told]


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


def test_of_several_hosts_only_the_first_is_waited_with(play: Play, tmp_path: Path) -> None:
    failure = dict(named(named(named(TASKS, "Break, wait, mend, judge")["block"], "Break and wait")["block"], "Failure"))
    given = failure.pop("monitoring.ha.drill_fault")
    told = {**failure, "ansible.builtin.debug": {"msg": given["pause"]}}
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    faults: list[dict[str, Any]] = [{"host": host, "fault": "nothing", "given": {}} for host in ("mon1", "mon2", "mon3")]
    begun = {"faults": faults, "deadline": 9, "pause": 5.0, "directory": str(tmp_path)}
    inventory = {"all": {"hosts": dict.fromkeys(("mon1", "mon2", "mon3"), local)}}
    done = play.site([{"hosts": "mon1", "gather_facts": False, "tasks": [told]}], inventory=inventory, variables={"drill_begun": begun})
    assert [float(its["msg"]) for its in done.results["Failure"]["results"]] == [5, 0, 0], done.said


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


def test_a_stack_without_load_balancers_has_no_address_to_look_for(play: Play) -> None:
    done = play.run([named(TASKS, "The address moves away first")], variables={"drill_apart": {"move": ""}, "drill_look": "true"})
    assert done.code == 0 and "undefined" not in done.said, done.said


#: Steps of a drill that runs.
RUN = ["look {}", "begin {}", "finish {}"]


@pytest.mark.parametrize(
    ("trouble", "going_on", "steps", "states"),
    [
        ({}, False, 3, ["passed", "passed"]),
        ({"finish": "failed"}, False, 3, ["failed", "not run"]),
        ({"finish": "failed"}, True, 3, ["failed", "passed"]),
        ({"finish": "error"}, True, 3, ["error", "not run"]),
        ({"begin": "the stack is not whole"}, True, 2, ["error", "not run"]),
        ({"look": "nobody leads"}, True, 1, ["error", "not run"]),
    ],
)
def test_no_drill_begins_after_one_that_ends_them(
    play: Play, trouble: dict[str, str], going_on: bool, steps: int, states: list[str]
) -> None:
    come_to, told = drilled(play, drill_objectives={"trouble": trouble}, drill_go_on=going_on)
    further = [step.format(1) for step in RUN] if states[1] == "passed" else []
    assert (come_to, told) == ([step.format(0) for step in RUN[:steps]] + further, states)
