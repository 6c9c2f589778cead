"""Clients of the database, and strangers."""

from __future__ import annotations

import contextlib
import socket
import ssl
from functools import partial

import pytest

from tests.scenario import galera
from tests.scenario.site import play, ran
from tests.scenario.stack import Stack, wait_for

AWKWARD = "#;\"'\\$%{} and a blank"
HOSTS = ("mon1", "mon2", "mon3")
each_host = pytest.mark.parametrize("host", HOSTS)


def test_one_member_takes_traffic_the_same_for_every_load_balancer(stack: Stack) -> None:
    assert galera.healthy(stack)
    assert set(galera.behind(stack)) == {galera.writer(stack)}
    with contextlib.closing(galera.connect(stack)) as connection:
        assert galera.rows(connection, "SELECT @@wsrep_node_name, @@max_connections") == [(galera.writer(stack), 80)]


def test_what_is_written_is_on_every_member_and_on_disk(stack: Stack) -> None:
    with contextlib.closing(galera.connect(stack)) as connection:
        galera.rows(connection, "CREATE TABLE IF NOT EXISTS everywhere (number INT PRIMARY KEY)")
        galera.rows(connection, "REPLACE INTO everywhere VALUES (42)")
        assert galera.rows(connection, "SELECT @@innodb_flush_log_at_trx_commit, @@wsrep_sst_method") == [(1, "mariabackup")]
    for host in HOSTS:
        wait_for(f"the row on {host}", partial(stack.run, host, "mariadb grafana -Ne 'SELECT * FROM everywhere'"), 10)


def test_passwords_with_awkward_characters_work_and_others_do_not(stack: Stack) -> None:
    assert AWKWARD in stack.endpoints["mariadb"]["password"]
    with contextlib.closing(galera.connect(stack, user="reports", password=f"reports {AWKWARD} é")) as connection:
        assert galera.rows(connection, "SELECT CURRENT_USER()") == [("reports@%",)]
        with pytest.raises(galera.ERRORS, match="denied"):
            galera.rows(connection, "CREATE TABLE refused (number INT)")
    galera.connect(stack, database="second one").close()
    for user in ("grafana", "reports", "nobody", "root", "mysql", "mysqld_exporter"):
        with pytest.raises(galera.ERRORS, match="denied"):
            galera.connect(stack, user=user, password="wrong")


def test_clients_verify_whom_they_talk_to_and_nobody_talks_in_the_clear(stack: Stack) -> None:
    with pytest.raises(galera.ERRORS, match="CERTIFICATE_VERIFY_FAILED"):
        galera.connect(stack, tls=ssl.create_default_context())
    its = stack.endpoints["mariadb"]
    words = f"mariadb --no-defaults --skip-ssl --protocol=tcp -h {its['host']} -P {its['port']} -u nobody -Ne 'SELECT 1' 2>&1"
    assert "insecure transport" in stack.run("mon1", words, check=False)


def test_a_connection_limit_of_a_user_holds(stack: Stack) -> None:
    with contextlib.ExitStack() as opened:
        for _ in range(2):
            opened.enter_context(contextlib.closing(galera.connect(stack, user="reports", password=f"reports {AWKWARD} é")))
        with pytest.raises(galera.ERRORS, match="max_user_connections"):
            galera.connect(stack, user="reports", password=f"reports {AWKWARD} é")


#: What a member hears of another one at a port: with its certificate or as a stranger, encrypted or not.
HEAR = """
import socket, ssl, sys
address, port, how = sys.argv[1:]
context = ssl.create_default_context(cafile="/etc/monitoring-ha/pki/ca.pem")
if how == "member":
    context.load_cert_chain("/etc/monitoring-ha/pki/host.pem", "/etc/monitoring-ha/pki/host.key")
try:
    connection = socket.create_connection((address, int(port)), timeout=5)
    if how != "plain":
        connection = context.wrap_socket(connection, server_hostname=address)
    connection.sendall(b"GET /state HTTP/1.0\\r\\n\\r\\n")
    print(len(connection.recv(100)))
except OSError as error:
    print(0)
"""


@pytest.mark.parametrize("port", [4567, 9105])
def test_members_talk_to_members_alone(stack: Stack, port: int) -> None:
    heard = {
        how: stack.run("mon1", f"python3 -c '{HEAR}' {stack.hosts['mon2']} {port} {how}").strip() for how in ("member", "stranger", "plain")
    }
    assert heard.pop("member") != "0"
    assert set(heard.values()) == {"0"}, heard


def test_a_host_that_is_no_member_does_not_get_the_data(stack: Stack) -> None:
    """This machine has a certificate of the stack, too."""
    context = ssl.create_default_context(cafile=stack.endpoints["ca"])
    context.load_cert_chain(stack.endpoints["client"]["certificate"], stack.endpoints["client"]["key"])
    heard = b""
    with contextlib.suppress(OSError), socket.create_connection((stack.hosts["mon2"], 4567), timeout=5) as plain:
        heard = context.wrap_socket(plain, server_hostname=stack.hosts["mon2"]).recv(100)
    assert heard == b""


@each_host
def test_no_secret_can_be_read_by_others(stack: Stack, host: str) -> None:
    # Every secret of the scenario ends like this; in configuration files some of it is escaped.
    tail = "%{} and a blank"
    look = f"find /etc /run /var /tmp -xdev -type f -perm /004 -size -20M -print0 | xargs -0 grep -lF '{tail}' || true"
    assert stack.run(host, look) == ""
    assert stack.run(host, f"grep -rlF '{tail}' /var/lib/mysql || true") == ""
    assert stack.run(host, f"journalctl --no-pager | grep -cF '{tail}' || true").strip() == "0"
    # In brackets, so that what looks does not find itself.
    assert stack.run(host, f"cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' | grep -c '[%]{tail[1:]}' || true").strip() == "0"


@each_host
def test_units_are_confined(stack: Stack, host: str) -> None:
    for unit in ("mariadb", "galera-member", "prometheus-mysqld-exporter"):
        stack.run(host, f"systemd-analyze security --no-pager --threshold=25 {unit}")


def test_verification_from_outside_passes(stack: Stack) -> None:
    ran("verify")


def test_a_second_run_changes_nothing(stack: Stack) -> None:
    before = [stack.run(host, "systemctl show -p InvocationID mariadb galera-member") for host in HOSTS]
    done = play("site", "--tags", "data")
    assert done.code == 0 and done.changed == {}, done.output
    assert before == [stack.run(host, "systemctl show -p InvocationID mariadb galera-member") for host in HOSTS]


def test_another_setting_restarts_one_member_after_the_other(stack: Stack) -> None:
    with galera.writing(stack) as writer:
        done = ran("site", "--tags", "data", variables={"mariadb_max_connections": 90})
        writer.until_written(30)
    assert {task for tasks in done.changed.values() for task in tasks} == {"Configuration", "Service"}
    print(f"\nrestart of every member: {len(writer.acknowledged)} writes acknowledged, none for {writer.outage():.1f} s")
    assert not set(writer.acknowledged) - galera.kept(stack)
    for host in HOSTS:
        assert stack.run(host, "mariadb -Ne 'SELECT @@max_connections'").strip() == "90"
    ran("site", "--tags", "data")


def test_a_renewed_certificate_is_taken_in_without_a_restart(stack: Stack) -> None:
    def shown() -> dict[str, str]:
        context = ssl.create_default_context(cafile=stack.endpoints["ca"])
        with contextlib.closing(galera.connect(stack, tls=context)) as connection:
            return dict(connection._sock.getpeercert())

    before, running = shown(), [stack.run(host, "systemctl show -p InvocationID mariadb") for host in HOSTS]
    # Every certificate is renewed whose life is longer than what is asked for.
    life = ssl.cert_time_to_seconds(before["notAfter"]) - ssl.cert_time_to_seconds(before["notBefore"])
    ran("site", "--tags", "pki,data", variables={"pki_days": int(life / 86400) - 1})
    wait_for("another certificate", lambda: shown()["serialNumber"] != before["serialNumber"], 30)
    assert running == [stack.run(host, "systemctl show -p InvocationID mariadb") for host in HOSTS]
    assert galera.healthy(stack)


def test_the_writer_is_moved_by_hand(stack: Stack) -> None:
    old = galera.writer(stack)
    with galera.writing(stack) as writer:
        stack.run(old, f"{galera.COMMAND} leave")
        new = wait_for("another writer", lambda: {galera.writer(stack)} - {"", old}, 10).pop()
        writer.until_written(20)
    print(f"\nwriter moved by hand: {len(writer.acknowledged)} writes acknowledged, none for {writer.outage():.1f} s")
    assert galera.writer(stack) == new and not set(writer.acknowledged) - galera.kept(stack)
