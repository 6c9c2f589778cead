"""Variables that stand where they belong, in each component's group: what deals with a component from elsewhere finds them."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from ansible_collections.monitoring.ha.plugins.module_utils import topology

from tests.unit.plays import Play
from tools.steps import ROOT

#: Group → variables that its hosts have, and no others.
TIERS: dict[str, dict[str, Any]] = {
    "etcd": {},
    "postgresql": {
        "postgresql_etcd_password": "of-patroni",
        "postgresql_databases": {"grafana": {"owner": "grafana"}},
        "postgresql_users": {"grafana": {"password": "of-the-database"}},
    },
    "grafana": {"grafana_admin_user": "boss", "grafana_admin_password": "of-the-boss"},
    "load_balancer": {"haproxy_users": {"sre": "of-people"}, "haproxy_grafana_port": 8443},
    "backup": {},
    "prometheus": {"prometheus_scrape_interval": "5s"},
}


def inventory() -> dict[str, Any]:
    """A host for each tier."""
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    hosts = {name.replace("_", ""): {"ha_address": f"192.0.2.{number}"} for number, name in enumerate(TIERS, start=1)}
    children = {name: {"hosts": {name.replace("_", ""): {}}, "vars": its} for name, its in TIERS.items()}
    return {"all": {"vars": local, "hosts": hosts, "children": children}}


def roles(*names: str) -> list[dict[str, Any]]:
    """What roles know by themselves, defaults first."""
    files = [ROOT / "roles" / name / part / "main.yml" for part in ("defaults", "vars") for name in names]
    return [{"name": f"{file}", "ansible.builtin.include_vars": {"file": str(file)}} for file in files if file.exists()]


@pytest.mark.parametrize(
    ("host", "role", "expression", "found"),
    [
        ("etcd", "etcd", "etcd_users", [{"name": "patroni", "password": "of-patroni", "prefix": "/patroni/"}]),
        ("backup", "backup", "[backup_grafana_user, backup_grafana_password]", ["boss", "of-the-boss"]),
        ("backup", "backup", "backup_grafana_url", "https://192.0.2.4:8443"),
        ("backup", "verify", "verify_login", {"key": "sre", "value": "of-people"}),
        ("backup", "verify", "verify_postgresql_database", {"key": "grafana", "value": {"owner": "grafana"}}),
        ("backup", "verify", "verify_mariadb_database", {}),
        ("grafana", "grafana", "grafana_own_datasources | map(attribute='jsonData.timeInterval') | unique", ["5s"]),
    ],
)
def test_a_role_finds_what_belongs_to_another_component(play: Play, host: str, role: str, expression: str, found: Any) -> None:
    tasks = [*roles(role), {"name": "Found", "ansible.builtin.debug": {"msg": f"{{{{ {expression} }}}}"}}]
    done = play.site([{"hosts": host, "gather_facts": False, "tasks": tasks}], inventory=inventory())
    assert done.result("Found")["msg"] == found


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("'grafana', 'grafana_admin_user'", "boss"),
        ("'grafana', 'grafana_admin_email', default='none'", "none"),
        ("'mariadb', 'mariadb_users', default={}", {}),
        ("'load_balancer', 'haproxy_users'", {"sre": "of-people"}),
    ],
)
def test_the_lookup(play: Play, words: str, found: Any) -> None:
    tasks = [{"name": "Found", "ansible.builtin.debug": {"msg": f"{{{{ lookup('monitoring.ha.variable_of', {words}) }}}}"}}]
    done = play.site([{"hosts": "etcd", "gather_facts": False, "tasks": tasks}], inventory=inventory())
    assert done.result("Found")["msg"] == found


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("'grafana', 'grafana_admin_email'", "grafana_admin_email is not set for grafana: set it, or give a default"),
        ("'grafna', 'grafana_admin_user'", "grafna"),
        ("'grafana'", "takes the name of a component and the name of a variable"),
    ],
)
def test_what_the_lookup_cannot_answer_is_told(play: Play, words: str, said: str) -> None:
    tasks = [{"name": "Found", "ansible.builtin.debug": {"msg": f"{{{{ lookup('monitoring.ha.variable_of', {words}) }}}}"}}]
    done = play.site([{"hosts": "etcd", "gather_facts": False, "tasks": tasks}], inventory=inventory())
    assert done.code != 0 and said in " ".join(done.said.split())


def test_a_member_speaks_for_all() -> None:
    groups = {"all": ["a", "b"], "grafana": ["b"]}
    boss = {"grafana_admin_user": "boss", "grafana_ini": None, "grafana_source": ""}
    hostvars: dict[str, dict[str, Any]] = {"a": {"grafana_admin_user": "nobody"}, "b": boss}
    assert topology.of_member("grafana", "grafana_admin_user", groups, hostvars) == "boss"
    for variable in ("grafana_ini", "grafana_source", "grafana_version"):
        assert topology.of_member("grafana", variable, groups, hostvars, "else") == "else"
    assert topology.of_member("mariadb", "mariadb_users", groups, hostvars) is None
