"""Changes that take every member, one after the other."""

from __future__ import annotations

import contextlib

from tests.scenario import sql
from tests.scenario.site import ran
from tests.scenario.stack import Stack


def test_another_number_of_connections_restarts_every_member_the_leader_last(stack: Stack) -> None:
    done = ran("site", "--tags", "data", variables={"postgresql_max_connections": 150})
    changed = {task.rpartition(" : ")[2] for tasks in done.changed.values() for task in tasks}
    assert changed == {"Configuration", "Whoever runs lets new members in", "Service", "What all members share"}
    for read_only in (False, True):
        with contextlib.closing(sql.connect(stack, read_only=read_only)) as connection:
            assert connection.run("SHOW max_connections") == [["150"]]
    assert sql.healthy(stack)
    ran("site", "--tags", "data")
    with contextlib.closing(sql.connect(stack)) as connection:
        assert connection.run("SHOW max_connections") == [["200"]]
