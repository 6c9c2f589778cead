"""Members are lost one by one and all at once: what was acknowledged is there, and writes work again in time."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Iterator

import pytest
import requests

from tests.scenario import galera, numbered
from tests.scenario.grafana import Visitor
from tests.scenario.site import ran
from tests.scenario.stack import Stack, wait_for

HOSTS = ("mon1", "mon2", "mon3")
#: Seconds after which writes have to work again.
HOST_LOST = 15.0
STANDBY_LOST = 10.0
HAND_OVER = 5.0
#: Seconds after which everybody is in step again.
RETURN = 180.0
#: Seconds that a save through Grafana may take.
SAVE = 20.0


@pytest.fixture(autouse=True)
def whole(stack: Stack, powered: None) -> Iterator[None]:
    """Every test begins with all members, and ends with them."""
    del powered
    wait_for("a whole cluster", lambda: galera.healthy(stack), RETURN)
    yield
    for host in stack.hosts:
        stack.container(host).start()
        stack.run(host, "iptables -F; systemctl start --no-block galera-member mariadb", check=False)


def returned(stack: Stack, host: str) -> None:
    stack.container(host).start()
    wait_for("the host's return", lambda: galera.healthy(stack), RETURN)


def test_the_writers_host_loses_power(stack: Stack) -> None:
    old = galera.writer(stack)
    with galera.writing(stack) as writer:
        stack.container(old).kill()
        time.sleep(1)
        writer.until_written(120)
    writer.judge(galera.kept(stack), f"power cut of the writer's host, {old}", HOST_LOST)
    new = galera.writer(stack)
    assert new not in ("", old) and set(galera.behind(stack)) == {new}
    with galera.writing(stack) as writer:
        returned(stack, old)
        writer.until_written(60)
    # It came back, and the writer stayed where it was.
    assert galera.writer(stack) == new
    writer.judge(galera.kept(stack), f"return of {old}", STANDBY_LOST)


def test_the_writers_host_loses_power_while_dashboards_are_saved(stack: Stack) -> None:
    """Each save is numbered, waits for its answer, and goes through the virtual address."""
    visitor = Visitor(stack).administrator()

    def save(number: int) -> None:
        body = {"dashboard": {"uid": f"numbered-{number}", "title": f"Numbered {number}", "panels": []}, "overwrite": True}
        visitor.session.post(f"{visitor.url}/api/dashboards/db", json=body, timeout=SAVE).raise_for_status()

    def there() -> set[int]:
        found = visitor.get("/api/search", timeout=60, query="Numbered", type="dash-db", limit=5000)
        return {int(its["uid"].partition("-")[2]) for its in found if its["uid"].startswith("numbered-")}

    old = galera.writer(stack)
    with numbered.writing(numbered.Writer(save, (requests.RequestException,))) as writer:
        stack.container(old).kill()
        time.sleep(1)
        writer.until_written(180)
    lost = set(writer.acknowledged) - there()
    print(f"\nsaves while {old} loses power: {len(writer.acknowledged)} acknowledged, {len(lost)} lost, none for {writer.outage():.1f} s")
    assert not lost
    returned(stack, old)
    # Whoever is asked has them: Grafana on the host that was gone, too.
    again = Visitor(stack, old).administrator()
    newest = max(writer.acknowledged)
    wait_for(
        f"Grafana on {old}", lambda: again.get(f"/api/dashboards/uid/numbered-{newest}")["dashboard"]["title"] == f"Numbered {newest}", 60
    )


def test_a_standbys_host_loses_power(stack: Stack) -> None:
    standby = next(host for host in HOSTS if host not in (galera.writer(stack), stack.holder()))
    with galera.writing(stack) as writer:
        stack.container(standby).kill()
        time.sleep(10)
        writer.until_written(60)
    writer.judge(galera.kept(stack), f"power cut of a standby's host, {standby}", STANDBY_LOST)
    returned(stack, standby)


def test_the_server_of_the_writer_crashes(stack: Stack) -> None:
    old = galera.writer(stack)
    with galera.writing(stack) as writer:
        stack.run(old, "kill -9 $(systemctl show --property MainPID --value mariadb)")
        time.sleep(1)
        writer.until_written(120)
    writer.judge(galera.kept(stack), f"crash of MariaDB on {old}", HOST_LOST)


def test_the_server_of_the_writer_hangs(stack: Stack) -> None:
    old = galera.writer(stack)
    pid = stack.run(old, "systemctl show --property MainPID --value mariadb").strip()
    with galera.writing(stack) as writer:
        stack.run(old, f"kill -STOP {pid}")
        time.sleep(1)
        writer.until_written(120)
        assert galera.writer(stack) != old
        stack.run(old, f"kill -CONT {pid}")
    writer.judge(galera.kept(stack), f"MariaDB hangs on {old}", HOST_LOST)


def test_the_daemon_beside_the_writer_crashes(stack: Stack) -> None:
    old = galera.writer(stack)
    with galera.writing(stack) as writer:
        stack.run(old, "kill -9 $(systemctl show --property MainPID --value galera-member)")
        time.sleep(1)
        writer.until_written(60)
    # Connections that were there outlast the moment in which new ones are refused.
    wait_for("a writer for new clients", lambda: galera.healthy(stack), HOST_LOST)
    writer.judge(galera.kept(stack), f"crash of the daemon on {old}", HOST_LOST)


def test_a_session_on_a_writer_that_is_lost_is_cut(stack: Stack) -> None:
    """A client that only waits is told, too."""
    old = galera.writer(stack)
    with contextlib.closing(galera.connect(stack, timeout=120)) as connection:
        seen: list[float] = []

        def wait() -> None:
            with contextlib.suppress(*galera.ERRORS):
                galera.rows(connection, "SELECT SLEEP(100)")
            seen.append(time.monotonic())

        thread = threading.Thread(target=wait, daemon=True)
        thread.start()
        time.sleep(1)
        begun = time.monotonic()
        stack.container(old).kill()
        thread.join(HOST_LOST)
        assert seen, "the client still waits"
        print(f"\na waiting client was cut off after {seen[0] - begun:.1f} s")


def test_a_donor_takes_no_traffic_and_the_writer_gives_no_copy(stack: Stack) -> None:
    """A member without data takes a copy of everything; clients notice nothing."""
    writes = galera.writer(stack)
    new = next(host for host in HOSTS if host != writes)
    donors: set[str] = set()
    behind: set[str] = set()
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            for host, its in galera.states(stack).items():
                if its["why"].startswith("gives a copy"):
                    donors.add(host)
                    behind.update(galera.behind(stack))
            time.sleep(0.1)

    watch = threading.Thread(target=look, daemon=True)
    with galera.writing(stack) as writer:
        stack.run(new, "systemctl stop mariadb && rm -rf /var/lib/mysql/* && touch /run/emptied")
        watch.start()
        stack.run(new, "systemctl start --no-block mariadb")
        wait_for("a copy", lambda: galera.healthy(stack), RETURN)
        stop.set()
        watch.join()
        writer.until_written(30)
    third = next(host for host in HOSTS if host not in (writes, new))
    assert donors == {third} and behind == {writes}
    writer.judge(galera.kept(stack), f"a copy for {new} from {third}", STANDBY_LOST)
    stack.run(new, "journalctl -u mariadb --no-pager | grep -q 'SST complete'")


def test_a_writer_that_is_taken_out_by_hand_hands_over(stack: Stack) -> None:
    old = galera.writer(stack)
    with galera.writing(stack) as writer:
        stack.run(old, "mariadb -e 'SET GLOBAL wsrep_desync=ON'")
        try:
            wait_for("another writer", lambda: galera.writer(stack) not in ("", old), 30)
            # What it still accepts until two checks have failed is everybody's.
            wait_for("traffic for nobody else", lambda: set(galera.behind(stack)) == {galera.writer(stack)}, 10)
            writer.until_written(30)
            assert set(galera.behind(stack)) == {galera.writer(stack)}
        finally:
            stack.run(old, "mariadb -e 'SET GLOBAL wsrep_desync=OFF'")
    writer.judge(galera.kept(stack), f"{old} is taken out by hand", HOST_LOST)


def test_a_member_that_is_cut_off_does_not_write(stack: Stack) -> None:
    """The majority goes on; nothing that the other one was given before is lost, and it comes back by itself."""
    old = galera.writer(stack)
    others = [stack.hosts[host] for host in HOSTS if host != old]
    with galera.writing(stack) as writer:
        for address in others:
            stack.run(old, f"iptables -I INPUT -s {address} -j DROP; iptables -I OUTPUT -d {address} -j DROP")
        time.sleep(5)
        writer.until_written(120)
        assert galera.asked(stack, old, "/writer").status_code == 503
        stack.run(old, "iptables -F")
        wait_for("its return", lambda: galera.healthy(stack), RETURN)
        writer.until_written(60)
    writer.judge(galera.kept(stack), f"{old} is cut off from the others", 30.0)


def test_all_hosts_lose_power_at_once(stack: Stack) -> None:
    with galera.writing(stack) as writer:
        for host in HOSTS:
            stack.container(host).kill()
        time.sleep(2)
        for host in HOSTS:
            stack.container(host).start()
        writer.until_written(RETURN)
    writer.judge(galera.kept(stack), "power cut of all hosts", RETURN)
    wait_for("everybody's return", lambda: galera.healthy(stack), RETURN)
    assert not set(writer.acknowledged) - galera.kept(stack)


def test_all_hosts_are_shut_down_one_after_the_other_and_started_the_other_way_round(stack: Stack) -> None:
    """The first to come back is not the one that has everything: it waits."""
    with galera.writing(stack) as writer:
        for host in HOSTS:
            stack.run(host, "systemctl stop mariadb")
        time.sleep(1)
    for host in HOSTS[:2]:
        stack.run(host, "systemctl start --no-block mariadb")
        time.sleep(3)
        assert galera.writer(stack) == ""
    wait_for(
        "word of whom it waits for",
        lambda: "mon3" in stack.run("mon1", "journalctl -u mariadb -o cat --no-pager | grep ^wait: | tail -1"),
        30,
    )
    stack.run(HOSTS[2], "systemctl start --no-block mariadb")
    wait_for("everybody's return", lambda: galera.healthy(stack), RETURN)
    assert writer.acknowledged and not set(writer.acknowledged) - galera.kept(stack)


def test_the_site_starts_a_cluster_that_was_shut_down(stack: Stack) -> None:
    for host in HOSTS:
        stack.run(host, "systemctl stop mariadb")
    ran("site", "--tags", "data")
    assert galera.healthy(stack)


def test_one_command_begins_when_the_others_are_lost_for_good(stack: Stack) -> None:
    for host in ("mon1", "mon2", "mon3"):
        stack.run(host, "systemctl stop mariadb")
    for host in ("mon1", "mon2"):
        stack.run(host, "systemctl stop galera-member")
    stack.run("mon3", "systemctl start --no-block mariadb")
    wait_for(
        "word of whom it waits for", lambda: "mon1 does not answer" in stack.run("mon3", "journalctl -u mariadb -o cat -n 5 --no-pager"), 30
    )
    assert galera.writer(stack) == ""
    stack.run("mon3", f"{galera.COMMAND} begin")
    wait_for("the last one writes", lambda: galera.writer(stack) == "mon3", 60)
    for host in ("mon1", "mon2"):
        stack.run(host, "systemctl start galera-member && systemctl start --no-block mariadb")
    wait_for("everybody's return", lambda: galera.healthy(stack), RETURN)


def test_the_writer_has_its_turn_last_in_a_roll_out(stack: Stack) -> None:
    old = galera.writer(stack)
    with galera.writing(stack) as writer:
        done = ran("upgrade", variables={"reason": "configuration"})
        writer.until_written(60)
    (turns,) = re.findall(r"configuration, one by one: ([\w, ]+)", done.output)[:1]
    assert sorted(turns.split(", ")) == list(HOSTS) and turns.split(", ")[-1] == old
    assert galera.writer(stack) not in ("", old)
    writer.judge(galera.kept(stack), f"roll-out that ends with {old}", HAND_OVER)
