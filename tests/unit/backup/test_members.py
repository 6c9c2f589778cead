"""Who works, and that it does no harm when several do."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.monitoring.ha.plugins.module_utils.backup import turn
from ansible_collections.monitoring.ha.plugins.module_utils.backup.settings import Member, Settings

from tests.unit import identities
from tests.unit.backup.site import DISKS, HOSTS, World, bare, git, log, repository, subjects, tree, unreachable
from tests.unit.servers import Answer, Request, Server, free_port, serve

NAMES = ("mon1", "mon2", "mon3")


def exposed(settings: Settings, now: float) -> str:
    """What a member's node exporter says."""
    path = Path(settings.textfile)
    return (path.read_text() if path.exists() else "") + f"# TYPE node_time_seconds gauge\nnode_time_seconds {now}\n"


class Group:
    """Three members with node exporters, one remote, and clocks of their own."""

    def __init__(self, world: World, pki: identities.Site, remote: Path, stack: ExitStack) -> None:
        self.world, self.remote = world, remote
        self.clocks = dict.fromkeys(NAMES, world.now)
        self.servers: dict[str, Server] = {}
        self.down: set[str] = set()
        certificate, key = pki.files("controller")
        self.members: dict[str, Settings] = {}
        for name in NAMES:
            self.servers[name] = stack.enter_context(serve(partial(self.answer, name), pki.context()))
        asked = [{"name": name, "address": "127.0.0.1", "port": server.port} for name, server in self.servers.items()]
        for name in NAMES:
            more: dict[str, Any] = {"members": asked, "max_age": 3600, "identity": {"ca": pki.ca, "certificate": certificate, "key": key}}
            self.members[name] = world.member(name, {"remote": remote}, **more)

    def answer(self, name: str, request: Request) -> Answer:
        assert request.path == turn.PATH
        if name in self.down:
            return Answer(status=503)
        return Answer(exposed(self.members[name], self.clocks[name]).encode())

    def run(self, name: str) -> str:
        """What a member did."""
        self.world.now = self.clocks[name]
        outcome = self.world.run(self.members[name], force=False)
        return f"{outcome.state}: {outcome.why}" if outcome.why else outcome.state

    def round(self) -> list[str]:
        """Names of those that worked, a quarter of an hour later."""
        self.clocks = {name: now + 900 for name, now in self.clocks.items()}
        return [name for name in NAMES if name not in self.down and self.run(name).startswith("worked")]


@pytest.fixture
def group(world: World, pki: identities.Site, tmp_path: Path) -> Iterator[Group]:
    with ExitStack() as stack:
        yield Group(world, pki, bare(tmp_path / "remote"), stack)


def test_one_that_reaches_no_remote_is_made_up_for_by_one_that_does(group: Group) -> None:
    assert group.round() == ["mon1"]
    well, group.members["mon1"] = group.members["mon1"], unreachable(group.members["mon1"], "remote")
    group.world.content[DISKS] = "new"
    assert group.round() == ["mon1", "mon2"]
    assert subjects(group.remote)[0] == "1 dashboard added"
    group.members["mon1"] = well
    assert group.round()[0] == "mon1" and group.round() == ["mon1"]
    assert len(subjects(group.remote)) == 2


def test_the_first_one_works_and_the_next_one_takes_over(group: Group) -> None:
    assert group.round() == ["mon1"] and group.round() == ["mon1"]
    assert group.run("mon2").startswith("stood by: mon1 does the work")
    group.down = {"mon1"}
    group.world.content[DISKS] = "new"
    assert group.round() == ["mon2"] and group.round() == ["mon2"]
    group.down = {"mon1", "mon2"}
    group.world.content[HOSTS] = "changed"
    assert group.round() == ["mon3"]
    group.down = set()
    group.world.content[HOSTS] = "changed again"
    assert group.round() == ["mon1"]
    assert subjects(group.remote) == [
        "1 dashboard changed",
        "1 dashboard changed",
        "1 dashboard added",
        "1 dashboard added, 1 rule group added, 1 folder added",
    ]
    assert [line for line in git(group.remote, "log", "--format=%B").splitlines() if "Member" in line] == [
        "Member: mon1",
        "Member: mon3",
        "Member: mon2",
        "Member: mon1",
    ]


def test_one_that_fails_is_not_waited_for(group: Group, monkeypatch: pytest.MonkeyPatch) -> None:
    assert group.round() == ["mon1"]
    broken = replace(group.members["mon1"], signing_key="/nonexistent")
    group.members["mon1"] = broken
    group.world.content[DISKS] = "new"
    # It is known at its next run, and the others do not stop because it comes back.
    assert group.run("mon1").startswith("failed") and group.run("mon2").startswith("worked: mon1 does not: its last run failed")
    assert subjects(group.remote)[0] == "1 dashboard added"


def test_one_that_hangs_is_not_waited_for_longer_than_half_the_age(group: Group) -> None:
    assert group.round() == ["mon1"]
    for _ in range(2):
        group.clocks = {name: now + 899 for name, now in group.clocks.items()}
        assert group.run("mon2").startswith("stood by")
    group.clocks = {name: now + 899 for name, now in group.clocks.items()}
    assert group.run("mon2").startswith("worked: mon1 does not: it ran")
    assert group.run("mon3").startswith("worked") is False


def test_clocks_do_not_matter(group: Group) -> None:
    group.clocks = {"mon1": 1_800_000_000.0 - 86400, "mon2": 1_800_000_000.0, "mon3": 1_800_000_000.0 + 86400}
    assert group.round() == ["mon1"] and group.round() == ["mon1"]


def test_alone_or_without_remotes_everybody_works(group: Group) -> None:
    assert group.run("mon1") == "worked"
    lonely = replace(group.members["mon2"], remotes=())
    assert group.world.run(lonely, force=False).state == "worked"
    single = replace(group.members["mon3"], members=(Member("mon3"),))
    assert group.world.run(single, force=False).state == "worked"


def test_who_cannot_be_asked_is_not_waited_for(group: Group) -> None:
    group.run("mon1")
    member = group.members["mon2"]
    unknown = (Member("mon1"), *member.members[1:])
    assert turn.stand_by_for(replace(member, members=unknown))[0] is None
    gone = (Member("mon1", "127.0.0.1", free_port()), *member.members[1:])
    assert turn.stand_by_for(replace(member, members=gone))[0] is None
    # Without a certificate nobody is told anything.
    assert turn.stand_by_for(replace(member, identity={}))[0] is None


def test_both_sides_of_a_cut_work_and_nothing_is_lost(group: Group, tmp_path: Path) -> None:
    """Each side reaches Grafana and another remote; afterwards both histories are in both remotes."""
    other = bare(tmp_path / "other")
    both = {name: group.world.member(name, {"remote": group.remote, "other": other}) for name in NAMES[:2]}
    group.world.run(both["mon1"])
    group.world.content[DISKS] = "first side"
    assert group.world.run(unreachable(both["mon1"], "other")).committed
    group.world.content[HOSTS] = "second side"
    group.world.now += 60
    assert group.world.run(unreachable(both["mon2"], "remote")).committed
    assert subjects(group.remote)[0] != subjects(other)[0] and not set(git(group.remote, "rev-list", "main").split()) >= set(
        git(other, "rev-list", "main").split()
    )
    before = {*git(group.remote, "rev-list", "main").split(), *git(other, "rev-list", "main").split()}
    assert group.world.run(both["mon1"]).ok
    assert git(group.remote, "rev-parse", "main") == git(other, "rev-parse", "main")
    assert set(git(other, "rev-list", "main").split()) > before
    assert tree(other)[HOSTS] == "second side" and tree(other)[DISKS] == "first side"
    # From then on there is one history again.
    group.world.content[HOSTS] = "together"
    assert group.world.run(both["mon2"]).ok and group.world.run(both["mon1"]).ok
    assert len(git(other, "log", "--merges", "--format=%H", "main").split()) == 1


def test_the_same_work_done_twice_is_one_commit(group: Group, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another member pushes the same change between this one's fetch and its push."""
    one, two = group.world.member("mon1", {"remote": group.remote}), group.world.member("mon2", {"remote": group.remote})
    group.world.run(one)
    group.world.content[DISKS] = "new"
    export, others = group.world.export, iter([lambda: group.world.run(two)])

    def interleaved(work: Any) -> None:
        export(work)
        if work.settings.member == "mon1" and (other := next(others, None)):
            assert other().ok

    monkeypatch.setattr(group.world, "export", interleaved)
    outcome = group.world.run(one)
    assert outcome.ok
    assert subjects(group.remote) == ["1 dashboard added", "1 dashboard added, 1 rule group added, 1 folder added"]
    assert log(one) == subjects(group.remote)


def test_another_change_pushed_meanwhile_is_kept(group: Group, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = group.world.member("mon1", {"remote": group.remote}), group.world.member("mon2", {"remote": group.remote})
    group.world.run(one)
    group.world.content[DISKS] = "new"
    export, count = group.world.export, iter(range(9))

    def interleaved(work: Any) -> None:
        export(work)
        if work.settings.member == "mon1" and next(count) == 0:
            group.world.content[HOSTS] = "newer"
            assert group.world.run(two).ok

    monkeypatch.setattr(group.world, "export", interleaved)
    assert group.world.run(one).ok
    assert tree(group.remote)[HOSTS] == "newer" and git(group.remote, "log", "--format=%B").count("Member: mon") >= 3


@pytest.mark.parametrize("seed", range(5))
def test_whatever_happens_no_commit_that_was_made_is_lost(seed: int, world: World, tmp_path: Path) -> None:
    """Members work in any order, at any time without any of the remotes; in the end every remote has every commit."""
    chance = random.Random(seed)
    remotes = {name: bare(tmp_path / name) for name in ("one", "two", "three")}
    members = {name: world.member(name, remotes) for name in NAMES}
    made: set[str] = set()
    for number in range(16):
        if chance.random() < 0.6:
            world.content[chance.choice([HOSTS, DISKS])] = str(number)
        world.now += chance.choice([0, 60, -30])
        name = chance.choice(NAMES)
        missing = [remote for remote in remotes if chance.random() < 0.4]
        outcome = world.run(unreachable(members[name], *missing))
        assert outcome.state == "worked" and outcome.behind == missing
        if outcome.committed:
            made.add(outcome.commit)
    for _ in range(2):
        for member in members.values():
            assert world.run(member).ok
    heads = {git(remote, "rev-parse", "main") for remote in remotes.values()}
    assert len(heads) == 1
    reached = set(git(remotes["one"], "rev-list", "main").split())
    lost = made - reached
    # What two did at the same time on the same ground need not be there twice; its content has to.
    contents = set(git(remotes["one"], "log", "--format=%T", "main").split())
    for member in members.values():
        mine = [sha for sha in lost if repository(member).find(sha)]
        assert {repository(member).content(sha) for sha in mine} <= contents
    assert {path: text for path, text in tree(remotes["one"]).items() if path != "manifest.json"} == world.content


def test_a_run_waits_for_one_that_is_under_way(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    member = world.member()
    export = world.export

    def slow(work: Any) -> None:
        time.sleep(0.3)
        export(work)

    monkeypatch.setattr(world, "export", slow)
    outcomes = []
    threads = [threading.Thread(target=lambda: outcomes.append(world.run(member))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [outcome.state for outcome in outcomes] == ["worked"] * 3 and sum(outcome.committed for outcome in outcomes) == 1
