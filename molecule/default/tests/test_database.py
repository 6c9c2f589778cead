"""Clients of the database, and strangers."""

from __future__ import annotations

import contextlib
import ssl

import pytest

from tests.scenario import sql
from tests.scenario.site import play, ran
from tests.scenario.stack import Stack

AWKWARD = "#;\"'\\$%{} and a blank"


def test_the_address_leads_to_the_leader_and_the_other_one_to_a_standby(stack: Stack) -> None:
    with contextlib.closing(sql.connect(stack)) as connection:
        assert connection.run("SELECT pg_is_in_recovery()") == [[False]]
        assert connection.run("SHOW max_connections") == [["50"]]
        assert connection.run("SHOW data_checksums") == [["on"]]
    with contextlib.closing(sql.connect(stack, read_only=True)) as connection:
        assert connection.run("SELECT pg_is_in_recovery()") == [[True]]
        with pytest.raises(sql.ERRORS, match="read-only"):
            connection.run("CREATE TABLE refused ()")


def test_passwords_with_awkward_characters_work_and_others_do_not(stack: Stack) -> None:
    assert AWKWARD in stack.endpoints["postgresql"]["password"]
    with contextlib.closing(sql.connect(stack, user="reports", password=f"reports {AWKWARD}")) as connection:
        assert connection.run("SELECT current_user") == [["reports"]]
    sql.connect(stack, database="second one").close()
    for user in ("grafana", "reports", "nobody", "postgres", "replicator", "postgres_exporter"):
        with pytest.raises(sql.ERRORS):
            sql.connect(stack, user=user, password="wrong")
    # Copying everything takes a member's address and certificate, whatever the password.
    with pytest.raises(sql.ERRORS, match=r"certificate|pg_hba"):
        sql.connect(stack, user="replicator", password=f"replication {AWKWARD}", database="postgres")


def test_clients_verify_whom_they_talk_to_and_nobody_talks_in_the_clear(stack: Stack) -> None:
    with pytest.raises(ssl.SSLError):
        sql.connect(stack, tls=ssl.create_default_context())
    with pytest.raises(sql.ERRORS, match="no encryption"):
        sql.connect(stack, tls=False)


def test_a_connection_limit_of_a_user_holds(stack: Stack) -> None:
    with contextlib.ExitStack() as opened:
        for _ in range(2):
            opened.enter_context(contextlib.closing(sql.connect(stack, user="reports", password=f"reports {AWKWARD}")))
        with pytest.raises(sql.ERRORS, match="too many connections"):
            sql.connect(stack, user="reports", password=f"reports {AWKWARD}")


@pytest.mark.parametrize("host", ["mon1", "mon2", "mon3"])
def test_no_secret_can_be_read_by_others(stack: Stack, host: str) -> None:
    # Every secret of the scenario ends like this; in configuration files some of it is escaped.
    tail = "%{} and a blank"
    look = f"find /etc /run /var /tmp -xdev -type f -perm /004 -size -20M -print0 | xargs -0 grep -lF '{tail}' || true"
    assert stack.run(host, look) == ""
    assert stack.run(host, f"journalctl --no-pager | grep -cF '{tail}' || true").strip() == "0"
    # In brackets, so that what looks does not find itself.
    assert stack.run(host, f"cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' | grep -c '[%]{tail[1:]}' || true").strip() == "0"


@pytest.mark.parametrize("host", ["mon1", "mon2", "mon3"])
def test_only_patroni_starts_postgresql(stack: Stack, host: str) -> None:
    assert stack.run(host, "systemctl is-enabled postgresql.service", check=False).strip() == "masked"
    assert stack.run(host, "pg_lsclusters --no-header") == ""


def test_a_user_and_its_database_come_and_go(stack: Stack) -> None:
    mine = {"password": f"passing {AWKWARD}", "roles": ["pg_read_all_data"]}
    users = {"grafana": {"password": stack.endpoints["postgresql"]["password"]}, "passing": mine}
    databases = {"passing": {"owner": "passing"}, "grafana": {"owner": "grafana"}}
    ran("site", "--tags", "data", variables={"postgresql_users": users, "postgresql_databases": databases})
    sql.connect(stack, user="passing", password=mine["password"], database="passing").close()
    gone = {name: {**its["passing"], "state": "absent"} for name, its in (("users", users), ("databases", databases))}
    variables = {
        "postgresql_users": {**users, "passing": gone["users"]},
        "postgresql_databases": {**databases, "passing": gone["databases"]},
    }
    for changed in (True, False):
        done = play("site", "--tags", "data", variables=variables)
        assert done.code == 0 and bool(done.changed) is changed, done.output
    with pytest.raises(sql.ERRORS):
        sql.connect(stack, user="passing", password=mine["password"], database="passing")
    # The first of the databases is one that is gone.
    ran("verify", variables=variables)


def test_verification_from_outside_passes(stack: Stack) -> None:
    ran("verify")


def test_a_database_without_three_to_agree_on_its_leader_is_refused(tmp_path_factory: pytest.TempPathFactory, stack: Stack) -> None:
    del stack
    inventory = tmp_path_factory.mktemp("two") / "hosts.yml"
    hosts = "one: {ha_address: 192.0.2.1}, two: {ha_address: 192.0.2.2}"
    inventory.write_text(f"all: {{children: {{etcd: {{hosts: {{{hosts}}}}}, postgresql: {{hosts: {{{hosts}}}}}}}}}\n", encoding="utf-8")
    environment = pytest.MonkeyPatch()
    with environment.context() as patched:
        patched.setenv("MONITORING_HA_INVENTORY", str(inventory))
        done = play("site", "--tags", "preflight", variables={"preflight_static": True, "demo_state": "", "pki_directory": ""})
    assert done.code != 0
    assert any("group etcd has 2 hosts: make it an odd number from 3" in message for message in done.failures), done.output
