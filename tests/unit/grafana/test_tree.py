"""The directory is replaced as a whole or not at all."""

from __future__ import annotations

import fcntl
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.monitoring.ha.plugins.module_utils.grafana import tree
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.errors import TreeError
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.tree import Changes, Writer


def write(dest: Path, *, check: bool = False, **files: str) -> Changes:
    with Writer(dest, check=check) as writer:
        for path, content in files.items():
            writer.add(f"o/{path}.json", content.encode())
        return writer.finish({"organisations": {"o": {}}})


def read(dest: Path) -> dict[str, str]:
    return {path.stem: path.read_text() for path in (dest / "o").iterdir()}


def test_swapped_in(tmp_path: Path) -> None:
    dest = tmp_path / "above" / "tree"
    assert write(dest, a="1", b="2").added == ["manifest.json", "o/a.json", "o/b.json"]
    changes = write(dest, a="1", b="3", c="4")
    assert (changes.added, changes.changed, changes.removed) == (["o/c.json"], ["manifest.json", "o/b.json"], [])
    assert write(dest, c="4").removed == ["o/a.json", "o/b.json"]
    assert read(dest) == {"c": "4"} and os.listdir(dest.parent) == ["tree"]


def test_equal_is_left_alone(tmp_path: Path) -> None:
    dest = tmp_path / "tree"
    write(dest, a="1")
    inode = dest.stat().st_ino
    assert not write(dest, a="1") and dest.stat().st_ino == inode


def test_edited_by_hand_is_a_change(tmp_path: Path) -> None:
    dest = tmp_path / "tree"
    write(dest, a="1")
    (dest / "o" / "a.json").write_text("edited")
    assert write(dest, check=True, a="1").changed == ["o/a.json"] and read(dest) == {"a": "edited"}
    assert write(dest, a="1") and read(dest) == {"a": "1"}


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    dest = tmp_path / "tree"
    write(dest, a="1")
    with pytest.raises(RuntimeError, match="in between"), Writer(dest) as writer:
        writer.add("o/b.json", b"2")
        raise RuntimeError("in between")
    assert read(dest) == {"a": "1"} and os.listdir(tmp_path) == ["tree"]


def test_without_an_exchange_of_the_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "_exchange", lambda one, other: False)
    dest = tmp_path / "tree"
    write(dest, a="1")
    write(dest, a="2")
    assert read(dest) == {"a": "2"} and os.listdir(tmp_path) == ["tree"]


def test_interrupted_between_the_two_steps(tmp_path: Path) -> None:
    dest = tmp_path / "tree"
    write(dest, a="1")
    dest.rename(tmp_path / ".tree.previous")
    assert not write(dest, check=True, a="1") and os.listdir(tmp_path) == [".tree.previous"], "a check only looks at it"
    assert not write(dest, a="1"), "the tree that was put aside is back"
    assert read(dest) == {"a": "1"} and os.listdir(tmp_path) == ["tree"]


def test_a_check_leaves_no_trace(tmp_path: Path) -> None:
    assert write(tmp_path / "above" / "deep" / "tree", check=True, a="1").added == ["manifest.json", "o/a.json"]
    assert os.listdir(tmp_path) == []
    write(tmp_path / "tree", a="1")
    (tmp_path / ".tree.previous").mkdir()
    (tmp_path / ".tree.new-abcdefgh").mkdir()
    write(tmp_path / "tree", check=True, a="2")
    assert sorted(os.listdir(tmp_path)) == [".tree.new-abcdefgh", ".tree.previous", "tree"] and read(tmp_path / "tree") == {"a": "1"}


def test_a_failure_leaves_no_directories_that_it_made(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(RuntimeError), Writer(tmp_path / "there" / "above" / "deep" / "tree"):
        raise RuntimeError
    assert os.listdir(tmp_path) == ["there"] and os.listdir(tmp_path / "there") == []
    with pytest.raises(RuntimeError), Writer(tmp_path / "there" / "above" / "deep" / "tree"):
        (tmp_path / "there" / "above" / "of others").touch()
        raise RuntimeError
    assert os.listdir(tmp_path / "there" / "above") == ["of others"]


def test_what_a_run_that_was_killed_has_left_is_removed(tmp_path: Path) -> None:
    """But not what another one is filling, and nothing that only looks like it."""
    dest = tmp_path / "tree"
    others = {".tree.new-", ".tree.new-of-mine", ".other.new-abcdefgh", ".tree.new-ABCDEFGH"}
    for name in (".tree.new-abcdefgh", *others):
        (tmp_path / name / "o").mkdir(parents=True)
        (tmp_path / name / "o" / "a.json").touch()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / ".tree.new-12345678").symlink_to(tmp_path / "elsewhere")
    kept = {*others, ".tree.new-12345678", "elsewhere"}
    with Writer(dest) as first:
        first.add("o/a.json", b"first")
        with Writer(dest) as second:
            assert {*os.listdir(tmp_path)} == {*kept, first.staged.name, second.staged.name}
            second.add("o/a.json", b"second")
            second.finish({"organisations": {"o": {}}})
        first.finish({"organisations": {"o": {}}})
    assert read(dest) == {"a": "first"} and {*os.listdir(tmp_path)} == {*kept, "tree"}


def test_a_directory_that_was_taken_before_it_was_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make = tempfile.mkdtemp
    made: list[str] = []

    def noted(**given: Any) -> str:
        made.append(make(**given))
        return made[-1]

    lock = fcntl.flock

    def late(descriptor: int, how: int) -> None:
        if len(made) == 1 and Path(made[0]).exists():
            os.rmdir(made[0])
        lock(descriptor, how)

    monkeypatch.setattr(tempfile, "mkdtemp", noted)
    monkeypatch.setattr(fcntl, "flock", late)
    assert write(tmp_path / "tree", a="1") and len(made) == 2 and read(tmp_path / "tree") == {"a": "1"}


def test_two_objects_never_share_a_file(tmp_path: Path) -> None:
    with pytest.raises(TreeError, match="two objects"), Writer(tmp_path / "tree") as writer:
        writer.add("o/a.json", b"1")
        writer.add("o/a.json", b"2")


@pytest.mark.parametrize(
    "inside",
    [
        {"notes.txt": ""},
        {"manifest.json": '{"name": "Shop", "start_url": "/"}', "index.html": "x"},
        {"manifest.json": '{"name": "Shop", "start_url": "/"}'},
        {"manifest.json": "[]"},
        {"manifest.json": '{"format": 1, "organ'},
        {"manifest.json": '{"format": 99, "organisations": {}}'},
        {"manifest.json": '{"format": 1, "organisations": {}}', "README.md": "ours"},
        {"manifest.json": '{"format": 1, "organisations": {}}', ".git": "gitdir: elsewhere"},
        {"manifest.json": '{"format": 1, "organisations": {}}', "images/logo.svg": "x"},
        {"main-org/organisation.json": "{}"},
    ],
)
def test_what_is_not_ours_is_not_replaced(inside: dict[str, str], tmp_path: Path) -> None:
    for name, content in inside.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    with pytest.raises(TreeError, match="something else"):
        Writer(tmp_path)
    assert all((tmp_path / name).read_text() == content for name, content in inside.items())


def test_an_organisation_that_was_put_into_a_tree_by_hand_is_part_of_it(tmp_path: Path) -> None:
    dest = tmp_path / "tree"
    write(dest, a="1")
    (dest / "added").mkdir()
    (dest / "added" / "organisation.json").write_text("{}")
    assert write(dest, a="1").removed == ["added/organisation.json"]


def test_a_manifest_of_another_format(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"format": 99}')
    with pytest.raises(TreeError, match="format 99"):
        tree.read_manifest(tmp_path)
