"""What is committed and pushed, and what is not."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.backup.site import DISKS, FOLDER, HOSTS, RULES, World, bare, git, log, repository, subjects, tree, unreachable


def test_first_backup_goes_to_every_remote(world: World, tmp_path: Path) -> None:
    one, two = bare(tmp_path / "one"), bare(tmp_path / "two")
    member = world.member(remotes={"one": one, "two": two})
    outcome = world.run(member)
    assert outcome.ok and outcome.committed and outcome.remotes == {"one": "", "two": ""}
    assert subjects(one) == subjects(two) == log(member) == ["1 dashboard added, 1 rule group added, 1 folder added"]
    assert {path: text for path, text in tree(one).items() if path != "manifest.json"} == world.content
    message = git(one, "log", "-1", "--format=%B")
    assert "added    dashboard main-org/linux/hosts" in message and "Member: mon1" in message and "Grafana: 13.0.1" in message


def test_nothing_changed_is_no_commit(world: World, tmp_path: Path) -> None:
    remote = bare(tmp_path / "remote")
    member = world.member(remotes={"remote": remote})
    first = world.run(member)
    second = world.run(member)
    assert second.ok and not second.committed and second.commit == first.commit and len(log(member)) == 1


def test_a_commit_says_what_changed(world: World) -> None:
    member = world.member()
    world.run(member)
    world.content |= {HOSTS: "other hosts", DISKS: "new"}
    del world.content[RULES]
    assert world.run(member).changes == [
        "added    dashboard main-org/linux/disks",
        "changed  dashboard main-org/linux/hosts",
        "removed  rule group main-org/linux/disks",
    ]
    assert log(member)[0] == "1 dashboard added, 1 dashboard changed, 1 rule group removed"


def test_what_was_renamed_or_lies_in_a_renamed_folder_may_have_changed(world: World) -> None:
    member = world.member()
    world.content = {HOSTS: "title: Hosts\npanels: 1\nrows: 1\n", DISKS: "title: Disks\npanels: 1\n", FOLDER: "title: Linux\n"}
    world.run(member)
    in_new = "main-org/dashboards/unix.f1"
    world.content = {
        f"{in_new}/machines.d1.json": "title: Machines\npanels: 1\n",
        f"{in_new}/disks.d2.json": "title: Disks\npanels: 2\n",
        "main-org/folders/unix.f1.json": "title: Unix\n",
    }
    assert world.run(member).changes == [
        "changed  dashboard main-org/unix/disks",
        "changed  dashboard main-org/unix/machines",
        "renamed  dashboard main-org/unix/machines",
        "renamed  folder main-org/unix",
    ]
    assert log(member)[0] == "2 dashboards changed, 1 dashboard renamed, 1 folder renamed"


def test_another_version_of_grafana_is_a_commit_of_its_own(world: World) -> None:
    member = world.member()
    world.run(member)
    # Which the manifest says.
    world.content["main-org/organisation.json"] = "x"
    world.run(member)
    world.release = "13.2.1"
    (member.work / "grafana" / "manifest.json").write_text("")
    found = repository(member)
    before = found.content("main")
    (member.work / "grafana" / "manifest.json").write_text("another version")
    (change,) = found.changes(before, found.stage("main"))
    assert (change.status, change.path) == ("M", "manifest.json")


def test_a_remote_that_is_down_keeps_nobody_from_the_others_and_gets_everything_later(world: World, tmp_path: Path) -> None:
    one, two = bare(tmp_path / "one"), bare(tmp_path / "two")
    member = world.member(remotes={"one": one, "two": two})
    outcome = world.run(unreachable(member, "one"))
    assert outcome.state == "worked" and not outcome.ok and outcome.safe and outcome.behind == ["one"]
    assert "does not appear to be a git repository" in outcome.remotes["one"]
    assert len(log(member)) == 1 and subjects(two) == log(member)
    world.content[HOSTS] = "changed"
    assert world.run(member).ok
    assert subjects(one) == subjects(two) == log(member) and len(log(member)) == 2


def test_all_remotes_down_keeps_the_commit_and_is_no_success(world: World, tmp_path: Path) -> None:
    member = world.member(remotes={"one": tmp_path / "nothing"})
    outcome = world.run(member)
    assert outcome.committed and not outcome.ok and not outcome.safe and len(log(member)) == 1


def test_files_that_others_keep_in_the_repository_stay(world: World, tmp_path: Path) -> None:
    remote = bare(tmp_path / "remote")
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", str(remote), str(clone))
    (clone / "README.md").write_text("ours")
    git(clone, "add", "README.md")
    git(clone, "commit", "--quiet", "-m", "readme")
    git(clone, "push", "--quiet", "origin", "HEAD:main")
    member = world.member(remotes={"remote": remote})
    world.run(member)
    del world.content[RULES]
    world.run(member)
    assert git(remote, "show", "main:README.md") == "ours"
    assert subjects(remote)[1:] == ["1 dashboard added, 1 rule group added, 1 folder added", "readme"]


def test_a_branch_of_another_name(world: World, tmp_path: Path) -> None:
    remote = bare(tmp_path / "remote")
    world.run(world.member(remotes={"remote": remote}, branch="backups"))
    assert len(subjects(remote, "backups")) == 1 and git(remote, "branch", "--list", "main") == ""


def test_awkward_names(world: World, tmp_path: Path) -> None:
    remote = bare(tmp_path / "remote")
    names = ["zażółć.d1", "لوحة.d2", "with%2Fslash.d%2F3", "-dash.d4", "x" * 80 + ".d5", "con.d6", ":(glob)*.d7"]
    world.content = {f"main-org/dashboards/{name}.json": name for name in names}
    member = world.member(remotes={"remote": remote})
    assert world.run(member).ok
    assert set(tree(remote)) == {*world.content, "manifest.json"}
    repository(member).checkout("main", tmp_path / "out")
    assert (tmp_path / "out" / f"main-org/dashboards/{names[1]}.json").read_text() == names[1]


def test_configuration_of_the_user_does_not_matter(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "hooks").mkdir()
    (tmp_path / "hooks" / "pre-commit").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "hooks" / "pre-commit").chmod(0o755)
    configuration = f"[core]\n autocrlf = true\n excludesFile = {tmp_path}/all\n hooksPath = {tmp_path}/hooks\n[commit]\n gpgsign = true\n"
    (tmp_path / ".gitconfig").write_text(configuration)
    (tmp_path / "all").write_text("*\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_DIR", "/nonexistent")
    world.content[HOSTS] = "line\r\nline\n"
    member = world.member()
    assert world.run(member).committed
    command = ["git", "cat-file", "blob", f"main:grafana/{HOSTS}"]
    shown = subprocess.run(command, cwd=member.repository, env={"PATH": os.environ["PATH"]}, capture_output=True, check=True)
    assert shown.stdout == b"line\r\nline\n"


def test_locks_that_a_power_cut_has_left_are_in_nobodys_way(world: World) -> None:
    member = world.member()
    world.run(member)
    for name in ("backup.index.lock", "refs/heads/main.lock", "packed-refs.lock"):
        (member.repository / name).write_text("")
    world.content[HOSTS] = "changed"
    assert world.run(member).committed


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "signing"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "backup", "-f", str(path)], check=True)
    return path


def test_signed_commits_can_be_verified(world: World, key: Path, tmp_path: Path) -> None:
    member = world.member(signing_key=str(key))
    world.run(member)
    allowed = tmp_path / "allowed"
    allowed.write_text(f"backup@localhost {(key.with_suffix('.pub')).read_text()}")
    verify = ("-c", "gpg.format=ssh", "-c", f"gpg.ssh.allowedSignersFile={allowed}", "verify-commit", "main")
    git(member.repository, *verify)
    # The check is one: it refuses what is not signed.
    world.content[FOLDER] = "changed"
    world.run(replace(member, signing_key=""))
    with pytest.raises(AssertionError):
        git(member.repository, *verify)


def test_a_signing_key_that_is_missing_fails_the_run(world: World, tmp_path: Path) -> None:
    outcome = world.run(world.member(signing_key=str(tmp_path / "missing")))
    assert outcome.state == "failed" and re.search("missing|sign", outcome.why)
