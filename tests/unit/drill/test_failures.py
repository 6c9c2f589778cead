"""Failures as data: which there are, whom each strikes, and what the topology bears."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.monitoring.ha.plugins.module_utils import durations, topology
from ansible_collections.monitoring.ha.plugins.module_utils.catalogue import COMPONENTS
from ansible_collections.monitoring.ha.plugins.plugin_utils.drill import failures
from ansible_collections.monitoring.ha.plugins.plugin_utils.drill.failures import Case, DrillError, Situation
from ansible_collections.monitoring.ha.plugins.plugin_utils.drill.probes.common import PATIENCE

from tools.steps import ROOT

HOSTS = ["mon1", "mon2", "mon3"]
EVERYWHERE = (
    "monitored",
    "load_balancer",
    "alertmanager",
    "thanos_query",
    "thanos_query_frontend",
    "object_store",
    "etcd",
    "postgresql",
    "grafana",
)
DEMO: dict[str, list[str]] = {
    "all": HOSTS,
    **{group: HOSTS for group in EVERYWHERE},
    "prometheus": ["mon1", "mon2"],
    "thanos_store": ["mon2", "mon3"],
    "thanos_compact": ["mon3"],
}
VIRTUAL = "192.0.2.100"
DATA = failures.load()
#: Daemons that the demo has not.
ELSEWHERE = ("mariadb", "mysqld_exporter")


def names(*wanted: str, groups: dict[str, list[str]] | None = None, **given: Any) -> list[str]:
    return [case.name for case in failures.choose(wanted, DEMO if groups is None else groups, VIRTUAL, **given)]


def struck(name: str, holder: str = "", leader: str = "", groups: dict[str, list[str]] | None = None) -> list[str]:
    return failures.strike(Case(DATA[name]), DEMO if groups is None else groups, Situation(holder, leader))


def unborne(name: str, hosts: list[str], **groups: list[str]) -> list[str]:
    return failures.unbearable(DATA[name], hosts, {**DEMO, **groups})


def test_whoever_is_only_monitored_is_never_struck() -> None:
    groups = {**DEMO, "all": ["web1", *HOSTS], "monitored": ["web1", *HOSTS]}
    for name, failure in DATA.items():
        if failure.daemon not in ELSEWHERE:
            assert "web1" not in failures.whose(failure, groups), name
    assert struck("node_exporter_killed", "mon1", "mon2", groups) == ["mon3"]


# --- the data -------------------------------------------------------------------------------------------------------


def test_every_daemon_is_killed_hung_and_stopped() -> None:
    done = {(its.daemon, its.do) for its in DATA.values()}
    # A timer runs nothing that could be killed.
    daemons = [its.name for its in COMPONENTS.values() if its.unit.endswith(".service")]
    assert {(daemon, deed) for daemon in daemons for deed in ("kill", "hang", "stop")} - done == set()


def test_every_kind_of_failure_is_drilled() -> None:
    assert {its.do for its in DATA.values()} == set(failures.DEEDS)
    assert {its.do for its in DATA.values() if its.core} >= {"kill", "hang", "power_cut", "cut_off"}
    assert any(its.core and its.whom == "leader" for its in DATA.values())


def test_each_failure_is_one_line() -> None:
    lines = [line for line in failures.DATA.read_text(encoding="utf-8").splitlines() if line and not line.startswith(("#", "---"))]
    assert len(lines) == len(DATA)


@pytest.mark.parametrize(
    ("name", "probe", "seconds"),
    [
        ("haproxy_killed", "query", 2),
        ("holder_power_cut", "address", 4),
        ("holder_power_cut", "query", 4),
        ("grafana_killed", "grafana", 3),
        ("thanos_query_killed", "query", 3),
        ("prometheus_killed", "query", 10),
        ("sidecar_hung", "query", 15),
        ("store_hung", "query", 15),
        ("postgresql_switched_over", "database", 5),
        ("postgresql_crashed", "database", 15),
        ("leader_power_cut", "database", 30),
        ("etcd_killed", "database", 5),
        ("mariadb_killed", "database", 10),
        ("mariadb_hung", "database", 10),
        ("mariadb_stopped", "database", 10),
    ],
)
def test_promises_are_those_that_are_made_to_people(name: str, probe: str, seconds: float) -> None:
    its = DATA[name].promise
    limit = its.get(probe, its.get("default", 2))
    assert limit is not None and limit <= seconds


def test_a_writer_of_mariadb_is_replaced_sooner_in_whichever_way_it_is_lost() -> None:
    for name, its in DATA.items():
        found = failures.promised(its, {}, "mariadb")
        assert (found.get("database") or 0) <= 10 and (found.get("grafana") or 0) <= 17, name
    assert failures.promised(DATA["leader_power_cut"], {"leader_power_cut": {"grafana": 20}}, "mariadb")["grafana"] == 20
    assert failures.promised(DATA["leader_power_cut"], {}, "postgresql") == DATA["leader_power_cut"].promise


@pytest.mark.parametrize(("name", "probe"), [("thanos_query_hung", "query"), ("query_frontend_hung", "query"), ("grafana_hung", "grafana")])
@pytest.mark.parametrize("role", ["haproxy", "proxy"])
def test_a_member_that_hangs_is_left_out_within_the_promise_by_the_formula_that_is_told(name: str, probe: str, role: str) -> None:
    its = yaml.safe_load((ROOT / "roles" / role / "defaults" / "main.yml").read_text(encoding="utf-8"))
    interval, fast = (durations.seconds(its[f"{role}_check_{which}"]) for which in ("interval", "fast_interval"))
    fall = its[f"{role}_check_fall"]
    worst = interval + fall * interval + (fall - 1) * fast + PATIENCE
    limit = DATA[name].promise[probe]
    assert limit is not None and worst <= limit
    (row,) = [line for line in (ROOT / "docs" / "failures.md").read_text(encoding="utf-8").splitlines() if f"`{name}`" in line]
    assert row.endswith(f"| {interval:g} + {fall} \u00d7 {interval:g} + {(fall - 1) * fast:g} + {PATIENCE:g} | {limit:g} |")


@pytest.mark.parametrize("name", [name for name, its in DATA.items() if not its.beyond])
def test_nothing_that_a_topology_bears_may_lose_anything(name: str) -> None:
    assert not {"lost", "holes", "wrong", "stale", "pages_lost", "alerts"} & {
        key for key, value in DATA[name].promise.items() if value != 0
    }
    # Of an alert with a page on each of two islands one may come twice.
    assert (DATA[name].promise.get("page_copies") or 1) <= (3 if DATA[name].do.startswith("cut_off") else 2)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("{do: kill, whom: one prometheus, for: 5}", "promise"),
        ("{do: kil, whom: one prometheus, for: 5, promise: {}}", "kil"),
        ("{do: kill, whom: some prometheus, for: 5, promise: {}}", "some prometheus"),
        ("{do: kill, whom: one promtheus, for: 5, promise: {}}", "one promtheus"),
        ("{do: kill, daemon: promtheus, whom: one prometheus, for: 5, promise: {}}", "promtheus"),
        ("{do: kill, whom: one prometheus, for: 5, promise: {qury: 1}}", "qury"),
    ],
)
def test_a_line_that_is_wrong_is_named(tmp_path: Path, text: str, named: str) -> None:
    (tmp_path / "failures.yml").write_text(f"broken: {text}\n", encoding="utf-8")
    with pytest.raises(DrillError, match=named) as caught:
        failures.load(tmp_path / "failures.yml")
    assert "failure broken" in str(caught.value)


# --- choice ---------------------------------------------------------------------------------------------------------


def test_names_patterns_core_and_all() -> None:
    assert names("haproxy_killed", "prometheus_killed") == ["prometheus_killed", "haproxy_killed"]
    assert names("grafana_*") == ["grafana_killed", "grafana_hung", "grafana_stopped"]
    assert names("host_power_cut") == [f"host_power_cut@{host}" for host in HOSTS]
    assert set(names("core")) == {its.name for its in DATA.values() if its.core}
    assert len(names("all", beyond=True)) == len([its for its in DATA.values() if its.daemon not in ELSEWHERE]) + 2


def test_what_is_more_than_any_topology_bears_is_named_or_allowed() -> None:
    assert "all_hosts_off" not in names("all") and "etcd_quorum_lost" not in names("etcd_*")
    assert "all_hosts_off" in names("all", beyond=True) and names("all_hosts_off") == ["all_hosts_off"]


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("mariadb_*", "nothing is drilled by 'mariadb_.': mariadb_killed: the inventory has no MariaDB"),
        ("*_gone", "object_store_gone: more than the topology can bear: name it, or set drill_beyond"),
    ],
)
def test_a_choice_of_nothing_is_none(word: str, said: str) -> None:
    with pytest.raises(DrillError, match=said):
        names("haproxy_killed", word)
    with pytest.raises(DrillError, match="drill_repeat is 0: say how often"):
        names("haproxy_killed", repeat=0)


def test_repetitions_and_a_host() -> None:
    found = failures.choose(["prometheus_killed"], DEMO, VIRTUAL, repeat=3, host="mon2")
    assert [(case.name, case.turn) for case in found] == [("prometheus_killed@mon2", turn) for turn in (1, 2, 3)]
    with pytest.raises(DrillError, match="prometheus_killed cannot strike mon3: it is for mon1, mon2"):
        names("prometheus_killed", host="mon3")


@pytest.mark.parametrize("name", ["etcd_quorum_lost", "all_hosts_off"])
def test_a_failure_of_several_hosts_cannot_be_had_on_one(name: str) -> None:
    with pytest.raises(DrillError, match=f"{name} strikes several hosts at once"):
        names(name, host="mon1")


@pytest.mark.parametrize(
    ("name", "host", "said"),
    [
        ("holder_power_cut", "mon1", ""),
        ("holder_power_cut", "mon2", "mon1 holds the virtual address now, not mon2"),
        ("leader_power_cut", "mon1", "mon3 leads the database now, not mon1"),
        ("leader_power_cut", "mon3", ""),
        ("haproxy_killed", "", ""),
        ("host_cut_off", "mon2", ""),
    ],
)
def test_a_host_that_is_named_has_to_be_the_one_that_the_failure_is_about(name: str, host: str, said: str) -> None:
    assert failures.elsewhere(Case(DATA[name], host), DEMO, Situation("mon1", "mon3")) == said
    assert "nobody that is known" in failures.elsewhere(Case(DATA["leader_cut_off"], "mon3"), DEMO, Situation("mon1"))


MOVED = "mon2 leads the database now"
SOONER = f"{MOVED}: losing that may take 30 s, and "


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        *((f"standby_{how}", f"{MOVED}, and standby_{how} is about a member that does not") for how in ("killed", "hung", "stopped")),
        ("prometheus_host_power_cut", f"{SOONER}prometheus_host_power_cut promises 5 s"),
        ("alertmanager_host_power_cut", f"{SOONER}alertmanager_host_power_cut promises 5 s"),
        ("host_cut_off", f"{SOONER}host_cut_off promises 10 s"),
        ("certificate_expired", f"{SOONER}certificate_expired promises 10 s"),
        # As much is promised as for a leader, or the leader is not lost.
        *((name, "") for name in ("host_power_cut", "compactor_host_power_cut", "host_not_heard", "leader_power_cut", "patroni_hung")),
        *((name, "") for name in ("prometheus_killed", "postgres_exporter_hung", "network_lossy", "clock_stepped", "nothing")),
    ],
)
def test_a_failure_that_is_not_about_the_leader_is_another_one_there(name: str, reason: str) -> None:
    found = failures.unfit(DATA[name], Situation("mon1", "mon2", "mon3"), {}, "postgresql")
    assert found == ({"mon2": reason} if reason else {})


def test_what_is_promised_by_an_inventory_says_whether_the_leader_will_do() -> None:
    its, situation = DATA["prometheus_host_power_cut"], Situation("mon1", "mon2")
    assert failures.unfit(its, situation, {"prometheus_host_power_cut": {"database": 30}}, "postgresql") == {}
    assert failures.unfit(its, situation, {"prometheus_host_power_cut": {"database": None}}, "postgresql") == {}
    assert list(failures.unfit(its, situation, {"leader_power_cut": {"database": 60}}, "postgresql")) == ["mon2"]
    assert failures.unfit(its, Situation("mon1"), {}, "postgresql") == {}


@pytest.mark.parametrize("how", ["killed", "hung", "stopped"])
def test_a_member_of_the_galera_cluster_is_not_its_writer(how: str) -> None:
    found = failures.unfit(DATA[f"galera_member_{how}"], Situation("mon1", "mon2", "mon3"), {}, "mariadb")
    assert found == {"mon3": f"mon3 leads the database now, and galera_member_{how} is about a member that does not"}
    assert failures.unfit(DATA["host_cut_off"], Situation("mon1", "mon3", "mon3"), {}, "mariadb") == {}


def test_what_the_inventory_lacks_is_left_out_unless_it_is_named() -> None:
    bare = {"all": ["a", "b"], "prometheus": ["a", "b"], "load_balancer": ["a", "b"]}
    found = names("all", groups=bare)
    assert "prometheus_killed" in found and not [name for name in found if name.startswith(("grafana", "patroni", "leader", "etcd"))]
    with pytest.raises(DrillError, match="grafana_killed: the inventory has no Grafana"):
        names("grafana_killed", groups=bare)
    with pytest.raises(DrillError, match="haproxy_killed: the inventory has no virtual address"):
        failures.choose(["haproxy_killed"], DEMO, "")


def test_a_name_that_is_not_known_is_told_with_what_was_meant() -> None:
    with pytest.raises(DrillError, match="no failure is called 'promethus_killed': did you mean prometheus_killed"):
        names("promethus_killed")
    with pytest.raises(DrillError, match=r"^drill: no failure is called 'zzz': give all, core, a pattern or a name of docs/reference\.md$"):
        names("zzz")


def test_an_inventory_tightens_and_loosens_promises() -> None:
    its = DATA["haproxy_killed"]
    assert failures.promised(its, {}) == {"default": 2}
    assert failures.promised(its, {"all": {"page_copies": 2}, "haproxy_killed": {"default": 1}}) == {"default": 1, "page_copies": 2}
    with pytest.raises(DrillError, match=r"drill_objectives\.haproxy_killed"):
        failures.promised(its, {"haproxy_killed": {"defalt": 1}})


# --- whom -----------------------------------------------------------------------------------------------------------


def test_selectors_follow_who_does_what_now() -> None:
    assert struck("haproxy_killed", holder="mon2") == ["mon2"]
    assert struck("leader_power_cut", leader="mon3") == ["mon3"]
    assert struck("compactor_host_power_cut") == ["mon3"]
    assert struck("all_hosts_off") == HOSTS
    assert len(struck("etcd_quorum_lost")) == 2
    with pytest.raises(DrillError, match="nobody is leader of the database"):
        struck("leader_power_cut", holder="mon1")


@pytest.mark.parametrize(
    ("holder", "leader", "expected"), [("mon1", "mon2", "mon3"), ("mon3", "mon1", "mon2"), ("mon2", "mon2", "mon1"), ("", "", "mon1")]
)
def test_one_of_them_is_one_that_does_nothing_else(holder: str, leader: str, expected: str) -> None:
    assert struck("thanos_query_killed", holder, leader) == [expected]


def test_where_every_member_does_something_else_the_leader_is_spared() -> None:
    assert struck("prometheus_host_power_cut", holder="mon1", leader="mon2") == ["mon1"]
    assert struck("prometheus_host_power_cut", holder="mon2", leader="mon1") == ["mon2"]


#: The first host alone has a Grafana and a backup.
ALONE = {**DEMO, "grafana": ["mon1"], "backup": ["mon1"]}


@pytest.mark.parametrize("name", ["host_cut_off", "network_slow", "network_lossy", "clock_stepped", "certificate_expired"])
def test_a_host_that_can_be_spared_is_struck(name: str) -> None:
    assert struck(name, "mon3", "mon3", ALONE) == ["mon2"]
    # Where another one leads or holds the address, that is less than what would not be borne.
    assert struck(name, "mon2", "mon3", ALONE) == ["mon2"]
    assert unborne(name, ["mon1"], grafana=["mon1"]) == ["Grafana would have no member left"]


def test_a_host_on_which_the_failure_would_be_another_one_is_struck_last() -> None:
    case, situation = Case(DATA["prometheus_host_power_cut"]), Situation("mon3", "mon3")
    assert failures.strike(case, DEMO, situation, {"mon1"}) == ["mon2"]
    assert failures.strike(case, DEMO, situation, {"mon1", "mon2"}) == ["mon1"]


def test_nothing_is_borne_everywhere() -> None:
    assert unborne("nothing", ["mon1"], grafana=["mon1"], prometheus=["mon1"]) == []
    assert struck("nothing", "mon3", "mon3", ALONE) == ["mon1"]


#: Probes come in by the first load balancer, as no address moves among them.
ENTRANCE = "the inventory has no virtual address, and probes come in by mon1 alone: no other load balancer could stand in"


@pytest.mark.parametrize("name", DATA)
def test_without_a_virtual_address_the_host_that_probes_know_is_not_lost(name: str) -> None:
    failure = DATA[name]
    lost = not failure.daemon and failure.do in ("power_cut", "cut_off", "cut_off_in", "cut_off_out", "certificate_expired")
    found = failures.unfit(failure, Situation("", "", "", "mon1"), {}, "postgresql")
    assert found == ({"mon1": ENTRANCE} if lost and name != "all_hosts_off" else {})
    assert failures.unfit(failure, Situation("mon1"), {}, "postgresql") == {}


#: etcd has hosts of its own, or shares some with the database.
APART = {**DEMO, "all": [*HOSTS, "etcd1", "etcd2", "etcd3"], "etcd": ["etcd1", "etcd2", "etcd3"]}
PARTLY = {**APART, "etcd": ["mon1", "etcd2", "etcd3"]}


@pytest.mark.parametrize("name", ["etcd_killed", "etcd_hung", "etcd_stopped"])
@pytest.mark.parametrize(
    ("groups", "leader", "expected"),
    [(DEMO, "mon2", "mon2"), (APART, "mon2", "etcd1"), (PARTLY, "mon1", "mon1"), (PARTLY, "mon2", "etcd2")],
)
def test_the_leader_is_struck_where_it_has_the_daemon_and_else_one_that_has_it(
    name: str, groups: dict[str, list[str]], leader: str, expected: str
) -> None:
    assert struck(name, "mon1", leader, groups) == [expected]


@pytest.mark.parametrize("name", DATA)
@pytest.mark.parametrize("groups", [APART, PARTLY])
def test_nobody_without_the_daemon_is_struck(name: str, groups: dict[str, list[str]]) -> None:
    failure = DATA[name]
    if not failure.daemon or failures.absent(failure, groups, VIRTUAL):
        return
    running = topology.members(COMPONENTS[failure.daemon], groups)
    for leader in HOSTS:
        assert set(struck(name, "mon1", leader, groups)) <= set(running)
    with pytest.raises(DrillError, match=r"cannot strike elsewhere|strikes several hosts"):
        names(name, host="elsewhere", groups=groups)


def test_any_member_may_be_named_where_the_leader_has_not_the_daemon() -> None:
    assert names("etcd_killed", host="etcd2", groups=APART) == ["etcd_killed@etcd2"]
    assert failures.elsewhere(Case(DATA["etcd_killed"], "etcd2"), APART, Situation("mon1", "mon2")) == ""
    assert failures.elsewhere(Case(DATA["etcd_killed"], "etcd2"), PARTLY, Situation("mon1", "mon2")) == ""
    assert "mon1 leads" in failures.elsewhere(Case(DATA["etcd_killed"], "etcd2"), PARTLY, Situation("mon2", "mon1"))
    with pytest.raises(DrillError, match="etcd_killed cannot strike mon2: it is for etcd1, etcd2, etcd3"):
        names("etcd_killed", host="mon2", groups=APART)


GALERA = {"all": HOSTS, "mariadb": HOSTS, "grafana": HOSTS, "load_balancer": HOSTS, "prometheus": ["mon1", "mon2"]}
BOTH = {**DEMO, "mariadb": HOSTS}


@pytest.mark.parametrize("name", ["mariadb_killed", "mariadb_hung", "mariadb_stopped", "leader_power_cut", "leader_cut_off"])
def test_the_writer_of_mariadb_is_struck(name: str) -> None:
    assert failures.strike(Case(DATA[name]), GALERA, Situation("mon1", "mon2", "mon2")) == ["mon2"]
    assert name in names("all", groups=GALERA)
    with pytest.raises(DrillError, match="nobody is leader of the database"):
        failures.strike(Case(DATA[name]), GALERA, Situation("mon1"))


def test_of_two_databases_each_failure_is_about_its_own() -> None:
    situation = Situation("mon1", "mon2", "mon3")
    assert failures.strike(Case(DATA["galera_member_hung"]), BOTH, Situation("mon1", "mon2", "mon3")) == ["mon2"]
    found = {name: failures.strike(Case(DATA[name]), BOTH, situation) for name in ("mariadb_hung", "patroni_hung", "leader_power_cut")}
    assert found == {"mariadb_hung": ["mon3"], "patroni_hung": ["mon2"], "leader_power_cut": ["mon2"]}


# --- what is borne --------------------------------------------------------------------------------------------------


def test_three_hosts_bear_the_loss_of_any_one() -> None:
    for host in HOSTS:
        assert unborne("host_power_cut", [host]) == []


def test_a_component_of_one_member_bears_none() -> None:
    assert unborne("prometheus_killed", ["mon1"], prometheus=["mon1"]) == [
        "Prometheus would have no member left",
    ]
    assert "Prometheus would have no member left" in unborne("host_power_cut", ["mon1"], prometheus=["mon1"])
    # It is not about a daemon of other hosts.
    assert unborne("host_power_cut", ["mon2"], prometheus=["mon1"]) == []


def test_a_quorum_and_three_copies_bear_a_minority() -> None:
    assert unborne("etcd_killed", ["mon1"]) == []
    assert unborne("etcd_killed", ["mon1"], etcd=["mon1", "mon2"]) == ["etcd would keep 1 of 2 members, no majority"]
    assert unborne("object_store_killed", ["mon1"], object_store=["mon1", "mon2"]) == [
        "Garage object store would keep 1 of 2 members, no majority"
    ]
    four = ["mon1", "mon2", "mon3", "mon4"]
    assert failures.bears(COMPONENTS["etcd"], four, ["mon1", "mon2"]) == "etcd would keep 2 of 4 members, no majority"


def test_a_compactor_may_always_rest() -> None:
    assert unborne("compactor_killed", ["mon3"]) == []


def test_a_switch_over_needs_somebody_to_switch_to() -> None:
    assert unborne("postgresql_switched_over", ["mon1"]) == []
    assert unborne("postgresql_switched_over", ["mon1"], postgresql=["mon1"]) == ["PostgreSQL has no standby to switch over to"]


def test_what_is_beyond_is_meant_to_be() -> None:
    assert unborne("all_hosts_off", HOSTS) == []
