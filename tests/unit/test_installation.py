"""Releases on a host: beside each other, one of them current, one before it to go back to."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import shutil
import stat
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.monitoring.ha.plugins.module_utils import installation
from ansible_collections.monitoring.ha.plugins.module_utils.installation import Installed, InstallError

from tests.unit.plays import Play, Played
from tests.unit.servers import Server, files, free_port, serve

Member = tarfile.TarInfo
ARCH = installation.ARCHITECTURES[os.uname().machine]


def member(name: str, content: str = "", **its: Any) -> tuple[Member, bytes]:
    found = Member(name)
    found.size, found.mode = len(content), 0o644
    for key, value in its.items():
        setattr(found, key, value)
    return found, content.encode()


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tuple[Member, bytes]:
    return member(name, type=kind, linkname=target)


def archive(path: Path, *members: tuple[Member, bytes]) -> Path:
    # The same content is the same archive, whenever it is packed.
    with gzip.GzipFile(path, "wb", mtime=0) as packed, tarfile.open(fileobj=packed, mode="w") as file:
        for entry, content in members:
            file.addfile(entry, io.BytesIO(content))
    return path


def tiny(path: Path, version: str) -> Path:
    """A release whose only program says its version."""
    top = f"tiny-{version}.linux-{ARCH}"
    return archive(
        path / f"{top}.tar.gz",
        member(top, type=tarfile.DIRTYPE, mode=0o777),
        member(f"{top}/tiny", f"#!/bin/sh\necho {version}\n", mode=0o775, uid=1234, uname="somebody"),
        member(f"{top}/doc/README", "read me\n", mode=0o600),
        link(f"{top}/doc/program", "../tiny"),
    )


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Host:
    """A directory of releases."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.root, self.units = directory, directory / "opt" / "tiny", directory / "units"

    def install(self, version: str, path: Path | None = None, **about: str) -> Installed:
        path = path or tiny(self.directory, version)
        facts = {"version": version, "arch": "amd64", "sha256": sha256(path), "source": "mirror", "pin": sha256(path), **about}
        return installation.install(str(self.root), str(path), facts, ["tiny"], str(self.units))

    def find(self, version: str, **pins: list[str]) -> Installed | None:
        """pins: by source."""
        return installation.find(str(self.root), version, "amd64", pins)

    @property
    def versions(self) -> list[str]:
        """What lies there, without the checksums."""
        return sorted(name.partition("-")[0] for name in os.listdir(self.root) if name != "current")

    @property
    def current(self) -> str:
        return os.path.basename(installation.current(str(self.root))).partition("-")[0]


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_a_release_is_unpacked_without_its_top_directory_and_is_roots(host: Host) -> None:
    home = Path(host.install("1").home)
    assert os.readlink(host.root / "current") == home.name
    modes = {name: stat.S_IMODE((home / name).stat().st_mode) for name in (".", "tiny", "doc", "doc/README")}
    assert modes == {".": 0o755, "tiny": 0o755, "doc": 0o755, "doc/README": 0o644}
    assert (home / "tiny").stat().st_uid == os.geteuid()
    assert (home / "doc" / "program").resolve() == (home / "tiny").resolve()


def test_the_version_before_stays_and_older_ones_go(host: Host) -> None:
    for version in ("1", "2", "3"):
        host.install(version)
    assert (host.versions, host.current) == (["2", "3"], "3")


def test_going_back_needs_no_archive(host: Host) -> None:
    host.install("1")
    host.install("2")
    before = host.find("1")
    assert before
    installation.point(str(host.root), before.home)
    assert (host.versions, host.current) == (["1", "2"], "1")


def test_a_version_that_a_unit_names_stays(host: Host) -> None:
    home = host.install("1").home
    host.units.mkdir()
    (host.units / "tiny.service").write_text(f"[Service]\nExecStart={home}/tiny\n", encoding="utf-8")
    for version in ("2", "3"):
        host.install(version)
    assert host.versions == ["1", "2", "3"]


def test_the_root_may_lie_behind_a_link(host: Host) -> None:
    """As where /opt is a link to a larger disk."""
    (host.directory / "disk").mkdir()
    (host.directory / "opt").symlink_to("disk")
    home = host.install("1").home
    found = host.find("1")
    assert found and found.home == home == installation.current(str(host.root))
    host.install("2")
    assert host.versions == ["1", "2"]


@pytest.mark.parametrize("damage", ["cut short", "replaced", "removed"])
def test_a_damaged_program_is_mended_and_the_version_before_stays(host: Host, damage: str) -> None:
    host.install("1")
    program = Path(host.install("2").home) / "tiny"
    if damage == "removed":
        program.unlink()
    else:
        program.write_text("" if damage == "cut short" else "#!/bin/sh\necho another program\n", encoding="utf-8")
    assert host.find("2") is None
    host.install("2")
    assert program.read_text(encoding="utf-8") == "#!/bin/sh\necho 2\n"
    assert host.versions == ["1", "2"]


def test_another_archive_of_the_same_version_is_found_out(host: Host) -> None:
    found = host.install("1")
    assert host.find("1", mirror=[found.pin]) == found
    assert host.find("1", mirror=["0" * 64]) is None
    assert installation.find(str(host.root), "1", "arm64", {}) is None


def test_an_archive_is_right_by_the_pins_of_its_own_source(host: Host) -> None:
    """A project's own archive, which its list of checksums vouched for, where only builds are pinned."""
    found = host.install("1", source="official", pin="")
    assert host.find("1", official=[], build=["0" * 64], mirror=["0" * 64]) == found
    assert host.find("1", official=["0" * 64]) is None


def refusal(host: Host, path: Path, **about: str) -> str:
    """Why an archive is refused; the version that runs is untouched, and nothing is left of the other."""
    before = {str(p): p.lstat().st_mtime_ns for p in host.root.rglob("*")}
    with pytest.raises(InstallError) as error:
        host.install("2", path, **about)
    assert {str(p): p.lstat().st_mtime_ns for p in host.root.rglob("*")} == before
    assert host.current == "1"
    return str(error.value)


def test_an_archive_that_arrives_damaged_is_refused(host: Host) -> None:
    host.install("1")
    assert "0" * 64 in refusal(host, tiny(host.directory, "2"), sha256="0" * 64)


def test_an_archive_that_cannot_be_unpacked_is_refused(host: Host) -> None:
    host.install("1")
    path = tiny(host.directory, "2")
    path.write_bytes(path.read_bytes()[:-60])
    assert "untouched" in refusal(host, path)


def test_an_archive_without_the_program_is_refused(host: Host) -> None:
    host.install("1")
    assert "lacks tiny" in refusal(host, archive(host.directory / "x.tar.gz", member("tiny-2/README", "x")))


OUTSIDE = {
    "absolute": [member("/evil/tiny", "x")],
    "above the top directory": [member("../evil", "x")],
    "above in the middle": [member("tiny-2/../../evil/tiny", "x")],
    "above at the end": [member("tiny-2/..", type=tarfile.DIRTYPE)],
    "link to an absolute path": [link("tiny-2/l", "/etc")],
    "link above": [link("tiny-2/l", "../evil")],
    "file through a link": [link("tiny-2/a", "."), link("tiny-2/d/e", "../a"), link("tiny-2/f", "d/e/../.."), member("tiny-2/f/evil", "x")],
    "hard link above": [link("tiny-2/l", "tiny-2/../../evil", tarfile.LNKTYPE)],
    "device": [member("tiny-2/null", type=tarfile.CHRTYPE, devmajor=1, devminor=3)],
    "pipe": [member("tiny-2/pipe", type=tarfile.FIFOTYPE)],
}


@pytest.mark.parametrize("members", OUTSIDE.values(), ids=OUTSIDE)
def test_members_that_would_leave_the_directory_are_refused(host: Host, members: list[tuple[Member, bytes]]) -> None:
    host.install("1")
    program = member("tiny-2/tiny", "#!/bin/sh\n", mode=0o755)
    message = refusal(host, archive(host.directory / "x.tar.gz", program, *members))
    assert "is refused" in message
    assert not list(host.directory.rglob("evil"))


class Killed(BaseException):
    """The machine loses power."""


@pytest.mark.parametrize("moment", ["extracting", "swapping"])
def test_what_an_interrupted_run_leaves_is_mended_by_the_next(host: Host, moment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    host.install("1")

    def killed(*_words: object, **_more: object) -> None:
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        # A process that is killed does not clean up after itself.
        patch.setattr(shutil, "rmtree", lambda *_words, **_more: None)
        where, name = (tarfile.TarFile, "extract") if moment == "extracting" else (installation, "point")
        patch.setattr(where, name, killed)
        host.install("2")
    assert host.current == "1"
    found = host.find("2")
    assert (found is not None) is (moment == "swapping")
    if found:
        # What the module does with a version that is there and not current.
        installation.point(str(host.root), found.home)
    else:
        host.install("2")
    assert (host.versions, host.current) == (["1", "2"], "2")


def test_something_else_in_the_place_of_a_release_is_none(host: Host) -> None:
    (host.root / "1-0").mkdir(parents=True)
    for about in ("", "{}", "[]", json.dumps({"version": "1", "files": []})):
        (host.root / "1-0" / installation.ABOUT).write_text(about, encoding="utf-8")
        assert host.find("1") is None


# --- as a user meets it --------------------------------------------------------------------------------------------


def site_lock(path: Path, pins: dict[str, Path | str]) -> Path:
    """A lock file of one's own, with the tiny component. pins: version → archive, or a checksum."""
    found = {v: {"official": {f"linux-{ARCH}": p if isinstance(p, str) else sha256(p)}} for v, p in pins.items()}
    path.write_text(yaml.safe_dump({"components": {"tiny": {"version": "1", "files": ["tiny"], "pins": found}}}), encoding="utf-8")
    return path


class Installing:
    """A play that installs, and what the mirror was asked."""

    def __init__(self, home: Path, played: Played, server: Server) -> None:
        self.root, self.played, self.server = home / "opt" / "tiny", played, server


@pytest.fixture(scope="module")
def installing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installing]:
    """Everything that happens to a release, one after the other, on this machine."""
    home = tmp_path_factory.mktemp("release")
    mirror = home / "mirror"
    mirror.mkdir()
    archives = {version: tiny(mirror, version) for version in ("1", "2")}
    broken = tiny(mirror, "3")
    lock = site_lock(home / "lock.yml", {**archives, "3": "0" * 64})
    with serve(files(mirror)) as server:
        task = release_task(home, server.url)
        down = release_task(home, f"http://127.0.0.1:{free_port()}")
        # Another architecture: the interpreter's process sees an older machine.
        old = {"ansible_python_interpreter": str(other_machine(home / "python"))}
        cache = {"name": "No cache", "ansible.builtin.file": {"path": str(home / "cache"), "state": "absent"}}
        tasks = [
            task("Check mode on nothing", check_mode=True, diff=True),
            task("Install"),
            cache,
            down("Again, without a network"),
            task("Upgrade in check mode", "2", check_mode=True, diff=True),
            task("Upgrade", "2"),
            down("Back in check mode", "1", check_mode=True),
            down("Back", "1"),
            down("Forth", "2"),
            task("Wrong checksum", "3", ignore_errors=True),
            down("Mirror is down", "4", ignore_errors=True),
            task("Unknown version", "5", ignore_errors=True),
            task("Unknown architecture", ignore_errors=True, vars=old),
            down("Still there", "2"),
        ]
        site_lock(lock, {**archives, "3": "0" * 64, "4": sha256(broken)})
        yield Installing(home, Play(home).run(tasks, variables={"release_lock": str(lock)}), server)


def release_task(home: Path, mirror: str) -> Callable[..., dict[str, Any]]:
    def task(name: str, version: str = "1", **more: Any) -> dict[str, Any]:
        arguments = {"component": "tiny", "version": version, "root": str(home / "opt"), "mirror": mirror}
        return {"name": name, "monitoring.ha.release": arguments, **more}

    return task


def other_machine(path: Path) -> Path:
    path.write_text(f'#!/bin/sh\nexec setarch linux32 {sys.executable} "$@"\n', encoding="utf-8")
    path.chmod(0o755)
    return path


def test_check_mode_on_nothing_says_what_it_would_do(installing: Installing) -> None:
    result = installing.played.result("Check mode on nothing")
    assert result["changed"] and result["version"] == "1"
    assert result["diff"] == {"before": "absent\n", "after": "1\n"}
    assert result["home"].startswith(str(installing.root / "1-"))


def test_install(installing: Installing) -> None:
    result = installing.played.result("Install")
    assert result["changed"] and result["source"] == "mirror" and result["previous"] == ""
    assert result["home"] == str(installing.root / result["id"])


def test_a_no_op_asks_nothing_and_unpacks_nothing(installing: Installing) -> None:
    """Its mirror is down, and the cache is gone."""
    again, installed = installing.played.result("Again, without a network"), installing.played.result("Install")
    assert not again["changed"] and again["source"] == "present"
    assert (again["home"], again["id"]) == (installed["home"], installed["id"])
    paths = [f"/tiny-{version}.linux-{ARCH}.tar.gz" for version in ("1", "2", "3")]
    assert installing.server.paths == paths


def test_upgrade(installing: Installing) -> None:
    assert installing.played.result("Upgrade in check mode")["diff"] == {"before": "1\n", "after": "2\n"}
    result = installing.played.result("Upgrade")
    assert result["changed"] and result["previous"] == installing.played.result("Install")["home"]


def test_going_back_and_forth_finds_both_on_the_host(installing: Installing) -> None:
    played = installing.played
    assert played.result("Back in check mode")["changed"] and played.result("Back")["changed"] and played.result("Forth")["changed"]
    assert played.result("Back")["home"] == played.result("Install")["home"]
    assert played.result("Back")["previous"] == played.result("Upgrade")["home"]
    assert played.result("Forth")["source"] == "present"


@pytest.mark.parametrize(
    ("task", "words"),
    [
        ("Wrong checksum", ["tiny-3", "sha256", "0" * 64]),
        ("Mirror is down", ["tiny-4", "refused", "release_mirror"]),
        ("Unknown version", ["'5'", "tiny", "release_lock"]),
        ("Unknown architecture", ["tiny", "i686", "x86_64"]),
    ],
)
def test_what_cannot_be_installed_is_one_line_and_what_runs_is_untouched(installing: Installing, task: str, words: list[str]) -> None:
    message = installing.played.message(task)
    assert all(word in message for word in words) and "\n" not in message
    assert not installing.played.result("Still there")["changed"]
    assert sorted(name.partition("-")[0] for name in os.listdir(installing.root)) == ["1", "2", "current"]


def test_a_projects_own_archive_is_found_again_where_only_builds_are_pinned(tmp_path: Path, play: Play) -> None:
    """And a mirror that was filled with it is believed."""
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    archive = tiny(source, "1")
    (source / "sha256sums.txt").write_text(f"{sha256(archive)}  {archive.name}\n", encoding="utf-8")
    lock = tmp_path / "lock.yml"
    with serve(files(source)) as server:
        urls = {"archive": f"{server.url}/{archive.name}", "checksums": f"{server.url}/sha256sums.txt"}
        pins = {"1": {"build": {f"linux-{ARCH}": "0" * 64}}}
        tiny_ = {"version": "1", "files": ["tiny"], "official": urls, "build": {"go": {}}, "pins": pins}
        lock.write_text(yaml.safe_dump({"components": {"tiny": tiny_}}), encoding="utf-8")
        fill = {"components": ["tiny"], "lock": str(lock), "directory": str(target), "architectures": [ARCH]}
        official, mirrored = release_task(tmp_path, ""), release_task(tmp_path / "other", str(target))
        played = play.run(
            [
                official("Install"),
                official("Again"),
                {"name": "Fill", "monitoring.ha.mirror": fill},
                {"name": "No cache", "ansible.builtin.file": {"path": str(play.home / "cache"), "state": "absent"}},
                mirrored("From the mirror"),
                mirrored("From the mirror again"),
            ],
            variables={"release_lock": str(lock)},
        )
    assert (played.result("Install")["source"], played.result("Again")["source"]) == ("official", "present")
    assert not played.result("Again")["changed"]
    assert (played.result("From the mirror")["source"], played.result("From the mirror again")["source"]) == ("mirror", "present")


def test_a_mirror_can_be_filled_and_installed_from(tmp_path: Path, play: Play) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    lock = site_lock(tmp_path / "lock.yml", {"1": tiny(source, "1")})
    (source / "sha256sums.txt").write_text("", encoding="utf-8")
    fill = {"components": ["tiny"], "lock": str(lock), "mirror": str(source), "directory": str(target), "architectures": [ARCH]}
    task = release_task(tmp_path, str(target))
    played = play.run(
        [
            {"name": "Fill", "monitoring.ha.mirror": fill},
            {"name": "Fill again", "monitoring.ha.mirror": fill},
            {"name": "Unknown", "monitoring.ha.mirror": {**fill, "components": ["huge"]}, "ignore_errors": True},
            {"name": "No cache", "ansible.builtin.file": {"path": str(play.home / "cache"), "state": "absent"}},
            task("Install"),
        ],
        variables={"release_lock": str(lock)},
    )
    name = f"tiny-1.linux-{ARCH}.tar.gz"
    assert played.result("Fill")["archives"] == [{"file": name, "sha256": sha256(source / name), "source": "mirror"}]
    assert (target / "sha256sums.txt").read_text(encoding="utf-8") == f"{sha256(source / name)}  {name}\n"
    assert "Fill again" not in played.changed
    assert "huge" in played.message("Unknown")
    assert played.result("Install")["source"] == "mirror"
