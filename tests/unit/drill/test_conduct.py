"""How drills are conducted: what is refused before anything is touched, and what is told afterwards."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from ansible.plugins.action import ActionBase
from ansible_collections.monitoring.ha.plugins.action import drill_fault
from ansible_collections.monitoring.ha.plugins.module_utils import certificates, gates, https
from ansible_collections.monitoring.ha.plugins.plugin_utils.drill import (
    account,
    clock,
    conduct,
    failures,
    faults_of,
    guardian,
    ledger,
    record,
    report,
    rule,
    run,
    watch,
)
from ansible_collections.monitoring.ha.plugins.plugin_utils.drill.failures import DrillError, Situation
from ansible_collections.monitoring.ha.plugins.plugin_utils.drill.options import Options
from ansible_collections.monitoring.ha.plugins.plugin_utils.drill.stack import Stack
from cryptography import x509

from tests.unit.drill.test_failures import BOTH, DEMO, ENTRANCE, GALERA, MOVED, SOONER
from tests.unit.identities import Site
from tests.unit.plays import command
from tools.steps import ROOT

VARIABLES = {"ha_virtual_address": "192.0.2.100", "ha_cluster": "demo", "haproxy_users": {"admin": "secret"}}
HOSTVARS: dict[str, dict[str, Any]] = {
    host: {**VARIABLES, "ha_address": f"192.0.2.1{number}", "drill_power_off": f"cut {host}", "drill_power_on": f"give {host}"}
    for number, host in enumerate(("mon1", "mon2", "mon3"))
}


def stack(pki: str = "/nowhere", **of_mon1: Any) -> Stack:
    return Stack(DEMO, {**HOSTVARS, "mon1": {**HOSTVARS["mon1"], **of_mon1}}, pki)


def options(directory: Path, **given: Any) -> Options:
    return Options.of({"directory": str(directory), "wanted": "haproxy_killed", **given})


# --- what is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"drill": "haproxy_killed", "drills_allowed": "false"}, "set drills_allowed: true in an inventory that may be drilled"),
        ({"drill": "haproxy_kiled"}, "did you mean haproxy_killed"),
        ({}, "say what is drilled"),
        ({"drill": "haproxy_killed", "drill_host": "mon9"}, "haproxy_killed cannot strike mon9"),
        ({"drill": "haproxy_killed", "drill_objectives": {"haproxy_killed": {"defalt": 1}}}, "drill_objectives.haproxy_killed"),
        ({"drill": "haproxy_killed", "drill_objectives": {"all": {"query": "3 s"}}}, "drill_objectives.all.query: a number"),
        ({"drill": "haproxy_killed", "drill_objectives": {"haproxy_killed": {"query": -1}}}, "or null, not -1"),
        ({"drill": "haproxy_killed", "drill_objectives": {"leader_power_cut": {"query": "x"}}}, "drill_objectives.leader_power_cut.query"),
        ({"drill": "haproxy_killed", "drill_probes": "query,grafna"}, "drill_probes: no probe is called grafna"),
        ({"drill": "haproxy_killed", "drill_seconds": -3}, "drill_seconds is -3"),
        ({"drill": "haproxy_killed", "drill_patience": -1}, "drill_patience is -1"),
        ({"drill": 5}, "drill is 5: give a name"),
        ({"drill": "haproxy_killed", "drill_report": "/proc/report"}, "drill_report (/proc/report)"),
        ({"drill": "haproxy_killed", "drills_allowed": "perhaps"}, "not said of mon1, mon2, mon3"),
    ],
)
def test_a_run_that_makes_no_sense_touches_nothing(tmp_path: Path, words: dict[str, Any], said: str) -> None:
    given = {"demo_state": str(tmp_path / "demo"), "drill_report": str(tmp_path / "report"), **words}
    done = command("ansible-playbook", "-i", "inventories/demo", "-e", json.dumps(given), "playbooks/drill.yml", home=tmp_path)
    assert done.returncode == 2 and said in " ".join((done.stdout + done.stderr).split()), done.stdout + done.stderr
    # The task that asks hosts was not come to.
    assert "unreachable=0" in done.stdout and not (tmp_path / "report").exists()


def test_drills_are_refused_where_no_inventory_allows_them(tmp_path: Path) -> None:
    inventory = {"all": {"hosts": {"mon1": {"ha_address": "192.0.2.1"}}, "children": {"prometheus": {"hosts": {"mon1": {}}}}}}
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump(inventory), encoding="utf-8")
    done = command("ansible-playbook", "-i", str(tmp_path / "hosts.yml"), "-e", "drill=all", "playbooks/drill.yml", home=tmp_path)
    assert done.returncode == 2 and "drills_allowed: true" in " ".join((done.stdout + done.stderr).split())


@pytest.mark.parametrize(
    ("children", "said"),
    [
        # What a host that is only monitored says of drills is not what the stack says.
        ({"monitored": {"app1": {}}, "prometheus": {"mon1": {}}}, "drill_objectives.of_mon1: no failure is called so"),
        ({"monitored": {"app1": {}}}, "the inventory has no stack: no host is in a group such as prometheus or load_balancer"),
        ({}, "the inventory has no stack"),
    ],
)
def test_the_stacks_own_variables_say_what_a_drill_does(tmp_path: Path, children: dict[str, Any], said: str) -> None:
    hosts = {
        host: {"drills_allowed": True, "ha_address": address, "drill_objectives": {f"of_{host}": {}}}
        for host, address in (("app1", "192.0.2.9"), ("mon1", "192.0.2.1"))
        if any(host in group for group in children.values())
    }
    inventory = {"all": {"hosts": hosts, "children": {name: {"hosts": group} for name, group in children.items()}}}
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump(inventory), encoding="utf-8")
    words = ["-e", f"drill=all drill_report={tmp_path / 'report'}"]
    done = command("ansible-playbook", "-i", str(tmp_path / "hosts.yml"), *words, "playbooks/drill.yml", home=tmp_path)
    told = " ".join((done.stdout + done.stderr).split())
    assert done.returncode == 2 and said in told and "unreachable=0" in told, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("said", "silent"),
    [
        ({"mon1": True, "mon2": False, "mon3": True}, "mon2"),
        ({"mon1": False, "mon2": "yes", "mon3": "true"}, "mon1"),
        ({"mon1": True}, "mon2, mon3"),
        ({"fleet": True}, "mon1, mon2, mon3"),
    ],
)
def test_every_host_of_the_stack_has_to_allow_drills(tmp_path: Path, said: dict[str, Any], silent: str) -> None:
    # The first host of the inventory has no more to say than any other.
    groups = {**DEMO, "all": ["fleet", *DEMO["all"]], "monitored": ["fleet", *DEMO["all"]]}
    hostvars = {host: {**HOSTVARS.get(host, {}), **({"drills_allowed": said[host]} if host in said else {})} for host in groups["all"]}
    with pytest.raises(DrillError, match=f"not said of {silent}$"):
        conduct.choose(Stack(groups, hostvars, "/nowhere"), options(tmp_path), print)


def test_a_host_outside_of_the_stack_need_not_allow_drills(tmp_path: Path) -> None:
    groups = {**DEMO, "all": ["fleet", *DEMO["all"]], "monitored": ["fleet", *DEMO["all"]]}
    hostvars = {"fleet": {}, **{host: {**its, "drills_allowed": "true"} for host, its in HOSTVARS.items()}}
    with pytest.raises(DrillError, match="no failure is called"):
        conduct.choose(Stack(groups, hostvars, "/nowhere"), options(tmp_path, wanted="haproxy_kiled"), print)


def test_two_runs_at_once_are_refused(tmp_path: Path) -> None:
    its = options(tmp_path)
    its.work.mkdir()
    (its.work / "process").write_text("1", encoding="utf-8")
    assert run.running(its) == 1
    (its.work / "process").write_text("1 17", encoding="utf-8")
    assert run.running(its) == 0
    (its.work / "process").write_text("4194303", encoding="utf-8")
    assert run.running(its) == 0


def test_what_still_mends_is_waited_for_and_keeps_what_it_needs(tmp_path: Path) -> None:
    its = options(tmp_path)
    its.drill(0).mkdir(parents=True)
    record.secret(its.work / "run.json", {"started": 1.0, "versions": {}, "without": [], "left_out": []})
    guardian.note(its.drill(0) / guardian.PROCESS, os.getpid())
    may = Stack(DEMO, {host: {**values, "drills_allowed": True} for host, values in HOSTVARS.items()}, "/nowhere")
    with pytest.raises(DrillError, match=f"is still being mended \\(process {os.getpid()}\\)"):
        conduct.choose(may, its, print)
    account.tell(may, its, print)
    assert its.drill(0).exists()
    (its.drill(0) / guardian.PROCESS).write_text("4194303 1", encoding="utf-8")
    account.tell(may, its, print)
    assert not its.work.exists()


def test_check_mode_says_what_is_meant_and_leaves_no_trace(tmp_path: Path) -> None:
    may = Stack(DEMO, {host: {**values, "drills_allowed": True} for host, values in HOSTVARS.items()}, "/nowhere")
    lines: list[str] = []
    found = conduct.choose(may, options(tmp_path, wanted="haproxy_*", check=True), lines.append)
    assert [its["name"] for its in found["drills"]] == ["haproxy_killed", "haproxy_hung", "haproxy_stopped"]
    assert lines[-1].endswith(": haproxy_killed, haproxy_hung, haproxy_stopped")
    assert list(tmp_path.iterdir()) == []


def test_words_of_the_command_line_are_taken_for_what_they_mean(tmp_path: Path) -> None:
    its = options(tmp_path, beyond="yes", going_on="false", wanted="a, b_*,", repeat="3", seconds="7.5", host=None)
    assert (its.beyond, its.going_on, its.wanted, its.repeat, its.seconds, its.host) == (True, False, ["a", "b_*"], 3, 7.5, "")
    with pytest.raises(DrillError, match="repeat is 'often'"):
        options(tmp_path, repeat="often")
    with pytest.raises(DrillError, match="unknown option hosts"):
        options(tmp_path, hosts="mon1")


# --- what is done ---------------------------------------------------------------------------------------------------


def given(name: str, host: str = "mon1", **of_mon1: Any) -> dict[str, Any]:
    (its,) = faults_of.faults(failures.load()[name], [host], stack(**of_mon1), stage=True)
    return its


def test_what_is_done_follows_from_catalogue_and_inventory() -> None:
    assert given("prometheus_hung")["given"]["units"] == ["prometheus.service"]
    assert given("patroni_killed")["given"]["main_process"] is True and given("grafana_killed")["given"]["main_process"] is False
    assert given("certificate_expired")["given"]["renewed"] == ["thanos-sidecar.service"]
    assert given("host_cut_off")["given"]["peers"] == ["192.0.2.11", "192.0.2.12", "192.0.2.100"]
    assert given("prometheus_disk_full")["given"]["path"] == "/var/lib/prometheus"
    assert given("object_store_disk_full")["given"]["path"] == "/var/lib/garage"
    assert given("prometheus_disk_full")["given"]["stage"] is True and given("leader_disk_full")["given"]["stage"] is False
    elsewhere = {"object_store_data_directory": "/srv/objects"}
    assert given("object_store_disk_full", **elsewhere)["given"]["path"] == "/srv/objects"
    assert given("object_store_disk_full", "mon2", **elsewhere)["given"]["path"] == "/var/lib/garage"
    switched = given("postgresql_switched_over", postgresql_name="one", ha_cluster="site")["given"]
    assert (switched["name"], switched["cluster"], switched["path"]) == ("one", "site", "/etc/monitoring-ha/patroni")


def test_a_power_cut_is_one_only_when_nothing_answers_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drill_fault, "POWER", 1)
    action: Any = SimpleNamespace(_task=SimpleNamespace(check_mode=False))

    def cut(command: str, answers: list[str]) -> dict[str, Any]:
        given = {"host": "mon1", "answers": answers}
        return drill_fault.ActionModule._power(action, given, "present", {"drill_power_off": command})

    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        assert cut("true", [address])["msg"] == f"drill_power_off of mon1: ended well, and 1 s later {address} still answers"
        monkeypatch.setattr(drill_fault, "POWER", 60)
        begun = time.monotonic()
        gone: list[float] = []

        def vanish() -> None:
            server.close()
            gone.append(time.monotonic())

        threading.Timer(1, vanish).start()
        done = cut("true", [address])
        counted = time.monotonic() - done["ago"]
    # It counts from when it was gone, not from when that was asked for.
    assert done["changed"] and begun + 0.2 < counted < gone[0] + 0.3
    assert "nothing on the host answers" in cut("true", [address])["msg"]


def test_power_is_cut_when_the_clients_have_been_left_alone_for_a_while(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    action: Any = SimpleNamespace(_task=SimpleNamespace(check_mode=False))
    cut, slept = tmp_path / "cut", []
    monkeypatch.setattr(time, "sleep", lambda seconds: slept.append((seconds, cut.exists())))
    with socket.create_server(("127.0.0.1", 0)) as server:
        given = {"host": "mon1", "answers": [f"127.0.0.1:{server.getsockname()[1]}"]}

        def shell(*_words: Any, **_more: Any) -> None:
            cut.touch()
            server.close()

        monkeypatch.setattr("ansible_collections.monitoring.ha.plugins.module_utils.faults.shell", shell)
        done = drill_fault.ActionModule._power(action, given, "present", {"drill_power_off": "true"}, 5.0)
    assert done["changed"] and cut.exists() and slept == [(5.0, False)]


def test_mending_counts_from_when_it_begins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An address that moves back as soon as its hung daemon goes on moves before the host has said that it is mended."""
    monkeypatch.setattr(ActionBase, "run", lambda *_given: {})
    # As if the clock on the wall had been set forward by an hour since the drill began.
    (tmp_path / clock.FILE).write_text(repr(time.time() - time.monotonic() - 3600), encoding="utf-8")
    action: Any = object.__new__(drill_fault.ActionModule)
    action._task = SimpleNamespace(check_mode=False)
    back: list[float] = []

    def mend(**_given: Any) -> dict[str, Any]:
        back.append(clock.Clock.of(tmp_path).now())
        time.sleep(0.1)
        return {"changed": True, "ago": 0.0}

    action._execute_module = mend
    for state, before in (("absent", True), ("present", False)):
        its = {"fault": "hang", "state": state, "given": {"host": "mon1"}, "deadline": 9, "pause": 0, "directory": str(tmp_path)}
        action.validate_argument_spec = lambda _options, its=its: (None, its)
        at = action.run(task_vars={})["at"]
        assert (at <= back[-1]) is before and abs(at - back[-1]) < 60
    assert [one.what for one in record.events(tmp_path)] == ["mended", "injected"]


def test_the_holder_is_known_however_its_address_is_written() -> None:
    its = stack(ha_virtual_address="2001:DB8:0::10")
    assert its.virtual == "2001:db8::10" and its.situation({"mon2": "active\n2: eth0 inet6 2001:db8::10/64 scope global"}).holder == "mon2"


def test_a_command_for_the_power_may_hold_a_password(monkeypatch: pytest.MonkeyPatch) -> None:
    action: Any = SimpleNamespace(_task=SimpleNamespace(check_mode=False))
    done = drill_fault.ActionModule._power(action, {"host": "mon1"}, "absent", {"drill_power_on": "no-such-tool -P S3cret"})
    assert done["msg"].startswith("drill_power_on of mon1: ") and "not found" in done["msg"] and "S3cret" not in done["msg"]
    monkeypatch.setattr(drill_fault, "POWER", 0.2)
    done = drill_fault.ActionModule._power(action, {"host": "mon1"}, "absent", {"drill_power_on": "sleep 9; true -P S3cret"})
    assert done == {"failed": True, "msg": "drill_power_on of mon1: not done after 0 s"}
    shown = faults_of.shown([{"host": "mon1", "fault": "power_cut", "given": {"host": "mon1", "off": "x", "on": "y", "answers": []}}])
    assert shown == [{"host": "mon1", "fault": "power_cut", "given": {"host": "mon1", "answers": []}}]


def test_power_is_cut_by_the_inventorys_commands_or_not_at_all() -> None:
    its = given("host_power_cut")
    answers = its["given"].pop("answers")
    assert its["given"] == {"host": "mon1", "off": "cut mon1", "on": "give mon1"} and its["unsupported"] == ""
    assert "192.0.2.10:9100" in answers and "192.0.2.10:9090" in answers and all(one.startswith("192.0.2.10:") for one in answers)
    assert given("host_power_cut", drill_power_off="")["unsupported"] == "mon1: drill_power_off says no command that cuts its power"
    assert given("host_power_cut", drill_power_on="")["unsupported"] == "mon1: drill_power_on says no command that gives it power again"
    its = given("host_power_cut", drill_power_off="sysrq", drill_power_on="")
    assert its["fault"] == "sysrq" and its["unsupported"] == ""


def test_an_expired_certificate_is_the_authoritys_own(pki: Site) -> None:
    assert "its authority is not on the controller" in given("certificate_expired")["unsupported"]
    now = datetime.now(certificates.UTC)
    files = faults_of.expired(str(pki.directory), "server", "", now)
    leaf = x509.load_pem_x509_certificate(files["host.pem"].encode())
    authority = x509.load_pem_x509_certificate((pki.directory / "ca.pem").read_bytes())
    assert leaf.not_valid_after_utc < now and certificates.signed_by(leaf, authority)
    assert set(certificates.texts(certificates.names_of(leaf))) == {"localhost", "127.0.0.1"}
    assert files["host-bundle.pem"] == files["host.pem"] + files["host.key"]


def test_hosts_of_every_prometheus_mark_a_drill() -> None:
    assert faults_of.marked(stack()) == ["mon1", "mon2"]


def test_the_rule_fires_a_number_each_period_that_every_replica_sees() -> None:
    assert [rule.period(interval) for interval in ("5s", "15s", "1m")] == [10, 30, 120]
    (its,) = rule.rules("15s")["groups"][0]["rules"]
    assert its["expr"] == 'count_values("number", floor(vector(time()) / 30)) and on () max(monitoring_ha_drill) == 1'
    assert rule.life("15s") == 30 + 120


@pytest.mark.parametrize(
    ("groups", "answering", "expected"),
    [
        (DEMO, {"192.0.2.11:8008/primary"}, Situation("mon3", "mon2", "")),
        (GALERA, {"192.0.2.12:9105/writer"}, Situation("mon3", "mon3", "mon3")),
        (BOTH, {"192.0.2.11:8008/primary", "192.0.2.10:9105/writer"}, Situation("mon3", "mon2", "mon1")),
        (GALERA, {"192.0.2.11:9105/writer", "192.0.2.12:9105/writer"}, Situation("mon3", "", "")),
        (GALERA, set(), Situation("mon3", "", "")),
    ],
)
def test_who_leads_is_who_tells_load_balancers_so(
    monkeypatch: pytest.MonkeyPatch, groups: dict[str, list[str]], answering: set[str], expected: Situation
) -> None:
    monkeypatch.setattr(gates, "answers", lambda _client, authority, path, _statuses: authority + path in answering)
    its = Stack(groups, HOSTVARS, "/nowhere")
    assert its.situation({"mon2": "inet 192.0.2.11/24", "mon3": "inet 192.0.2.100/32"}) == expected


class Seen(Stack):
    """A stack of which it is known who does what."""

    def situation(self, addresses: Mapping[str, str]) -> Situation:
        return Situation("mon1", "mon3")


def seen(**of_mon1: Any) -> Seen:
    its = stack(**of_mon1)
    return Seen(its.groups, its.hostvars, its.pki)


def test_a_drill_of_a_host_that_is_not_the_one_meant_is_not_run_and_says_so(tmp_path: Path) -> None:
    its = options(tmp_path, wanted="holder_power_cut", host="mon2")
    its.work.mkdir()
    assert conduct.begin(seen(), its, print) == {"run": False}
    told = json.loads(its.verdict(0).read_text(encoding="utf-8"))
    assert (told["state"], told["reasons"]) == ("not run", ["mon1 holds the virtual address now, not mon2"])


@pytest.mark.parametrize(
    ("wanted", "host", "situation", "state"),
    [
        ("standby_hung", "mon2", Situation("mon1", "mon2"), f"{MOVED}, and standby_hung is about a member that does not"),
        ("host_cut_off", "mon1", Situation("", "mon3", "", "mon1"), ENTRANCE),
        ("prometheus_host_power_cut", "mon2", Situation("mon1", "mon2"), f"{SOONER}prometheus_host_power_cut promises 5 s"),
        # One of the others is chosen.
        ("host_cut_off", "", Situation("", "mon3", "", "mon1"), "mon2"),
        ("prometheus_host_power_cut", "", Situation("", "mon3", "", "mon1"), "mon2"),
    ],
)
def test_a_drill_that_would_be_another_one_is_not_run_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, wanted: str, host: str, situation: Situation, state: str
) -> None:
    monkeypatch.setattr(Stack, "situation", lambda *_words: situation)
    monkeypatch.setattr(Stack, "whole", lambda *_words: ["Grafana (mon2): no answer"])
    its = options(tmp_path, wanted=wanted, host=host, pager=PAGER)
    its.work.mkdir()
    whole = Stack(DEMO, WHOLE, "/nowhere")
    (fault,) = conduct.look(whole, its, print)["faults"]
    conduct.begin(whole, its, print)
    told = json.loads(its.verdict(0).read_text(encoding="utf-8"))
    chosen = ("error", state, ["the stack is not whole before the drill: Grafana (mon2): no answer"])
    assert (told["state"], fault["host"], told["reasons"]) == (("not run", host, [state]) if host else chosen)


@pytest.mark.parametrize(
    ("groups", "virtual", "expected"), [(DEMO, "", "mon1"), (DEMO, "192.0.2.100", ""), ({**DEMO, "load_balancer": ["mon2"]}, "", "")]
)
def test_probes_come_in_by_the_first_load_balancer_where_no_address_moves(
    monkeypatch: pytest.MonkeyPatch, groups: dict[str, list[str]], virtual: str, expected: str
) -> None:
    monkeypatch.setattr(gates, "answers", lambda *_words: False)
    its = Stack(groups, {host: {**values, "ha_virtual_address": virtual} for host, values in WHOLE.items()}, "/nowhere")
    assert its.situation({}).entrance == expected
    told = {urlsplit(url).hostname for url in (its.front(), its.endpoints["query"]["url"])}
    assert not expected or told == {its.hostvars[expected]["ha_address"]}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"unreachable": ["mon2"]}, "mon2 cannot be reached"),
        (
            {"addresses": {"mon1": "active\n2: eth0 inet 192.0.2.100/32", "mon2": "inactive\n2: eth0 inet"}},
            "keepalived (mon2) does not run",
        ),
    ],
)
def test_nothing_is_broken_where_one_cannot_be_reached_or_could_not_take_over(tmp_path: Path, given: dict[str, Any], said: str) -> None:
    its = options(tmp_path, wanted="haproxy_killed", **given)
    its.work.mkdir()
    assert conduct.begin(seen(), its, print)["msg"] == f"the stack is not whole before the drill: {said}"


class Together(Seen):
    """One host both holds the address and leads the database."""

    def situation(self, addresses: Mapping[str, str]) -> Situation:
        return Situation("mon1", "mon1")


@pytest.mark.parametrize(
    ("groups", "missing", "given", "move"),
    [
        (DEMO, [], {}, "mon1"),
        (DEMO, [], {"wanted": "leader_power_cut"}, ""),
        (DEMO, ["Grafana (mon2): no answer"], {}, ""),
        # Not borne, not measured, not the host that was named, and nobody who would take it.
        ({**DEMO, "postgresql": ["mon1"]}, [], {}, ""),
        (DEMO, [], {"probes": ["query"]}, ""),
        (DEMO, [], {"host": "mon2"}, ""),
        ({**DEMO, "load_balancer": ["mon1"]}, [], {}, ""),
    ],
)
def test_the_address_is_moved_away_only_for_a_drill_that_is_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, groups: dict[str, list[str]], missing: list[str], given: dict[str, Any], move: str
) -> None:
    monkeypatch.setattr(Together, "whole", lambda _stack, _timeout: missing)
    its = Together(groups, WHOLE, "/nowhere")
    assert conduct.look(its, options(tmp_path, **{"wanted": "leader_cut_off", **given}), print)["move"] == move


ALL = {
    "thanos_s3_access_key": "key",
    "postgresql_databases": {"grafana": {"owner": "grafana"}},
    "postgresql_users": {"grafana": {"password": "secret"}},
    "mariadb_databases": {"grafana": {"owner": "grafana"}},
    "mariadb_users": {"grafana": {"password": "secret"}},
}
WHOLE = {host: {**its, **ALL} for host, its in HOSTVARS.items()}
BARE = {"all": ["mon1", "mon2", "mon3"], "prometheus": ["mon1", "mon2"], "load_balancer": ["mon1", "mon2"], "alertmanager": ["mon3"]}
PAGER = "http://192.0.2.5:9098/"


@pytest.mark.parametrize(
    ("name", "groups", "pager", "probes", "said"),
    [
        ("alertmanager_killed", DEMO, PAGER, [], []),
        ("alertmanager_killed", DEMO, "", [], ["its promise is about pages: no pages: drill_pager is not set"]),
        ("alertmanager_host_power_cut", DEMO, "", [], ["its promise is about pages: no pages: drill_pager is not set"]),
        # Whatever is measured.
        ("haproxy_killed", DEMO, "", ["query"], []),
        ("host_cut_off", DEMO, "", [], []),
        ("compactor_killed", DEMO, "", ["query"], []),
        ("patroni_killed", DEMO, "", [], []),
        ("patroni_killed", DEMO, "", ["database"], ["its promise is about grafana, which drill_probes leaves out"]),
        ("object_store_killed", DEMO, "", ["query"], ["its promise is about objects, which drill_probes leaves out"]),
        ("holder_power_cut", DEMO, "", ["database", "grafana", "query"], ["its promise is about address, which drill_probes leaves out"]),
        # What is not there needs nobody to look at it.
        ("prometheus_killed", BARE, "", [], []),
        ("mariadb_killed", GALERA, "", [], []),
        ("mariadb_killed", BOTH, "", [], ["its promise is about MariaDB (Galera), and what is written to is PostgreSQL (Patroni)"]),
    ],
)
def test_a_drill_is_not_run_where_its_own_promise_is_not_measured(
    name: str, groups: dict[str, list[str]], pager: str, probes: list[str], said: list[str]
) -> None:
    its = Stack(groups, WHOLE, "/nowhere")
    assert its.unmeasured(failures.load()[name], pager, probes) == said


def test_what_an_inventory_promises_is_measured_or_the_drill_is_not_run(tmp_path: Path) -> None:
    its = Stack(DEMO, WHOLE, "/nowhere")

    def said(**given: Any) -> list[str]:
        wanted = options(tmp_path, wanted="compactor_killed", pager=PAGER, **given)
        (case,) = run.cases(its, wanted)
        return conduct.obstacles(case, [], Situation("mon1", "mon3"), its, wanted)

    assert said(probes=["query"]) == []
    reasons = ["its promise is about grafana, which drill_probes leaves out"]
    assert said(probes=["query"], objectives={"compactor_killed": {"grafana": 1}}) == reasons
    assert said(probes=["query"], objectives={"all": {"grafana": 1}}) == reasons
    assert said(probes=["query"], objectives={"all": {"grafana": None}}) == []
    assert said(objectives={"compactor_killed": {"grafana": 1}}) == []


def test_a_drill_of_the_database_is_not_run_without_the_library_or_a_database(monkeypatch: pytest.MonkeyPatch) -> None:
    failure = failures.load()["patroni_killed"]
    (said,) = stack().unmeasured(failure, "", [])
    assert said == "its promise is about database: the inventory has nothing to measure it with"
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    (said,) = Stack(DEMO, WHOLE, "/nowhere").unmeasured(failure, "", [])
    assert "the controller has no library pg8000 (pip install pg8000)" in said


def test_a_drill_whose_promise_nobody_would_look_at_says_so_in_its_verdict(tmp_path: Path) -> None:
    its = options(tmp_path, wanted="alertmanager_killed")
    its.work.mkdir()
    assert conduct.begin(seen(), its, print) == {"run": False}
    told = json.loads(its.verdict(0).read_text(encoding="utf-8"))
    assert (told["state"], told["reasons"]) == ("not run", ["its promise is about pages: no pages: drill_pager is not set"])


def counted(rounds: float, failed: float) -> str:
    return f"thanos_shipper_dir_syncs_total {rounds}\nthanos_shipper_upload_failures_total {failed}\n"


@pytest.mark.parametrize(
    ("looks", "said"),
    [
        ([counted(5, 2), counted(5, 2), counted(6, 2)], ""),
        # A round in which an upload failed is none; another one has to follow.
        ([counted(5, 2), counted(6, 3), counted(7, 3)], ""),
        ([counted(5, 2), counted(6, 3), counted(6, 3)], "it does not get its blocks to the object store (3 uploads failed)"),
        ([counted(5, 2), counted(5, 2), counted(5, 2)], "it does not get its blocks to the object store (2 uploads failed)"),
        # It was started anew.
        ([counted(5, 2), counted(0, 0), counted(1, 0)], ""),
        ([counted(5, 2), "", counted(6, 2)], ""),
        (["up 1\n"], "it says nothing of uploads"),
    ],
)
def test_blocks_reach_the_object_store_again(monkeypatch: pytest.MonkeyPatch, looks: list[str], said: str) -> None:
    left = {"192.0.2.10": list(looks), "192.0.2.11": list(looks)}
    clock = iter(range(100))

    def text(client: https.Client, path: str) -> str:
        assert (client.port, path) == (10902, "/metrics")
        found = left[client.address].pop(0)
        if not found:
            raise https.Unanswered("no answer")
        return found

    monkeypatch.setattr(https.Client, "text", text)
    monkeypatch.setattr("time.monotonic", lambda: float(next(clock)))
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    # The clock is looked at once in the beginning, and once after each look.
    expected = [f"Thanos sidecar ({host}): {said}" for host in ("mon1", "mon2")] if said else []
    assert stack().uploaded(len(looks) - 0.5) == expected


@pytest.mark.parametrize(("password", "itself"), [("secret", 0), (None, 30 + conduct.DEADLINE)])
def test_what_mends_has_the_password_that_was_typed_in_or_leaves_it_to_the_host_by_its_deadline(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, password: str | None, itself: float
) -> None:
    its = options(tmp_path, wanted="haproxy_hung", seconds=30, typed={"connection_password_file": password})
    its.work.mkdir()
    ready(monkeypatch)
    begun = conduct.begin(seen(), its, print)
    (left,) = record.mends(its.drill(0)).values()
    assert (begun["run"], begun["deadline"], begun["pause"], left["itself"]) == (True, 30 + conduct.DEADLINE, run.BEFORE, itself)
    named = [word.partition("=")[2] for word in left["command"] if word.startswith("--connection-password-file")]
    assert [Path(path).read_text(encoding="utf-8") for path in named] == ([password] if password else [])
    assert "secret" not in repr(its)


def ready(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing keeps a drill from being begun, and its probes run."""
    for name in ("idle", "whole", "unmeasured"):
        monkeypatch.setattr(Seen, name, lambda *_words: [])
    monkeypatch.setattr(Seen, "settings", lambda *_words: {})
    monkeypatch.setattr(watch, "start", lambda *_words: None)
    monkeypatch.setattr(watch, "await_ready", lambda *_words: [])
    monkeypatch.setattr(watch, "stop", lambda directory: (directory / record.STOP).touch())
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)


def shows(directory: Path, host: str) -> Any:
    """The probe of the address sees another certificate while the drill begins."""

    def see(*_words: Any) -> list[str]:
        with ledger.Writer(directory / "address.jsonl", 2) as writer:
            writer.attempt(ledger.Attempt(1, 1.0, 1.1, "ok", "", "mon1"))
            writer.attempt(ledger.Attempt(2, 2.0, 2.1, "ok", "", host))
        return []

    return see


@pytest.mark.parametrize(
    ("name", "host", "leaders", "shown", "said"),
    [
        ("leader_power_cut", "", ["mon3"], "mon1", ""),
        # One that is slow to answer once.
        ("leader_power_cut", "", ["mon3", "", "mon3"], "mon1", ""),
        (
            "leader_power_cut",
            "",
            ["mon3", "mon2"],
            "mon1",
            "it was to strike mon3, and would strike mon2 now: mon1 holds the virtual address and mon2 leads the database",
        ),
        ("leader_power_cut", "", ["mon3", ""], "mon1", "leader_power_cut: nobody is leader of the database"),
        ("leader_power_cut", "mon3", ["mon3", "mon2"], "mon1", "mon2 leads the database now, not mon3"),
        # Whom else it strikes may be anybody.
        ("prometheus_killed", "mon2", ["mon3", "mon2"], "mon1", ""),
        (
            "holder_power_cut",
            "",
            ["mon3"],
            "mon2",
            "it was to strike mon1, and would strike mon2 now: mon2 holds the virtual address and mon3 leads the database",
        ),
        # A certificate of the site's own says nothing of who shows it.
        ("holder_power_cut", "", ["mon3"], "monitoring.example.com", ""),
    ],
)
def test_a_role_that_moved_while_a_whole_stack_was_waited_for_is_noticed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, host: str, leaders: list[str], shown: str, said: str
) -> None:
    its = options(tmp_path, wanted=name, host=host)
    its.work.mkdir()
    ready(monkeypatch)
    monkeypatch.setattr(watch, "await_ready", shows(its.drill(0), shown))
    left = list(leaders)
    monkeypatch.setattr(Seen, "situation", lambda _stack, seen: Situation("mon1" if seen else "", left.pop(0) if left[1:] else left[0]))
    begun = conduct.begin(seen(), replace(its, addresses={"mon1": "active"}), print)
    assert begun["run"] is not bool(said) and bool(record.mends(its.drill(0))) is not bool(said)
    if said:
        told = json.loads(its.verdict(0).read_text(encoding="utf-8"))
        assert (told["state"], told["reasons"]) == ("not run", [said]) and (its.drill(0) / record.STOP).exists()


def made(its: Options) -> Path:
    """The directory of a drill whose failure has been made."""
    directory = its.drill(0)
    directory.mkdir(parents=True)
    record.secret(its.work / "run.json", {"started": 1.0, "versions": {}, "without": [], "left_out": []})
    record.secret(directory / "case.json", {"hosts": ["mon1"], "holder": "mon1", "leader": "mon3", "started": 1.0})
    record.event(directory, 2.0, "injected", "mon1")
    record.event(directory, 3.0, "mended", "mon1")
    record.promise_to_mend(directory, 0, ["true"], {})
    return directory


@pytest.mark.parametrize(("unmended", "state"), [([], "passed"), (["mon1"], "error")])
def test_what_could_not_be_mended_is_left_to_the_guardian(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, unmended: list[str], state: str
) -> None:
    its = options(tmp_path, wanted="haproxy_killed", settle=0, unmended=unmended)
    directory = made(its)
    monkeypatch.setattr(Seen, "whole", lambda _stack, _timeout: [])
    told = conduct.finish(seen(), its, print)
    assert (told["verdict"], told["halt"]) == (state, state == "error")
    assert len(record.mends(directory)) == len(unmended)
    reasons = json.loads(its.verdict(0).read_text(encoding="utf-8"))["reasons"]
    assert reasons == [f"{host} could not be mended" for host in unmended]


def test_a_failure_that_somebody_else_has_mended_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    its = options(tmp_path, wanted="haproxy_killed", settle=0)
    directory = made(its)
    (directory / record.EVENTS).unlink()
    record.event(directory, 2.0, "injected", "mon1")
    monkeypatch.setattr(Seen, "whole", lambda _stack, _timeout: [])
    assert conduct.finish(seen(), its, print)["verdict"] == "error"
    reasons = json.loads(its.verdict(0).read_text(encoding="utf-8"))["reasons"]
    assert reasons == ["somebody else has mended mon1, and nobody knows when"]


def test_a_failure_that_was_not_made_everywhere_is_another_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    its = options(tmp_path, wanted="etcd_quorum_lost", settle=0)
    record.secret(made(its) / "case.json", {"hosts": ["mon1", "mon2"], "holder": "mon1", "leader": "mon3", "started": 1.0})
    monkeypatch.setattr(Seen, "whole", lambda _stack, _timeout: [])
    assert conduct.finish(seen(), its, print)["verdict"] == "error"
    assert json.loads(its.verdict(0).read_text(encoding="utf-8"))["reasons"] == ["the failure was not made on mon2"]


@pytest.mark.parametrize(
    ("settle", "missing", "said"),
    [
        (7, ["Grafana (mon2): no answer"], ["the stack did not stay whole for 7 s: Grafana (mon2): no answer"]),
        (7, [], []),
        (0, ["Grafana (mon2): no answer"], []),
    ],
)
def test_a_stack_has_to_stay_whole(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, settle: float, missing: list[str], said: list[str]
) -> None:
    its = options(tmp_path, wanted="haproxy_killed", settle=settle)
    made(its)
    slept: list[float] = []
    ready(monkeypatch)
    monkeypatch.setattr(time, "sleep", slept.append)
    monkeypatch.setattr(Seen, "missing", lambda _stack: missing if settle in slept else [])
    assert conduct.finish(seen(), its, print)["verdict"] == ("failed" if said else "passed")
    assert json.loads(its.verdict(0).read_text(encoding="utf-8"))["reasons"] == said


@pytest.mark.parametrize("missing", [[], ["Grafana (mon2): no answer"]])
def test_a_clock_that_is_set_in_the_middle_moves_nothing_and_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, missing: list[str]
) -> None:
    its = options(tmp_path, wanted="haproxy_killed", settle=7)
    directory = made(its)
    ready(monkeypatch)
    before = clock.Clock.begin(directory)
    monkeypatch.setattr(time, "time", lambda: before.now() + 66)
    monkeypatch.setattr(Seen, "missing", lambda _stack: missing)
    lines: list[str] = []
    conduct.finish(seen(), its, lines.append)
    told = json.loads(its.verdict(0).read_text(encoding="utf-8"))
    whole = next(its["at"] for its in told["events"] if its["what"] == "whole")
    assert before.now() - 5 < whole < before.now()
    (said,) = told["notes"]
    assert said.startswith("The controller's clock was set forward by 66 s") and f"  {said}" in lines
    assert told["reasons"] == [*(f"the stack did not stay whole for 7 s: {line}" for line in missing), *([said] if missing else [])]


@pytest.mark.parametrize(("cut", "left"), [(False, 1), (True, 0)])
def test_an_order_to_cut_power_that_failed_may_be_carried_out_later(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cut: bool, left: int
) -> None:
    its = options(tmp_path, wanted="host_power_cut", settle=0)
    directory = made(its)
    if not cut:
        (directory / record.EVENTS).unlink()
    monkeypatch.setattr(Seen, "whole", lambda _stack, _timeout: [])
    told = conduct.finish(seen(), its, print)
    # It is mended, as far as the playbook can tell.
    assert len(record.mends(directory)) == left and told["halt"] is not cut


@pytest.mark.parametrize(
    ("waiting", "sent", "state"), [([], 4.0, "passed"), ([], 3.0, "passed"), (["Thanos sidecar (mon1): stuck"], 3.0, "failed")]
)
def test_a_store_that_was_gone_is_judged_by_what_reaches_it_afterwards(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, waiting: list[str], sent: float, state: str
) -> None:
    its = options(tmp_path, wanted="object_store_gone", settle=0)
    path = made(its) / "case.json"
    record.secret(path, {**json.loads(path.read_text(encoding="utf-8")), "sent": 3.0})
    monkeypatch.setattr(Seen, "sent", lambda _stack: sent)
    monkeypatch.setattr(Seen, "whole", lambda _stack, _timeout: [])
    monkeypatch.setattr(Seen, "uploaded", lambda _stack, _timeout: waiting)
    told = conduct.finish(seen(), its, print)
    reasons = json.loads(its.verdict(0).read_text(encoding="utf-8"))["reasons"]
    assert told["verdict"] == state and reasons == [f"180 s after the stack is whole: {line}" for line in waiting]
    # Where nothing had to be sent, nothing was shown of it.
    notes = json.loads(its.verdict(0).read_text(encoding="utf-8"))["notes"]
    assert notes == ([] if sent > 3 else [conduct.NOTHING_TO_SEND])


# --- what is told ---------------------------------------------------------------------------------------------------


def test_journals_are_put_in_the_order_of_their_times() -> None:
    logs = {"mon1": "3.5 mon1 haproxy[1]: later\n-- no entries --\n", "mon2": "1.25 mon2 etcd[2]: first", "mon3": ""}
    assert account.log_lines(logs) == [
        {"at": 1.25, "host": "mon2", "line": "mon2 etcd[2]: first"},
        {"at": 3.5, "host": "mon1", "line": "mon1 haproxy[1]: later"},
    ]


def test_of_lines_that_say_the_same_again_and_again_the_first_is_kept_and_what_was_before_the_failure_is_not() -> None:
    said = [f"{second}.5 mon1 haproxy[1]: Connect from 127.0.0.1:{5000 + second} to a5f{second}" for second in range(10, 99)]
    assert account.log_lines({"mon1": "\n".join([*said, "42.0 mon1 keepalived[7]: Entering FAULT STATE"])}, 20) == [
        {"at": 20.5, "host": "mon1", "line": "mon1 haproxy[1]: Connect from 127.0.0.1:5020 to a5f20 (79 times)"},
        {"at": 42.0, "host": "mon1", "line": "mon1 keepalived[7]: Entering FAULT STATE"},
    ]


def test_a_drill_that_was_not_come_to_is_not_run_and_the_run_fails_by_the_one_that_broke_off(tmp_path: Path) -> None:
    its = options(tmp_path, wanted=["haproxy_killed", "haproxy_hung"])
    its.work.mkdir(parents=True)
    record.secret(its.work / "run.json", {"started": 1.0, "versions": {}, "without": [], "left_out": []})
    conduct.broken_off(stack(), its, RuntimeError("no such host"))
    said: list[str] = []
    told = account.tell(stack(), its, said.append)
    assert told["failed"] and told["states"] == {"passed": 0, "failed": 0, "not run": 1, "error": 1}
    assert "haproxy_killed: RuntimeError: no such host" in told["msg"] and "haproxy_hung: not run: drills had been stopped before" in said
    assert {path.name for path in tmp_path.iterdir()} == {"report.html", "report.json", "junit.xml", "history.jsonl"}


def test_a_run_that_is_broken_off_has_reported_the_drills_before(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    its = options(tmp_path, wanted=["haproxy_killed", "haproxy_hung"], settle=0)
    made(its)
    monkeypatch.setattr(Seen, "whole", lambda _stack, _timeout: [])
    conduct.finish(seen(), its, print)
    account.log(seen(), replace(its, logs={"mon1": "2.5 mon1 haproxy[1]: gone"}), print)
    results = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["results"]
    assert [(one["name"], one["state"], one["reasons"]) for one in results] == [
        ("haproxy_killed", "passed", []),
        ("haproxy_hung", "not run", ["not come to yet"]),
    ]
    assert [one["line"] for one in results[0]["log"]] == ["mon1 haproxy[1]: gone"]
    assert "not come to yet" in (tmp_path / "report.html").read_text(encoding="utf-8") and (tmp_path / "junit.xml").exists()
    # Whoever goes on to the end remembers none of them twice.
    account.tell(seen(), its, print)
    assert [one["name"] for one in report.history(tmp_path / report.HISTORY)] == ["haproxy_killed"]


def test_what_broke_off_outside_of_a_drill_is_told_and_the_run_fails(tmp_path: Path) -> None:
    its = options(tmp_path, wanted=["haproxy_killed"], trouble="Marks that make numbered alerts fire: no space left")
    its.work.mkdir(parents=True)
    record.secret(its.work / "run.json", {"started": 1.0, "versions": {}, "without": [], "left_out": []})
    said: list[str] = []
    told = account.tell(stack(), its, said.append)
    assert told["failed"] and told["msg"].endswith("no space left") and told["states"]["not run"] == 1
    assert "haproxy_killed: not run: drills had been stopped before: Marks that make numbered alerts fire: no space left" in said


@pytest.mark.parametrize(("state", "said"), [("active", ""), ("inactive", "after the drills, keepalived (mon2) does not run")])
def test_after_the_last_drill_every_load_balancer_could_take_the_address(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, state: str, said: str
) -> None:
    its = options(tmp_path, wanted=["haproxy_killed"], settle=0, addresses={"mon1": "active\n2: eth0", "mon2": f"{state}\n2: eth0"})
    made(its)
    monkeypatch.setattr(Seen, "whole", lambda _stack, _timeout: [])
    assert conduct.finish(seen(), its, print)["verdict"] == "passed"
    told = account.tell(seen(), its, print)
    assert (told.get("failed", False), told.get("msg", "").partition("\n")[2]) == (bool(said), said)


def test_the_list_of_failures_is_in_the_reference() -> None:
    page = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    assert not [name for name in failures.load() if f"| `{name}` |" not in page]


@pytest.mark.parametrize(("took", "seconds"), [(0.0, 2.0), (0.1, 2.0), (0.4, 8.0)])
def test_a_look_takes_a_twentieth_of_the_time_at_most(took: float, seconds: float) -> None:
    assert conduct.pause(took) == pytest.approx(seconds)
