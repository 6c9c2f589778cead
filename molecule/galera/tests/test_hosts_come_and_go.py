"""The database gets two members more, and gives them up again; clients write all the while."""

from __future__ import annotations

from tests.scenario import galera
from tests.scenario.site import FURTHER_HOSTS, ROOT, play, ran
from tests.scenario.stack import Stack, wait_for

MORE = (*FURTHER_HOSTS, f"--inventory={ROOT}/molecule/galera/further.yml")
FURTHER = ["mon4", "mon5"]
#: Seconds without a write: each of those that stay takes a restart for its new neighbours, and the writer is one of those that leave.
HAND_OVER = 10.0


def component(stack: Stack) -> set[str]:
    """Members that are together, as one of them says."""
    return set(galera.asked(stack, "mon1", "/state").json()["component"])


def test_the_cluster_grows_and_shrinks(stack: Stack) -> None:
    wait_for("a whole cluster", lambda: galera.healthy(stack), 180)
    with galera.writing(stack) as writer:
        ran("test_hosts", *MORE)
        ran("site", *MORE, timeout=1800)
        assert component(stack) == {*stack.hosts, *FURTHER}
        ran("verify", *MORE)
        assert play("site", *MORE).changed == {}
        # One of those that will leave writes.
        stack.run("mon1", f"{galera.COMMAND} writer mon4")
        ran("site", *FURTHER_HOSTS, variables={"ha_removed_hosts": FURTHER}, timeout=1800)
        assert [stack.run(host, "systemctl is-active mariadb.service || true").strip() for host in FURTHER] == ["inactive"] * 2
        for host in FURTHER:
            stack.container(host).remove(force=True)
        writer.until_written(60)
    assert component(stack) == set(stack.hosts) and galera.healthy(stack)
    writer.judge(galera.kept(stack), "members that come and go", HAND_OVER)
    # Ways to them are closed.
    ran()
    ran("verify")
    assert play().changed == {}
