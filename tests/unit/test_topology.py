"""Who and where, from groups and variables alone."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.monitoring.ha.plugins.module_utils import gates, topology
from ansible_collections.monitoring.ha.plugins.module_utils.catalogue import COMPONENTS, component

GROUPS = {
    "all": ["a", "b"],
    "prometheus": ["a", "b"],
    "load_balancer": ["a"],
    "object_store": ["a", "b"],
    "thanos_store": ["b"],
    "monitored": ["a", "b"],
}
HOSTVARS: dict[str, dict[str, Any]] = {"a": {"ha_address": "10.0.0.1"}, "b": {"ansible_host": "10.0.0.2", "prometheus_http_port": 9191}}


def front(name: str, groups: dict[str, list[str]], variables: dict[str, Any]) -> dict[str, Any]:
    return next(f for f in topology.frontends(groups, {**HOSTVARS, "a": {**HOSTVARS["a"], **variables}}) if f["name"] == name)


def test_members_in_inventory_order_with_overridden_port() -> None:
    urls = [e.url for e in topology.endpoints("prometheus", GROUPS, HOSTVARS)]
    assert urls == ["https://10.0.0.1:9090", "https://10.0.0.2:9191"]


def test_empty_group_gives_nothing() -> None:
    assert topology.endpoints("alertmanager", GROUPS, HOSTVARS) == []


def test_whoever_can_be_asked_is_a_target_and_shows_what_its_gate_knows() -> None:
    found = {(its["component"], its["host"]): its for its in topology.targets(GROUPS, HOSTVARS)}
    assert found["prometheus", "b"]["port"] == 9191 and found["prometheus", "b"]["expect"] == {"targets_up": True}
    assert found["object_store", "a"]["expect"] == {"nodes": 2} and found["node_exporter", "a"]["expect"] == {}
    assert {component for component, _host in found} <= set(gates.GATES)
    part = {(its["component"], its["host"]): its["expect"] for its in topology.targets(GROUPS, HOSTVARS, ["b"])}
    assert {host for _component, host in part} == {"b"} and part["prometheus", "b"] == {"targets_up": ["b"]}
    # A quorum, or whoever knows others, is not whole alone; whoever leads or writes is expected to be followed.
    three = topology.expectations({name: ["a", "b", "c"] for name in ("prometheus", "thanos_store", "postgresql", "mariadb", "grafana")})
    assert three["thanos_query"] == {"stores": 6} and three["postgresql"] == {"standbys": 2} and three["mariadb"] == {"nodes": 3}
    assert set(three) <= set(COMPONENTS)


@pytest.mark.parametrize(
    ("mode", "wanted"), [({}, True), ({"postgresql_synchronous_mode": "on"}, True), ({"postgresql_synchronous_mode": "off"}, False)]
)
def test_writes_are_confirmed_where_the_inventory_wants_it(mode: dict[str, str], wanted: bool) -> None:
    groups = {"all": ["a", "b"], "postgresql": ["a", "b"]}
    hostvars = {host: {"ha_address": f"192.0.2.{number}", **mode} for number, host in enumerate("ab", 1)}
    found = [its["expect"] for its in topology.targets(groups, hostvars) if its["component"] == "postgresql"]
    assert found == [{"standbys": 1, "synchronous": wanted}] * 2


def test_loopback_port_stays_on_loopback() -> None:
    assert {e.authority for e in topology.endpoints("object_store", GROUPS, HOSTVARS, port="admin_local")} == {"127.0.0.1:3903"}


def test_frontends_are_on_the_virtual_address_else_on_every_load_balancer() -> None:
    assert front("s3", GROUPS, {"ha_virtual_address": "10.0.0.9"})["url"] == "https://10.0.0.9:3900"
    assert [e["host"] for e in front("s3", GROUPS, {})["endpoints"]] == ["a"]
    assert topology.frontends({**GROUPS, "load_balancer": []}, HOSTVARS) == []


def test_addresses_have_one_form_however_the_inventory_writes_them() -> None:
    (endpoint, *_others) = front("s3", GROUPS, {"ha_virtual_address": "2001:DB8:0:0::0100"})["endpoints"]
    assert (endpoint["address"], endpoint["url"]) == ("2001:db8::100", "https://[2001:db8::100]:3900")
    assert topology.host_address("a", {"ha_address": "2001:DB8::0001"}) == "2001:db8::1"
    assert topology.canonical("mon1.Example.org") == "mon1.Example.org" and topology.canonical(None) == ""


def test_a_frontend_port_can_be_overridden() -> None:
    assert front("s3", GROUPS, {"haproxy_s3_port": 8443})["authority"] == "10.0.0.1:8443"


@pytest.mark.parametrize(
    ("groups", "behind"),
    [
        (["thanos_query_frontend", "thanos_query", "prometheus"], "thanos_query_frontend"),
        (["thanos_query", "prometheus"], "thanos_query"),
        (["prometheus"], "prometheus"),
    ],
)
def test_queries_are_answered_by_the_best_that_the_inventory_has(groups: list[str], behind: str) -> None:
    inventory = {"all": ["a", "b"], "load_balancer": ["a"], **{group: ["a", "b"] for group in groups}}
    found = front("query", inventory, {})
    assert found["component"] == behind
    # Replicas of Prometheus are never asked in turn.
    assert found["one_writer"] is (behind == "prometheus")


def test_a_bad_virtual_address_is_named() -> None:
    with pytest.raises(topology.TopologyError, match="ha_virtual_address"):
        front("s3", GROUPS, {"ha_virtual_address": "vip"})


def test_the_proxy_runs_wherever_a_client_does() -> None:
    assert topology.members(component("proxy"), GROUPS) == ["a", "b"]
    assert topology.members(component("proxy"), {"all": ["a", "b"], "monitored": ["a", "b"]}) == []


def test_a_host_that_leaves_the_object_store_stays_within_reach_of_the_others() -> None:
    groups = {**GROUPS, "all": ["a", "b", "c"]}
    hostvars = {
        host: {**its, "ha_removed_hosts": ["c", "gone", "b"]} for host, its in {**HOSTVARS, "c": {"ha_address": "10.0.0.3"}}.items()
    }
    ways = {kind: [way["servers"] for way in topology.upstreams(groups, hostvars, "a") if way["kind"] == kind] for kind in ("rpc", "s3")}
    assert [server["host"] for servers in ways["rpc"] for server in servers] == ["a", "b", "c"]
    # Nobody else is sent to it.
    assert [server["host"] for servers in ways["s3"] for server in servers] == ["a", "b"]


def test_ways_prefer_the_member_on_the_same_host() -> None:
    ways = {way["name"]: way for way in topology.upstreams(GROUPS, HOSTVARS, "b")}
    assert [server["host"] for server in ways["s3"]["servers"]] == ["b", "a"]


def test_connections_are_cut_where_a_client_would_wait_for_one_that_hangs_or_be_served_by_one_that_cannot() -> None:
    inventory = {**GROUPS, **{name: ["a", "b"] for name in ("postgresql", "thanos_query", "thanos_query_frontend", "grafana")}}
    cut = {way["kind"] for way in topology.upstreams(inventory, HOSTVARS, "b") if way["cut"]}
    assert cut == {"rpc", "sql", "query_engine", "queries_engine", "queries"}


def test_a_way_to_one_member_has_the_same_address_on_every_host_and_in_every_inventory() -> None:
    def local(host: str, groups: dict[str, list[str]]) -> str:
        return next(str(w["local"]) for w in topology.upstreams(groups, HOSTVARS, host) if w["name"] == "store_thanos_store_b")

    assert local("a", GROUPS) == local("b", GROUPS) == local("a", {"all": ["a", "b"], "thanos_store": ["b"]}) == "127.0.0.2:10905"


def test_loopback_twins_of_both_families() -> None:
    assert topology.loopback_twin("192.0.2.11") == "127.0.2.11"
    first, second = topology.loopback_twin("2001:db8::1"), topology.loopback_twin("2001:db8::2")
    assert first.startswith("127.") and second.startswith("127.") and first != second


def test_ipv6_authority_has_brackets() -> None:
    assert topology.Endpoint("a", "fd00::1", 9090, "https", "prometheus").url == "https://[fd00::1]:9090"


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({}, ["ha_address"]),
        ({"ha_address": "nowhere"}, ["ha_address", "nowhere"]),
        ({"ha_address": "10.0.0.1", "prometheus_http_port": "x"}, ["prometheus_http_port"]),
        ({"ha_address": "10.0.0.1", "prometheus_http_port": 70000}, ["prometheus_http_port", "65535"]),
    ],
)
def test_errors_name_the_variable(variables: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(topology.TopologyError) as error:
        topology.endpoint(component("prometheus"), "http", "h", {"h": variables})
    assert all(word in str(error.value) for word in words)


def test_no_two_components_share_a_port_on_a_host() -> None:
    numbers = [(p.scope, p.number) for c in COMPONENTS.values() for p in c.ports.values()]
    assert len(numbers) == len(set(numbers))
