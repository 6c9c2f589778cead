"""Archives: which source gives one, and what is refused. The servers are real."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import io
import os
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.monitoring.ha.plugins.plugin_utils import archives, builds, lock
from ansible_collections.monitoring.ha.plugins.plugin_utils.archives import Archive, ArchiveError

from tests.unit.servers import Answer, Server, files, free_port, serve, texts
from tools.steps import ROOT

NAME = "tiny-1.0.0.linux-amd64.tar.gz"


def packed(program: str = "#!/bin/sh\necho 1.0.0\n", name: str = NAME) -> bytes:
    """An archive as upstream lays it out."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        entry = tarfile.TarInfo(f"{name.removesuffix('.tar.gz')}/tiny")
        entry.size, entry.mode = len(program), 0o755
        archive.addfile(entry, io.BytesIO(program.encode()))
    return buffer.getvalue()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


ARCHIVE = packed()
PINS = {"official": {"linux-amd64": sha256(ARCHIVE)}}


def release(official: str = "", pins: dict[str, Any] | None = None, **more: Any) -> lock.Release:
    """The tiny component. official: where its project publishes it."""
    urls = {"archive": f"{official}/v{{version}}/{NAME}", "checksums": f"{official}/v{{version}}/sha256sums.txt"} if official else {}
    return dataclasses.replace(lock.Release("tiny", "1.0.0", ("tiny",), official=urls, pins=PINS if pins is None else pins), **more)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    """A directory with the right archive and the list of checksums."""
    directory = tmp_path / "mirror"
    directory.mkdir()
    (directory / NAME).write_bytes(ARCHIVE)
    (directory / "sha256sums.txt").write_text(f"{sha256(ARCHIVE)}  {NAME}\n", encoding="utf-8")
    return directory


@pytest.fixture
def mirrored(mirror: Path) -> Iterator[Server]:
    with serve(files(mirror)) as server:
        yield server


@pytest.fixture
def official(tmp_path: Path) -> Iterator[Server]:
    """The project's own server, with the right archive."""
    directory = tmp_path / "official" / "v1.0.0"
    directory.mkdir(parents=True)
    (directory / NAME).write_bytes(ARCHIVE)
    (directory / "sha256sums.txt").write_text(f"{sha256(b'')}  other\n{sha256(ARCHIVE)} *{NAME}\n", encoding="utf-8")
    with serve(files(directory.parent)) as server:
        yield server


def obtain(wanted: lock.Release, mirror: str, cache: Path, said: list[str] | None = None) -> Archive:
    return archives.obtain(wanted, "amd64", mirror, (said if said is not None else []).append, cache)


def refusal(wanted: lock.Release, mirror: str, cache: Path) -> str:
    """The one line that says why nothing could be had. Nothing is left of the attempt."""
    with pytest.raises(ArchiveError) as error:
        obtain(wanted, mirror, cache)
    assert not (cache / NAME).exists()
    assert not list(cache.glob("*.part"))
    assert "\n" not in str(error.value)
    return str(error.value)


# --- the order of the sources --------------------------------------------------------------------------------------


def test_the_mirror_comes_before_the_project(mirrored: Server, official: Server, cache: Path) -> None:
    found = obtain(release(official.url), mirrored.url, cache)
    assert (found.source, found.sha256, Path(found.path).read_bytes()) == ("mirror", sha256(ARCHIVE), ARCHIVE)
    assert official.asked == []


def test_the_cache_comes_before_everything(mirrored: Server, cache: Path) -> None:
    first = obtain(release(), mirrored.url, cache)
    asked = len(mirrored.asked)
    assert obtain(release(), mirrored.url, cache) == first
    assert len(mirrored.asked) == asked


def test_a_damaged_cache_is_mended(mirrored: Server, cache: Path) -> None:
    (Path(obtain(release(), mirrored.url, cache).path)).write_bytes(b"damaged")
    assert Path(obtain(release(), mirrored.url, cache).path).read_bytes() == ARCHIVE


def test_the_cache_is_not_believed_when_the_lock_file_says_otherwise(mirrored: Server, cache: Path) -> None:
    """Somebody has taken an archive without a pin; now there is one."""
    obtain(release(pins={}), mirrored.url, cache)
    with pytest.raises(ArchiveError, match="sha256"):
        obtain(release(pins={"official": {"linux-amd64": "0" * 64}}), mirrored.url, cache)


def test_a_mirror_may_be_a_directory(mirror: Path, cache: Path) -> None:
    assert obtain(release(), str(mirror), cache).source == "mirror"


def test_a_mirror_that_lacks_the_archive_is_passed_over(mirrored: Server, mirror: Path, official: Server, cache: Path) -> None:
    (mirror / NAME).unlink()
    assert obtain(release(official.url), mirrored.url, cache).source == "official"
    assert mirrored.paths == [f"/{NAME}"]


def test_the_project_without_a_mirror(official: Server, cache: Path) -> None:
    found = obtain(release(official.url), "", cache)
    assert (found.source, found.pin) == ("official", sha256(ARCHIVE))
    # What the lock file pins needs no list of the project's.
    assert official.paths == [f"/v1.0.0/{NAME}"]


def test_a_bare_program_is_packed_as_upstream_packs(tmp_path: Path, cache: Path) -> None:
    program = b"#!/bin/sh\necho bare\n"
    with serve(texts({"/1.0.0/x86_64/tiny": Answer(program)})) as server:
        urls = {"program": f"{server.url}/{{version}}/{{machine}}/tiny"}
        wanted = release(official=server.url, pins={"official": {"linux-amd64": sha256(program)}})
        found = obtain(dataclasses.replace(wanted, official=urls), "", cache)
    with tarfile.open(found.path) as archive:
        member = archive.getmember(f"{NAME.removesuffix('.tar.gz')}/tiny")
        assert member.mode == 0o755
        content = archive.extractfile(member)
        assert content and content.read() == program


def test_a_mirror_of_a_bare_program_is_checked_by_the_programs_pin(mirrored: Server, cache: Path) -> None:
    pins = {"official": {"linux-amd64": sha256(b"#!/bin/sh\necho 1.0.0\n")}}
    wanted = dataclasses.replace(release(pins=pins), official={"program": "http://127.0.0.1:1/tiny"})
    assert obtain(wanted, mirrored.url, cache).pin == pins["official"]["linux-amd64"]


def test_a_program_that_nothing_vouches_for_is_not_taken(cache: Path) -> None:
    with serve(texts({"/tiny": "#!/bin/sh\necho anything\n"})) as server:
        wanted = dataclasses.replace(release(pins={}), official={"program": f"{server.url}/tiny"})
        assert "neither a pin" in refusal(wanted, "", cache)
        assert server.asked == []


# --- what is refused -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["mirror", "official"])
def test_a_wrong_checksum_ends_the_search(source: str, mirrored: Server, official: Server, cache: Path) -> None:
    wanted = release(official.url, {"official": {"linux-amd64": "0" * 64}})
    server = mirrored if source == "mirror" else official
    message = refusal(wanted, mirrored.url if source == "mirror" else "", cache)
    assert server.url in message and sha256(ARCHIVE) in message and "0" * 64 in message and "nothing was installed" in message


@pytest.mark.parametrize("how", ["promised more", "cut file"])
@pytest.mark.parametrize("source", ["mirror", "official"])
def test_a_truncated_archive_ends_the_search(source: str, how: str, cache: Path) -> None:
    """Whether the server breaks off, or the file there is short: also where the lock file pins what a build gives."""
    half = ARCHIVE[: len(ARCHIVE) // 2]
    answer = Answer(half, promised=len(ARCHIVE) if how == "promised more" else None)
    pins = {"official": {"linux-amd64": sha256(ARCHIVE)}, "build": {"linux-amd64": sha256(gzip.decompress(ARCHIVE))}}
    with serve(texts({f"/{NAME}": answer, f"/v1.0.0/{NAME}": answer})) as server:
        message = refusal(release(server.url, pins), server.url if source == "mirror" else "", cache)
    assert server.url in message and NAME in message
    assert ("cut short" if how == "promised more" else "sha256") in message


def test_an_answer_in_pieces_that_breaks_off_is_refused(cache: Path) -> None:
    broken = Answer(b"ffff\r\nhalf of it", headers={"Transfer-Encoding": "chunked", "Connection": "close"})
    with serve(texts({f"/{NAME}": broken})) as server:
        assert server.url in refusal(release(), server.url, cache)


@pytest.mark.parametrize("mirror", [Answer(status=503), Answer(status=500)])
def test_a_mirror_that_fails_is_one_clear_error(mirror: Answer, official: Server, cache: Path) -> None:
    with serve(texts({f"/{NAME}": mirror})) as server:
        message = refusal(release(official.url), server.url, cache)
    assert server.url in message and str(mirror.status) in message and "release_mirror" in message
    assert official.asked == []


def test_a_mirror_that_is_down_is_one_clear_error(official: Server, cache: Path) -> None:
    down = f"http://127.0.0.1:{free_port()}"
    message = refusal(release(official.url), down, cache)
    assert down in message and "refused" in message and "release_mirror" in message
    assert official.asked == []


def test_a_mirror_that_says_nothing_is_one_clear_error(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    monkeypatch.setattr(archives, "PATIENCE", 0.3)
    with serve(texts({f"/{NAME}": Answer(ARCHIVE, wait=30)})) as server:
        message = refusal(release(), server.url, cache)
    assert server.url in message and "timed out" in message


def test_a_mirrors_directory_that_is_not_there_is_one_clear_error(tmp_path: Path, cache: Path) -> None:
    assert "no such directory" in refusal(release(), str(tmp_path / "nowhere"), cache)


def test_every_source_that_was_tried_is_named(mirrored: Server, mirror: Path, cache: Path) -> None:
    (mirror / NAME).unlink()
    down = f"http://127.0.0.1:{free_port()}"
    message = refusal(release(down), mirrored.url, cache)
    assert all(word in message for word in (mirrored.url, "404", down, "refused", "no recipe"))


# --- what the lock file does not pin -------------------------------------------------------------------------------


def test_without_a_pin_the_projects_list_decides(official: Server, cache: Path) -> None:
    assert obtain(release(official.url, {}), "", cache).source == "official"
    assert official.paths == [f"/v1.0.0/{NAME}", "/v1.0.0/sha256sums.txt"]


def test_an_archive_that_differs_from_the_projects_list_is_refused(tmp_path: Path, official: Server, cache: Path) -> None:
    (tmp_path / "official" / "v1.0.0" / NAME).write_bytes(packed("#!/bin/sh\necho other\n"))
    message = refusal(release(official.url, {}), "", cache)
    assert "sha256sums.txt" in message and sha256(ARCHIVE) in message


def test_an_archive_that_the_projects_list_lacks_is_not_taken(tmp_path: Path, official: Server, cache: Path) -> None:
    (tmp_path / "official" / "v1.0.0" / "sha256sums.txt").write_text("", encoding="utf-8")
    assert "does not list" in refusal(release(official.url, {}), "", cache)


def test_without_a_pin_the_mirrors_list_decides(mirrored: Server, mirror: Path, cache: Path) -> None:
    assert obtain(release(pins={}), mirrored.url, cache).source == "mirror"
    (mirror / "sha256sums.txt").write_text(f"{'0' * 64}  {NAME}\n", encoding="utf-8")
    assert "0" * 64 in refusal(release(pins={}), mirrored.url, cache.with_name("another"))


def test_the_mirrors_list_decides_where_one_of_its_possible_sources_has_no_pin(mirrored: Server, mirror: Path, cache: Path) -> None:
    """A mirror that was filled with the project's own archives, of which the lock file pins builds alone."""
    builds_only = {"build": {"linux-amd64": "0" * 64}}
    wanted = release("https://project.invalid", builds_only, build={"go": {}})
    found = obtain(wanted, mirrored.url, cache)
    assert (found.source, found.pin) == ("mirror", "")
    asked = len(mirrored.asked)
    assert obtain(wanted, mirrored.url, cache) == found and len(mirrored.asked) == asked
    (mirror / "sha256sums.txt").write_text(f"{'1' * 64}  {NAME}\n", encoding="utf-8")
    assert "1" * 64 in refusal(wanted, mirrored.url, cache.with_name("another"))
    # With a pin for every source, one of them has to be met.
    pinned = dataclasses.replace(wanted, pins={**builds_only, "official": {"linux-amd64": "2" * 64}})
    assert "the lock file expects" in refusal(pinned, mirrored.url, cache.with_name("third"))


def test_an_archive_is_taken_as_it_lies_there(cache: Path) -> None:
    """Some servers say of it that it is a compressed tar file."""
    with serve(texts({f"/{NAME}": Answer(ARCHIVE, headers={"Content-Encoding": "gzip"})})) as server:
        assert obtain(release(), server.url, cache).sha256 == sha256(ARCHIVE)


def test_a_cache_can_be_served_as_a_mirror(mirrored: Server, cache: Path) -> None:
    obtain(release(), mirrored.url, cache)
    assert (cache / "sha256sums.txt").read_text(encoding="utf-8") == f"{sha256(ARCHIVE)}  {NAME}\n"
    with serve(files(cache)) as server:
        assert obtain(release(pins={}), server.url, cache.with_name("second")).sha256 == sha256(ARCHIVE)


# --- the lock file -------------------------------------------------------------------------------------------------


def site(tmp_path: Path, text: str) -> str:
    path = tmp_path / "site.lock.yml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_every_release_of_the_collection_can_be_found_and_its_addresses_filled_in() -> None:
    components = lock.read()
    for name in components:
        found = lock.find(components, name)
        for pattern in found.official.values():
            assert "{" not in found.fill(pattern, "amd64")
        assert found.build.keys() <= {"go", "cargo"}


def test_go_modules_pin_the_version_that_the_lock_file_names() -> None:
    for name, entry in lock.read().items():
        if "go" in entry.get("build", {}):
            module = (ROOT / "releases" / name / "go.mod").read_text(encoding="utf-8")
            found = lock.find(lock.read(), name)
            recipe = found.build["go"]
            assert (ROOT / "releases" / name / "go.sum").is_file()
            assert builds.pins_version(module, recipe["module"], found.version)
            assert not builds.pins_version(module, recipe["module"], "9.9.9")


def test_no_version_is_built_from_the_module_of_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    toolchain(tmp_path / "bin", GO)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    other = dataclasses.replace(lock.find(lock.read(), "prometheus"), version="3.15.1")
    with pytest.raises(builds.BuildUnavailable, match=r"prometheus/go\.mod is not of version 3\.15\.1"):
        builds.build(other, "amd64", tmp_path / "x", print)


def test_a_sites_lock_file_adds_versions(tmp_path: Path) -> None:
    components = lock.read(site(tmp_path, "components: {prometheus: {pins: {9.9.9: {official: {linux-arm64: abc}}}}}"))
    own = lock.read()["prometheus"]["version"]
    assert lock.find(components, "prometheus").version == own
    assert lock.find(components, "prometheus", "9.9.9").pinned("arm64") == {"abc"}


def test_a_sites_pins_are_merged_within_a_version(tmp_path: Path) -> None:
    own = lock.read()["grafana"]["version"]
    before = lock.find(lock.read(), "grafana", own)
    found = lock.find(
        lock.read(site(tmp_path, f"components: {{grafana: {{pins: {{{own}: {{official: {{linux-amd64: abc}}}}}}}}}}")), "grafana", own
    )
    assert found.official == before.official and found.pinned("amd64") == {"abc"}
    version = lock.read()["prometheus"]["version"]
    text = f"components: {{prometheus: {{pins: {{{version}: {{build: {{linux-arm64: abc}}}}}}}}}}"
    merged = lock.find(lock.read(site(tmp_path, text)), "prometheus", version)
    assert merged.pinned("arm64") == {"abc"} and merged.pinned("amd64")


@pytest.mark.parametrize(
    ("name", "version", "words"),
    [
        ("nothing", None, ["nothing", "prometheus"]),
        ("prometheus", "1.2.3", ["1.2.3", "prometheus", "release_lock"]),
        ("prometheus", "latest", ["latest", "release_lock"]),
        ("prometheus", "../../etc", ["release_lock"]),
    ],
)
def test_what_the_lock_file_does_not_know_is_refused(name: str, version: str | None, words: list[str]) -> None:
    with pytest.raises(lock.LockError) as error:
        lock.find(lock.read(), name, version)
    assert all(word in str(error.value) for word in words)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("components: [", "site.lock.yml"),
        ("[]", "components"),
        ("components: {tiny: }", "tiny"),
        ("components: {tiny: {pins: }}", "pins"),
        ("components: {tiny: {version: '1', files: [], pins: {'1': {}}}}", "files"),
    ],
)
def test_a_sites_lock_file_that_is_none_is_one_clear_error(text: str, word: str, tmp_path: Path) -> None:
    with pytest.raises(lock.LockError, match=word) as error:
        lock.find(lock.read(site(tmp_path, text)), "tiny")
    assert "\n" not in str(error.value)


def test_a_lock_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(lock.LockError, match=r"gone\.yml: No such file"):
        lock.read(str(tmp_path / "gone.yml"))


def test_an_address_with_an_unknown_part_is_named() -> None:
    with pytest.raises(lock.LockError, match="platform"):
        release().fill("https://example.org/{platform}", "amd64")


def test_an_unknown_architecture_is_named() -> None:
    assert lock.architecture("aarch64") == "arm64"
    with pytest.raises(lock.LockError, match=r"'i686'.*x86_64"):
        lock.architecture("i686")


# --- builds --------------------------------------------------------------------------------------------------------


def program(path: Path, text: str = "#!/bin/sh\n", mode: int = 0o755) -> Path:
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def test_the_same_files_give_the_same_archive(tmp_path: Path) -> None:
    one = {"tiny": program(tmp_path / "a"), "LICENSE": program(tmp_path / "b", "free\n", 0o644)}
    builds.pack(one, "tiny-1", tmp_path / "first.tar.gz")
    os.utime(tmp_path / "a", (0, 0))
    builds.pack(dict(reversed(one.items())), "tiny-1", tmp_path / "second.tar.gz")
    assert (tmp_path / "first.tar.gz").read_bytes() == (tmp_path / "second.tar.gz").read_bytes()
    with tarfile.open(tmp_path / "first.tar.gz") as archive:
        assert {m.name: stat.S_IMODE(m.mode) for m in archive} == {"tiny-1": 0o755, "tiny-1/LICENSE": 0o644, "tiny-1/tiny": 0o755}


def test_what_cannot_be_built_here_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    for recipe, word in (
        ({}, "no recipe"),
        ({"go": {}}, "no Go toolchain"),
        ({"cargo": {"crate": "tiny"}}, "no Rust toolchain"),
        ({"make": {}}, "make"),
    ):
        with pytest.raises(builds.BuildUnavailable, match=word):
            builds.build(release(build=recipe), "amd64", tmp_path / "x", print)


def test_a_toolchain_that_fails_is_one_clear_error_with_its_last_words(tmp_path: Path) -> None:
    script = "import sys; print('compiling'); print('missing go.sum entry'); sys.exit(3)"
    with pytest.raises(builds.BuildError, match=r"tiny: .*compiling \| missing go\.sum entry"):
        builds.run(["python3", "-c", script], tmp_path, {}, "tiny", print)


def test_a_long_build_tells_how_far_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builds, "INTERVAL", 0.0)
    said: list[str] = []
    assert builds.run(["printf", "one\\ntwo\\n"], tmp_path, {}, "tiny", said.append) == "one\ntwo"
    assert said[0].startswith("tiny: 1 packages after")


def toolchain(directory: Path, text: str) -> None:
    """A program called ``go``: what it builds is the words that it was called with."""
    directory.mkdir()
    program(directory / "go", text)


GO = """#!/bin/sh
case $1 in
  build) while [ $# -gt 0 ]; do [ "$1" = -o ] && out=$2; shift; done; printf '%s %s' "$GOARCH" "$GOFLAGS" > "$out"; chmod 755 "$out";;
  list) pwd;;
esac
"""


def test_what_no_archive_gives_is_built_and_checked_against_its_pin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    toolchain(tmp_path / "bin", GO)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "go.mod").write_text("module x\n\nrequire example.org/tiny v1.0.0\n", encoding="utf-8")
    recipe = {"go": {"directory": str(tmp_path / "tiny"), "module": "example.org/tiny", "packages": ["."], "toolchain": "go1.26.8"}}
    said: list[str] = []
    found = obtain(release(pins={}, build=recipe), "", tmp_path / "cache", said)
    assert found.source == "build" and "building" in said[0]
    with tarfile.open(found.path) as archive:
        content = archive.extractfile(f"{NAME.removesuffix('.tar.gz')}/tiny")
        assert content and content.read() == b"amd64 -mod=readonly -trimpath -buildvcs=false"
    pin = sha256(gzip.decompress(Path(found.path).read_bytes()))
    pinned = release(pins={"build": {"linux-amd64": pin}}, build=recipe)
    assert obtain(pinned, "", tmp_path / "second").pin == pin
    # A mirror filled from that build is right, too.
    assert obtain(pinned, str(tmp_path / "cache"), tmp_path / "third").pin == pin
    with pytest.raises(ArchiveError, match="the build of"):
        obtain(release(pins={"build": {"linux-amd64": "0" * 64}}, build=recipe), "", tmp_path / "fourth")
