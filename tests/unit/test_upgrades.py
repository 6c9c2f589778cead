"""Rolling upgrades: which way versions go, who comes when, and the way back."""

from __future__ import annotations

import grp
import json
import os
import pwd
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible_collections.monitoring.ha.plugins.module_utils import identity, keep, restore_point, rotation, silences, topology, tree, units
from ansible_collections.monitoring.ha.plugins.module_utils.catalogue import COMPONENTS
from ansible_collections.monitoring.ha.plugins.module_utils.https import Client, Unanswered
from ansible_collections.monitoring.ha.plugins.plugin_utils import lock, upgrades
from ansible_collections.monitoring.ha.plugins.plugin_utils.drill import failures
from ansible_collections.monitoring.ha.plugins.plugin_utils.upgrades import Move

from tests.unit.plays import Play, Played
from tools.steps import ROOT

ROLE = ROOT / "roles" / "upgrade"
PLAYBOOK = ROOT / "playbooks" / "upgrade.yml"

# --- versions and order --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "rules", "words"),
    [
        ("3.15.1", "3.16.0", {}, ""),
        ("", "3.16.0", {"from": "2.55.0"}, ""),
        ("3.16.0", "3.16.0", {}, ""),
        ("3.9.0", "3.16.0", {}, ""),
        ("2.55.1", "3.16.0", {"from": "2.55.0"}, ""),
        ("2.53.3", "3.16.0", {"from": "2.55.0"}, "leaves out 2.55.0"),
        ("2.53.3", "2.54.0", {"from": "2.55.0"}, ""),
        ("1.3.0", "2.5.0", {"majors": 1}, ""),
        ("0.9.4", "2.5.0", {"majors": 1}, "leaves out a major version"),
        ("3.16.0", "3.15.1", {}, "step back"),
        ("12.4.0+stand-in", "12.4.0+other", {}, ""),
    ],
)
def test_which_way_a_version_may_go(before: str, after: str, rules: dict[str, Any], words: str) -> None:
    said = upgrades.complaint(Move("mon1", "prometheus", before, after), rules, downgrade=False)
    assert (words in said and said.startswith("mon1: prometheus")) if words else said == ""


def test_a_step_back_is_somebodys_decision() -> None:
    assert upgrades.complaint(Move("mon1", "thanos", "0.42.4", "0.42.3"), {}, downgrade=True) == ""


def test_who_leads_comes_last() -> None:
    assert upgrades.order(["a", "b", "c"], ["a"]) == ["b", "c", "a"]
    assert upgrades.order(["a", "b", "c"], ["c", "a"]) == ["b", "c", "a"]
    assert upgrades.order(["a", "b", "c"], ["", "elsewhere"]) == ["a", "b", "c"]
    assert upgrades.order(["a", "b"], ["a", "a"]) == ["b", "a"]
    # Who leads one database, and holds the address or writes to another one, leads all the same.
    assert upgrades.order(["a", "b", "c"], ["a", "b", "a"]) == ["c", "b", "a"]


@pytest.mark.parametrize(
    ("saved", "silent", "longest", "words"),
    [
        ({"mon1": 9000.0, "mon2": 0.0}, [], "1h", ""),
        ({"mon1": 9000.0}, ["mon2"], "1h", ""),
        ({"mon1": 5000.0, "mon2": 2000.0}, [], "1h", "(mon1) is 5000 s old, and upgrade_backup_max_age is 1h: run the playbook backup"),
        ({"mon1": 5000.0}, ["mon2"], "1h", "(mon1) is 5000 s old; mon2 could not be asked when Grafana was backed up, and upgrade_backup"),
        ({"mon1": 0.0}, [], "1h", "has not been backed up yet"),
        ({}, ["mon1", "mon2"], "1h", "mon1, mon2 could not be asked when Grafana was backed up, and upgrade_backup_max_age is 1h: bring"),
        ({"mon1": 0.0}, ["mon2"], "", ""),
        ({}, [], "1h", ""),
    ],
)
def test_versions_change_only_after_a_backup(saved: dict[str, float], silent: list[str], longest: str, words: str) -> None:
    said = upgrades.outdated(saved, silent, longest, 10_000.0)
    assert (words in said) if words else said == ""


def saved_when(tmp_path: Path, limit: str, saved: Mapping[str, float], reason: str = "version", **given: Any) -> Played:
    """The question after backups and the plan, as the role has them, of a play that is limited to some hosts.

    saved: member → seconds since it saved Grafana, 0 for never; the others of mon1 to mon3 cannot be reached.
    """
    tasks = {its["name"]: its for its in yaml.safe_load((ROLE / "tasks" / "look.yml").read_text(encoding="utf-8"))}
    own = yaml.safe_load((ROLE / "vars" / "main.yml").read_text(encoding="utf-8"))
    status = tmp_path / "backup"
    status.write_text('#!/bin/sh\necho "{\\"last_success\\": $1}"\n', encoding="utf-8")
    status.chmod(0o755)
    ask = tasks["When was Grafana backed up?"]
    ask["ansible.builtin.command"]["argv"] = [str(status), "{{ hostvars[item].saved | string }}"]
    its = tasks["Plan"]["monitoring.ha.upgrade_plan"]
    releases = {"mon1": {name: its["version"] for name, its in lock.read().items()} | given.pop("runs", {"prometheus": "3.0.0"})}
    plan = {"releases": releases, "backups": its["backups"], "backup_max_age": its["backup_max_age"], "reason": reason}
    now, local = time.time(), {"ansible_connection": "local"}
    ages = {member: saved.get(member) for member in ("mon1", "mon2", "mon3")}
    members = {member: {**(GONE if age is None else local), "saved": now - age if age else 0} for member, age in ages.items()}
    site = {"all": {"hosts": {"web1": local}, "children": {"backup": {"hosts": members}, "prometheus": {"hosts": {"mon1": {}}}}}}
    told = [ask, {"name": "Plan", "monitoring.ha.upgrade_plan": plan, "run_once": True}]
    play = {"hosts": "all", "gather_facts": False, "any_errors_fatal": True, "tasks": told}
    variables = {"upgrade_backup_wanted": own["upgrade_backup_wanted"], "upgrade_backup_max_age": "1h", "upgrade_reason": reason, **given}
    return Play(tmp_path).site([play], "--limit", limit, inventory=site, variables=variables)


def test_all_members_are_asked_for_backups_whoever_has_a_turn(tmp_path: Path) -> None:
    assert saved_when(tmp_path, "web1", {"mon2": 60, "mon3": 7200}).result("Plan")["problems"] == []
    assert saved_when(tmp_path, "mon3", {"mon1": 60, "mon2": 0, "mon3": 7200}).result("Plan")["problems"] == []
    told = saved_when(tmp_path, "web1", {"mon2": 7200, "mon3": 0}).message("Plan")
    assert "the youngest backup of Grafana (mon2) is 72" in told and "mon1 could not be asked" in told
    silent = saved_when(tmp_path, "web1", {})
    assert "Connection refused" in silent.said and silent.message("Plan").startswith(
        "mon1, mon2, mon3 could not be asked when Grafana was backed up"
    )


@pytest.mark.parametrize(
    ("reason", "longest", "asked"),
    [("version", "1h", True), ("packages", "1h", True), ("reboot", "1h", False), ("certificates", "1h", False), ("version", "", False)],
)
def test_a_backup_is_asked_for_where_what_keeps_the_data_changes(tmp_path: Path, reason: str, longest: str, asked: bool) -> None:
    runs = {"prometheus": "3.0.0"} if reason == "version" else {}
    done = saved_when(tmp_path, "all", {"mon1": 0, "mon2": 0, "mon3": 0}, reason, upgrade_backup_max_age=longest, runs=runs)
    assert bool(done.results["Plan"].get("failed")) is asked, done.said
    assert bool(done.results["When was Grafana backed up?"].get("skipped")) is not bool(longest)


def test_a_version_that_changes_for_another_reason_wants_a_backup_too(tmp_path: Path) -> None:
    done = saved_when(tmp_path, "all", {"mon1": 0, "mon2": 0, "mon3": 0}, "reboot")
    assert "Grafana has not been backed up yet" in done.message("Plan")


def test_one_at_a_time_unless_domains_are_asked_for() -> None:
    assert upgrades.batches(["b", "c", "a"], "canary", {}, {}) == (["b", "c", "a"], [1, 1, 1])
    domains = {"a": "east", "b": "east", "c": "west", "d": "west"}
    assert upgrades.batches(["b", "c", "d", "a"], "failure_domain", domains, {}) == (["c", "d", "b", "a"], [2, 2])
    assert upgrades.batches(["b", "c"], "failure_domain", {"b": "", "c": ""}, {}) == (["b", "c"], [1, 1])


def split(hosts: Sequence[str], sizes: Sequence[int]) -> list[list[str]]:
    ends = [sum(sizes[:n]) for n in range(len(sizes) + 1)]
    return [list(hosts[start:end]) for start, end in pairwise(ends)]


def test_the_batches_of_a_domain_are_borne_by_the_stack() -> None:
    """Of production: of three members of a quorum two are in one domain, and all hosts may be."""
    path = str(ROOT / "inventories" / "production" / "hosts.yml")
    inventory = InventoryManager(DataLoader(), [path])  # type: ignore[no-untyped-call]
    groups = {name: [str(host) for host in its.get_hosts()] for name, its in inventory.groups.items()}
    leader, holder = "sql3", "lb1"
    core = upgrades.order(topology.stack_hosts(groups), [holder, leader])
    by_room = {host: "a" if host in groups["domain_a"] else "b" for host in core}
    for domains in (by_room, dict.fromkeys(core, "a")):
        hosts, sizes = upgrades.batches(core, "failure_domain", domains, groups)
        found = split(hosts, sizes)
        assert sorted(hosts) == sorted(core) and hosts[-1] == leader and max(sizes) > 1
        assert hosts.index(holder) > max(hosts.index(host) for host in core if domains[host] == "a" and host not in (holder, leader))
        for batch in found:
            assert not [words for c in COMPONENTS.values() if (words := failures.bears(c, topology.members(c, groups), batch))], batch
            for name in ("load_balancer", "postgresql"):
                assert len(set(batch) & set(groups[name])) <= 1, "whoever takes over is away, too"


def test_hosts_that_are_everything_come_one_by_one_whatever_their_domain() -> None:
    every = ["mon1", "mon2", "mon3"]
    groups = {"all": every, **dict.fromkeys(("etcd", "postgresql", "load_balancer", "prometheus", "alertmanager", "grafana"), every)}
    assert upgrades.batches(every, "failure_domain", dict.fromkeys(every, "a"), groups) == (every, [1, 1, 1])
    pair = {"all": every[:2], "grafana": every[:2]}
    assert upgrades.batches(every[:2], "failure_domain", dict.fromkeys(every, "a"), pair) == (every[:2], [1, 1])
    # One that cannot be spared at all has its turn alone.
    lonely = {"all": every, "etcd": every[:1], "prometheus": every[1:]}
    assert upgrades.batches(every, "failure_domain", dict.fromkeys(every, "a"), lonely) == (every, [1, 1, 1])


LOCKED = {"prometheus": "3.16.0", "node_exporter": "1.12.1", "thanos": "0.42.4"}


def planned(locked: dict[str, str] = LOCKED, **given: Any) -> upgrades.Plan:
    """Two replicas, of which one is of before, and a host that is only monitored."""
    groups = {"all": ["mon1", "mon2", "web1"], "prometheus": ["mon1", "mon2"], "monitored": ["mon1", "mon2", "web1"]}
    looked = {"mon1": {"prometheus": "3.15.1"}, "mon2": {"prometheus": "3.16.0"}, "web1": {}}
    components = {name: {"version": version, "files": ["x"], "pins": {version: {}}} for name, version in locked.items()}
    wanted: dict[str, Any] = {"last": ["mon1"], "strategy": "one_by_one", "downgrade": False, **given}
    variables = wanted.pop("variables", {})
    hostvars: dict[str, dict[str, Any]] = {host: dict(variables) for host in groups["all"]}
    return upgrades.plan(looked, groups, hostvars, components, **wanted)


def test_a_plan_names_what_changes_and_sets_the_fleet_apart() -> None:
    plan = planned()
    assert (plan.turns, plan.batches, plan.fleet, plan.problems) == (["mon2", "mon1"], [1, 1], ["web1"], [])
    assert "prometheus 3.15.1 → 3.16.0" in plan.moves["mon1"]
    assert not [line for line in plan.moves["mon2"] if line.startswith("prometheus ")]
    assert plan.moves["web1"] == ["node_exporter new → 1.12.1"]


def test_the_stack_and_the_fleet_have_a_canary_each() -> None:
    assert planned().canaries == []
    assert planned(strategy="canary").canaries == ["mon2", "web1"]
    assert planned(strategy="canary", due=lambda host, _moves: host == "web1").canaries == ["web1"]


@pytest.mark.parametrize(("canaries", "seconds"), [(["localhost"], 300), (["mon2"], 30), ([], 30)])
def test_a_canary_is_watched_even_when_the_stack_has_no_turn(tmp_path: Path, canaries: list[str], seconds: int) -> None:
    tasks = yaml.safe_load((ROLE / "tasks" / "prove.yml").read_text(encoding="utf-8"))
    (expression,) = [task["ansible.builtin.pause"]["seconds"] for task in tasks if "ansible.builtin.pause" in task]
    given = {"upgrade_plan": {"turns": [], "fleet": ["localhost"], "canaries": canaries}, "upgrade_strategy": "canary"}
    waits = {"upgrade_canary_wait": 300, "upgrade_settle": 30}
    played = Play(tmp_path).run([{"name": "Wait", "ansible.builtin.debug": {"msg": expression}}], variables={**given, **waits})
    assert played.result("Wait")["msg"] == seconds


@pytest.mark.parametrize(
    ("prometheus", "seconds"), [({"prometheus_scrape_interval": "1m"}, 120), ({"prometheus_scrape_interval": "750ms"}, 2), ({}, 30)]
)
def test_the_stack_has_to_behave_for_two_intervals_of_its_prometheus(tmp_path: Path, prometheus: dict[str, Any], seconds: int) -> None:
    """Whichever host has its turn."""
    own = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text(encoding="utf-8"))
    local = {"ansible_connection": "local"}
    site = {"all": {"children": {"prometheus": {"hosts": {"mon1": {**local, **prometheus}}}, "fleet": {"hosts": {"web1": local}}}}}
    told = {"name": "Settle", "ansible.builtin.debug": {"msg": "{{ upgrade_settle }}"}}
    play = {"hosts": "web1", "gather_facts": False, "tasks": [told]}
    done = Play(tmp_path).site([play], inventory=site, variables={"upgrade_settle": own["upgrade_settle"]})
    assert done.result("Settle")["msg"] == seconds


@pytest.mark.parametrize(("given", "batch"), [(2, 2), ("2", 2), ("25%", "25%"), ("100%", "100%"), (80, 80)])
def test_the_fleet_comes_as_many_at_a_time_as_the_inventory_says(given: object, batch: object) -> None:
    assert (planned(fleet_batch=given).fleet_batches, planned(fleet_batch=given, strategy="canary").fleet_batches) == ([batch], [1, batch])


@pytest.mark.parametrize("given", [0, "0%", -1, "101%", "half", "", "2.5%", None])
def test_a_batch_of_nobody_is_refused_by_the_plan(given: object) -> None:
    with pytest.raises(ValueError, match=r"upgrade_fleet_batch is '.*': give a number of hosts from 1, or a percentage") as caught:
        planned(fleet_batch=given)
    assert "\n" not in str(caught.value)


def test_the_fleet_has_a_budget_of_a_percentage() -> None:
    assert [planned(fleet_failures=given).fleet_failures for given in (0, "5", "50%", 100)] == [0, 5, 50, 100]
    for given in (-1, 101, "some", ""):
        with pytest.raises(ValueError, match=r"upgrade_fleet_failures is '.*': give a percentage from 0 to 100"):
            planned(fleet_failures=given)


PLAN = """
- name: Plan
  hosts: all
  gather_facts: false
  tasks:
    - name: Plan
      monitoring.ha.upgrade_plan:
        releases: "{{ dict(groups.fleet | zip([{}] * groups.fleet | length)) }}"
        fleet_batch: "{{ upgrade_fleet_batch }}"
        fleet_failures: "{{ upgrade_fleet_failures }}"
      run_once: true
      register: upgrade_plan
    - name: Who has a turn
      ansible.builtin.add_host: {name: "{{ item }}", groups: [upgrade_fleet]}
      loop: "{{ upgrade_plan.fleet }}"
"""


def rolled_out(tmp_path: Path, **inventory: object) -> Played:
    """The plays with turns, as the playbook has them, with a task that fails on web2 alone instead of the turn itself."""
    plays = {its["name"]: its for its in yaml.safe_load(PLAYBOOK.read_text(encoding="utf-8"))}
    turns = [{**plays[name], "roles": []} for name in ("Turns", "Turns of those that are only monitored")]
    turns[1]["tasks"] = [
        {"name": "Together", "ansible.builtin.debug": {"msg": "together: {{ ansible_play_batch | join(' ') }}"}},
        {"name": "A turn", "ansible.builtin.fail": {"msg": "no good"}, "when": "inventory_hostname == 'web2'"},
    ]
    hosts = {f"web{n}": {"ansible_connection": "local"} for n in range(1, 6)}
    site = {"all": {"children": {"fleet": {"hosts": hosts, "vars": inventory}, "monitored": {"children": {"fleet": {}}}}}}
    return Play(tmp_path).site([*yaml.safe_load(PLAN), *turns], inventory=site)


def test_what_the_inventory_says_of_the_fleet_holds(tmp_path: Path) -> None:
    done = rolled_out(tmp_path, upgrade_fleet_batch=2, upgrade_fleet_failures=0)
    assert done.code == 2 and "together: web1 web2" in done.said and "together: web3" not in done.said, done.said
    done = rolled_out(tmp_path, upgrade_fleet_batch="40%", upgrade_fleet_failures=50)
    assert done.code == 2 and all(f"together: {hosts}" in done.said for hosts in ("web1 web2", "web3 web4", "web5")), done.said
    assert "WARNING" not in done.said, "of a group that has nobody in it"


def test_what_is_no_batch_is_one_clear_line(tmp_path: Path) -> None:
    done = rolled_out(tmp_path, upgrade_fleet_batch="some", upgrade_fleet_failures=0)
    assert "upgrade_fleet_batch is 'some': give a number" in done.message("Plan") and "together" not in done.said


def turns(tmp_path: Path, hosts: Mapping[str, Mapping[str, Any]], variables: Mapping[str, Any], **steps: object) -> Played:
    """Turns of hosts, one after the other unless ``batch`` says otherwise; a step is a list of tasks instead of those of the role.

    None: the role's own. Hosts called node… are the fleet, and have theirs afterwards.
    """
    tasks = tmp_path / "tasks"
    shutil.copytree(ROLE / "tasks", tasks, dirs_exist_ok=True)
    for step in ("prepare", "change", "rejoin", "prove", "finish", "whole"):
        if (instead := steps.get(step, [FINISHED] if step == "finish" else [])) is not None:
            (tasks / f"{step}.yml").write_text(yaml.safe_dump(instead), encoding="utf-8")
    own = yaml.safe_load((ROLE / "vars" / "main.yml").read_text(encoding="utf-8"))
    fleet = [name for name in hosts if name.startswith("node")]
    given = {
        "upgrade_aside": [],
        "upgrade_saved": {},
        "upgrade_lost": own["upgrade_lost"],
        "upgrade_wrong": own["upgrade_wrong"],
        "upgrade_plan": {"turns": [its for its in hosts if its not in fleet], "fleet": fleet},
        **variables,
    }
    turn = {"name": "A turn", "ansible.builtin.include_tasks": str(tasks / "main.yml")}
    plays = [
        {**its, "hosts": where, "serial": steps.get("batch", 1), "max_fail_percentage": 100, "roles": [], "tasks": [turn]}
        for its in yaml.safe_load(PLAYBOOK.read_text(encoding="utf-8"))
        if (where := {"Turns": "all:!node*", "Turns of those that are only monitored": "node*"}.get(its["name"]))
    ]
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    site = {"all": {"hosts": {name: {**local, **its} for name, its in hosts.items()}}}
    return Play(tmp_path).site(plays, inventory=site, variables=given)


#: What a turn ends with.
FINISHED = {"name": "Finish", "ansible.builtin.debug": {"msg": "finished"}, "register": "upgrade_finished"}
#: A host whose connection is refused.
GONE = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1, "ansible_ssh_retries": 0}
FAIL = {"name": "Fail", "ansible.builtin.fail": {"msg": "no good"}}
TOUCH = {"name": "Touch", "ansible.builtin.debug": {"msg": "touched {{ inventory_hostname }}"}}


def test_a_host_that_is_lost_has_an_account_of_its_turn_and_no_other_is_touched(tmp_path: Path) -> None:
    for roll_back in (True, False):
        done = turns(tmp_path, {"mon1": GONE, "mon2": {}}, {"upgrade_roll_back": roll_back}, prepare=[TOUCH], change=[FAIL])
        said = "no good. It cannot be reached, or did not come back; it stays drained and silenced: repair it and run this again."
        assert done.code == 2 and done.message("Stop here") == said
        assert "touched mon1" in done.said and "touched mon2" not in done.said


def test_another_one_that_is_lost_keeps_no_host_from_its_way_back(tmp_path: Path) -> None:
    prepare = {its["name"]: its for its in yaml.safe_load((ROLE / "tasks" / "prepare.yml").read_text(encoding="utf-8"))}
    rejoin = yaml.safe_load((ROLE / "tasks" / "rejoin.yml").read_text(encoding="utf-8"))
    assert [its["name"] for its in rejoin] == ["The address may come", "Requests again", "Every load balancer has heard of it"]
    variables = {"upgrade_roll_back": False, "upgrade_drain_timeout": 1, "upgrade_dumped": {}, "upgrade_silenced": {}}
    variables |= {"upgrade_leads": "", "upgrade_silencer": ""}
    drain = {**prepare["No new requests"], "loop": ["mon2"]}
    back = {**rejoin[1], "loop": ["mon2"]}
    done = turns(
        tmp_path, {"mon1": {}, "mon2": GONE}, variables, prepare=[drain, prepare["Everybody else was there"]], rejoin=[back, TOUCH]
    )
    said = "mon2 cannot be reached. The host was left as it is, as upgrade_roll_back says."
    assert done.code == 2 and done.message("Stop here") == said and "touched mon1" in done.said


LOOK = {"name": "Look", "ansible.builtin.ping": {}}
LOST = "mon2: lost in its turn; it stays drained and silenced, and no other host is touched: repair it and run this again."


@pytest.mark.parametrize("further", ["mon3", "node1"])
def test_one_that_is_lost_among_others_stops_the_next_batch_and_the_fleet(tmp_path: Path, further: str) -> None:
    done = turns(tmp_path, {"mon1": {}, "mon2": GONE, further: {}}, {}, prepare=[TOUCH], change=[LOOK], batch=2)
    assert done.code != 0 and "touched mon1" in done.said and f"touched {further}" not in done.said, done.said
    assert done.message("Nobody of the stack was lost in its turn") == LOST


@pytest.mark.parametrize("further", ["mon3", "node1"])
def test_one_that_is_lost_in_what_is_one_for_all_stops_the_others(tmp_path: Path, further: str) -> None:
    """Ansible counts it twice then, and takes a batch of one for a batch in which somebody is left."""
    done = turns(tmp_path, {"mon2": GONE, further: {}}, {}, prepare=[TOUCH], change=[{**LOOK, "run_once": True}])
    assert done.code != 0 and "touched mon2" in done.said and f"touched {further}" not in done.said, done.said
    assert done.message("Nobody of the stack was lost in its turn") == LOST


def test_turns_that_went_well_are_followed_by_the_fleets(tmp_path: Path) -> None:
    done = turns(tmp_path, {"mon1": {}, "mon2": {}, "node1": {}}, {}, prepare=[TOUCH], batch=2)
    assert done.code == 0 and "touched node1" in done.said


def test_a_load_balancer_that_has_not_heard_of_a_host_fails_its_turn(tmp_path: Path) -> None:
    rejoin = {its["name"]: its for its in yaml.safe_load((ROLE / "tasks" / "rejoin.yml").read_text(encoding="utf-8"))}
    said = {"ansible.builtin.ping": {}, "name": "Requests again", **{k: v for k, v in rejoin["Requests again"].items() if "." not in k}}
    steps = [{**said, "loop": ["mon1", "mon2"]}, rejoin["Every load balancer has heard of it"]]
    done = turns(tmp_path, {"mon1": {}, "mon2": GONE}, {"upgrade_roll_back": False}, rejoin=steps)
    assert done.code == 2 and "mon2 cannot be reached, and may not send it requests" in done.message("Stop here")


WELL = {"verify_report": {"failures": 0}, "verify_database": {}, "verify_galera": {}}


@pytest.mark.parametrize("where", ["one alone", "what is one for all", "the stack, seen from outside"])
def test_a_batch_in_which_something_fails_is_brought_back_whole_or_told_and_is_the_last_one(tmp_path: Path, where: str) -> None:
    """For each of its hosts an account, whichever ran the task that failed."""
    alone = {**FAIL, "when": "inventory_hostname == 'mon1'"}
    wrong: dict[str, Any] = {"failures": 1, "msg": "1 thing is not as it should be:\nmon1 is down"}
    look = {"name": "Look", "ansible.builtin.debug": {"msg": "looked"}, "run_once": True}
    all_steps: dict[str, dict[str, Any]] = {
        "one alone": {"change": [alone, TOUCH]},
        "what is one for all": {"change": [{**FAIL, "run_once": True}]},
        "the stack, seen from outside": {"prove": None, "whole": [look]},
    }
    steps = all_steps[where]
    given = {**WELL, "verify_report": wrong} if "whole" in steps else WELL
    hosts: dict[str, dict[str, Any]] = {"mon1": {}, "mon2": {}, "mon3": {}}
    done = turns(tmp_path, hosts, {"upgrade_roll_back": False, **given}, prepare=[TOUCH], batch=2, **steps)
    assert done.code == 2 and "touched mon2" in done.said and "touched mon3" not in done.said, done.said
    accounts = {host: told["msg"] for host, told in done.hosts["Stop here"].items()}
    left = "The host was left as it is, as upgrade_roll_back says."
    if where == "one alone":
        assert accounts == {"mon1": f"no good. {left}"}
        (said,) = [told["msg"] for told in done.hosts["Nobody of its batch failed"].values() if told.get("failed")]
        assert said == "mon1: failed in the same batch, and no other host is touched; mon2 itself is as the inventory says"
    elif where == "what is one for all":
        assert accounts == {"mon1": f"no good. {left}", "mon2": f"what was done for all of the batch at once failed. {left}"}
    else:
        assert accounts == dict.fromkeys(("mon1", "mon2"), f"{wrong['msg']}. {left}")


def test_who_leads_a_database_of_either_kind_is_known_in_everybodys_turn(tmp_path: Path) -> None:
    own = yaml.safe_load((ROLE / "vars" / "main.yml").read_text(encoding="utf-8"))
    given = {name: own[name] for name in ("upgrade_leads", "upgrade_writers", "upgrade_dump", "upgrade_dumps")}
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    lines = ["mon1 is stopped", "mon2 runs                          f00:7 writes", "mon3 runs                          f00:7 synced"]
    told = {"upgrade_members": {"results": [{"rc": 1}, {"unreachable": True}, {"stdout_lines": lines}]}}
    silent: dict[str, Any] = {"upgrade_members": {"results": [{"rc": 1}]}}
    ask = {
        "name": "Leader",
        "ansible.builtin.debug": {"msg": "{{ upgrade_leads }}: {{ upgrade_dump.user if upgrade_leads else 'nobody' }}"},
    }

    def leader(hosts: Mapping[str, Mapping[str, Any]], **groups: list[str]) -> Any:
        children = {name: {"hosts": dict.fromkeys(members)} for name, members in groups.items()}
        site = {"all": {"hosts": {name: {**local, **its} for name, its in hosts.items()}, "children": children}}
        play = {"hosts": "mon3", "gather_facts": False, "tasks": [ask]}
        return Play(tmp_path).site([play], inventory=site, variables=given).result("Leader")["msg"]

    assert leader({"mon1": {}, "mon2": {}, "mon3": told}, mariadb=["mon1", "mon2", "mon3"]) == "mon2: root"
    # Whoever has a turn.
    assert leader({"mon1": {}, "mon2": {}, "mon3": told}, mariadb=["mon1", "mon2"]) == "mon2: root"
    assert leader({"mon1": {}, "mon3": silent}, mariadb=["mon1", "mon3"]) == ": nobody"
    assert leader({"mon1": {}, "mon3": {"upgrade_leader": {"leader": "mon1"}}}, postgresql=["mon1", "mon3"]) == "mon1: postgres"
    assert leader({"mon3": {"upgrade_leader": {"skipped": True}}}) == ": nobody"


def evaluated(tmp_path: Path, variables: Mapping[str, Any], groups: Mapping[str, Sequence[str]], *expressions: str) -> list[Any]:
    """What expressions are on mon1, with the variables of the role beside those that are given."""
    own = yaml.safe_load((ROLE / "vars" / "main.yml").read_text(encoding="utf-8"))
    hosts = {host: {"ansible_connection": "local"} for host in ("mon1", "mon2", "mon3")}
    site = {"all": {"hosts": hosts, "children": {name: {"hosts": dict.fromkeys(its)} for name, its in groups.items()}}}
    tasks = [{"name": f"Told {n}", "ansible.builtin.debug": {"msg": its}} for n, its in enumerate(expressions)]
    done = Play(tmp_path).site([{"hosts": "mon1", "gather_facts": False, "tasks": tasks}], inventory=site, variables={**own, **variables})
    return [done.result(f"Told {n}")["msg"] for n in range(len(expressions))]


@pytest.mark.parametrize(
    ("moves", "host"),
    [
        ({"mon1": ["grafana 12 → 13"], "mon2": ["grafana 12 → 13"]}, "mon1"),
        # The first one that changes, and not the first of all.
        ({"mon1": ["thanos 1 → 2"], "mon2": ["grafana 12 → 13"]}, "mon2"),
        ({"mon1": [], "mon2": [], "mon3": ["grafana 12 → 13"]}, ""),
        ({"mon1": ["grafana_image 1 → 2"]}, ""),
    ],
)
def test_the_database_of_grafana_is_set_aside_before_its_first_change(tmp_path: Path, moves: dict[str, list[str]], host: str) -> None:
    plan = {"turns": ["mon3", "mon1", "mon2"], "moves": {"mon1": [], "mon2": [], "mon3": [], **moves}}
    prepare = {its["name"]: its for its in yaml.safe_load((ROLE / "tasks" / "prepare.yml").read_text(encoding="utf-8"))}
    task = prepare["The database of Grafana is set aside"]
    given = {"upgrade_plan": plan, "upgrade_snapshots": True, "upgrade_leads": "mon1"}
    groups = {"grafana": ["mon1", "mon2"], "postgresql": ["mon1"]}
    found, path = evaluated(tmp_path, given, groups, "{{ upgrade_dump_before }}", task["environment"]["DUMP"])
    assert (found or "") == host and re.fullmatch(r"/var/lib/postgresql/grafana-\d{8}T\d{6}Z\.dump", path)
    assert "inventory_hostname == upgrade_dump_before" in task["when"][0]


def test_a_dump_that_fails_keeps_all_of_a_batch_from_the_new_version(tmp_path: Path) -> None:
    prepare = {its["name"]: its for its in yaml.safe_load((ROLE / "tasks" / "prepare.yml").read_text(encoding="utf-8"))}
    dump = {**prepare["The database of Grafana is set aside"], "become": False}
    hosts: dict[str, dict[str, Any]] = {"mon1": {}, "mon2": {}}
    given: dict[str, Any] = {
        "upgrade_plan": {"turns": list(hosts), "fleet": [], "moves": {its: ["grafana 12 → 13"] for its in hosts}},
        "upgrade_dump": {
            "command": "false",
            "directory": str(tmp_path),
            "ending": "dump",
            "user": "root",
            "databases": "postgresql_databases",
        },
        "upgrade_dump_before": "mon1",
        "upgrade_database": "grafana",
        "upgrade_leads": "mon2",
        "upgrade_snapshots": True,
        "upgrade_roll_back": False,
        "postgresql_databases": {"grafana": {}},
    }
    steps = [dump, prepare["The database of Grafana was set aside"]]
    done = turns(tmp_path, hosts, given, prepare=steps, change=[TOUCH], batch=2)
    assert done.code == 2 and "touched" not in done.said, done.said
    assert set(done.hosts["Stop here"]) == {"mon1", "mon2"} and "non-zero return code" in done.hosts["Stop here"]["mon1"]["msg"]
    assert done.hosts["Stop here"]["mon2"]["msg"].startswith("mon1 could not set the database of Grafana aside. ")
    # What was not there before the failure is not taken for a dump.
    assert not list(tmp_path.glob("*.dump"))
    given["upgrade_dump"]["command"] = "echo"
    assert turns(tmp_path, hosts, given, prepare=steps, change=[TOUCH], batch=2).code == 0
    assert [its.read_text(encoding="utf-8") for its in tmp_path.glob("*.dump")] == ["grafana\n"]


def test_the_exporter_of_a_host_that_is_only_monitored_is_looked_at_in_its_turn(tmp_path: Path) -> None:
    prove = {its["name"]: its for its in yaml.safe_load((ROLE / "tasks" / "prove.yml").read_text(encoding="utf-8"))}
    task = prove["It does itself"]
    assert task["monitoring.ha.gate"]["component"] == "node_exporter"
    asked = f"{{{{ ({task['loop'][3:-3]}) | map(attribute='address') | list }}}}"
    for fleet, addresses in ((["mon1"], ["192.0.2.7"]), (["mon2"], [])):
        given = {"ha_address": "192.0.2.7", "upgrade_plan": {"fleet": fleet}}
        assert evaluated(tmp_path, given, {"monitored": ["mon1", "mon2"]}, asked) == [addresses]


@pytest.mark.parametrize(
    ("groups", "further"),
    [
        ([], []),
        (["mariadb"], ["/etc/monitoring-ha/galera"]),
        (["mariadb", "backup"], ["/etc/monitoring-ha/galera", "/opt/monitoring-ha/backup"]),
    ],
)
def test_a_turn_remembers_the_identity_and_programs_of_ours(tmp_path: Path, groups: list[str], further: list[str]) -> None:
    prepare = {its["name"]: its for its in yaml.safe_load((ROLE / "tasks" / "prepare.yml").read_text(encoding="utf-8"))}
    trees = prepare["What it runs now"]["monitoring.ha.restore_point"]["trees"]
    assert evaluated(tmp_path, {}, {name: ["mon1"] for name in groups}, trees) == [[str(Path(identity.CA).parent), *further]]


def test_whatever_tree_a_role_writes_is_one_that_a_turn_remembers() -> None:
    remembered = {tree for its in COMPONENTS.values() for tree in (its.config, its.program)} | {"/etc/monitoring-ha/pki"}
    tasks = [(path, its) for path in ROOT.glob("roles/*/tasks/*.yml") for its in yaml.safe_load(path.read_text(encoding="utf-8")) or []]
    written = {its["monitoring.ha.config_tree"]["dest"]: path for path, its in tasks if "monitoring.ha.config_tree" in its}
    # What keeps Debian from making a cluster of its own is the same for every version.
    others = {"{{ thanos_about.config }}", "/etc/postgresql-common/createcluster.d"}
    assert len(written) > 15 and written.keys() - remembered == others, written


def test_silences_are_made_by_a_host_that_has_an_identity_with_or_without_a_load_balancer(tmp_path: Path) -> None:
    """The first turn of a host that is only monitored is what gives it one."""
    asked = ("{{ upgrade_silencer }}", "{{ upgrade_way_in | map(attribute='address') | first }}")
    given = {"ha_address": "192.0.2.7"}
    assert evaluated(tmp_path, given, {"alertmanager": ["mon2", "mon3"], "monitored": ["mon1"]}, *asked) == ["mon2", "192.0.2.7"]
    given = {"ha_address": "192.0.2.7", "ha_virtual_address": "192.0.2.100"}
    groups = {"alertmanager": ["mon2"], "load_balancer": ["mon2", "mon3"]}
    assert evaluated(tmp_path, given, groups, *asked) == ["mon2", "192.0.2.100"]
    for file in ("prepare", "finish"):
        tasks = yaml.safe_load((ROLE / "tasks" / f"{file}.yml").read_text(encoding="utf-8"))
        (silence,) = [task for task in tasks if "monitoring.ha.silence" in task]
        assert silence["delegate_to"] == "{{ upgrade_silencer }}" and silence["retries"]


def test_hosts_that_run_nothing_of_the_stack_have_no_turn(tmp_path: Path) -> None:
    plays = {its["name"]: its for its in yaml.safe_load(PLAYBOOK.read_text(encoding="utf-8")) if "hosts" in its}
    local = {"ansible_connection": "local"}
    children = {"prometheus": {"hosts": {"mon2": local, "mon1": local}}, "monitored": {"hosts": {"web1": local}}}
    site = {"all": {"hosts": {"erp": local, "web1": local}, "children": children}}
    ask = {"name": "Who", "ansible.builtin.debug": {"msg": "{{ ansible_play_hosts_all }}"}, "run_once": True}
    for name in ("Turns that were interrupted", "Plan", "The end", "Who was away"):
        done = Play(tmp_path).site([{"hosts": plays[name]["hosts"], "gather_facts": False, "tasks": [ask]}], inventory=site)
        assert sorted(done.result("Who")["msg"]) == ["mon1", "mon2", "web1"], name


def test_what_fails_on_the_way_back_does_not_hide_what_came_of_it(tmp_path: Path) -> None:
    astray = {"name": "Rejoin", "ansible.builtin.fail": {"msg": "no socket"}}
    done = turns(tmp_path, {"mon1": {}}, {"upgrade_roll_back": False}, change=[FAIL], rejoin=[astray])
    said = "no good. The host was left as it is, as upgrade_roll_back says, and is not back in rotation: no socket."
    assert done.message("Stop here") == said


def test_the_account_of_a_turn_says_what_came_of_it(tmp_path: Path) -> None:
    tasks = yaml.safe_load((ROLE / "tasks" / "roll_back.yml").read_text(encoding="utf-8"))
    back, whole = {"changes": ["a.service"]}, {"failures": 0, "msg": "all is well"}
    own = yaml.safe_load((ROLE / "vars" / "main.yml").read_text(encoding="utf-8"))
    well: dict[str, Any] = {
        "upgrade_saved": {},
        "upgrade_restored": back,
        "verify_report": whole,
        "verify_database": {},
        "verify_galera": {},
        "upgrade_wrong": own["upgrade_wrong"],
        "upgrade_aside": [],
    }
    cases: dict[str, dict[str, Any]] = {
        "Brought back to what ran before (a.service); the stack is whole.": {},
        "Brought back to what ran before (nothing had been changed); the stack is whole.": {"upgrade_restored": {"changes": []}},
        "Brought back to what ran before (a.service), and yet not whole: one | two | gone": {
            "verify_report": {"failures": 1, "msg": "one\ntwo"},
            "verify_galera": {"unreachable": True, "msg": "gone"},
        },
        "Brought back to what ran before (a.service), and yet not whole: gone": {"verify_database": {"unreachable": True, "msg": "gone"}},
        "Brought back to what ran before (a.service), and yet not back among the others: HAProxy": {"upgrade_astray": "HAProxy"},
        "It could not be brought back: apt; nor into rotation: HAProxy": {"upgrade_restored": {"msg": "apt"}, "upgrade_astray": "HAProxy"},
        "Nothing had been changed.": {"upgrade_saved": {"failed": True}, "upgrade_restored": {"changed": False}},
        "the stack is whole; data of before are in /a, /b/before-upgrade.": {
            "upgrade_aside": [{"data": "/a"}, {"data": "/b"}],
            "upgrade_put_aside": {"changed": True},
        },
        # It had not come to that, or did not work.
        "(b.service); the stack is whole.": {"upgrade_restored": {"changes": ["b.service"]}, "upgrade_aside": [{"data": "/a"}]},
        "(c.service); the stack is whole.": {
            "upgrade_restored": {"changes": ["c.service"]},
            "upgrade_aside": [{"data": "/a"}],
            "upgrade_put_aside": {"failed": True, "changed": True},
        },
    }
    account = tasks[-1]
    told = [
        task
        for n, case in enumerate(cases.values())
        for task in (
            {**account, "name": f"Account {n}", "vars": {"upgrade_roll_back": True, **well, **case}},
            {"name": f"Told {n}", "ansible.builtin.debug": {"var": "upgrade_outcome"}},
        )
    ]
    done = Play(tmp_path).run(told)
    for n, words in enumerate(cases):
        assert words in done.result(f"Told {n}")["upgrade_outcome"]


def test_what_comes_from_a_repository_of_packages_has_the_version_that_the_inventory_names() -> None:
    plan = planned(variables={"prometheus_source": "apt", "prometheus_version": "99.1"})
    assert not plan.problems
    assert "prometheus 3.15.1 → 99.1" in plan.moves["mon1"] and "prometheus 3.16.0 → 99.1" in plan.moves["mon2"]
    plan = planned(variables={"prometheus_source": "apt", "prometheus_version": "3.14.9"})
    assert len(plan.problems) == 2 and "mon1: prometheus 3.15.1 → 3.14.9 is a step back" in plan.problems[0]


def test_a_plan_leaves_alone_who_needs_no_turn() -> None:
    plan = planned(due=lambda host, moves: any(line.startswith("prometheus ") for line in moves))
    assert (plan.turns, plan.batches, plan.fleet, plan.right) == (["mon1"], [1], [], ["mon2", "web1"])


AGES = {"mon1": {"reboot": 7200.0}, "mon2": {"packages": 60.0}, "web1": {"reboot": 0.0, "packages": 1e6}}


@pytest.mark.parametrize(
    ("reason", "longest", "hosts"),
    [
        ("reboot", "1d", ["mon1", "web1"]),
        ("reboot", "1h", ["web1"]),
        ("packages", "3d", ["mon2"]),
        ("certificates", "3d", []),
        ("reboot", "", []),
    ],
)
def test_who_has_had_a_turn_in_a_roll_out_that_has_not_ended(reason: str, longest: str, hosts: list[str]) -> None:
    assert upgrades.had(AGES, reason, longest) == hosts


def test_an_interrupted_roll_out_goes_on_where_it_stopped(tmp_path: Path) -> None:
    def turns_of(name: str, **given: object) -> dict[str, Any]:
        told = {"releases": {host: {"node_exporter": "{{ newest }}"} for host in ("mon1", "mon2", "web1")}, "turns": AGES, **given}
        return {"name": name, "monitoring.ha.upgrade_plan": told, "run_once": True}

    tasks = [
        turns_of("Reboots", reason="reboot", resume="3d"),
        turns_of("Anew", reason="reboot", resume=""),
        turns_of("Unfinished", reason="reboot", resume="3d", unfinished=["mon1"]),
        {**turns_of("Unknown", reason="rebot"), "ignore_errors": True},
        turns_of("Astray", reason="reboot", resume="soon"),
    ]
    site = {"all": {"children": {"monitored": {"hosts": {host: {"ansible_connection": "local"} for host in ("mon1", "mon2", "web1")}}}}}
    newest = lock.read(None)["node_exporter"]["version"]
    done = Play(tmp_path).site([{"hosts": "all", "gather_facts": False, "tasks": tasks}], inventory=site, variables={"newest": newest})
    assert done.result("Reboots")["fleet"] == ["mon2"] and done.result("Reboots")["right"] == ["mon1", "web1"]
    assert done.result("Anew")["fleet"] == ["mon1", "mon2", "web1"] and done.result("Unfinished")["fleet"] == ["mon1", "mon2"]
    assert done.message("Unknown").startswith("reason is 'rebot': choose one of version, ")
    assert done.message("Astray").startswith("upgrade_resume: 'soon' is not a duration")


def test_a_host_remembers_its_turn_until_the_roll_out_has_ended(tmp_path: Path) -> None:
    path = str(tmp_path / "turns.json")
    assert restore_point.turns(100.0, path) == {} and not restore_point.forget_turn("reboot", path)
    restore_point.note_turn("reboot", 100.0, path)
    restore_point.note_turn("packages", 160.0, path)
    assert restore_point.turns(200.0, path) == {"reboot": 100.0, "packages": 40.0}
    assert restore_point.forget_turn("reboot", path, check=True) and "reboot" in restore_point.turns(200.0, path)
    assert restore_point.forget_turn("reboot", path) and restore_point.turns(200.0, path) == {"packages": 40.0}
    assert restore_point.forget_turn("packages", path) and not Path(path).exists()
    Path(path).write_text("[1", encoding="utf-8")
    assert restore_point.turns(200.0, path) == {}


@pytest.mark.parametrize(
    ("file", "given", "runs"),
    [
        ("end", {"upgrade_reason": "reboot", "upgrade_missing": []}, True),
        ("end", {"upgrade_reason": "reboot", "upgrade_missing": ["web1"]}, False),
        ("end", {"upgrade_reason": "version", "upgrade_missing": []}, False),
        ("look", {"upgrade_reason": "reboot", "upgrade_resume": ""}, True),
        ("look", {"upgrade_reason": "reboot", "upgrade_resume": "3d"}, False),
        ("look", {"upgrade_reason": "packages", "upgrade_resume": ""}, False),
        ("look", {"upgrade_reason": "reboot", "upgrade_resume": "", "upgrade_looked": {"unreachable": True}}, False),
    ],
)
def test_a_roll_out_ends_when_nobody_is_missing_or_another_one_begins(tmp_path: Path, file: str, given: dict[str, Any], runs: bool) -> None:
    tasks = yaml.safe_load((ROLE / "tasks" / f"{file}.yml").read_text(encoding="utf-8"))
    (task,) = [its for its in tasks if its.get("monitoring.ha.restore_point", {}).get("state") == "ended"]
    told = {"name": "End", "ansible.builtin.debug": {"msg": task["monitoring.ha.restore_point"]["reason"]}, "when": task["when"]}
    done = Play(tmp_path).run([told], variables={"upgrade_looked": {"turns": {"reboot": 60.0}}, **given})
    assert ("skipped" not in done.results["End"]) is runs


def test_a_plan_tells_every_problem_and_a_version_that_nobody_knows() -> None:
    older = {**LOCKED, "prometheus": "3.14.0"}
    problems = planned(older).problems
    assert [problem.partition(":")[0] for problem in problems] == ["mon1", "mon2"]
    assert all("is a step back: set upgrade_downgrade" in problem for problem in problems)
    assert planned(older, downgrade=True).problems == []
    with pytest.raises(lock.LockError, match=r"1\.0\.0"):
        planned(variables={"prometheus_version": "1.0.0"})


# --- reboots -------------------------------------------------------------------------------------------------------

#: Systemd was started when the file says; nobody says it while that is empty.
SYSTEMD = """#!/bin/sh
[ "$1" = is-system-running ] && exec echo running
[ -s "$STARTED" ] && cat "$STARTED"
"""


def rebooted(tmp_path: Path, command: str, timeout: int) -> Played:
    """The step of a turn that starts a host anew by a command on the controller."""
    started, program = tmp_path / "started", tmp_path / "bin" / "systemctl"
    program.parent.mkdir(exist_ok=True)
    program.write_text(SYSTEMD, encoding="utf-8")
    program.chmod(0o755)
    started.write_text("100\n", encoding="utf-8")
    given = {"upgrade_reboot": command.format(started), "upgrade_reboot_timeout": str(timeout)}
    tasks = [
        {"name": "A fresh start", "ansible.builtin.include_tasks": str(ROLE / "tasks" / "reboot.yml")},
        {"name": "Boots", "ansible.builtin.debug": {"msg": "{{ upgrade_boot.boot }} {{ lookup('ansible.builtin.file', started) }}"}},
    ]
    env = {"PATH": f"{program.parent}:{os.environ['PATH']}", "STARTED": str(started)}
    play = {"hosts": "localhost", "gather_facts": False, "tasks": tasks}
    return Play(tmp_path).site([play], variables={**given, "started": str(started)}, env=env)


def test_a_reboot_from_outside_is_waited_for(tmp_path: Path) -> None:
    """The call comes back at once; the host goes on for a while, is away, and comes back."""
    done = rebooted(tmp_path, "sh -c '(sleep 2; : > {0}; sleep 3; echo 200 > {0}) >/dev/null 2>&1 &'", 60)
    assert done.code == 0 and done.result("Boots")["msg"].endswith(" 100 200"), done.said
    assert done.result("It has booted")["stdout"] == "running"


def test_a_host_that_is_not_started_anew_has_not_been_rebooted(tmp_path: Path) -> None:
    done = rebooted(tmp_path, "true", 1)
    assert done.message("It is back") == "localhost has not been started anew in 1 s: it still runs as it did before"
    done = rebooted(tmp_path, "sh -c ': > {}'", 1)
    assert done.message("It is back").startswith("localhost has not been started anew in 1 s: it cannot be asked")
    ask = {"name": "Ask", "monitoring.ha.boot": {"after": "100", "timeout": 1}}
    done = Play(tmp_path).site([{"hosts": "all", "gather_facts": False, "tasks": [ask]}], inventory={"all": {"hosts": {"mon1": GONE}}})
    assert done.message("Ask").startswith("mon1 has not been started anew in 1 s: it cannot be asked")


# --- rotation ------------------------------------------------------------------------------------------------------

HEADER = "# pxname,svname,scur,status,type\n"


class HAProxy:
    """Its runtime API, with two back ends. busy: looks for which a session goes on after draining."""

    def __init__(self, busy: int = 0, **statuses: str) -> None:
        self.status = {("query", "mon1"): "UP", ("query", "mon2"): "UP", ("s3", "mon1"): "UP", ("s3", "mon2"): "UP"}
        self.status |= {(name.split("_")[0], name.split("_")[1]): status for name, status in statuses.items()}
        self.busy, self.log = busy, list[str]()
        self.drained = {place for place, status in self.status.items() if status == "DRAIN"}

    def __call__(self, path: str, command: str) -> str:
        del path
        if command == "show stat":
            rows = [f"{b},{s},{int(self.busy > 0 and s == 'mon1')},{status},2" for (b, s), status in self.status.items()]
            self.busy -= bool(self.log)
            return HEADER + "query,FRONTEND,9,OPEN,0\n" + "\n".join(rows) + "\nquery,BACKEND,9,UP,1\n"
        if command == "show servers state":
            rows = [f"4 {b} 1 {s} 192.0.2.1 2 {8 if (b, s) in self.drained else 32} 1" for b, s in self.status]
            return "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight\n" + "\n".join(rows) + "\n\n"
        self.log.append(command)
        _set, _server, name, _state, state = command.split()
        backend, server = name.split("/")
        self.status[backend, server] = "DRAIN" if state == "drain" else "UP"
        (self.drained.add if state == "drain" else self.drained.discard)((backend, server))
        return "\n"


def rotate(haproxy: HAProxy, **given: Any) -> tuple[list[str], int]:
    clock = iter(range(1000))
    return rotation.rotate("", "mon1", timeout=10, say=haproxy, sleep=lambda _: None, clock=lambda: next(clock), **given)


def test_a_host_leaves_every_back_end_and_comes_back() -> None:
    haproxy = HAProxy(busy=3)
    assert rotate(haproxy, ready=False) == (["query", "s3"], 0)
    assert haproxy.log == ["set server query/mon1 state drain", "set server s3/mon1 state drain"]
    assert haproxy.busy <= 0, "it did not wait for the session's end"
    assert rotate(haproxy, ready=False) == ([], 0)
    assert rotate(haproxy, ready=True) == (["query", "s3"], 0)
    assert set(haproxy.status.values()) == {"UP"}
    assert rotate(haproxy, ready=True) == ([], 0)


def test_a_host_comes_back_to_where_it_is_down_still() -> None:
    """Otherwise it would be up in a moment, and yet get nothing."""
    haproxy = HAProxy()
    rotate(haproxy, ready=False)
    haproxy.status["query", "mon1"] = "DOWN"
    assert rotate(haproxy, ready=True) == (["query", "s3"], 0)
    assert haproxy.drained == set()


def test_sessions_that_do_not_end_are_told_and_not_waited_for_for_ever() -> None:
    assert rotate(HAProxy(busy=10**6), ready=False)[1] == 2


def test_the_only_one_that_serves_stays() -> None:
    assert rotate(HAProxy(query_mon2="DOWN"), ready=False)[0] == ["s3"]
    assert rotate(HAProxy(query_mon2="DRAIN"), ready=False)[0] == ["s3"]


def test_check_mode_says_what_it_would_do() -> None:
    haproxy = HAProxy()
    assert rotate(haproxy, ready=False, check=True) == (["query", "s3"], 0)
    assert haproxy.log == []


def test_what_haproxy_refuses_is_told() -> None:
    haproxy = HAProxy()
    refusing = lambda path, command: haproxy(path, command) if command.startswith("show") else "No such server.\n"  # noqa: E731
    with pytest.raises(rotation.RotationError, match=r"query/mon1: No such server\."):
        rotation.rotate("", "mon1", ready=False, timeout=1, say=refusing)
    with pytest.raises(rotation.RotationError, match="nowhere"):
        rotation.rotate("/nowhere/admin.sock", "mon1", ready=False, timeout=1)


# --- silences ------------------------------------------------------------------------------------------------------

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Alertmanager(Client):
    """Silences in memory, as Alertmanager gives them out."""

    def __init__(self) -> None:
        super().__init__("192.0.2.1", 9093)
        object.__setattr__(self, "kept", [])

    def request(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
        kept: list[dict[str, Any]] = vars(self)["kept"]
        if method == "GET":
            return 200, json.dumps(kept).encode()
        if method == "DELETE":
            found = next(silence for silence in kept if silence["id"] == path.rpartition("/")[2])
            found["status"]["state"] = "expired"
            return 200, b""
        silence = json.loads(body or b"")
        if not silence["matchers"]:
            return 400, b'"at least one matcher"'
        silence |= {"id": str(len(kept) + 1), "status": {"state": "active"}, "endsAt": silence["endsAt"].replace("+00:00", "Z")}
        kept.append(silence)
        return 200, json.dumps({"silenceID": silence["id"]}).encode()


def test_a_silence_is_made_once_and_ended() -> None:
    alertmanager, labels = Alertmanager(), {"host": "mon2"}
    assert silences.present(alertmanager, labels, "why", 600, NOW, check=True) == (True, "")
    assert silences.present(alertmanager, labels, "why", 600, NOW, check=False) == (True, "1")
    assert silences.present(alertmanager, labels, "why", 600, NOW + timedelta(seconds=200), check=False) == (False, "1")
    assert silences.present(alertmanager, labels, "why", 600, NOW + timedelta(seconds=400), check=False) == (True, "2")
    assert silences.absent(alertmanager, {"host": "mon1"}, check=False) == []
    assert silences.absent(alertmanager, labels, check=True) == ["1", "2"]
    assert silences.absent(alertmanager, labels, check=False) == ["1", "2"]
    assert silences.absent(alertmanager, labels, check=False) == []


def test_silences_of_people_stay() -> None:
    alertmanager = Alertmanager()
    silences.present(alertmanager, {"host": "mon2"}, "why", 600, NOW, check=False)
    vars(alertmanager)["kept"][0]["createdBy"] = "somebody"
    assert silences.absent(alertmanager, {"host": "mon2"}, check=False) == []


def test_what_alertmanager_refuses_is_told() -> None:
    with pytest.raises(Unanswered, match="at least one matcher"):
        silences.present(Alertmanager(), {}, "why", 600, NOW, check=False)


# --- the way back --------------------------------------------------------------------------------------------------


class Host:
    """A host with one unit and its configuration, whose ``systemctl`` is a list of what it was told."""

    def __init__(self, home: Path) -> None:
        self.etc, self.log, self.active = home / "etc" / "tiny", list[str](), {"tiny.service"}
        self.etc.parent.mkdir()
        self.install("1", "old")

    def install(self, version: str, text: str) -> None:
        """A version and a configuration, as the roles leave them."""
        unit = f"[Service]\nExecStart=/opt/monitoring-ha/tiny/{version}.0.0-01234567/tiny\n"
        units.write(f"{units.UNITS}/tiny.service", unit)
        tree.apply(str(self.etc), [tree.File("tiny.yml", text.encode(), 0o644, *owner())])
        units.record("tiny.service", {"restart": version, "reload": text})

    def systemctl(self, *words: str, timeout: float = 0) -> str:
        del timeout
        if words[0] == "show":
            return "/usr/lib/systemd/system/tiny.service\n" if "FragmentPath" in words else ""
        self.log.append(" ".join(words))
        if words[0] in ("restart", "stop"):
            self.active = (self.active - {words[1]}) | ({words[1]} if words[0] == "restart" else set())
        return ""

    def show(self, unit: str) -> dict[str, str]:
        known = {"LoadState": "loaded", "UnitFileState": "enabled", "NeedDaemonReload": "no", "CanReload": "yes"}
        return {**known, "ActiveState": "active" if unit in self.active else "failed"}

    @property
    def text(self) -> str:
        return (self.etc / "tiny.yml").read_text(encoding="utf-8")

    def look(self) -> restore_point.Point:
        return restore_point.look({"tiny.service": str(self.etc)})


def owner() -> tuple[str, str]:
    return pwd.getpwuid(os.geteuid()).pw_name, grp.getgrgid(os.getegid()).gr_name


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    monkeypatch.setattr(units, "UNITS", str(tmp_path / "units"))
    monkeypatch.setattr(units, "RECORDS", str(tmp_path / "records"))
    found = Host(tmp_path)
    monkeypatch.setattr(units, "systemctl", found.systemctl)
    monkeypatch.setattr(units, "show", found.show)
    return found


def test_a_host_goes_back_to_what_it_ran(host: Host) -> None:
    point = host.look()
    assert restore_point.releases(point.units[0].files) == {"tiny": "1.0.0"}
    host.install("2", "new")
    host.active.clear()
    assert restore_point.restore(point, check=True) == ["tiny.service: tiny 2.0.0 → 1.0.0, its configuration, it is started"]
    assert host.text == "new"
    restore_point.restore(point, check=False)
    assert host.text == "old" and "tiny/1.0.0" in (units.read(f"{units.UNITS}/tiny.service") or "")
    assert units.recorded("tiny.service") == {"restart": "1", "reload": "old"}
    assert host.log == ["daemon-reload", "reset-failed tiny.service", "restart tiny.service"]
    assert restore_point.restore(point, check=True) == []


def test_the_identity_of_before_comes_back_before_anybody_is_started(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A certificate with which one unit behaved and another one did not; a third reads it when it needs it."""
    pki, path = tmp_path / "etc" / "pki", tmp_path / "point.json"
    seen: list[str] = []

    def renew(text: str) -> None:
        tree.apply(str(pki), [tree.File("host.pem", text.encode(), 0o644, *owner())])

    def systemctl(*words: str, timeout: float = 0) -> str:
        seen.extend((pki / "host.pem").read_text(encoding="utf-8") for word in words[:1] if word == "restart")
        return host.systemctl(*words, timeout=timeout)

    renew("old")
    restore_point.save(restore_point.look({"tiny.service": "", "reader.service": ""}, trees=[str(pki), str(tmp_path / "none")]), str(path))
    named = keep.named
    monkeypatch.setattr(tree, "named", lambda where: named(where, str(path)))
    for text in ("new", "newer", "newest"):
        renew(text)
    units.ensure(units.Wanted("tiny.service", reload_files=(str(pki / "host.pem"),)), check=False)
    monkeypatch.setattr(units, "systemctl", systemctl)
    point = restore_point.load(str(path))
    assert point is not None
    told = [f"{pki}: its files", "tiny.service: what it was started with"]
    assert restore_point.restore(point, check=True) == told and (pki / "host.pem").read_text(encoding="utf-8") == "newest"
    assert restore_point.restore(point, check=False) == told and seen == ["old"]
    assert restore_point.restore(point, check=True) == []


def test_a_point_without_further_trees_is_read(tmp_path: Path) -> None:
    path = tmp_path / "point.json"
    path.write_text('{"at": 1.0, "packages": {}, "units": []}', encoding="utf-8")
    assert restore_point.load(str(path)) == restore_point.Point(1.0, [])


def test_the_way_back_leads_past_a_change_that_was_interrupted(tmp_path: Path) -> None:
    path = str(tmp_path / "point.json")
    first, second, third = (restore_point.Point(at, []) for at in (1.0, 2.0, 3.0))
    assert restore_point.begin(first, path) and not restore_point.begin(second, path) and restore_point.load(path) == first
    restore_point.save(replace(first, restored=True), path)
    assert restore_point.begin(third, path) and restore_point.load(path) == third
    # What has run for days since is no interrupted change any more.
    later = restore_point.Point(3.0 + restore_point.PROVEN, [])
    assert restore_point.begin(later, path) and restore_point.load(path) == later


def test_what_was_not_changed_is_not_restarted(host: Host) -> None:
    restore_point.restore(host.look(), check=False)
    assert host.log == ["daemon-reload"]


class Apt:
    """``apt-get`` and ``dpkg-query``. offers: what can be fetched."""

    def __init__(self, installed: str, *offers: str) -> None:
        self.installed, self.offers, self.log = installed, offers, list[list[str]]()

    def __call__(self, command: list[str], **given: Any) -> subprocess.CompletedProcess[str]:
        self.log.append(command)
        if "--search" in command:
            return subprocess.CompletedProcess(command, 0, f"tiny: {command[2]}\n", "")
        if command[0] == "dpkg-query":
            return subprocess.CompletedProcess(command, 0, f"tiny {self.installed} installed\n", "")
        if command[1] == "download" and command[-1] in self.offers:
            (Path(given["cwd"]) / f"{command[-1].replace('=', '_').replace(':', '%3a')}_amd64.deb").touch()
        well = command[-1] in self.offers or Path(command[-1]).is_file()
        if command[1] == "install" and well:
            self.installed = "1:1.0-1"
        return subprocess.CompletedProcess(command, 0 if well else 100, "", "" if well else "E: Version '1:1.0-1' for 'tiny' was not found")


def test_what_a_package_started_is_started_again_with_the_one_of_before(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """The new program runs, and did not behave; so nothing on the host but the package tells."""
    apt = Apt("1:1.0-1", "tiny=1:1.0-1")
    monkeypatch.setattr(subprocess, "run", apt)
    point = restore_point.look({"tiny.service": ""}, ["tiny"])
    apt.installed = "1:2.0-1"
    assert restore_point.restore(point, check=False) == ["tiny=1:1.0-1"]
    assert apt.installed == "1:1.0-1" and host.log == ["daemon-reload", "reset-failed tiny.service", "restart tiny.service"]
    assert restore_point.restore(point, check=False) == [] and host.log[3:] == ["daemon-reload"]


@pytest.mark.parametrize("change", ["restart", "reload"])
def test_what_was_tried_and_did_not_behave_is_taken_back(host: Host, change: str) -> None:
    """Of a unit whose files stay the same: a program, or a certificate."""
    before = units.ensure(units.Wanted("tiny.service"), check=False)
    units.record("tiny.service", before.identity)
    point = host.look()
    another: dict[str, Any] = {change: "new"}
    assert units.ensure(units.Wanted("tiny.service", **another), check=False).action == change
    host.log.clear()
    assert restore_point.restore(point, check=False) == ["tiny.service: what it was started with"]
    assert host.log[-1] == "restart tiny.service" and units.recorded("tiny.service") == before.identity


def test_what_can_be_put_back_is_when_a_package_cannot(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", Apt("1:1.0-1"))
    point = restore_point.look({"tiny.service": str(host.etc)}, ["tiny"])
    host.install("2", "new")
    monkeypatch.setattr(subprocess, "run", Apt("1:2.0-1"))
    with pytest.raises(restore_point.RestoreError, match=r"tiny=1:1\.0-1: E: Version '1:1\.0-1' for 'tiny' was not found"):
        restore_point.restore(point, check=False)
    assert host.text == "old" and host.log[-1] == "restart tiny.service"

    def late(command: list[str], **_given: Any) -> subprocess.CompletedProcess[str]:
        if command[0] == "apt-get":
            raise subprocess.TimeoutExpired(command, 600)
        return subprocess.CompletedProcess(command, 0, "tiny 1:2.0-1 installed\n", "")

    host.install("2", "new")
    monkeypatch.setattr(subprocess, "run", late)
    with pytest.raises(restore_point.RestoreError, match="timed out after 600 seconds"):
        restore_point.restore(point, check=False)
    assert host.text == "old"


def test_packages_of_before_are_kept_and_come_back_without_an_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, cache = tmp_path / "kept", tmp_path / "archives"
    cache.mkdir()
    wanted = {"tiny": "1:1.0-1", "absent": ""}
    monkeypatch.setattr(subprocess, "run", Apt("1:1.0-1"))
    assert restore_point.keep_packages(wanted, str(kept), str(cache)) == ["tiny 1:1.0-1"]
    monkeypatch.setattr(subprocess, "run", Apt("1:1.0-1", "tiny=1:1.0-1"))
    assert restore_point.keep_packages(wanted, str(kept), str(cache)) == []
    shutil.move(kept / "tiny_1%3a1.0-1_amd64.deb", cache)
    offline = Apt("1:2.0-1")
    monkeypatch.setattr(subprocess, "run", offline)
    assert restore_point.keep_packages(wanted, str(kept), str(cache)) == [] and offline.log == []
    point = restore_point.Point(0.0, [], wanted)
    assert restore_point.packages_back(point, str(kept)) == (["tiny=1:1.0-1"], [])
    assert offline.log[-1][-1] == str(kept / "tiny_1%3a1.0-1_amd64.deb") and offline.installed == "1:1.0-1"
    restore_point.forget(str(tmp_path / "point.json"), str(kept))
    assert not kept.exists()


def test_packages_are_those_of_programs_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A role's own unit starts a program of a package."""
    shown = {
        ("FragmentPath", "way.service"): "/etc/systemd/system/way.service\n",
        ("ExecStart", "way.service"): "{ path=/usr/sbin/haproxy ; argv[]=/usr/sbin/haproxy -Ws ; ignore_errors=no }\n",
        ("FragmentPath", "own.service"): "/etc/systemd/system/own.service\n",
        ("ExecStart", "own.service"): "{ path=/opt/monitoring-ha/own/1/own ; argv[]=own ; }\n",
        ("FragmentPath", "packed.service"): "/usr/lib/systemd/system/packed.service\n",
        ("ExecStart", "packed.service"): "",
    }
    asked: list[list[str]] = []

    def run(command: list[str], **_given: Any) -> subprocess.CompletedProcess[str]:
        asked.append(command)
        return subprocess.CompletedProcess(command, 0, "haproxy: /usr/sbin/haproxy\npacked: /lib/systemd/system/packed.service\n", "")

    monkeypatch.setattr(units, "systemctl", lambda *words, **_given: shown[(words[2], words[-1])])
    monkeypatch.setattr(subprocess, "run", run)
    assert restore_point.owners(["way.service", "own.service", "packed.service"]) == ["haproxy", "packed"]
    files = ["/usr/lib/systemd/system/packed.service", "/usr/sbin/haproxy", "/lib/systemd/system/packed.service", "/sbin/haproxy"]
    assert asked[0][2:] == files


def test_packages_of_one_source_go_together(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = ("maria-server maria installed", "maria-core maria installed", "maria-docs maria config-files", "proxy proxy installed")
    installed = "\n".join(lines)
    monkeypatch.setattr(subprocess, "run", lambda command, **_given: subprocess.CompletedProcess(command, 0, installed, ""))
    assert restore_point.of_one_source(["maria-server", "proxy", "absent"]) == ["maria-server", "proxy", "absent", "maria-core"]
    assert restore_point.of_one_source([]) == []


def test_a_package_that_cannot_go_back_keeps_no_other_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: list[str], **_given: Any) -> subprocess.CompletedProcess[str]:
        if command[0] == "dpkg-query":
            return subprocess.CompletedProcess(command, 0, "bad 2 installed\ngood 2 installed\n", "")
        return subprocess.CompletedProcess(command, 100 if "bad=1" in command else 0, "", "E: bad was not found")

    monkeypatch.setattr(subprocess, "run", run)
    point = restore_point.Point(0.0, [], {"bad": "1", "good": "1"})
    assert restore_point.packages_back(point, str(tmp_path)) == (["good=1"], ["bad=1: E: bad was not found"])


def test_a_unit_that_was_not_there_is_stopped_and_goes(host: Host) -> None:
    point = restore_point.look({"later.service": ""})
    assert point.units[0].active is False
    units.write(f"{units.UNITS}/later.service", "[Service]\n")
    host.active.add("later.service")
    restore_point.restore(point, check=False)
    assert host.log[-1] == "stop later.service" and units.read(f"{units.UNITS}/later.service") is None


def test_a_point_outlives_a_run_and_is_forgotten(host: Host, tmp_path: Path) -> None:
    path = str(tmp_path / "point.json")
    kept = str(tmp_path / "packages")
    assert restore_point.load(path) is None and not restore_point.forget(path, kept)
    restore_point.save(host.look(), path)
    found = restore_point.load(path)
    assert found is not None and found.units == host.look().units
    assert restore_point.forget(path, kept) and restore_point.load(path) is None


def test_the_configuration_of_before_is_not_cleared_away(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "point.json"
    restore_point.save(host.look(), str(path))
    named = keep.named
    monkeypatch.setattr(tree, "named", lambda where: named(where, str(path)))
    for text in ("new", "newer", "newest"):
        host.install("2", text)
    point = restore_point.load(str(path))
    assert point is not None
    restore_point.restore(point, check=False)
    assert host.text == "old"


def test_a_way_back_that_is_closed_is_told_before_anything_is_touched(host: Host) -> None:
    point = host.look()
    for text in ("new", "newer", "newest"):
        host.install("2", text)
    with pytest.raises(restore_point.RestoreError, match="the configuration of before is gone"):
        restore_point.restore(point, check=False)
    assert host.text == "newest" and host.log == []


def test_a_unit_that_does_not_start_again_is_told_with_its_last_words(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    point = host.look()
    host.install("2", "new")

    def refuse(*words: str, timeout: float = 0) -> str:
        if words[0] == "restart":
            raise units.UnitError("Job for tiny.service failed.")
        return host.systemctl(*words, timeout=timeout)

    monkeypatch.setattr(units, "systemctl", refuse)
    monkeypatch.setattr(units, "journal", lambda unit: f"{unit} said no")
    with pytest.raises(restore_point.RestoreError, match=r"Job for tiny\.service failed\.; it last said: tiny\.service said no"):
        restore_point.restore(point, check=False)
    assert host.text == "old"
