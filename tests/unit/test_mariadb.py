"""MariaDB: what is decided before a host is touched, and what is said to a server."""

from __future__ import annotations

from typing import Any

import pymysql
import pytest
from ansible_collections.monitoring.ha.plugins.filter.mariadb_password import mariadb_password
from ansible_collections.monitoring.ha.plugins.module_utils import galera_sql, preflight, preflight_databases, topology
from ansible_collections.monitoring.ha.plugins.module_utils.galera import Look, Position
from ansible_collections.monitoring.ha.plugins.plugin_utils import grafana

from tests.unit.plays import Play
from tools.steps import ROOT

HOSTS = ["a", "b", "c"]
HISTORY = "11111111-0000-0000-0000-000000000001"


def test_a_password_looks_as_the_server_makes_it() -> None:
    # What MariaDB says to SELECT PASSWORD('plain').
    assert mariadb_password("plain", "user") == "*F3A1B46DF2D9D5A98BFEA222D7E9A6BCA91D3B1B"
    assert mariadb_password("#;\"'\\$%{} and a blank é", "user") == "*62C285DE9DA3BA896D562774BFD6D21A45FD288D"


def test_a_database_that_is_to_go_needs_no_owner(play: Play) -> None:
    variables = {"mariadb_users": {"a": {"password": "x"}}, "mariadb_databases": {"its": {"owner": "a"}, "old": {"state": "absent"}}}
    tasks = [{"name": "Look", "ansible.builtin.debug": {"var": "mariadb_privileges"}}]
    its = {
        "hosts": "localhost",
        "gather_facts": False,
        "vars_files": [str(ROOT / "roles" / "mariadb" / "vars" / "main.yml")],
        "tasks": tasks,
    }
    assert play.site([its], variables=variables).result("Look")["mariadb_privileges"] == {"a": {"`its`.*": "ALL"}}


# --- preflight -----------------------------------------------------------------------------------------------------


def site(groups: dict[str, list[str]] | None = None, **variables: Any) -> preflight.Site:
    hostvars = {host: {"ha_address": f"192.0.2.{n}", **variables} for n, host in enumerate(HOSTS, 1)}
    return preflight.Site({"all": HOSTS, "mariadb": HOSTS, **(groups or {})}, hostvars)


def findings(groups: dict[str, list[str]] | None = None, **variables: Any) -> list[str]:
    its = site(groups, **variables)
    return [str(finding) for finding in preflight.inspect(its, (*preflight.CHECKS, preflight_databases.mariadb))]


GOOD: dict[str, Any] = {
    "mariadb_users": {"grafana": {"password": "0123456789abcdef"}},
    "mariadb_databases": {"grafana": {"owner": "grafana"}},
}


def test_a_complete_inventory_has_no_findings() -> None:
    assert findings(**GOOD) == []


@pytest.mark.parametrize(
    ("groups", "variables", "words"),
    [
        ({"mariadb": ["a", "b"]}, {}, ["group mariadb has 2 hosts", "odd number from 3"]),
        ({"mariadb": ["a"]}, {}, ["group mariadb has 1 host", "odd number from 3"]),
        ({}, {"mariadb_users": {"grafana": {"password": "short"}}}, ["password of 'grafana' in mariadb_users", "too short"]),
        ({}, {"mariadb_users": {"mysql": {"password": "0123456789abcdef"}}}, ["mariadb_users.mysql", "another name"]),
        ({}, {"mariadb_databases": {"grafana": {"owner": "nobody"}}}, ["mariadb_databases.grafana.owner is 'nobody'"]),
        ({}, {"mariadb_suspect_timeout": 12}, ["mariadb_suspect_timeout is 12", "longer"]),
        ({}, {"mariadb_inactive_timeout": "x"}, ["not a number"]),
    ],
)
def test_findings_name_the_variable_and_the_remedy(groups: dict[str, list[str]], variables: dict[str, Any], words: list[str]) -> None:
    found = findings(groups, **variables)
    assert any(all(word in line for word in words) for line in found), found


@pytest.mark.parametrize(
    ("database", "variables", "words"),
    [
        ({"password": "0123456789abcdef"}, GOOD, []),
        ({"type": "mysql", "password": "0123456789abcdef"}, GOOD, []),
        ({"type": "postgres", "password": "0123456789abcdef"}, GOOD, ["no postgres in the inventory", "group postgresql"]),
        ({"password": "another one"}, GOOD, ["grafana_database.password is not mariadb_users.grafana.password"]),
        ({"password": "0123456789abcdef"}, {}, ["mariadb_databases has no 'grafana'"]),
        ({"host": "192.0.2.9"}, {}, ["neither password nor certificate"]),
    ],
)
def test_grafana_and_its_database_fit(database: dict[str, Any], variables: dict[str, Any], words: list[str]) -> None:
    found = [str(finding) for finding in grafana.database(site({"grafana": HOSTS}, grafana_database=database, **variables))]
    assert bool(found) == bool(words) and all(any(word in line for line in found) for word in words), found


def test_the_writer_is_reached_by_the_proxy_and_the_load_balancers() -> None:
    its = site({"grafana": ["a"], "load_balancer": ["b"]})
    (way,) = [way for way in topology.upstreams(its.groups, its.hostvars, "a") if way["kind"] == "mysql"]
    assert way["one_writer"] and way["check"] == "/writer" and way["local"].endswith(":3306")
    assert [server["check"] for server in way["servers"]] == [9105] * 3
    (front,) = [front for front in topology.frontends(its.groups, its.hostvars) if front["name"] == "mariadb"]
    assert front["url"] == "mysql://192.0.2.2:3306" and front["one_writer"] and len(front["members"]) == 3


# --- what is said to a server --------------------------------------------------------------------------------------


class Connection:
    """A server whose answers are known; what it was told is kept."""

    def __init__(self, status: dict[str, str], writer: str | None) -> None:
        self.status, self.writer = status, writer
        self.members = ["192.0.2.1:3306", "192.0.2.3:3306", "192.0.2.77:3306"]
        self.told: list[str] = []
        self.rows: list[tuple[Any, ...]] = []
        self.closed = False

    def cursor(self) -> Connection:
        return self

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def close(self) -> None:
        self.closed = True

    def execute(self, statement: str, arguments: tuple[Any, ...]) -> int:
        self.told.append(statement.split(" (")[0])
        if statement.startswith("SHOW"):
            self.rows = list(self.status.items())
        elif "wsrep_cluster_members" in statement:
            self.rows = [(address,) for address in self.members]
        elif "@@GLOBAL.read_only" in statement:
            self.rows = [(0,)]
        elif statement.startswith("INSERT"):
            self.writer = ""
        elif "monitoring_ha.writer" in statement and self.writer is None and not statement.startswith("CREATE"):
            raise pymysql.err.ProgrammingError(1146, "no such table")
        elif statement.startswith("SELECT"):
            self.rows = [(self.writer,)]
        elif statement.startswith("UPDATE"):
            if self.writer != arguments[1]:
                return 0
            self.writer = arguments[0]
            return 1
        return 0

    def fetchall(self) -> list[tuple[Any, ...]]:
        return self.rows


STATUS = {
    "wsrep_cluster_status": "Primary",
    "wsrep_ready": "ON",
    "wsrep_local_state": "4",
    "wsrep_local_state_uuid": HISTORY,
    "wsrep_last_committed": "42",
    "wsrep_incoming_addresses": "192.0.2.1:3306,192.0.2.2:3306",
}
NAMES = {"192.0.2.1:3306": "a", "192.0.2.2:3306": "b", "192.0.2.3:3306": "c"}


def server(connection: Connection) -> galera_sql.Server:
    return galera_sql.Server(NAMES, lambda: connection)


def test_a_look_says_who_is_together_and_who_writes() -> None:
    look, position = server(Connection(STATUS, "a")).look()
    assert look == Look(True, 4, False, frozenset("ac"), "a") and position == Position(HISTORY, 42)


def test_without_a_majority_nothing_but_the_state_is_asked() -> None:
    connection = Connection({**STATUS, "wsrep_cluster_status": "non-Primary"}, "a")
    look = server(connection).look()[0]
    assert not look.primary and look.component == frozenset("ab") and len(connection.told) == 1


def test_the_place_goes_to_the_first_and_its_table_is_made_on_first_use() -> None:
    connection = Connection(STATUS, None)
    assert server(connection).writer() == ""
    assert server(connection).seat("a", "") and connection.writer == "a"
    assert not server(connection).seat("b", "") and connection.writer == "a"
    assert sum(statement.startswith("CREATE") for statement in connection.told) == 2


@pytest.mark.parametrize(("number", "again"), [(1213, False), (2013, True), (1927, True)])
def test_a_lost_connection_is_made_anew_and_a_refusal_is_none(number: int, again: bool) -> None:
    connection = Connection(STATUS, "a")
    its = server(connection)
    its.run("SELECT 1")

    def refuse(statement: str, arguments: tuple[Any, ...]) -> int:
        raise pymysql.err.OperationalError(number, "no")

    connection.execute = refuse  # type: ignore[method-assign]
    with pytest.raises(galera_sql.SqlError) as refused:
        its.run("SELECT 1")
    assert refused.value.args[1] == number and connection.closed == again
