"""Endpoints: who and where, from groups and variables alone."""

from __future__ import annotations

import pytest
from ansible_collections.monitoring.ha.plugins.module_utils import topology
from ansible_collections.monitoring.ha.plugins.module_utils.catalogue import COMPONENTS, component

GROUPS = {"prometheus": ["a", "b"], "load_balancer": ["a"], "object_store": ["b"], "monitored": ["a", "b"]}
HOSTVARS = {"a": {"ha_address": "10.0.0.1"}, "b": {"ansible_host": "10.0.0.2", "prometheus_http_port": 9191}}


def test_members_in_inventory_order_with_overridden_port() -> None:
    urls = [e.url for e in topology.endpoints("prometheus", GROUPS, HOSTVARS)]
    assert urls == ["https://10.0.0.1:9090", "https://10.0.0.2:9191"]


def test_empty_group_gives_nothing() -> None:
    assert topology.endpoints("alertmanager", GROUPS, HOSTVARS) == []


def test_loopback_port_stays_on_loopback() -> None:
    (found,) = topology.endpoints("object_store", GROUPS, HOSTVARS, port="admin_local")
    assert found.authority == "127.0.0.1:3903"


def test_frontend_prefers_the_virtual_address() -> None:
    (found,) = topology.frontend("object_store", GROUPS, HOSTVARS, {"ha_virtual_address": "10.0.0.9"})
    assert found.url == "https://10.0.0.9:3900"
    (direct,) = topology.frontend("object_store", GROUPS, HOSTVARS, {})
    assert direct.host == "a"


def test_ipv6_authority_has_brackets() -> None:
    assert topology.Endpoint("a", "fd00::1", 9090, "https", "prometheus").url == "https://[fd00::1]:9090"


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({}, ["ha_address"]),
        ({"ha_address": "nowhere"}, ["ha_address", "nowhere"]),
        ({"ha_address": "10.0.0.1", "prometheus_http_port": "x"}, ["prometheus_http_port"]),
    ],
)
def test_errors_name_the_variable(variables: dict[str, str], words: list[str]) -> None:
    with pytest.raises(topology.TopologyError) as error:
        topology.endpoint(component("prometheus"), "http", "h", {"h": variables})
    assert all(word in str(error.value) for word in words)


def test_no_two_components_share_a_port_on_a_host() -> None:
    numbers = [(p.scope, p.number) for c in COMPONENTS.values() for p in c.ports.values()]
    assert len(numbers) == len(set(numbers))
