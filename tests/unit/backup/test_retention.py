"""History that is older than it is to be kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.monitoring.ha.plugins.module_utils.backup.settings import Settings

from tests.unit.backup.site import DISKS, HOSTS, World, bare, git, log, subjects, tree, unreachable

DAY = 86400.0


@pytest.fixture(autouse=True)
def dates(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commits are made at the world's time."""
    from ansible_collections.monitoring.ha.plugins.module_utils.backup.repository import Repository

    commit = Repository.commit

    def at(self: Repository, content: str, parents: Any, message: str, dates: str = "") -> str:
        return commit(self, content, parents, message, dates or f"@{world.now:.0f} +0000")

    monkeypatch.setattr(Repository, "commit", at)


def days(world: World, member: Settings, count: int, *, since: int = 0) -> None:
    """A commit a day."""
    for number in range(since, since + count):
        world.content[HOSTS] = f"day {number}"
        assert world.run(member).ok
        world.now += DAY


def test_everything_is_kept_by_default(world: World, tmp_path: Path) -> None:
    member = world.member(remotes={"one": bare(tmp_path / "one")})
    days(world, member, 12)
    assert len(log(member)) == 12


def test_old_history_is_removed_everywhere_and_the_state_of_its_end_is_kept(world: World, tmp_path: Path) -> None:
    one, two = bare(tmp_path / "one"), bare(tmp_path / "two")
    member = world.member(remotes={"one": one, "two": two}, retention_days=6)
    days(world, member, 20)
    assert git(one, "rev-parse", "main") == git(two, "rev-parse", "main") == git(member.repository, "rev-parse", "main")
    assert 6 <= len(subjects(one)) <= 9
    last = git(one, "rev-list", "--max-parents=0", "main")
    assert "History before this commit was removed after 6 days." in git(one, "log", "-1", "--format=%B", last)
    dates = [int(line) for line in git(one, "log", "--format=%ct", "main").splitlines()]
    assert dates == sorted(dates, reverse=True) and dates[-1] <= world.now - 6 * DAY
    assert tree(one)[HOSTS] == "day 19" and tree(one, f"main~{len(dates) - 1}")[HOSTS] == f"day {20 - len(dates)}"
    # It is gone for good here.
    objects = git(member.repository, "cat-file", "--batch-all-objects", "--batch-check")
    assert objects.count(" commit ") == len(dates)


def test_it_is_not_cut_at_every_run(world: World, tmp_path: Path) -> None:
    member = world.member(remotes={"one": bare(tmp_path / "one")}, retention_days=20)
    days(world, member, 24)
    beginnings = set()
    for number in range(24, 33):
        days(world, member, 1, since=number)
        beginnings.add(git(member.repository, "rev-list", "--max-parents=0", "main"))
    assert 3 <= len(beginnings) <= 5


def test_a_member_with_the_old_history_does_not_bring_it_back(world: World, tmp_path: Path) -> None:
    remote = bare(tmp_path / "one")
    one, two = (world.member(name, {"one": remote}, retention_days=5) for name in ("mon1", "mon2"))
    days(world, one, 3)
    assert world.run(two).ok
    days(world, one, 12, since=3)
    count = len(subjects(remote))
    world.content[DISKS] = "new"
    assert world.run(replace(two, retention_days=0)).ok
    assert len(subjects(remote)) == count + 1 and log(two) == subjects(remote)


def test_what_only_such_a_member_has_is_put_on_top(world: World, tmp_path: Path) -> None:
    remote = bare(tmp_path / "one")
    one, two = (world.member(name, {"one": remote}, retention_days=5) for name in ("mon1", "mon2"))
    days(world, one, 3)
    assert world.run(two).ok
    world.content[DISKS] = "seen while the remote was down"
    assert world.run(unreachable(two, "one")).committed
    del world.content[DISKS]
    days(world, one, 12, since=3)
    assert world.run(two).ok
    texts = [tree(remote, sha).get(DISKS) for sha in git(remote, "rev-list", "main").split()]
    assert "seen while the remote was down" in texts and len(texts) < 11 and DISKS not in tree(remote)


def test_a_remote_that_missed_the_cut_gets_it_later(world: World, tmp_path: Path) -> None:
    one, two = bare(tmp_path / "one"), bare(tmp_path / "two")
    both = world.member(remotes={"one": one, "two": two})
    days(world, both, 12)
    # The second is lost between the check that it has everything and the cut.
    (two / "hooks").mkdir(exist_ok=True)
    hook = two / "hooks" / "update"
    hook.write_text('#!/bin/sh\ntest "$(git merge-base $2 $3)" = "$2"\n')
    hook.chmod(0o755)
    cutting = replace(both, retention_days=5)
    outcome = world.run(cutting)
    assert outcome.behind == ["two"] and len(subjects(one)) < 8 and len(subjects(two)) == 12
    # It is not taken for something new as long as it refuses.
    world.content[DISKS] = "new"
    assert world.run(cutting).behind == ["two"] and len(subjects(one)) < 9
    hook.unlink()
    assert world.run(cutting).ok
    assert git(one, "rev-parse", "main") == git(two, "rev-parse", "main") and len(subjects(two)) < 9


def test_nothing_is_cut_while_a_remote_is_behind(world: World, tmp_path: Path) -> None:
    member = world.member(remotes={"one": bare(tmp_path / "one"), "two": bare(tmp_path / "two")})
    days(world, member, 12)
    world.run(unreachable(replace(member, retention_days=5), "two"))
    assert len(log(member)) == 12
