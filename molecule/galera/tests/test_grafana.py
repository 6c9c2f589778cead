"""Grafana on Galera, and on a database that is somebody else's."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from tests.scenario import dashboards, galera
from tests.scenario.grafana import Visitor
from tests.scenario.site import play, ran
from tests.scenario.stack import Stack, wait_for

HOSTS = ("mon1", "mon2", "mon3")
SOURCE = "prometheus-mon1"


@pytest.fixture(scope="module")
def visitor(stack: Stack) -> Visitor:
    return Visitor(stack).administrator()


def test_every_job_is_scraped(visitor: Visitor) -> None:
    for job in ("mariadb", "mysqld_exporter"):
        found = wait_for(job, lambda job=job: len(visitor.query(SOURCE, f'up{{job="{job}"}} == 1')) == len(HOSTS), 60)  # type: ignore[misc]
        assert found


@pytest.mark.parametrize("path", ["/api/v1/admin/tsdb/clean_tombstones", "/api/v1/%61dmin/tsdb/snapshot", "/-/reload"])
def test_a_password_is_not_enough_for_what_operators_do(stack: Stack, path: str) -> None:
    url = stack.endpoints["query"]["url"]
    assert stack.people.get(f"{url}/api/v1/query", params={"query": "1"}, timeout=10).status_code == 200
    refused = stack.people.post(url + path, timeout=10)
    assert refused.status_code == 403 and "<html>" in refused.text
    # A member is answered by Prometheus itself, which has not been told to do any of it.
    assert "<html>" not in stack.member.post(url + path, timeout=10).text


def test_every_panel_about_the_cluster_shows_something(visitor: Visitor) -> None:
    mine = [
        (panel, letter, text) for panel in dashboards.PANELS if panel.dashboard == "galera" for letter, text in panel.expressions.items()
    ]
    assert mine
    assert visitor.get("/api/dashboards/uid/monitoring-ha-galera")["dashboard"]["title"] == "MariaDB (Galera)"

    def filled() -> bool:
        empty = [f"{panel.title} ({letter}): {text}" for panel, letter, text in mine if not visitor.query(SOURCE, text)]
        assert not empty, empty
        return True

    assert wait_for("data in every panel", filled, 120, 5)


def test_rules_about_the_cluster_are_evaluated_and_none_fires(stack: Stack) -> None:
    its = next(its for its in stack.endpoints["prometheus"] if its["host"] == "mon1")
    groups = stack.replica(its["url"], "/api/v1/rules")["groups"]
    rules = {rule["name"]: rule for group in groups if group["name"] == "mariadb" for rule in group["rules"]}
    assert "MariadbWithoutWriter" in rules
    assert {name: rule["lastError"] for name, rule in rules.items() if rule.get("lastError")} == {}


def test_what_is_saved_at_one_is_read_at_every_other(stack: Stack) -> None:
    for host in HOSTS:
        version = Visitor(stack, host).administrator().save(f"scenario-{host}", f"Saved on {host}")
        for other in HOSTS:
            found = Visitor(stack, other).administrator().get(f"/api/dashboards/uid/scenario-{host}")
            assert found["dashboard"]["version"] == version


def test_grafana_verifies_the_server(stack: Stack) -> None:
    text = stack.run("mon1", "cat /etc/grafana/grafana.ini")
    assert "type = mysql" in text and "ssl_mode = true" in text
    with contextlib.closing(galera.connect(stack, timeout=10)) as connection:
        (uses,) = galera.rows(connection, "SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'grafana'")
        assert uses[0] > 1
    # Another authority than the one that made the certificates.
    done = play(
        "site", "--tags", "dashboards", "--limit", "mon3", variables=own(stack, ca="/etc/ssl/certs/ca-certificates.crt", timeout=20)
    )
    assert done.code != 0 and any("mon3" in message or "database" in message for message in done.failures), done.output
    ran("site", "--tags", "dashboards")


def own(stack: Stack, *, timeout: int = 300, **other: Any) -> dict[str, Any]:
    """Variables for a database that is not the stack's."""
    its = stack.endpoints["mariadb"]
    database = {"type": "mysql", "password": its["password"], **other}
    return {"grafana_database": database, **({"grafana_gate": gate(timeout)} if timeout != 300 else {})}


def gate(timeout: int) -> dict[str, Any]:
    """The role's own, with less patience."""
    address = {"address": "{{ grafana_http.address }}", "port": "{{ grafana_http.port }}"}
    return {"component": "grafana", **address, "expect": {"members": "{{ grafana_members }}"}, "timeout": timeout}


@pytest.fixture
def back() -> Iterator[None]:
    yield
    ran("site", "--tags", "dashboards")


def test_a_database_of_somebody_else_by_its_address(stack: Stack, visitor: Visitor, back: None) -> None:
    """The virtual address stands for it: a name that no role knows, with its certificate verified."""
    its = stack.endpoints["mariadb"]
    ran("site", "--tags", "dashboards", variables=own(stack, host=its["host"], port=its["port"]))
    assert f"host = {its['host']}:{its['port']}" in stack.run("mon2", "cat /etc/grafana/grafana.ini")
    assert visitor.save("external", "On an external database") >= 1


WRONG: dict[str, Any] = {
    "mariadb_users": {"grafana": {"password": "short", "pasword": "x"}, "root": {"password": "0123456789abcdef"}},
    "mariadb_databases": {"grafana": {"owner": "nobody"}, "sys": {"owner": "grafana"}, "a.b": {"owner": "grafana"}},
    "mariadb_suspect_timeout": 20,
    "mariadb_bufer_pool": "1G",
    "grafana_database": {"type": "mysql", "host": "192.0.2.1", "password": "0123456789abcdef"},
}
TOLD = [
    ["password of 'grafana' in mariadb_users", "too short"],
    ["mariadb_users.grafana has an unknown key pasword", "password"],
    ["mariadb_users.root", "another name"],
    ["mariadb_databases.grafana.owner is 'nobody'"],
    ["mariadb_databases has the name 'sys'"],
    ["mariadb_databases has the name 'a.b'"],
    ["mariadb_suspect_timeout is 20"],
    ["mariadb_bufer_pool", "mariadb_buffer_pool?"],
    ["nothing answers where grafana_database says"],
]


def test_everything_that_is_wrong_is_told_and_nothing_is_touched(stack: Stack) -> None:
    done = play("site", "--tags", "preflight", variables=WRONG)
    assert done.code == 2 and not done.changed
    lines = "\n".join(done.failures).splitlines()
    for words in TOLD:
        assert any(all(word in line for word in words) for line in lines), (words, lines)
    assert galera.healthy(stack)
