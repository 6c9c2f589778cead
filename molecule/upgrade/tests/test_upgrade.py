"""A roll-out that nobody notices, and one that ends where it has to."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.scenario import drills, sql
from tests.scenario.site import Played, play, ran
from tests.scenario.stack import SCRAPE_INTERVAL, Stack, wait_for

HOSTS = ("mon1", "mon2", "mon3")
BEFORE: dict[str, str] = yaml.safe_load((Path(__file__).parents[1] / "before.yml").read_text(encoding="utf-8"))
#: No query fails. The database's leader hands over; and a connection to it breaks where the virtual address moves.
PROMISE = {"default": 2, "query": 0, "database": 5, "outages": 3}


def versions(stack: Stack, pattern: str) -> dict[str, str]:
    """Host → version of a program that runs there, as it says itself."""
    return {s["metric"]["host"]: s["metric"]["version"] for s in stack.query(f"{pattern}_build_info", timeout=20)}


def identities(stack: Stack) -> dict[str, str]:
    """Host → start of every unit of the stack."""
    names = "prometheus thanos-sidecar thanos-query alertmanager haproxy garage patroni"
    return {host: stack.run(host, f"systemctl show -p InvocationID --value {names}") for host in stack.hosts}


def certificates(stack: Stack) -> dict[str, str]:
    """Host → serial number of its certificate, and of the one that its node exporter shows."""
    kept = "openssl x509 -in /etc/monitoring-ha/pki/host.pem -noout -serial"
    shown = "openssl s_client -connect {address}:9100 </dev/null 2>/dev/null | openssl x509 -noout -serial"
    return {host: stack.run(host, f"{kept}; {shown.format(address=address)}") for host, address in stack.hosts.items()}


def silenced(stack: Stack) -> bool:
    """Whether pages were silenced; they are no more."""
    alertmanager = f"https://{stack.hosts['mon1']}:9093/api/v2"
    silences = json.loads(stack.member.get(f"{alertmanager}/silences", timeout=5).text)
    for silence in silences:
        stack.member.delete(f"{alertmanager}/silence/{silence['id']}", timeout=5)
    return any(silence["status"]["state"] == "active" for silence in silences)


def upgraded(reason: str = "version", variables: Mapping[str, Any] | None = None) -> Played:
    return play("upgrade", variables={"reason": reason, **(variables or {})}, timeout=1800)


@pytest.fixture(scope="module", autouse=True)
def settled(stack: Stack) -> None:
    wait_for("a database", lambda: sql.healthy(stack), 120)


def test_the_hosts_begin_with_the_versions_of_before(stack: Stack) -> None:
    assert set(versions(stack, "prometheus").values()) == {BEFORE["prometheus_version"]}
    assert set(versions(stack, "alertmanager").values()) == {BEFORE["alertmanager_version"]}
    assert set(versions(stack, "thanos").values()) == {BEFORE["thanos_version"]}


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ("9.0.0+mute", ["prometheus.service", "a disk of this kind is not for me", "Brought back", "the stack is whole"]),
        ("9.0.0+picky", ["/etc/prometheus", "prometheus.yml: field scrape_configs is a thing of the past", "the stack is whole"]),
    ],
)
def test_a_version_that_is_no_good_is_taken_back(stack: Stack, version: str, words: list[str]) -> None:
    before = identities(stack)
    done = upgraded(variables={**BEFORE, "prometheus_version": version})
    assert done.code == 2, done.output
    message = "\n".join(done.failures)
    assert all(word in message for word in words), message
    assert set(versions(stack, "prometheus").values()) == {BEFORE["prometheus_version"]}
    changed = {host for host, identity in identities(stack).items() if identity != before[host]}
    assert len(changed) <= 1, "others were touched"
    ran("verify")
    # By the task that was refused, and by the account at the end.
    assert sum("is a thing of the past" in message for message in done.failures) <= 2
    assert silenced(stack), "whoever repairs the host would be paged"


def test_a_certificate_is_taken_back_with_the_turn_that_failed(stack: Stack) -> None:
    before, members = certificates(stack), [member["host"] for member in stack.endpoints["prometheus"]]
    done = upgraded("certificates", {**BEFORE, "prometheus_version": "9.0.0+mute"})
    assert done.code == 2, done.output
    assert any("Brought back" in message and "the stack is whole" in message for message in done.failures), done.failures
    after = certificates(stack)
    assert [after[host] for host in members] == [before[host] for host in members]
    assert set(versions(stack, "prometheus").values()) == {BEFORE["prometheus_version"]}
    ran("verify")
    assert silenced(stack)


def test_an_upgrade_that_nobody_notices(stack: Stack) -> None:
    last = {sql.leader(stack), stack.holder()}
    with drills.kept("upgrade-version", PROMISE):
        done = upgraded()
    assert done.code == 0, done.output
    account = next(line for line in done.output.splitlines() if "version, one by one: " in line)
    order = account.split(": ", 1)[1].split(", then ")[0].split(", ")
    assert set(order) == set(HOSTS) and set(order[-len(last) :]) == last, account
    for program, version in {"prometheus": "3.16.0", "alertmanager": "0.31.1", "thanos": "0.42.4"}.items():
        assert set(versions(stack, program).values()) == {version}
    ran("verify")
    for host in HOSTS:
        assert stack.run(host, "ls -d /var/lib/*/before-upgrade /var/lib/monitoring-ha/restore-point.json", check=False).startswith("ls: ")


def test_nothing_is_left_to_do(stack: Stack) -> None:
    before = identities(stack)
    assert play().changed == {}
    assert identities(stack) == before


def test_a_step_back_is_refused_before_anything_is_touched(stack: Stack) -> None:
    before = identities(stack)
    done = upgraded(variables=BEFORE)
    message = "\n".join(done.failures)
    assert done.code != 0 and "prometheus 3.16.0 → 3.15.1 is a step back: set upgrade_downgrade" in message
    assert identities(stack) == before


def test_every_host_is_rebooted(stack: Stack) -> None:
    boots = {host: stack.container(host).attrs["State"]["StartedAt"] for host in HOSTS}
    with drills.kept("upgrade-reboot", PROMISE):
        done = upgraded("reboot")
    assert done.code == 0, done.output
    assert all(stack.container(host).attrs["State"]["StartedAt"] != boots[host] for host in HOSTS)
    for host in HOSTS:
        left = stack.run(host, "ls /var/lib/monitoring-ha/turns.json", check=False)
        assert left.startswith("ls: "), "the next roll-out would pass over it"


def test_every_certificate_is_renewed(stack: Stack) -> None:
    before = certificates(stack)
    with drills.kept("upgrade-certificates", PROMISE):
        done = upgraded("certificates")
    assert done.code == 0, done.output
    after = certificates(stack)
    assert all(after[host] != before[host] for host in HOSTS)
    ran("verify")


def test_packages_of_the_system_are_upgraded(stack: Stack) -> None:
    offers = {host: [line.split("|")[1].strip() for line in stack.run(host, "apt-cache madison haproxy").splitlines()] for host in HOSTS}
    newest, *older = offers[HOSTS[0]]
    if not older:
        pytest.skip("Debian offers one version of HAProxy only: its point release has caught up with its security updates")
    for host in HOSTS:
        install = f"apt-get install -q -y --allow-downgrades --no-install-recommends haproxy={older[-1]}"
        stack.run(host, f"DEBIAN_FRONTEND=noninteractive {install}")
    ran()
    assert set(haproxies(stack).values()) == {older[-1]}
    with drills.kept("upgrade-packages", PROMISE):
        done = upgraded("packages")
    assert done.code == 0, done.output
    assert set(haproxies(stack).values()) == {newest}


def haproxies(stack: Stack) -> dict[str, str]:
    """Host → version of the HAProxy that balances there."""
    time.sleep(2 * SCRAPE_INTERVAL)
    found = stack.query('haproxy_process_build_info{job="load_balancer"}', timeout=20)
    return {series["metric"]["host"]: series["metric"]["version"] for series in found}
