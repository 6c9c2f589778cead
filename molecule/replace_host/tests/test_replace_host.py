"""Hosts come and go, and nobody notices more than the loss itself."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

import docker
import pytest

from tests.scenario import drills, objects, sql
from tests.scenario.site import FURTHER_HOSTS, ROOT, play, ran
from tests.scenario.stack import Stack, wait_for

#: What the loss of the database's leader may cost (docs/failures.md).
LOSS = {"default": 5, "database": 30, "grafana": 37, "outages": 4, "page_copies": 2}
#: A planned change costs a moment where connections move. The database's leader stops in an orderly way as it leaves.
CHANGE = {"default": 3, "database": 5, "grafana": 12, "page_copies": 2}
#: At each of three hosts when its proxy ends old ones and when its Grafana starts anew, in each of three roll-outs: half of them
#: while the cluster grows, half of them while it shrinks.
MOVES = 3 * 3 * 2 // 2
MORE = (*FURTHER_HOSTS, f"--inventory={ROOT}/molecule/replace_host/further.yml")
FURTHER = ["mon4", "mon5"]
GARAGE = "/opt/monitoring-ha/garage/current/garage -c /etc/garage/garage.toml"
ETCD = (
    "ETCDCTL_API=3 etcdctl member list --endpoints https://{address}:2379 --cacert /etc/monitoring-ha/pki/ca.pem"
    " --cert /etc/monitoring-ha/pki/host.pem --key /etc/monitoring-ha/pki/host.key"
)


def of_etcd(stack: Stack) -> set[str]:
    """Members that have started, as one of them says."""
    lines = stack.run("mon1", ETCD.format(address=stack.hosts["mon1"])).splitlines()
    return {line.split(", ")[2] for line in lines if line.split(", ")[1] == "started"}


def of_object_store(stack: Stack) -> set[str]:
    """Hosts in the layout."""
    lines = stack.run("mon1", f"{GARAGE} layout show 2>/dev/null").splitlines()
    return {word.strip("[],") for line in lines for word in line.split() if word.strip("[],").startswith("mon")}


def of_database(stack: Stack) -> set[str]:
    return {str(member["Member"]) for member in sql.members(stack)}


def moved(stack: Stack) -> bool:
    """Whether the object store has moved all data to where they belong now."""
    return "draining" not in stack.run("mon1", f"{GARAGE} layout history 2>/dev/null").lower()


def put(stack: Stack) -> dict[str, bytes]:
    """Objects of several blocks each."""
    s3, contents = objects.client(stack), {f"moved-{number}": os.urandom(3_000_000) for number in range(8)}
    for key, content in contents.items():
        s3.put_object(Bucket=stack.endpoints["object_store"]["bucket"], Key=key, Body=content)
    return contents


def got(stack: Stack, keys: Iterable[str]) -> dict[str, bytes]:
    """What is read of them; they are removed again."""
    s3, bucket = objects.client(stack), stack.endpoints["object_store"]["bucket"]
    found = {key: s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}
    for key in keys:
        s3.delete_object(Bucket=bucket, Key=key)
    return found


def blocks(stack: Stack, host: str) -> int:
    """How many files the object store has there."""
    return int(stack.run(host, "find /var/lib/garage/data -type f -not -name garage-marker | wc -l"))


@pytest.fixture(scope="module", autouse=True)
def settled(stack: Stack) -> Iterator[None]:
    wait_for("a database", lambda: sql.healthy(stack), 120)
    yield
    for host in FURTHER:
        for container in docker.from_env().containers.list(all=True, filters={"name": f"^{stack.containers}-{host}$"}):
            container.remove(force=True)


def test_a_fresh_host_takes_the_place_of_the_leaders(stack: Stack) -> None:
    lost = sql.leader(stack)
    with drills.kept("replaced", LOSS):
        stack.container(lost).remove(force=True)
        ran("test_hosts")
        refused = play()
        assert refused.code != 0 and any(f"{lost} is a member of the cluster, but has no data" in line for line in refused.failures)
        ran(variables={"ha_removed_hosts": [lost]})
    ran("verify")
    assert of_etcd(stack) == of_object_store(stack) == set(stack.hosts)
    assert sql.healthy(stack)
    assert objects.round_trip(stack, "replaced", b"all the same") == b"all the same"
    assert play().changed == {}


def test_a_cluster_grows_and_shrinks(stack: Stack) -> None:
    with drills.kept("grown", CHANGE | {"outages": MOVES}):
        ran("test_hosts", *MORE)
        ran("site", *MORE)
        assert of_etcd(stack) == of_object_store(stack) == {*stack.hosts, *FURTHER}
        assert of_database(stack) == {*stack.hosts, "mon4"} and sql.healthy(stack)
        ran("verify", *MORE)
        assert play("site", *MORE).changed == {}
    # To a member that is named, which takes longer than is promised (docs/postgresql.md): in nobody's sight.
    stack.run("mon1", f"patronictl -c {sql.CONFIG} switchover --candidate mon4 --force")
    wait_for("a leader that leaves", lambda: sql.healthy(stack) and sql.leader(stack) == "mon4", 60)
    contents = put(stack)
    with drills.kept("shrunk", CHANGE | {"outages": MOVES}):
        refused = play()
        assert refused.code != 0 and any("mon4, mon5" in line and "ha_removed_hosts" in line for line in refused.failures)
        assert refused.changed == {}
        done = ran("site", *FURTHER_HOSTS, variables={"ha_removed_hosts": FURTHER}, timeout=1800)
        # They can be switched off now: the others have everything.
        assert {host: blocks(stack, host) for host in FURTHER} == dict.fromkeys(FURTHER, 0), done.output
        assert moved(stack)
        # Who still ran them would hold the address as well, or lead where nobody looks.
        assert stack.run("mon4", "systemctl is-active keepalived.service patroni.service || true").split() == ["inactive"] * 2
        wait_for("a cluster without the one that has left", lambda: of_database(stack) == set(stack.hosts) and sql.healthy(stack), 60)
        assert stack.holder() and stack.endpoints["vip"] + "/" not in stack.run("mon4", "ip -o address")
        for host in FURTHER:
            stack.container(host).remove(force=True)
        # Ways to them are closed.
        assert set(play().changed) == set(stack.hosts)
    assert got(stack, contents) == contents
    assert of_etcd(stack) == of_object_store(stack) == set(stack.hosts)
    ran("verify")
    assert play().changed == {}
