# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Releases on a host: one directory a version, a symlink to the one that counts.

Layout::

    /opt/monitoring-ha/<component>/<version>-<first 8 of sha256>/      the unpacked archive
    /opt/monitoring-ha/<component>/<version>-<...>/.release.json      what it is, and its files' fingerprints
    /opt/monitoring-ha/<component>/current                            → the newest one
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.monitoring.ha.plugins.module_utils.keep import named

ABOUT = ".release.json"
CURRENT = "current"
UNITS = "/etc/systemd/system"
#: ``uname -m`` → as Go and upstream archives say it.
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "armv7", "ppc64le": "ppc64le", "s390x": "s390x", "riscv64": "riscv64"}


class InstallError(RuntimeError):
    """The archive was refused; what was installed is untouched."""


@dataclass(frozen=True)
class Installed:
    """A release found on the host."""

    home: str
    version: str
    arch: str
    sha256: str
    source: str
    pin: str

    @property
    def identity(self) -> str:
        """Name of its directory: changes whenever the binaries do."""
        return os.path.basename(self.home)


def sha256(path: str) -> str:
    """sha256 of a file."""
    found = hashlib.sha256()
    with open(path, "rb") as file:
        for chunk in iter(lambda: file.read(1 << 20), b""):
            found.update(chunk)
    return found.hexdigest()


def fingerprint(home: str, names: list[str]) -> dict[str, list[int]]:
    """Size and time of change of files: cheap, and different for whatever was cut short or replaced."""
    found = {}
    for name in names:
        its = os.stat(os.path.join(home, name))
        found[name] = [its.st_size, its.st_mtime_ns]
    return found


def inspect(home: str) -> Installed | None:
    """The release in ``home``; None when it is not one, or when one of its programs was touched."""
    try:
        with open(os.path.join(home, ABOUT), encoding="utf-8") as file:
            about: dict[str, Any] = json.load(file)
        if fingerprint(home, list(about["files"])) != about["files"]:
            return None
        return Installed(home, about["version"], about["arch"], about["sha256"], about["source"], about.get("pin", ""))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def current(root: str) -> str:
    """Where the symlink points, below ``root`` as it was given; empty without one."""
    link = os.path.join(root, CURRENT)
    return os.path.normpath(os.path.join(root, os.readlink(link))) if os.path.islink(link) else ""


def find(root: str, version: str, arch: str, pins: Mapping[str, Sequence[str]]) -> Installed | None:
    """An intact release of ``version`` that met one of ``pins``, by its source (any, when it has none); the current one first."""
    homes = [current(root)]
    if os.path.isdir(root):
        homes += sorted(os.path.join(root, name) for name in os.listdir(root) if name.startswith(version + "-"))
    for home in homes:
        found = inspect(home) if home else None
        if not found or (found.version, found.arch) != (version, arch):
            continue
        wanted = pins.get(found.source) or [found.pin]
        if found.pin in wanted:
            return found
    return None


def inside(directory: str, path: str) -> bool:
    """Whether ``path`` lies below ``directory`` once links that are there already have been followed."""
    top = os.path.realpath(directory)
    return (os.path.realpath(os.path.join(top, path)) + "/").startswith(top + "/")


def members(archive: tarfile.TarFile, directory: str) -> Iterator[tarfile.TarInfo]:
    """The archive's members without their only top directory; InstallError for one that would leave ``directory``."""
    for member in archive:
        name = member.name.removeprefix("./")
        rest = name.partition("/")[2]
        refused = name.startswith("/") or ".." in name.split("/") or not inside(directory, rest)
        if member.issym():
            target = os.path.join(os.path.dirname(rest), member.linkname)
            refused = refused or os.path.isabs(member.linkname) or not inside(directory, target)
        elif member.islnk():
            member.linkname = member.linkname.removeprefix("./").partition("/")[2]
            refused = refused or not member.linkname or not inside(directory, member.linkname)
        elif not (member.isfile() or member.isdir()):
            refused = True
        if refused:
            raise InstallError(f"the archive's member {member.name!r} is refused: it would leave the release's directory")
        if not rest:
            continue
        member.name = rest
        member.uid = member.gid = 0
        member.uname = member.gname = "root"
        member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
        yield member


def point(root: str, home: str) -> None:
    """Let the symlink point to ``home``, in one step."""
    temporary = os.path.join(root, f".{CURRENT}.new")
    if os.path.lexists(temporary):
        os.unlink(temporary)
    os.symlink(os.path.basename(home), temporary)
    os.replace(temporary, os.path.join(root, CURRENT))


def in_use(home: str, units: str = UNITS) -> bool:
    """Whether a unit file names the directory."""
    if not os.path.isdir(units):
        return False
    for name in os.listdir(units):
        path = os.path.join(units, name)
        if name.endswith(".service") and os.path.isfile(path):
            with open(path, encoding="utf-8", errors="replace") as file:
                if home + "/" in file.read():
                    return True
    return False


def prune(root: str, keep: list[str], units: str = UNITS) -> list[str]:
    """Remove releases that neither are kept nor named by a unit or restore point, and what an interrupted run left; their names."""
    gone = []
    for name in sorted(os.listdir(root)):
        path = os.path.join(root, name)
        if os.path.islink(path) or not os.path.isdir(path) or path in keep or in_use(path, units) or named(path):
            continue
        shutil.rmtree(path)
        gone.append(name)
    return gone


def install(root: str, archive: str, about: dict[str, str], files: list[str], units: str = UNITS) -> Installed:
    """Unpack beside the other versions, check, then let the symlink point to it. The previous version stays.

    about: ``version``, ``arch``, ``sha256``, ``source``, ``pin``. files: programs the archive has to contain.
    """
    found = sha256(archive)
    if found != about["sha256"]:
        raise InstallError(f"the archive arrived with sha256 {found}, expected {about['sha256']}: the running version is untouched")
    os.makedirs(root, mode=0o755, exist_ok=True)
    home = os.path.join(root, f"{about['version']}-{about['sha256'][:8]}")
    previous = current(root)
    temporary = tempfile.mkdtemp(prefix=".unpack-", dir=root)
    try:
        try:
            with tarfile.open(archive, "r:*") as content:
                for member in members(content, temporary):
                    content.extract(member, temporary, set_attrs=True)
        except (tarfile.TarError, EOFError, OSError) as error:
            raise InstallError(f"the archive cannot be unpacked ({error}): the running version is untouched") from error
        missing = [name for name in files if not os.access(os.path.join(temporary, name), os.X_OK)]
        if missing:
            raise InstallError(f"the archive lacks {', '.join(missing)}: the running version is untouched")
        with open(os.path.join(temporary, ABOUT), "w", encoding="utf-8") as file:
            json.dump({**about, "files": fingerprint(temporary, files)}, file)
        os.chmod(temporary, 0o755)
        if os.path.isdir(home):
            # The same archive again, after somebody touched its files: they make way.
            os.rename(home, os.path.join(root, f".damaged-{os.path.basename(home)}"))
        os.rename(temporary, home)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    point(root, home)
    # The same version again takes nobody's place: the one for going back stays.
    others = [os.path.join(root, name) for name in os.listdir(root) if not name.startswith(".")] if previous == home else [previous]
    prune(root, [home, *others], units)
    result = inspect(home)
    if result is None:
        raise InstallError(f"{home} changed while it was installed")
    return result
