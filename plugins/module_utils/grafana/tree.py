# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A directory with one file an object, and a manifest; replaced as a whole or not at all.

Layout::

    manifest.json
    <organisation>/organisation.json
    <organisation>/<kind>/<folder>.<uid>/…/<name>.<uid>.json
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .canonical import Json, dumps, loads, sha256
from .errors import TreeError

MANIFEST = "manifest.json"
FORMAT = 1
_AT_FDCWD, _EXCHANGE = -100, 2


@dataclass(frozen=True)
class Changes:
    """Paths that differ between two trees, sorted."""

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)

    def as_dict(self) -> dict[str, list[str]]:
        return {"added": self.added, "changed": self.changed, "removed": self.removed}


class Writer:
    """Collects files beside ``dest``, and puts them in its place once all are there.

    dest: a directory that holds nothing but the tree. TreeError when it holds something else. check: files are collected elsewhere, and
    nothing is changed at ``dest`` or around it.
    """

    def __init__(self, dest: Path, *, check: bool = False) -> None:
        self.dest, self.check = dest, check
        check_ours(dest)
        #: Directories above ``dest`` that are made for it.
        self._above: list[Path] = []
        try:
            if not check:
                self._above = [one for one in dest.parents if not one.exists()]
                dest.parent.mkdir(parents=True, exist_ok=True)
                _recover(dest)
                _clean(dest)
            self.staged, self._lock = _stage("grafana-" if check else _prefix(dest), None if check else dest.parent)
        except OSError as error:
            self._remove_above()
            raise TreeError(f"{dest}: {error.strerror}") from error
        self.digests: dict[str, str] = {}
        self._directories: set[str] = set()

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.staged, ignore_errors=True)
        os.close(self._lock)
        self._remove_above()

    def _remove_above(self) -> None:
        """Removes what was made above a tree that did not come about, unless others use it."""
        with contextlib.suppress(OSError):
            for one in self._above:
                one.rmdir()

    def add(self, path: str, content: bytes) -> None:
        """A file. path: relative, with ``/``. TreeError when there is one of that path already, or no space."""
        if path in self.digests:
            raise TreeError(f"{path}: two objects have the same file")
        self.digests[path] = sha256(content)
        directory = path.rpartition("/")[0]
        try:
            if directory not in self._directories:
                (self.staged / directory).mkdir(parents=True, exist_ok=True)
                self._directories.add(directory)
            (self.staged / path).write_bytes(content)
        except OSError as error:
            raise TreeError(f"{path}: {error.strerror}") from error

    def finish(self, manifest: Json) -> Changes:
        """Writes the manifest and swaps the tree in, if it differs from what is there and this is more than a check."""
        self.add(MANIFEST, dumps({"format": FORMAT, **manifest, "files": dict(self.digests)}))
        aside = _aside(self.dest)
        changes = compare(_digests(aside if not self.dest.exists() and aside.exists() else self.dest), self.digests)
        if changes and not self.check:
            # All of it is on the disk before any of it counts.
            os.sync()
            try:
                _swap(self.staged, self.dest)
            except OSError as error:
                raise TreeError(f"{self.dest}: {error.strerror}") from error
        return changes


def compare(before: dict[str, str], after: dict[str, str]) -> Changes:
    """What differs between two mappings of path to digest."""
    return Changes(
        sorted(after.keys() - before.keys()),
        sorted(path for path in after.keys() & before.keys() if after[path] != before[path]),
        sorted(before.keys() - after.keys()),
    )


def files(root: Path) -> Iterator[str]:
    """Relative paths of all files below a directory, sorted."""
    found = []
    for directory, _names, inside in os.walk(root):
        found += [str(Path(directory, name).relative_to(root)) for name in inside]
    yield from sorted(found)


def read_json(root: Path, path: str) -> Any:
    """Content of a file of a tree; TreeError when it is no JSON."""
    try:
        return loads((root / path).read_bytes())
    except OSError as error:
        raise TreeError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise TreeError(f"{path}: not JSON: {error}") from error


def read_manifest(root: Path) -> Json:
    """The manifest; empty where a tree was put together by hand. TreeError when a newer or another program wrote it."""
    if not root.is_dir():
        raise TreeError(f"{root}: no such directory")
    if not (root / MANIFEST).exists():
        return {}
    found = read_json(root, MANIFEST)
    manifest: Json = found if isinstance(found, dict) else {}
    if manifest.get("format") != FORMAT:
        raise TreeError(f"{root / MANIFEST}: format {manifest.get('format')!r}; this program knows {FORMAT}")
    return manifest


def check_ours(dest: Path) -> None:
    """TreeError when a directory holds anything but a tree, as all of it would be replaced."""
    if not dest.exists():
        return
    if not dest.is_dir() or dest.is_symlink():
        raise TreeError(f"{dest}: not a directory")
    inside = sorted(dest.iterdir())
    if not inside:
        return
    try:
        # Other programs have files of that name, too.
        ours = read_manifest(dest).get("organisations")
        strange = [entry.name for entry in inside if ours is None or not _belongs(entry, ours)]
    except TreeError as error:
        strange = [str(error)]
    if strange:
        what = ", ".join(strange[:3]) + (", …" if len(strange) > 3 else "")
        raise TreeError(f"{dest}: holds something else than a tree ({what}), and would be replaced as a whole: name a directory of its own")


def _belongs(entry: Path, organisations: Collection[str]) -> bool:
    """Whether an entry is part of a tree: the manifest, or the directory of an organisation, of the export or made by hand."""
    return entry.name == MANIFEST or (entry.is_dir() and (entry.name in organisations or (entry / "organisation.json").is_file()))


def _digests(root: Path) -> dict[str, str]:
    """Path to digest of what is on the disk, whatever a manifest says."""
    return {path: sha256((root / path).read_bytes()) for path in files(root)} if root.is_dir() else {}


def _aside(dest: Path) -> Path:
    return dest.with_name(f".{dest.name}.previous")


def _recover(dest: Path) -> None:
    """Brings back the tree that an exchange in two steps had put aside when it was interrupted."""
    aside = _aside(dest)
    if aside.exists() and not dest.exists():
        aside.rename(dest)
    shutil.rmtree(aside, ignore_errors=True)


def _prefix(dest: Path) -> str:
    return f".{dest.name}.new-"


def _stage(prefix: str, parent: Path | None) -> tuple[Path, int]:
    """A new directory, by default where temporary ones are, and what locks it while it is open: no other run cleans it away."""
    while True:
        made = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        try:
            made.chmod(0o755)
            lock = os.open(made, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            continue
        # Where a file system has no locks, nobody gets one, and nothing is cleaned away.
        with contextlib.suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_EX)
        if made.is_dir():
            return made, lock
        # Another run has found it before it was locked.
        os.close(lock)


def _clean(dest: Path) -> None:
    """Removes what runs have left that were killed; what others are filling right now is locked."""
    name = re.compile(re.escape(_prefix(dest)) + "[a-z0-9_]{8}")
    for entry in [one for one in dest.parent.iterdir() if name.fullmatch(one.name)]:
        with contextlib.suppress(OSError):
            lock = os.open(entry, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(entry, ignore_errors=True)
            finally:
                os.close(lock)


def _swap(staged: Path, dest: Path) -> None:
    """Puts ``staged`` in the place of ``dest``, in one step where the kernel can exchange two directories."""
    if not dest.exists():
        staged.rename(dest)
        return
    if _exchange(staged, dest):
        shutil.rmtree(staged, ignore_errors=True)
        return
    aside = _aside(dest)
    dest.rename(aside)
    try:
        staged.rename(dest)
    except OSError:
        aside.rename(dest)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _exchange(one: Path, other: Path) -> bool:
    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL(None, use_errno=True)
        return bool(library.renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _EXCHANGE) == 0)
    return False
