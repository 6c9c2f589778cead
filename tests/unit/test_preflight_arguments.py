"""Values of the wrong form: each is one line, which names the variable, the hosts where it is not all, and the remedy."""

from __future__ import annotations

import re
from typing import Any

import pytest
from ansible_collections.monitoring.ha.plugins.action import preflight as action
from ansible_collections.monitoring.ha.plugins.module_utils import preflight
from ansible_collections.monitoring.ha.plugins.module_utils.catalogue import COMPONENTS
from ansible_collections.monitoring.ha.plugins.module_utils.preflight import Finding, Site
from ansible_collections.monitoring.ha.plugins.module_utils.preflight_arguments import TIMES, arguments, wrong

HOSTS = ["mon1", "mon2", "mon3"]
OPTIONS = action.role_options()


def lines(*hosts: str, **variables: Any) -> list[str]:
    """What is found where the variables are given to the hosts named, by default to all."""
    groups = {"all": HOSTS, **{c.group: HOSTS for c in COMPONENTS.values() if c.group}}
    site = Site(groups, {host: variables if host in (hosts or HOSTS) else {} for host in HOSTS}, OPTIONS)
    return [str(finding) for finding in arguments(site)]


def roles() -> dict[str, dict[str, Any]]:
    return {role: options for role, options in OPTIONS.items() if role in {c.role for c in COMPONENTS.values()} | {"pki", "preflight"}}


@pytest.mark.parametrize("role", roles())
def test_defaults_are_of_the_form_that_is_asked_for(role: str) -> None:
    given = {name: its["default"] for name, its in OPTIONS[role].items() if "default" in its and "{{" not in str(its["default"])}
    assert lines(**given) == []


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("prometheus_stop_timeout", "300"),
        ("prometheus_admin_api", "yes"),
        ("postgresql_version", 17),
        ("grafana_admin_password", 123456789012),
        ("grafana_database", {"port": None, "type": "postgres"}),
        ("pki_ca_passphrase", None),
        ("prometheus_retention_size", ""),
        ("thanos_compact_retention_raw", "0"),
        ("thanos_query_timeout", "1m30s"),
        ("prometheus_flags", {"web.cors.origin": None}),
        ("object_store_capacity", "1.5TiB"),
        ("mariadb_buffer_pool", "4294967296"),
        ("haproxy_users", {"Jane.Doe+1@example.org": "x"}),
        ("alertmanager_secret_files", {"teams/smtp": "x", "..key": 1}),
        ("prometheus_rule_files", {"shop.yml": [{"name": "shop"}], "text.yml": "groups: []"}),
        ("postgresql_users", {"our-users": {"password": "x", "connection_limit": -1, "flags": ["CREATEDB"]}, "gone": {"state": "absent"}}),
        ("mariadb_databases", {"our data": {"owner": "x"}}),
        ("ha_removed_hosts", ["mon2"]),
        ("ha_virtual_address", None),
    ],
)
def test_what_is_taken(variable: str, value: Any) -> None:
    assert lines(**{variable: value}) == []


@pytest.mark.parametrize(
    ("variable", "value", "line"),
    [
        ("grafana_database", "postgres://grafana:hunter2@sql", "grafana_database is text, not a mapping: write it as {name: value}"),
        ("grafana_database", "host=sql password=hunter2", "grafana_database is text, not a mapping: write it as {name: value}"),
        ("alertmanager_config", ["a"], "alertmanager_config is a list, not a mapping: write it as"),
        ("prometheus_scrape_configs", None, "prometheus_scrape_configs is null: give it a value, or leave it out"),
        ("pki_names", "mon1.example.org,mon1", "pki_names is text, not a list: write it as [one, another]"),
        ("pki_names", [["mon1"]], "pki_names[0] is a list, not text: write text"),
        ("prometheus_version", ["3.15.0"], "prometheus_version is a list, not text: write text"),
        ("postgresql_synchronous_mode", True, "postgresql_synchronous_mode is true, not text: write text, in quotes"),
        ("postgresql_synchronous_mode", "all", "postgresql_synchronous_mode is 'all': choose one of quorum, on, off"),
        ("pki_days", "many", "pki_days is 'many', not a whole number: write it in digits"),
        ("pki_days", -1, "pki_days is -1: give a number from 0"),
        ("pki_days", True, "pki_days is true, not a whole number: write it in digits"),
        ("prometheus_admin_api", "perhaps", "prometheus_admin_api is 'perhaps', not true or false: write one of them"),
        ("keepalived_router_id", 256, "keepalived_router_id is 256: give a number from 1 to 255"),
        ("grafana_database", {"port": 0}, "grafana_database.port is 0: give a number from 1 to 65535"),
        ("grafana_database", {"hots": "sql"}, "grafana_database has an unknown key hots: did you mean host?"),
        ("grafana_database", {"type": "sqlite"}, "grafana_database.type is 'sqlite': choose one of postgres, mysql"),
        ("grafana_dashboards", [{"folder": "Shop"}], "grafana_dashboards[0] has no directory: add it"),
        ("grafana_dashboards", [{"folder": None, "directory": "/srv"}], "grafana_dashboards[0].folder is null: give it a value"),
        ("haproxy_users", {"a\nuser b": "x"}, "haproxy_users has the name 'a\\nuser b': use letters, digits"),
        ("haproxy_users", {"a:b": "x"}, "haproxy_users has the name 'a:b': use letters"),
        ("haproxy_users", {"admin": ["hunter2"]}, "haproxy_users.admin is a list, not text: write text"),
        ("alertmanager_secret_files", {"../x": "y"}, "alertmanager_secret_files has the name '../x': give a path below the directory"),
        ("alertmanager_templates", {"x": None}, "alertmanager_templates.x is null: give it a value"),
        ("prometheus_rule_files", {"/x": "y"}, "prometheus_rule_files has the name '/x': give a path below the directory"),
        ("postgresql_users", {"grafana": "hunter2"}, "postgresql_users.grafana is text, not a mapping: write it as {name: value}"),
        ("postgresql_users", {"a": {"role": "x"}}, "postgresql_users.a has an unknown key role: did you mean roles?"),
        ("postgresql_users", {"a": {"flags": "CREATEDB"}}, "postgresql_users.a.flags is text, not a list: write it as [one, another]"),
        ("postgresql_users", {"a": {"state": "gone"}}, "postgresql_users.a.state is 'gone': choose one of present, absent"),
        ("postgresql_users", {17: {}}, "postgresql_users has the name 17: use 63 characters at most"),
        ("postgresql_databases", {"postgres": {}}, "postgresql_databases has the name 'postgres': use 63 characters"),
        ("postgresql_databases", {"a": {"owner": ["b"]}}, "postgresql_databases.a.owner is a list, not text: write text"),
        ("mariadb_users", {"a": {"roles": []}}, "mariadb_users.a has an unknown key roles: known are password, privileges"),
        ("mariadb_databases", {"monitoring_ha": {}}, "mariadb_databases has the name 'monitoring_ha': use letters"),
        ("mariadb_databases", {"a`b": {}}, "mariadb_databases has the name 'a`b': use letters"),
        ("backup_remotes", ["x"], "backup_remotes is a list, not a mapping: write it as {name: value}"),
        ("backup_remotes", {"one": "x"}, "backup_remotes.one is text, not a mapping: write it as {name: value}"),
        ("backup_remotes", {"one": {"token": "x"}}, "backup_remotes.one has no url: add it"),
        ("backup_remotes", {"a b": {"url": "x"}}, "backup_remotes has the name 'a b': use letters, digits, dashes and underscores"),
        ("backup_remotes", {"one": {"url": "x", "keys": "y"}}, "backup_remotes.one has an unknown key keys: did you mean key?"),
        ("ha_removed_hosts", "mon2", "ha_removed_hosts is text, not a list: write it as [one, another]; on the command line within -e"),
        ("ha_cluster", ["main"], "ha_cluster is a list, not text: write text"),
        ("grafana_stack_dashboards", ["stack", "thans"], "grafana_stack_dashboards[1] is 'thans': choose one of alertmanager, database"),
        ("prometheus_scrape_interval", 15, "prometheus_scrape_interval is '15', which is no time with a unit: write it like 500ms, 30s"),
        ("prometheus_retention_time", "1.5d", "prometheus_retention_time is '1.5d', which is no time with a unit: write it like"),
        ("prometheus_retention_time", "30m1h", "prometheus_retention_time is '30m1h', which is no time with a unit: write it like"),
        ("prometheus_retention_time", "", "prometheus_retention_time is '', which is no time with a unit: write it like"),
        (
            "haproxy_timeout_client",
            "1m30s",
            "haproxy_timeout_client is '1m30s', which is no time with one unit: write it like 500ms, 30s, 90m",
        ),
        ("prometheus_retention_size", "40G", "prometheus_retention_size is '40G', which is no size with a unit: write it like 256MB"),
        ("thanos_store_index_cache_size", 250, "thanos_store_index_cache_size is '250', which is no size with a unit: write it like"),
        ("mariadb_buffer_pool", "4GB", "mariadb_buffer_pool is '4GB', which is no size: write it like 256M or 4G"),
        ("object_store_capacity", "much", "object_store_capacity is 'much', which is no size: write it like 100G or 1.5TiB"),
    ],
)
def test_a_value_of_the_wrong_form_is_one_line(variable: str, value: Any, line: str) -> None:
    (found,) = lines(**{variable: value})
    assert found.startswith(line) and found.endswith(f"[argument:{variable}]")
    assert "hunter2" not in found


def test_hosts_are_named_where_it_is_not_all() -> None:
    (found,) = lines("mon1", "mon3", pki_days="many")
    assert found.startswith("mon1, mon3: pki_days is 'many'")


def test_each_fault_of_a_value_is_told() -> None:
    found = lines(grafana_database={"hots": "sql", "port": "web"})
    assert [line.partition(": ")[0] for line in found] == [
        "grafana_database has an unknown key hots",
        "grafana_database.port is 'web', not a whole number",
    ]


def test_a_misspelt_key_is_not_missing_besides() -> None:
    (found,) = lines(object_store_buckets=[{"nmae": "thanos"}])
    assert "unknown key nmae: did you mean name?" in found


def test_every_type_has_a_form() -> None:
    types = {option["type"] for options in OPTIONS.values() for option in options.values()}
    assert not [kind for kind in types - {"raw"} if not list(wrong({"type": kind}, object(), "x"))]


def test_what_follows_from_a_fault_is_not_told() -> None:
    first = [Finding("argument:a", "", "a.b is text", "write", "a.b"), Finding("argument:a", "", "a.b is text", "write so", "a.b")]
    second = [
        Finding("x", "", "a.b and c differ", "y"),
        Finding("x", "", "z", "set a.b"),
        Finding("x", "", "a.bc, x.a.b and a differ", "y"),
    ]
    assert preflight.distinct([*first, *second]) == [*first, second[2]]


def test_the_same_of_several_hosts_is_one_line() -> None:
    found = [Finding("port", host, "x_port is 0", "give a port") for host in ("mon1", "mon2")]
    assert [str(its) for its in preflight.distinct(found)] == ["mon1, mon2: x_port is 0: give a port [port]"]


def test_times_are_read_alike() -> None:
    assert not [text for text in ("", "5", "h", "1h ", "5 days") if any(re.fullmatch(its.pattern, text) for its in TIMES.values())]
