"""The database's leader finds its disk full. Test hosts have no disks of their own for data, so it gets one here."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from ansible_collections.monitoring.ha.plugins.module_utils.catalogue import COMPONENTS

from tests.scenario import drills, sql
from tests.scenario.stack import Stack, wait_for

REPEAT = int(os.environ.get("MONITORING_HA_DRILL_REPEAT", "1"))
PATRONI = COMPONENTS["postgresql"].unit
DATA = COMPONENTS["postgresql"].data
#: MiB that are left to PostgreSQL beside what it has.
ROOM = 128
MOVED = f"""set -e
systemctl stop {PATRONI}
mkdir /run/own
mount -t tmpfs -o size=$(($(du -sm {DATA} | cut -f 1) + {ROOM}))m tmpfs /run/own
cp -a {DATA}/. /run/own/
chown --reference={DATA} /run/own
chmod --reference={DATA} /run/own
mount --move /run/own {DATA}
rmdir /run/own
systemctl start {PATRONI}"""
#: What lies below is from before: it begins anew, as a copy of the leader.
MOVED_BACK = f"""systemctl stop {PATRONI}
umount -l {DATA}
rm -rf {DATA}/*/patroni
systemctl start {PATRONI}"""


@pytest.fixture
def own_disk(stack: Stack) -> Iterator[str]:
    """A member that leads, and whose data are a file system of their own."""
    wait_for("a database", lambda: sql.healthy(stack), 180)
    host = next(str(member["Member"]) for member in sql.members(stack) if member["Role"] != "Leader")
    try:
        stack.run(host, MOVED)
        wait_for("a database", lambda: sql.healthy(stack), 180)
        stack.run(host, f"patronictl -c {sql.CONFIG} switchover --force --candidate {host}")
        wait_for(f"{host} leads", lambda: sql.healthy(stack) and sql.leader(stack) == host, 60)
        yield host
    finally:
        stack.run(host, MOVED_BACK)
        wait_for("a database", lambda: sql.healthy(stack), 180)


def test_a_leader_whose_disk_is_full(own_disk: str) -> None:
    found = drills.drill("leader_disk_full", report="full-disk-report", count=REPEAT, drill_repeat=REPEAT)
    print(drills.account(found.results))
    assert [(its["state"], its["hosts"]) for its in found.results] == [("passed", [own_disk])] * REPEAT, drills.account(found.results)
