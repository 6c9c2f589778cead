"""What people keep in the repository beside the tree, and change while histories go apart."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.monitoring.ha.plugins.module_utils.backup import merging, retention
from ansible_collections.monitoring.ha.plugins.module_utils.backup.settings import Settings

from tests.unit.backup.site import DISKS, HOSTS, World, bare, git, repository, tree, unreachable

OLD = {"GIT_AUTHOR_DATE": "2020-01-01T00:00:00", "GIT_COMMITTER_DATE": "2020-01-01T00:00:00"}
TEXT = "one\ntwo\nthree\nfour\nfive\n"


def person(remote: Path, files: dict[str, str | None], message: str = "by hand") -> None:
    """Somebody changes files, or deletes them, and pushes. Their clock is behind, so that their commit is not the newest one."""
    clone = remote.with_name(f"{remote.name}-clone")
    if not clone.exists():
        git(remote.parent, "clone", "--quiet", str(remote), str(clone))
    git(clone, "fetch", "--quiet", "origin")
    if git(clone, "branch", "--remotes", "--list", "origin/main"):
        git(clone, "reset", "--quiet", "--hard", "origin/main")
    for path, text in files.items():
        (clone / path).parent.mkdir(parents=True, exist_ok=True)
        (clone / path).unlink() if text is None else (clone / path).write_text(text)
    git(clone, "add", "--all")
    git(clone, "commit", "--quiet", "-m", message, **OLD)
    git(clone, "push", "--quiet", "origin", "HEAD:main")


def beside(remote: Path, commit: str = "main") -> dict[str, str]:
    """Path to text of what a commit has outside of the tree."""
    paths = git(remote, "ls-tree", "-r", "--name-only", "-z", commit).split("\0")
    return {path: git(remote, "show", f"{commit}:{path}") for path in paths if path and not path.startswith("grafana/")}


class Apart:
    """A member with two remotes: the backup goes to the second one while somebody pushes to the first."""

    def __init__(self, world: World, directory: Path) -> None:
        self.world, self.one, self.two = world, bare(directory / "one"), bare(directory / "two")
        self.member: Settings = world.member(remotes={"one": self.one, "two": self.two})
        person(self.one, {"README.md": TEXT, "old.txt": "old"})
        assert world.run(self.member).ok

    def part(self) -> None:
        self.world.content[DISKS] = "new"
        assert self.world.run(unreachable(self.member, "one")).committed


@pytest.fixture
def apart(world: World, tmp_path: Path) -> Apart:
    return Apart(world, tmp_path)


def test_what_somebody_pushed_to_a_remote_that_was_away_stays(apart: Apart) -> None:
    apart.part()
    person(apart.one, {"README.md": "new\n", "docs/more.txt": "more", "old.txt": None, f"grafana/{HOSTS}": "by hand"})
    outcome = apart.world.run(apart.member)
    assert outcome.ok and outcome.disputed == []
    assert git(apart.one, "rev-parse", "main") == git(apart.two, "rev-parse", "main")
    assert beside(apart.one) == {"README.md": "new", "docs/more.txt": "more"}
    # The tree is Grafana's.
    found = tree(apart.one)
    assert (found[HOSTS], found[DISKS]) == ("hosts", "new")


def test_changes_at_both_remotes_are_merged(apart: Apart) -> None:
    apart.part()
    person(apart.one, {"README.md": TEXT.replace("one", "ONE"), "a.txt": "a"})
    person(apart.two, {"README.md": TEXT.replace("five", "FIVE"), "b.txt": "b"})
    assert apart.world.run(apart.member).ok
    assert beside(apart.two) == {"README.md": "ONE\ntwo\nthree\nfour\nFIVE", "a.txt": "a", "b.txt": "b", "old.txt": "old"}
    assert tree(apart.two)[DISKS] == "new"


def test_what_cannot_be_merged_is_one_version_and_told(apart: Apart) -> None:
    apart.part()
    person(apart.one, {"README.md": "first\n", "old.txt": None, "place": "a file"})
    person(apart.two, {"README.md": "second\n", "old.txt": "still needed", "place/inside": "a directory"})
    outcome = apart.world.run(apart.member)
    assert outcome.ok and {"README.md", "old.txt"} <= {*outcome.disputed}
    assert any(line.startswith("README.md: changed in several ways") for line in outcome.lines())
    found = beside(apart.one)
    assert found.pop("README.md") in ("first", "second") and found.pop("old.txt") == "still needed", "nobody wants its markers"
    assert sorted(found.values()) == ["a directory", "a file"]
    assert "Changed in several ways, one of which was taken: README.md" in git(apart.one, "log", "-1", "--format=%B")
    again = apart.world.run(apart.member)
    assert not again.committed and beside(apart.one) == {**found, **beside(apart.two)}


def test_a_remote_is_believed_before_a_member(apart: Apart) -> None:
    """The member's own commit is newer, and holds what it merged before somebody changed that at the only remote that counts."""
    apart.part()
    found = repository(apart.member)
    found.git.run("read-tree", "main")
    blob = found.git.run("hash-object", "-w", "--stdin", data=b"the member's\n")
    found.git.run("update-index", "--add", "--cacheinfo", f"100644,{blob},README.md")
    found.move(found.commit(found.git.run("write-tree"), [found.find("main")], "own"))
    person(apart.two, {"README.md": "the remote's\n"})
    alone = replace(apart.member, remotes=apart.member.remotes[1:])
    assert apart.world.run(alone).disputed == ["README.md"]
    assert beside(apart.two)["README.md"] == "the remote's"


def test_a_repository_of_another_origin(world: World, tmp_path: Path) -> None:
    one, two = bare(tmp_path / "one"), bare(tmp_path / "two")
    person(one, {"one.txt": "1"})
    person(two, {"two.txt": "2"})
    assert world.run(world.member(remotes={"one": one, "two": two})).ok
    assert beside(one) == beside(two) == {"one.txt": "1", "two.txt": "2"} and tree(one)[HOSTS] == "hosts"


def test_a_file_that_resembles_one_of_the_tree_is_not_taken_for_it(apart: Apart) -> None:
    """A deleted file and a new dashboard of the same text are no rename that an edit would follow into the tree."""
    person(apart.one, {"copy.json": "a long enough text\n" * 20})
    assert apart.world.run(apart.member).ok
    apart.world.content[DISKS] = "a long enough text\n" * 20
    assert apart.world.run(unreachable(apart.member, "one")).committed
    person(apart.two, {"copy.json": None})
    person(apart.one, {"copy.json": "a long enough text\n" * 20 + "edited\n"})
    assert apart.world.run(apart.member).ok
    assert beside(apart.one)["copy.json"].endswith("edited")


def test_a_commit_that_is_made_again_on_a_shorter_history_takes_nothing_back(world: World, tmp_path: Path) -> None:
    """Another member has cut the history, and somebody has changed a file since."""
    remote = bare(tmp_path / "one")
    first, second = (world.member(name, {"one": remote}) for name in ("mon1", "mon2"))
    person(remote, {"README.md": TEXT})
    assert world.run(first).ok and world.run(second).ok
    world.content[DISKS] = "seen while the remote was down"
    assert world.run(unreachable(second, "one")).committed
    person(remote, {"README.md": "new\n", "more.txt": "more"})
    del world.content[DISKS]
    assert world.run(first).ok
    shorter = repository(first)
    old = shorter.find("main")
    retention.cut(shorter, old)
    shorter.push(first.remotes[0], instead_of=old)
    assert world.run(second).ok
    assert beside(remote) == {"README.md": "new", "more.txt": "more"}
    texts = [tree(remote, sha).get(DISKS) for sha in git(remote, "rev-list", "main").split()]
    assert "seen while the remote was down" in texts


def test_what_somebody_pushed_to_a_remote_with_the_old_history_is_kept(apart: Apart) -> None:
    """It missed the cut, and its files go on top of the shorter history, on which others have been changed."""
    found = repository(apart.member)
    shorter = retention.cut(found, found.find("main"))
    found.push(apart.member.remotes[1], instead_of=git(apart.two, "rev-parse", "main"))
    person(apart.two, {"README.md": TEXT.replace("five", "FIVE"), "b.txt": "b"})
    person(apart.one, {"README.md": TEXT.replace("one", "ONE"), "a.txt": "a"})
    assert apart.world.run(unreachable(apart.member, "one")).behind == ["one"]
    outcome = apart.world.run(apart.member)
    assert outcome.ok and git(apart.one, "rev-list", "--max-parents=0", "main") == shorter
    assert beside(apart.one) == {"README.md": "ONE\ntwo\nthree\nfour\nFIVE", "a.txt": "a", "b.txt": "b", "old.txt": "old"}


def test_a_cut_leaves_every_later_commit_as_it_is(apart: Apart) -> None:
    base = git(apart.one, "rev-parse", "main")
    person(apart.one, {"README.md": "new\n"})
    apart.world.content[DISKS] = "new"
    assert apart.world.run(apart.member).ok
    found = repository(apart.member)
    before = [found.content(sha) for sha in found.git.lines("rev-list", f"{base}..main")]
    retention.cut(found, base)
    assert [found.content(sha) for sha in found.git.lines("rev-list", "main")][:-1] == before and len(before) == 2


def test_histories_that_went_apart_more_than_once(world: World) -> None:
    """Two members have united the same two, each in a commit of its own, and somebody has gone on from one of these."""
    found = repository(world.member())

    def commit(readme: str, *parents: str, **more: str) -> str:
        found.git.run("read-tree", "--empty")
        for path, text in {"README.md": readme, **more}.items():
            blob = found.git.run("hash-object", "-w", "--stdin", data=text.encode())
            found.git.run("update-index", "--add", "--cacheinfo", f"100644,{blob},{path}")
        return found.commit(found.git.run("write-tree"), parents, "x")

    begun = commit(TEXT)
    one, two = commit(TEXT.replace("one", "ONE"), begun), commit(TEXT.replace("five", "FIVE"), begun)
    both = TEXT.replace("one", "ONE").replace("five", "FIVE")
    first, second = commit(both, one, two), commit(both, one, two, other="x")
    merged = merging.united(found, [second, commit(both.replace("ONE", "1"), first)])
    assert merged.disputed == [] and found.git.run("show", f"{merged.content}:README.md") == both.replace("ONE", "1").rstrip()
    assert found.git.run("show", f"{merged.content}:other") == "x"
