"""What can be known before a host is touched: every check with a good and a bad site; the message names what, where and the remedy."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.monitoring.ha.plugins.module_utils import (
    preflight,
    preflight_alertmanager,
    preflight_hosts,
    preflight_network,
    preflight_object_store,
    preflight_secrets,
)
from ansible_collections.monitoring.ha.plugins.module_utils.catalogue import COMPONENTS
from ansible_collections.monitoring.ha.plugins.module_utils.https import connects
from ansible_collections.monitoring.ha.plugins.module_utils.preflight import RESERVED, Finding, Site

from tests.unit.plays import Play, Played, command
from tests.unit.servers import serve, texts
from tools.steps import ROOT

HOSTS = ["mon1", "mon2", "mon3"]
GROUPS = ("prometheus", "alertmanager", "thanos_query", "thanos_store", "object_store", "load_balancer", "monitored")
SECRETS: dict[str, Any] = {
    "object_store_rpc_secret": "0123456789abcdef" * 4,
    "object_store_admin_token": "Zei7ohPhahm4Quae9Eim",
    "haproxy_users": {"admin": "ooxu4Zaigh2Ee"},
    "thanos_s3_access_key": "GK0123456789abcdef01234567",
    "thanos_s3_secret_key": "abcdef0123456789" * 4,
}
SECRETS["object_store_keys"] = [{"name": "thanos", "id": SECRETS["thanos_s3_access_key"], "secret": SECRETS["thanos_s3_secret_key"]}]
SECRETS["object_store_buckets"] = [{"name": "thanos", "keys": {"thanos": ["read", "write", "owner"]}}]

Change = Callable[[dict[str, list[str]], dict[str, dict[str, Any]]], object]


def good() -> Site:
    """Three hosts with everything, as they should be."""
    groups: dict[str, list[str]] = {"all": [*HOSTS, "elsewhere"], **{group: list(HOSTS) for group in GROUPS}, "thanos_compact": ["mon3"]}
    common = {"ha_virtual_address": "192.0.2.100", **SECRETS}
    hostvars: dict[str, dict[str, Any]] = {h: {"ha_address": f"192.0.2.1{n}", **copy.deepcopy(common)} for n, h in enumerate(HOSTS, 1)}
    names = ("thanos_s3", "thanos_s3_access_key", "thanos_s3_secret_key", "thanos_objstore", "thanos_query_frontend_downstream")
    thanos: dict[str, Any] = {name: {} for name in names}
    prometheus: dict[str, Any] = {
        "prometheus_retention_time": {"type": "str"},
        "prometheus_port": {"type": "int"},
        "prometheus_address": {"type": "str"},
    }
    haproxy: dict[str, Any] = {"haproxy_users": {}, "haproxy_virtual_address": {}}
    options = {"prometheus": prometheus, "haproxy": haproxy, "thanos": thanos}
    return Site(groups, {**hostvars, "elsewhere": {}}, options, frozenset({"prometheus_tree"}))


def changed(change: Change) -> Site:
    site = good()
    groups = {name: list(members) for name, members in site.groups.items()}
    hostvars = {host: dict(values) for host, values in site.hostvars.items()}
    change(groups, hostvars)
    return replace(site, groups=groups, hostvars=hostvars)


def everywhere(**variables: Any) -> Change:
    return lambda _groups, hostvars: [its.update(variables) for host, its in hostvars.items() if host in HOSTS]


def on(host: str, **variables: Any) -> Change:
    return lambda _groups, hostvars: hostvars[host].update(variables)


def group(name: str, *members: str) -> Change:
    return lambda groups, _hostvars: groups.update({name: list(members)})


def called(name: str) -> Change:
    """mon1 is called otherwise in the inventory."""

    def change(groups: dict[str, list[str]], hostvars: dict[str, dict[str, Any]]) -> None:
        hostvars[name] = hostvars.pop("mon1")
        for members in groups.values():
            members[:] = [name if member == "mon1" else member for member in members]

    return change


def both(*changes: Change) -> Change:
    return lambda groups, hostvars: [change(groups, hostvars) for change in changes]


def domains(**of: str) -> Change:
    return lambda _groups, hostvars: [hostvars[host].update(failure_domain=domain) for host, domain in of.items()]


def route(**its: Any) -> Change:
    return everywhere(alertmanager_config={"route": {"receiver": "x", **its}, "receivers": [{"name": "x"}]})


def bucket(**its: Any) -> Change:
    return everywhere(object_store_buckets=[{"name": "thanos", **its}])


def key(id_: str, secret: str) -> dict[str, Any]:
    """Variables of a key that Thanos uses."""
    keys = [{"name": "thanos", "id": id_, "secret": secret}]
    return {"thanos_s3_access_key": id_, "thanos_s3_secret_key": secret, "object_store_keys": keys}


MODULES = (preflight, preflight_network, preflight_secrets, preflight_alertmanager, preflight_object_store)


def lines(site: Site, accept: tuple[str, ...] = ()) -> list[str]:
    found = preflight.inspect(site, [check for module in MODULES for check in module.CHECKS])
    return [str(finding) for finding in preflight.distinct(found, accept)]


def test_a_good_site_has_no_findings() -> None:
    assert lines(good()) == []


#: What is wrong → words that one finding has to contain.
BAD: dict[str, tuple[Change, list[str]]] = {
    "one replica": (group("prometheus", "mon1"), ["group prometheus has 1 host:", "make it 2", "[members:prometheus]"]),
    "one load balancer": (group("load_balancer", "mon1"), ["load_balancer has 1 host:", "make it 2"]),
    "two of the object store": (group("object_store", "mon1", "mon2"), ["object_store has 2 hosts:", "make it 3"]),
    "two compactors": (group("thanos_compact", "mon1", "mon2"), ["thanos_compact has 2 hosts:", "leave one", "destroy"]),
    "an address for nobody": (group("load_balancer"), ["ha_virtual_address is set", "load_balancer is empty", "put two hosts"]),
    "misspelt group": (both(group("alert_manager", *HOSTS), group("alertmanager")), ["group alert_manager", "did you mean alertmanager?"]),
    "name of no host": (called("mon_1"), ["mon_1: ", "cannot be a host name", "use letters"]),
    "no address": (on("mon2", ha_address=""), ["mon2: ", "set ha_address"]),
    "address is a name": (on("mon2", ha_address="mon2.example.org"), ["mon2: ", "ha_address", "not an IP address", "set it to"]),
    "address of oneself": (on("mon2", ha_address="127.0.0.1"), ["mon2: its address is 127.0.0.1", "no other host", "set ha_address"]),
    "virtual address of everybody": (everywhere(ha_virtual_address="0.0.0.0"), ["ha_virtual_address is '0.0.0.0'", "set it to a free"]),
    "name of the stack": (everywhere(ha_cluster="our\nstack"), ["ha_cluster is 'our\\nstack'", "use letters"]),
    "same address": (on("mon2", ha_address="192.0.2.11"), ["mon2: its address 192.0.2.11 is also mon1's", "set ha_address"]),
    "virtual address of a host": (everywhere(ha_virtual_address="192.0.2.12"), ["mon2: ", "virtual address 192.0.2.12", "choose one"]),
    "virtual address is a name": (everywhere(ha_virtual_address="vip"), ["ha_virtual_address is 'vip'", "set it to a free address"]),
    "two virtual addresses": (on("mon2", ha_virtual_address="192.0.2.99"), ["ha_virtual_address differs", "for the group all"]),
    "ports clash": (on("mon1", prometheus_http_port=9093), ["mon1: ", "Alertmanager", "Prometheus", "192.0.2.11:9093", "_http_port"]),
    "an address of one role": (
        on("mon1", prometheus_address="198.51.100.1"),
        ["mon1: prometheus_address is 198.51.100.1", "looks for it at 192.0.2.11", "set ha_address instead"],
    ),
    "a virtual address of one role": (
        everywhere(haproxy_virtual_address="192.0.2.101"),
        ["haproxy_virtual_address is 192.0.2.101", "at 192.0.2.100", "set ha_virtual_address instead"],
    ),
    "load balancers that differ": (
        on("mon2", haproxy_users={"admin": "another-one-of-them"}),
        ["mon2: haproxy_users is not what it is on mon1", "for the group load_balancer", "[differs:haproxy_users]"],
    ),
    "front ends at two ports": (on("mon3", haproxy_query_port=9999), ["mon3: haproxy_query_port is not what it is on mon1", "set it once"]),
    "two stacks": (on("mon3", ha_cluster="other"), ["mon3: ha_cluster is not what it is on mon1", "for the group all"]),
    "pages for one member": (
        on("mon2", alertmanager_config={"route": {"receiver": "x"}, "receivers": [{"name": "x"}]}),
        ["mon2: alertmanager_config is not what it is on mon1", "for the group alertmanager"],
    ),
    "front ends clash": (everywhere(ha_virtual_address=""), ["front end query", "Prometheus", ":9090", "haproxy_query_port"]),
    "no port": (on("mon1", prometheus_http_port="web"), ["mon1: ", "prometheus_http_port is 'web'", "1 to 65535"]),
    "a port for one role": (
        on("mon1", prometheus_port=9091),
        ["mon1: prometheus_port is 9091", "looks for Prometheus at 9090", "set prometheus_http_port instead"],
    ),
    "replicas alike": (
        everywhere(prometheus_replica="a"),
        ["mon2: prometheus_replica is 'a', as on mon1", "give each replica another one"],
    ),
    "short intervals": (route(group_interval="20s"), ["group_interval 20s of alertmanager_config.route ", "longer than 30s"]),
    "short interval deep down": (route(routes=[{"routes": [{"group_interval": "1s"}]}]), ["route.routes[0].routes[0]", "1s"]),
    "slow exchange": (everywhere(alertmanager_peer_timeout="5s"), ["alertmanager_exchange_interval 5s", "shorter than", "5s"]),
    "exchange that is none": (
        everywhere(alertmanager_exchange_interval="often"),
        ["alertmanager_exchange_interval", "'often'", "correct it"],
    ),
    "interval that is none": (route(group_interval="soon"), ["alertmanager_config", "'soon' is not a duration", "correct it"]),
    "one domain": (domains(mon1="a", mon2="a", mon3="a"), ["all of prometheus is in failure domain 'a'", "spread", "two domains"]),
    "two of three copies in one domain": (
        domains(mon1="a", mon2="b", mon3="a"),
        ["the majority of object_store is in failure domain 'a'", "three domains", "[failure_domain:object_store]"],
    ),
    "domain forgotten": (domains(mon1="a", mon2="b", mon3=""), ["mon3: failure_domain is not given", "set it on mon3"]),
    "secret missing": (everywhere(object_store_admin_token=""), ["object_store_admin_token is missing", "16 random characters"]),
    "secret too short": (everywhere(object_store_admin_token="Zei7ohPh"), ["object_store_admin_token is too short"]),
    "secret of the wrong form": (
        everywhere(object_store_rpc_secret="x" + "0a1b" * 15 + "cde"),
        ["object_store_rpc_secret", "openssl rand"],
    ),
    "secret at a default": (everywhere(haproxy_users={"admin": "changeme"}), ["'admin' in haproxy_users is one that everybody tries"]),
    "password too short": (everywhere(haproxy_users={"admin": "abc4efg"}), ["password of 'admin'", "too short", "at least 12"]),
    "nobody comes in": (everywhere(haproxy_users={}), ["haproxy_users is empty", "query", "set it"]),
    "secrets differ": (on("mon2", object_store_rpc_secret="fedcba9876543210" * 4), ["object_store_rpc_secret differs", "once"]),
    "no key for Thanos": (everywhere(thanos_s3_access_key=""), ["thanos_s3_access_key is missing", "object_store_keys"]),
    "key for Thanos of the wrong form": (
        everywhere(**key("minio", "abcdef0123456789" * 4)),
        ["thanos_s3_access_key is too short or of the wrong form", "GK and 24 hexadecimal digits"],
    ),
    "key of the wrong form": (
        everywhere(**key("GK0123456789abcdef01234567", "Zei7ohPhahm4Quae9Eim")),
        ["secret of 'thanos' in object_store_keys is too short or of the wrong form", "64 hexadecimal digits"],
    ),
    "weak key": (everywhere(**key("GK" + "0" * 24, "0" * 64)), ["secret of 'thanos' in object_store_keys is one that everybody tries"]),
    "key without a secret": (
        everywhere(object_store_keys=[{"name": "a", "id": "GK0123456789abcdef01234567"}]),
        ["secret of 'a'", "missing"],
    ),
    "another key for Thanos": (
        everywhere(thanos_s3_secret_key="fedcba9876543210" * 4),
        ["object_store_keys does not have the key in thanos_s3_access_key", "referring to both"],
    ),
    "no keys": (everywhere(object_store_keys=[]), ["object_store_keys does not have the key", "add it"]),
    "query front ends without queries": (
        both(group("thanos_query_frontend", *HOSTS), group("thanos_query")),
        ["group thanos_query_frontend has hosts, but group thanos_query is empty", "or leave thanos_query_frontend empty"],
    ),
    "history without a bucket": (
        group("object_store"),
        ["group thanos_store has hosts, but group object_store is empty", "thanos_objstore"],
    ),
    "no bucket for Thanos": (bucket(name="other"), ["object_store_buckets does not have 'thanos'", "thanos_s3_bucket"]),
    "quota that is none": (bucket(max_size="5X"), ["object_store_buckets[0].max_size: capacity '5X'", "write it as 100G"]),
    "no receiver": (everywhere(alertmanager_config={"receivers": []}), ["alertmanager_config.route has no receiver", "[receiver]"]),
    "receiver that is nobody": (
        route(routes=[{"routes": [{"receiver": "y"}]}]),
        ["alertmanager_config.route.routes[0].routes[0].receiver is 'y'", "add it to", "name one of x"],
    ),
    "two intervals that are none": (
        route(group_interval="soon", routes=[{"group_interval": "later"}]),
        ["alertmanager_config.route.routes[0].group_interval: 'later' is not a duration"],
    ),
    "key in capitals": (everywhere(**key("GK0123456789ABCDEF01234567", "abcdef0123456789" * 4)), ["thanos_s3_access_key", "GK and 24"]),
    "key that is none": (bucket(keys={"thano": ["read"]}), ["object_store_buckets[0].keys has 'thano'", "or name one of thanos"]),
    "permission that is none": (bucket(keys={"thanos": ["raed"]}), ["object_store_buckets[0].keys.thanos", "read, write, owner"]),
    "permissions that are text": (bucket(keys={"thanos": "read"}), ["object_store_buckets[0].keys.thanos is no list", "read, write"]),
    "bucket that cannot be called so": (bucket(name="Our Blocks"), ["object_store_buckets[0].name is 'Our Blocks'", "small letters"]),
    "bucket twice": (
        everywhere(object_store_buckets=[{"name": "thanos"}, {"name": "thanos"}]),
        ["object_store_buckets[1].name is 'thanos', as that of another"],
    ),
    "key twice": (everywhere(object_store_keys=SECRETS["object_store_keys"] * 2), ["object_store_keys has 'thanos' more than once"]),
    "more copies than hosts": (
        everywhere(object_store_replication_factor=5),
        ["object_store_replication_factor is 5", "has 3 hosts", "make it 3"],
    ),
    "misspelt role": (on("mon1", promethues_retention_time="1d"), ["mon1: ", "did you mean prometheus_retention_time?"]),
    "misspelt variable of no role": (on("mon1", failure_domian="a"), ["mon1: ", "did you mean failure_domain?"]),
    "misspelt variable": (
        on("mon1", prometheus_retention_tiem="1d"),
        ["prometheus_retention_tiem", "did you mean prometheus_retention_time?"],
    ),
    "foreign variable": (on("mon1", haproxy_of_mine="1"), ["mon1: no role knows the variable haproxy_of_mine", "another prefix"]),
}


@pytest.mark.parametrize(("change", "words"), BAD.values(), ids=BAD)
def test_a_bad_site_is_told_what_where_and_the_remedy(change: Change, words: list[str]) -> None:
    found = lines(changed(change))
    assert [line for line in found if all(word in line for word in words)], found
    assert not [line for line in found if any(str(secret) in line for secret in SECRETS.values())]


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_names_that_certificates_on_the_controller_use_are_refused(name: str) -> None:
    """The role ``pki`` keeps the identity ``controller`` beside those of the hosts."""
    for spelling in (name, name.upper()):
        (line,) = lines(changed(called(spelling)))
        assert line.startswith(f"{spelling}: ") and name in line.partition("none of")[2]


def test_the_identity_that_the_role_makes_for_the_controller_is_reserved() -> None:
    text = (Path(preflight.__file__).parents[2] / "roles" / "pki" / "vars" / "main.yml").read_text(encoding="utf-8")
    assert "name: controller" in text and "controller" in RESERVED


GOOD: dict[str, Change] = {
    "no virtual address, other ports": everywhere(
        ha_virtual_address="", haproxy_query_port=19090, haproxy_alertmanager_port=19093, haproxy_s3_port=13900
    ),
    "three domains": domains(mon1="a", mon2="b", mon3="c"),
    "two domains": both(domains(mon1="a", mon2="b", mon3="a"), group("object_store"), everywhere(thanos_objstore={"type": "S3"})),
    "intervals longer than all turns": route(group_interval="1m", routes=[{"group_interval": "45s"}]),
    "shorter turns": both(everywhere(alertmanager_peer_timeout="1s", alertmanager_exchange_interval="500ms"), route(group_interval="5s")),
    "address from ansible_host": both(on("mon1", ha_address=None), on("mon1", ansible_host="192.0.2.21")),
    "IPv6": on("mon1", ha_address="2001:db8::1"),
    "variable around another": on("mon1", vault_ha_virtual_address="192.0.2.100", ha_address_="x"),
    "variable beside another": everywhere(prometheus_retention_time="1d", promethues_retention_time="1d"),
    "bucket": everywhere(object_store_buckets=[{"name": "thanos", "keys": {"thanos": ["read", "write"]}}]),
    "a port of its own": everywhere(prometheus_http_port=19090),
    "every address": on("mon1", prometheus_address="0.0.0.0"),
    "its own address": on("mon1", prometheus_address="192.0.2.11"),
    "a port named twice": everywhere(prometheus_http_port=19090, prometheus_port="19090"),
    "what a task registers": on("mon1", prometheus_tree={}),
    "another bucket": everywhere(thanos_objstore={"type": "S3"}, thanos_s3_access_key="", thanos_s3_secret_key=""),
    "another store of one's own": everywhere(thanos_s3="s3.example.org", thanos_s3_access_key="minio", thanos_s3_secret_key="Zei7ohPhahm4"),
    "no object store": both(
        group("object_store"),
        group("thanos_store"),
        group("thanos_compact"),
        everywhere(thanos_s3_access_key="minio", object_store_keys=[]),
    ),
    "queries elsewhere": both(
        group("thanos_query_frontend", *HOSTS), group("thanos_query"), everywhere(thanos_query_frontend_downstream="https://192.0.2.200")
    ),
    "unknown group": group("webservers", "mon1"),
    "no alerting": both(group("alertmanager"), route(group_interval="1s")),
}


@pytest.mark.parametrize("change", GOOD.values(), ids=GOOD)
def test_what_is_all_right_is_not_complained_about(change: Change) -> None:
    assert lines(changed(change)) == []


@pytest.fixture
def quorum(monkeypatch: pytest.MonkeyPatch) -> str:
    """A component that needs a majority of its members."""
    monkeypatch.setitem(COMPONENTS, "alertmanager", replace(COMPONENTS["alertmanager"], cardinality="quorum"))
    return "alertmanager"


@pytest.mark.parametrize(("members", "enough"), [(HOSTS, True), (HOSTS[:2], False), (HOSTS[:1], False), ([*HOSTS, "mon4"], False)])
def test_a_quorum_is_odd_and_survives_a_host(quorum: str, members: list[str], enough: bool) -> None:
    site = good()
    site = replace(site, groups={**site.groups, quorum: members}, hostvars={**site.hostvars, "mon4": {}})
    found = [finding for finding in preflight.members(site) if finding.code == f"members:{quorum}"]
    assert (found == []) is enough
    assert enough or "odd number from 3" in found[0].remedy


@pytest.mark.parametrize(("spread", "enough"), [("abc", True), ("aab", False), ("aaa", False)])
def test_a_majority_does_not_share_a_failure_domain(quorum: str, spread: str, enough: bool) -> None:
    found = lines(changed(domains(**dict(zip(HOSTS, spread, strict=True)))))
    assert any(f"majority of {quorum} is in failure domain 'a'" in line and "three domains" in line for line in found) is not enough


def test_several_findings_come_in_one_list_and_each_can_be_accepted() -> None:
    site = changed(both(group("prometheus", "mon1"), everywhere(object_store_admin_token=""), on("mon2", ha_address="")))
    assert len(lines(site)) == 3
    assert len(lines(site, ("members:prometheus",))) == 2
    assert lines(site, ("members:prometheus", "secret:object_store_admin_token", "address")) == []


@pytest.mark.parametrize(
    ("value", "weak"),
    [("", True), (None, True), ("password", True), ("aaaaaaaaaaaaaaaaaaaa", True), ("short1A", True), ("ieR4Ziu9phoGh7Ee", False)],
)
def test_secrets(value: str | None, weak: bool) -> None:
    assert bool(preflight_secrets.weakness(value, ".{16,}")) is weak


# --- what hosts say ------------------------------------------------------------------------------------------------


def facts() -> dict[str, dict[str, Any]]:
    """Three hosts as they should be."""
    return {
        host: {
            "system": {"id": "debian", "version": "13"},
            "systemd": True,
            "addresses": [{"address": f"192.0.2.1{n}", "prefix": 24, "interface": "eth0"}],
            "listeners": [{"address": "0.0.0.0", "port": 22, "process": "sshd", "unit": "ssh.service"}],
            "active": ["ssh.service"],
            "recorded": [],
            "space": {"/var/lib/prometheus": {"free": 10 * 1024**3, "total": 20 * 1024**3}},
            "names": {host: ["127.0.1.1"], "localhost": ["127.0.0.1"]},
            "hostname": host,
            "neighbour": "",
            "clock": (0.01 * n, 0.005),
        }
        for n, host in enumerate(HOSTS, 1)
    }


def looked(site: Site | None = None, **of_mon2: Any) -> list[str]:
    found = facts()
    found["mon2"].update(of_mon2)
    return [str(finding) for finding in preflight_hosts.inspect(site or good(), found)]


def listener(port: int, address: str = "0.0.0.0", process: str = "nginx", unit: str = "nginx.service") -> list[dict[str, Any]]:
    return [{"address": address, "port": port, "process": process, "unit": unit}]


def test_good_hosts_have_no_findings() -> None:
    assert looked() == []


BAD_FACTS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "another system": ({"system": {"id": "ubuntu", "version": "24.04"}}, ["mon2: it runs ubuntu 24.04", "use Debian 12 or 13"]),
    "no systemd": ({"systemd": False}, ["mon2: it does not run systemd", "boot it"]),
    "another address": (
        {"addresses": [{"address": "192.0.2.77", "prefix": 24}]},
        ["mon2: it does not have its address 192.0.2.12", "ha_address"],
    ),
    "clock ahead": ({"clock": (3.2, 0.01)}, ["mon2: its clock is +3.2 s off", "synchronise"]),
    "clock behind": ({"clock": (-2.0, 0.01)}, ["mon2: its clock is -2.0 s off"]),
    "disk full": (
        {"space": {"/var/lib/prometheus": {"free": 1024**3, "total": 1}}},
        ["mon2: 1.0 GiB are free for /var/lib/prometheus", "2 GiB"],
    ),
    "own name": ({"names": {"mon2": []}}, ["mon2: it cannot resolve mon2", "/etc/hosts"]),
    "another name": ({"names": {"mail.example.org": []}}, ["mon2: it cannot resolve mail.example.org", "DNS"]),
    "port taken": ({"listeners": listener(9090)}, ["mon2: nginx.service listens on 0.0.0.0:9090, which", "stop it, or set"]),
    "port taken on its address": (
        {"listeners": listener(9100, "192.0.2.12", "node", "")},
        ["node listens on 192.0.2.12:9100", "Node exporter"],
    ),
    "port taken by nobody knows": ({"listeners": listener(9100, "::", "", "")}, ["another process listens on :::9100"]),
    "another network": (
        {"addresses": [{"address": "192.0.2.12", "prefix": 28}]},
        ["mon2: ha_virtual_address 192.0.2.100 is not in its network 192.0.2.0/28", "choose a free address"],
    ),
    "address in use": (
        {"neighbour": "52:54:00:12:34:56"},
        ["ha_virtual_address 192.0.2.100 is in use by 52:54:00:12:34:56", "free address"],
    ),
}


@pytest.mark.parametrize(("change", "words"), BAD_FACTS.values(), ids=BAD_FACTS)
def test_a_bad_host_is_told_what_and_the_remedy(change: dict[str, Any], words: list[str]) -> None:
    found = looked(**change)
    assert [line for line in found if all(word in line for word in words)], found


VIRTUAL = {"address": "192.0.2.100", "prefix": 24, "interface": "eth0"}
MINE = {"address": "192.0.2.12", "prefix": 24, "interface": "eth0"}
GOOD_FACTS: dict[str, dict[str, Any]] = {
    "Debian 12": {"system": {"id": "debian", "version": "12"}},
    "uncertain clock": {"clock": (3.0, 2.5)},
    "unknown clock": {"clock": (0.0, float("inf"))},
    "its own unit": {"listeners": listener(9090, unit="prometheus.service")},
    "its own unit, which the kernel does not tell": {
        "listeners": listener(9100, "192.0.2.12", "", ""),
        "active": ["node_exporter.service"],
    },
    "a unit beside its own, which the kernel does not tell": {
        "listeners": listener(3000, "192.0.2.12", "", ""),
        "active": ["grafana-tls.service"],
    },
    "another address of the host": {"listeners": listener(9090, "192.0.2.200")},
    "it holds the virtual address": {"addresses": [MINE, VIRTUAL]},
    "others see the holder": {"neighbour": ""},
}


@pytest.mark.parametrize("change", GOOD_FACTS.values(), ids=GOOD_FACTS)
def test_hosts_that_are_all_right(change: dict[str, Any]) -> None:
    assert looked(**change) == []


def test_what_would_work_against_the_members_is_told_where_it_still_runs() -> None:
    site = good()
    compacts, *_others = site.groups["thanos_compact"]
    other = next(host for host in HOSTS if host != compacts)
    found = facts()
    found[compacts] |= {"active": ["thanos-compact.service", "mariadb.service"], "recorded": ["thanos-compact.service"]}
    assert preflight_hosts.inspect(site, found) == []
    found[other] |= {"active": ["keepalived.service", "mariadb.service", "thanos-compact.service"], "recorded": []}
    assert preflight_hosts.inspect(site, found) == [], "whatever else they run is their own affair"
    found[other]["recorded"] = ["thanos-compact.service"]
    (line,) = map(str, preflight_hosts.inspect(site, found))
    assert line.startswith(f"{other}: Thanos compactor still runs there, and works against {compacts}")
    assert line.endswith("end it (systemctl disable --now thanos-compact.service), or put the host into thanos_compact [intruder]")


def test_an_address_that_a_member_holds_is_no_strangers() -> None:
    found = facts()
    found["mon1"]["addresses"].append(VIRTUAL)
    found["mon2"]["neighbour"] = found["mon3"]["neighbour"] = "52:54:00:12:34:56"
    assert preflight_hosts.inspect(good(), found) == []
    found["mon2"]["addresses"].append(VIRTUAL)
    assert "mon1, mon2 hold 192.0.2.100 at once" in str(preflight_hosts.inspect(good(), found)[0])


def test_a_host_that_is_needed_and_away_is_told() -> None:
    found = facts()
    del found["mon2"]
    (line,) = map(str, preflight_hosts.inspect(good(), found, needed=HOSTS))
    assert line.startswith("mon2: it could not be looked at") and "--limit 'all:!mon2'" in line
    assert preflight.distinct(preflight_hosts.inspect(good(), found, HOSTS), ["unreachable"]) == []


def test_a_host_outside_of_the_stack_is_not_judged_and_hides_nothing() -> None:
    found = facts()
    found["elsewhere"] = {**found["mon1"], "system": {"id": "ubuntu", "version": "24.04"}, "clock": (60.0, 0.01), "hostname": "elsewhere"}
    assert preflight_hosts.inspect(good(), found) == []
    found["mon2"].update(clock=(3.2, 0.01), listeners=listener(9090), addresses=[{"address": "192.0.2.77", "prefix": 24}])
    assert {finding.code for finding in preflight_hosts.inspect(good(), found)} == {"address", "clock", "port"}


@pytest.mark.parametrize("change", [on("mon1", ha_address=""), on("mon1", prometheus_http_port="web")], ids=["address", "port"])
def test_a_host_that_the_inventory_describes_badly_hides_nothing_of_others(change: Change) -> None:
    found = facts()
    found["mon2"].update(listeners=listener(9093), addresses=[{"address": "192.0.2.77", "prefix": 24}])
    said = preflight_hosts.inspect(changed(change), found)
    assert {(finding.code, finding.where) for finding in said} == {("address", "mon2"), ("port", "mon2")}


def test_addresses_are_compared_however_they_are_written() -> None:
    """Kernels write those of IPv6 short and in small letters."""
    site = changed(both(everywhere(ha_virtual_address="2001:DB8::0:100"), *(on(h, ha_address=f"2001:DB8:0:0::1{h[-1]}") for h in HOSTS)))
    found = facts()
    for number, its in enumerate(found.values(), 1):
        its["addresses"] = [{"address": f"2001:db8::1{number}", "prefix": 64, "interface": "eth0"}]
    assert lines(site) == [] and preflight_hosts.inspect(site, found) == []
    found["mon1"]["addresses"].append({"address": "2001:db8::100", "prefix": 64, "interface": "eth0"})
    found["mon2"].update(neighbour="52:54:00:12:34:56", listeners=listener(9090, "2001:db8::12"))
    (line,) = map(str, preflight_hosts.inspect(site, found))
    assert line.startswith("mon2: nginx.service listens on 2001:db8::12:9090")
    same = changed(both(on("mon1", ha_address="2001:db8::1"), on("mon2", ha_address="2001:DB8::0001")))
    assert [line for line in lines(same) if "2001:db8::1 is also mon1's" in line]
    taken = changed(both(on("mon1", ha_address="2001:db8::1"), everywhere(ha_virtual_address="2001:DB8::0001")))
    assert [line for line in lines(taken) if line.startswith("mon1: its own address is the virtual address")]
    assert lines(changed(both(everywhere(ha_virtual_address="2001:db8::9"), on("mon2", ha_virtual_address="2001:DB8::9")))) == []


def test_a_host_does_not_ask_who_holds_its_own_address(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = [{"address": "2001:db8::100", "prefix": 64, "interface": "eth0"}]
    monkeypatch.setattr(preflight_hosts, "own_addresses", lambda: mine)
    monkeypatch.setattr(preflight_hosts, "neighbour", lambda address: f"somebody at {address}")
    assert preflight_hosts.look([], [], "2001:DB8:0::100", {})["neighbour"] == ""
    assert preflight_hosts.look([], [], "2001:db8::101", {})["neighbour"]


def test_who_holds_the_address_is_not_known_of_a_part_of_the_hosts() -> None:
    found = facts()
    found["mon2"]["neighbour"] = "52:54:00:12:34:56"
    assert preflight_hosts.inspect(good(), found)
    del found["mon1"]
    assert preflight_hosts.inspect(good(), found) == []


def test_secrets_of_the_example_are_refused_once_hosts_are_asked() -> None:
    public = {
        "object_store_admin_token": "example-token-of-nobody",
        "object_store_rpc_secret": "6578616d706c65" + "0a" * 25,
        "haproxy_users": {"admin": "Example-password-1"},
        "thanos_s3_secret_key": "6578616d706c65" + "0b" * 25,
    }
    keys = [{"name": "thanos", "id": SECRETS["thanos_s3_access_key"], "secret": public["thanos_s3_secret_key"]}]
    site = changed(everywhere(**public, object_store_keys=keys))
    assert lines(site) == [] and preflight_hosts.inspect(site, {}) == []
    found = looked(site)
    assert len(found) == len(public) and all("example inventory" in line for line in found)
    assert all(any(line.startswith(name) for line in found) for name in public)


def test_a_look_at_this_machine() -> None:
    """What the checks need is really there."""
    with serve(texts({})) as server:
        found = preflight_hosts.look(
            ["/var/lib/not-yet/there"], ["no-such-name.invalid"], "", {"reached": f"127.0.0.1:{server.port}", "not": "127.0.0.1:1"}
        )
    assert found["unreached"] == ["not"]
    assert found["space"]["/var/lib/not-yet/there"]["free"] > 0
    assert found["names"]["localhost"] and found["names"]["no-such-name.invalid"] == []
    assert any(its["port"] == server.port and its["address"] == "127.0.0.1" for its in found["listeners"])
    assert "127.0.0.1" in {its["address"] for its in found["addresses"]}


# --- as a user meets it --------------------------------------------------------------------------------------------


def inventory(hosts: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
    children = {name: {"hosts": dict.fromkeys(hosts)} for name in GROUPS}
    return {"all": {"hosts": hosts, "children": children, "vars": {"ansible_connection": "local", **variables}}}


def preflight_play(play: Play, site: dict[str, Any], *words: str, **variables: Any) -> Played:
    plays = [{"hosts": "all", "gather_facts": False, "roles": ["monitoring.ha.preflight"]}]
    return play.site(plays, *words, inventory=site, variables={"preflight_static": True, **variables})


def test_everything_that_is_wrong_in_one_list(play: Play) -> None:
    """Also what only Ansible can know: values of the wrong type, variables that lead nowhere, versions."""
    hosts = {name: {"ha_address": f"192.0.2.1{n}"} for n, name in enumerate(["controller", "mon2", "mon3"], 1)}
    variables = {
        "ha_virtual_address": "{{ hostvars.mon2.ha_address }}",
        **SECRETS,
        "object_store_admin_token": "{{ vault_that_is_nowhere }}",
        "prometheus_version": "1.2.3",
        "prometheus_storage": "much",
        "prometheus_scrape_interval": 15,
        "alertmanager_retention": "5 days",
        "thanos_query_timeout": "1m30s",
        "prometheus_flags": {"own": "{{ prometheus_address }}"},
        "alertmanager_config": {"route": {"receiver": "x", "group_interval": "1s"}, "receivers": [{"name": "x"}]},
    }
    message = preflight_play(play, inventory(hosts, variables)).message("monitoring.ha.preflight : Everything that is wrong")
    listed = message.splitlines()[1:]
    for words in (
        ["controller: ", "cannot be a host name", "[name]"],
        ["mon2: its own address is the virtual address 192.0.2.12"],
        ["object_store_admin_token cannot be evaluated", "'vault_that_is_nowhere' is undefined", "define"],
        ["prometheus_version", "'1.2.3'", "release_lock"],
        ["prometheus_storage is text, not a mapping", "[argument:prometheus_storage]"],
        ["prometheus_scrape_interval is '15'", "time with a unit", "[argument:prometheus_scrape_interval]"],
        ["alertmanager_retention is '5 days'", "[argument:alertmanager_retention]"],
        ["group_interval 1s"],
    ):
        assert [line for line in listed if all(word in line for word in words)], (words, message)
    assert message.startswith(f"{len(listed)} things to put right before anything is touched:")
    assert "prometheus_flags" not in message and "thanos_query_timeout" not in message


GRAFANA = {
    **SECRETS,
    "grafana_secret_key": "ieR4Ziu9phoGh7Ee",
    "grafana_admin_password": "ooxu4Zaigh2Ee",
    "grafana_database": {"host": "192.0.2.200", "password": "aeC4ahSh0Oog"},
}


def grafana_site(**variables: Any) -> dict[str, Any]:
    hosts = {name: {"ha_address": f"192.0.2.1{n}"} for n, name in enumerate(HOSTS, 1)}
    site = inventory(hosts, {"ha_virtual_address": "192.0.2.100", **GRAFANA, **variables})
    site["all"]["children"]["grafana"] = {"hosts": dict.fromkeys(HOSTS)}
    return site


def test_names_of_options_are_looked_at_beside_what_only_the_role_knows(play: Play) -> None:
    """A value that refers to a variable of the role cannot be evaluated yet."""
    ini = {"auth.generic_oauth": {"signout_redirect_url": "{{ grafana_url }}/bye", "client_idd": "x"}, "databse": {"max_open_conn": 1}}
    message = preflight_play(play, grafana_site(grafana_ini=ini)).message("monitoring.ha.preflight : Everything that is wrong")
    first, second = message.splitlines()[1:]
    assert "'client_idd'" in first and "did you mean client_id?" in first
    assert "'databse'" in second and "did you mean database?" in second


def test_values_of_the_wrong_form_are_told_and_hide_nothing(play: Play) -> None:
    variables = {
        "postgresql_users": {"grafana": "aeC4ahSh0Oog"},
        "postgresql_databases": {"grafana": "grafana"},
        "grafana_database": "postgres://grafana@192.0.2.200",
        "grafana_dashboards": ["/etc"],
        "grafana_ini": {1: {"a": "b"}, "databse": {"host": "a"}},
        "mariadb_databases": 1,
        "object_store_keys": {1: {2: 3}},
        "prometheus_replica": "same",
    }
    site = grafana_site(**variables)
    site["all"]["children"] |= {name: {"hosts": dict.fromkeys(HOSTS)} for name in ("postgresql", "mariadb", "etcd")}
    message = preflight_play(play, site).message("monitoring.ha.preflight : Everything that is wrong")
    listed = message.splitlines()[1:]
    for words in (
        ["postgresql_users.grafana is text, not a mapping"],
        ["grafana_database", "[argument:grafana_database]"],
        ["grafana_dashboards", "[argument:grafana_dashboards]"],
        ["no section '1'"],
        ["no section 'databse'"],
        ["mariadb_databases is 1, not a mapping", "[argument:mariadb_databases]"],
        ["object_store_keys", "[argument:object_store_keys]"],
        ["prometheus_replica is 'same', as on"],
    ):
        assert [line for line in listed if all(word in line for word in words)], (words, message)
    assert "aeC4ahSh0Oog" not in message and "[check:" not in message


def test_nothing_answers_at_a_port_that_is_none() -> None:
    assert not connects("192.0.2.200:abc")


def test_a_check_that_stumbles_is_a_finding_without_the_value() -> None:
    def values_of_that_kind(_site: Site) -> Iterator[Finding]:
        yield Finding("code", "mon1", "found before", "put it right")
        raise KeyError("aeC4ahSh0Oog")

    before, stumbled = map(str, preflight.findings(values_of_that_kind, good()))
    assert "found before" in before
    assert stumbled.startswith("the check of values of that kind stumbled") and "[check:values_of_that_kind]" in stumbled
    assert "KeyError" in stumbled and "aeC4ahSh0Oog" not in stumbled


def test_a_good_site_passes_and_findings_can_be_accepted(play: Play) -> None:
    hosts = {name: {"ha_address": f"192.0.2.1{n}"} for n, name in enumerate(HOSTS, 1)}
    site = inventory(hosts, {"ha_virtual_address": "192.0.2.100", **SECRETS, "prometheus_replica": "same"})
    played = preflight_play(play, site, preflight_accept=["replica"])
    assert played.code == 0 and played.result("monitoring.ha.preflight : Everything that is wrong")["findings"] == []


def test_hosts_outside_of_the_stack_are_not_looked_at_and_get_no_certificate(play: Play) -> None:
    hosts = {name: {"ha_address": f"192.0.2.1{n}"} for n, name in enumerate(HOSTS, 1)}
    site = inventory(hosts, {"ha_virtual_address": "192.0.2.100", **SECRETS})
    site["all"]["children"]["others"] = {"hosts": {"elsewhere": {"ansible_connection": "ssh", "ansible_host": "192.0.2.99"}}}
    played = preflight_play(play, site, "--limit", "elsewhere", preflight_static=False)
    assert played.code == 0, played.said
    assert played.results["monitoring.ha.preflight : Look at the host"]["skipped"]
    words = ("-i", play.home / "hosts.yml", "--list-hosts", "--tags", "pki", ROOT / "playbooks" / "site.yml")
    listed = command("ansible-playbook", *words, home=play.home).stdout
    identity = listed.partition("): Identity")[2].partition("play #")[0]
    assert "mon1" in identity and "elsewhere" not in identity


def test_a_look_at_hosts_with_the_clock(play: Play) -> None:
    start = time.time()
    result = play.run([{"name": "Look", "monitoring.ha.preflight_host": {"paths": ["/var/lib/prometheus"]}}]).result("Look")
    offset, uncertainty = result["facts"]["clock"]
    assert abs(offset) < uncertainty + 0.1 and uncertainty < time.time() - start
    assert not result["changed"] and result["facts"]["space"]["/var/lib/prometheus"]


def test_what_has_no_group_is_in_no_failure_domain() -> None:
    """The proxy is wherever those are that it is beside."""
    assert not [line for line in lines(changed(domains(mon1="a", mon2="a", mon3="a"))) if "[failure_domain:]" in line]


def test_a_finding_is_one_line() -> None:
    assert str(Finding("code", "mon1", "it is a\nb", "put it right")) == "mon1: it is a b: put it right [code]"


def test_a_finding_reads_like_a_sentence() -> None:
    assert str(Finding("code", "mon1", "it is wrong", "put it right")) == "mon1: it is wrong: put it right [code]"


def test_a_misspelt_key_does_not_hide_a_weak_password_beside_it(play: Play) -> None:
    site = grafana_site(postgresql_users={"grafana": {"password": "short", "flag": ["login"]}}, postgresql_databases={})
    site["all"]["children"] |= {name: {"hosts": dict.fromkeys(HOSTS)} for name in ("postgresql", "etcd")}
    message = preflight_play(play, site).message("monitoring.ha.preflight : Everything that is wrong")
    assert "postgresql_users.grafana has an unknown key flag: did you mean flags?" in message
    assert "the password of 'grafana' in postgresql_users is too short" in message
