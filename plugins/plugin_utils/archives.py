# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where the archive of a release comes from: cache → mirror → official archive → build.

The cache on the controller is itself laid out as a mirror: archives and a
``sha256sums.txt``. Whatever enters it has been checked.
"""

from __future__ import annotations

import contextlib
import fcntl
import gzip
import hashlib
import http.client
import json
import os
import shutil
import tarfile
import tempfile
import urllib.error
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from ansible.module_utils.urls import open_url
from ansible_collections.monitoring.ha.plugins.plugin_utils.builds import BuildError, BuildUnavailable, Progress, build, pack
from ansible_collections.monitoring.ha.plugins.plugin_utils.lock import Release

CHECKSUMS = "sha256sums.txt"
#: Seconds to wait for a server that says nothing.
PATIENCE = 20
CHUNK = 1 << 20


class ArchiveError(RuntimeError):
    """No right archive could be had; one line that says what was tried."""


class Absent(RuntimeError):
    """This source does not have it; the next one is asked."""


@dataclass(frozen=True)
class Archive:
    """An archive in the cache. source: ``mirror``, ``official`` or ``build``; pin: the pin of the lock file that it meets."""

    path: str
    sha256: str
    source: str
    pin: str = ""


def cache_directory() -> Path:
    """``$XDG_CACHE_HOME/monitoring-ha/releases``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "monitoring-ha" / "releases"


def digest(path: Path) -> str:
    """sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold ``path``'s lock: of several hosts' workers one fetches, the others find it in the cache."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def is_url(location: str) -> bool:
    return location.startswith(("http://", "https://"))


def connection(location: str) -> IO[bytes]:
    """A URL for reading, as the file lies there: some servers say of an archive that it is a compressed tar file."""
    stream: IO[bytes] = open_url(location, timeout=PATIENCE, http_agent="monitoring.ha", decompress=False)
    return stream


@contextlib.contextmanager
def opened(location: str) -> Iterator[IO[bytes]]:
    """A URL or a file for reading. Absent when the server or directory answers but has no such file."""
    try:
        stream = connection(location) if is_url(location) else Path(location).open("rb")  # noqa: SIM115
    except FileNotFoundError as error:
        raise Absent(f"{location}: no such file") from error
    except urllib.error.HTTPError as error:
        if error.code in (403, 404, 410):
            raise Absent(f"{location}: {error.code} {error.reason}") from error
        raise OSError(f"{location}: {error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException) as error:
        raise OSError(f"{location}: {getattr(error, 'reason', None) or error}") from error
    with contextlib.closing(stream):
        yield stream


def download(location: str, target: Path) -> None:
    """Copy a URL or a file to ``target``; ArchiveError for a short answer."""
    with opened(location) as stream, target.open("wb") as file:
        headers: Any = getattr(stream, "headers", None)
        expected = str(headers.get("Content-Length") or "") if headers else ""
        try:
            shutil.copyfileobj(stream, file, CHUNK)
        except http.client.IncompleteRead:
            expected = expected or "more"
        file.flush()
        received = os.fstat(file.fileno()).st_size
    if expected and expected != str(received):
        raise ArchiveError(f"{location} was cut short, {received} of {expected} bytes came: nothing was installed")


def listed(location: str, name: str) -> str:
    """The sha256 of ``name`` in a list of checksums, or the only one, when it names no file; Absent when it is not there."""
    with opened(location) as stream:
        try:
            lines = stream.read().decode(errors="replace").splitlines()
        except http.client.IncompleteRead as error:
            raise ArchiveError(f"{location} was cut short: nothing was installed") from error
    for line in lines:
        checksum, _blank, file = line.strip().partition(" ")
        if file.strip().lstrip("*") == name or (len(lines) == 1 and not file):
            return checksum.lower()
    raise Absent(f"{location} does not list {name}")


def measure(release: Release, source: str, path: Path) -> str:
    """What the lock file pins of an archive from ``source``.

    The file itself where the project publishes archives; the program where it
    publishes that alone; of what is packed here the content, so that the
    compressor's version does not matter. Of what is no archive at all it is the file, which meets no pin.
    """
    if source == "official" and "program" not in release.official:
        return digest(path)
    with contextlib.suppress(OSError, EOFError, zlib.error, tarfile.TarError, KeyError), gzip.open(path) as stream:
        if source == "build":
            content = hashlib.sha256()
            for chunk in iter(lambda: stream.read(CHUNK), b""):
                content.update(chunk)
            return content.hexdigest()
        with tarfile.open(fileobj=stream) as archive:
            program = archive.extractfile(f"{release.stem(path.name)}/{release.files[0]}")
            return hashlib.sha256(program.read()).hexdigest() if program else ""
    return digest(path)


def met_pin(release: Release, arch: str, path: Path, where: str, sources: Sequence[str]) -> str:
    """The pin that an archive meets; empty when the lock file pins none of ``sources``, ArchiveError when it meets none."""
    pins = {source: pin for source in sources if (pin := release.pin(source, arch))}
    found = ""
    for source, pin in pins.items():
        found = measure(release, source, path)
        if found == pin:
            return pin
    if pins:
        raise ArchiveError(f"{where} has sha256 {found}, the lock file expects {' or '.join(pins.values())}: nothing was installed")
    return ""


def require_listed(path: Path, checksums: str, name: str, where: str) -> None:
    """Refuse an archive that differs from the list of checksums beside it."""
    found, expected = digest(path), listed(checksums, name)
    if found != expected:
        raise ArchiveError(f"{where} has sha256 {found}, {checksums} says {expected}: nothing was installed")


def from_mirror(release: Release, arch: str, mirror: str, target: Path) -> str:
    """From the mirror the user named; its own list counts only for what the lock file does not pin."""
    name = release.archive(arch)
    location, checksums = f"{mirror.rstrip('/')}/{name}", f"{mirror.rstrip('/')}/{CHECKSUMS}"
    if not is_url(mirror) and not Path(mirror).is_dir():
        raise OSError(f"{mirror}: no such directory")
    download(location, target)
    try:
        pin = met_pin(release, arch, target, location, ("official", "build"))
    except ArchiveError:
        # Which source the mirror was filled from is not known: what meets no pin may be from one that has none.
        if not release.unpinned(arch):
            raise
        pin = ""
    if not pin:
        require_listed(target, checksums, name, location)
    return pin


def from_official(release: Release, arch: str, target: Path) -> str:
    """The project's own archive, or its bare program packed as one. What nothing in the lock file vouches for is not taken."""
    kind = next((kind for kind in ("archive", "program") if kind in release.official), "")
    pin, list_ = release.pin("official", arch), release.official.get("checksums")
    if not kind:
        raise Absent("the lock file names no official archive")
    if not pin and not list_:
        raise Absent("the lock file has neither a pin for it nor a list of checksums")
    location = release.fill(release.official[kind], arch)
    with tempfile.TemporaryDirectory(dir=target.parent) as directory:
        fetched = target if kind == "archive" else Path(directory) / release.files[0]
        download(location, fetched)
        if not pin and list_:
            require_listed(fetched, release.fill(list_, arch), location.rsplit("/", 1)[-1], location)
        if kind == "program":
            fetched.chmod(0o755)
            pack({release.files[0]: fetched}, release.stem(release.archive(arch)), target)
    return met_pin(release, arch, target, location, ("official",))


def from_build(release: Release, arch: str, target: Path, progress: Progress) -> str:
    """Built on the controller; where the lock file pins the result, it must come out the same."""
    progress(f"{release.component} {release.version}: building it for linux-{arch}, as no archive can be had")
    build(release, arch, target, progress)
    return met_pin(release, arch, target, f"the build of {release.archive(arch)}", ("build",))


def cached(release: Release, arch: str, cache: Path) -> Archive | None:
    """What the cache holds, if it is right. Nothing is asked of the network."""
    path, about = cache / release.archive(arch), cache / f".{release.archive(arch)}.json"
    try:
        known = Archive(**{**json.loads(about.read_text(encoding="utf-8")), "path": str(path)})
    except (OSError, ValueError, TypeError):
        return None
    pins = release.right(arch).get(known.source, [])
    right = not pins or known.pin in pins
    return known if right and path.is_file() and digest(path) == known.sha256 else None


def publish(archive: Archive, directory: Path) -> None:
    """Put an archive into a mirror's directory, with its line in the list of checksums."""
    directory.mkdir(parents=True, exist_ok=True)
    name = Path(archive.path).name
    if directory != Path(archive.path).parent:
        temporary = directory / f".{name}.part"
        shutil.copyfile(archive.path, temporary)
        temporary.replace(directory / name)
    with locked(directory / ".lock"):
        path = directory / CHECKSUMS
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        kept = [line for line in lines if line.partition("  ")[2] != name]
        temporary = directory / f".{CHECKSUMS}.part"
        temporary.write_text("".join(f"{line}\n" for line in sorted([*kept, f"{archive.sha256}  {name}"])), encoding="utf-8")
        temporary.replace(path)


def obtain(release: Release, arch: str, mirror: str, progress: Progress, cache: Path | None = None) -> Archive:
    """The archive of ``release`` for ``arch``, checked, in the cache. ArchiveError in one line otherwise.

    A source that does not have it is passed over; one that gives something
    wrong, or a mirror that does not answer, ends the search.
    """
    directory = cache or cache_directory()
    name = release.archive(arch)
    with locked(directory / f".{name}.lock"):
        if found := cached(release, arch, directory):
            return found
        tried: list[str] = []
        target = directory / f".{name}.part"
        sources: list[tuple[str, Callable[[], str]]] = []
        if mirror:
            sources.append(("mirror", lambda: from_mirror(release, arch, mirror, target)))
        sources.append(("official", lambda: from_official(release, arch, target)))
        sources.append(("build", lambda: from_build(release, arch, target, progress)))
        try:
            for source, fetch in sources:
                try:
                    pin = fetch()
                except (Absent, BuildUnavailable) as error:
                    tried.append(f"{source}: {error}")
                except BuildError as error:
                    raise ArchiveError("; ".join([*tried, f"build: {error}"])) from error
                except (OSError, ValueError) as error:
                    if source == "mirror":
                        raise ArchiveError(f"the mirror does not give {name}: {error}: check release_mirror") from error
                    tried.append(f"{source}: {error}")
                else:
                    archive = Archive(str(directory / name), digest(target), source, pin)
                    target.replace(directory / name)
                    (directory / f".{name}.json").write_text(json.dumps(asdict(archive)), encoding="utf-8")
                    publish(archive, directory)
                    return archive
        finally:
            target.unlink(missing_ok=True)
    raise ArchiveError(f"{name} cannot be had: {'; '.join(tried)}: name a mirror in release_mirror")
