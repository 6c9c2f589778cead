# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a host ran before a change, and the way back to it.

A restore point names, for each unit, its files, the configuration tree that counted, what it had been
started with, and whether it ran; trees that belong to no unit alone; and the versions of packages.
Programs and trees themselves stay where they are: releases and trees that a unit or a restore point
names are not cleared away.
"""

from __future__ import annotations

import contextlib
import glob
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ansible_collections.monitoring.ha.plugins.module_utils import keep, tree, units

#: A release in a unit file: (component, version).
RELEASE = re.compile(r"/opt/monitoring-ha/([\w.-]+)/([\w.+~-]+)-[0-9a-f]{8}/")

#: An interrupted change is gone on with for as long (the default of the role upgrade's ``upgrade_resume``).
PROVEN = 3 * 24 * 3600.0

#: The path of a program, as systemd tells it.
PROGRAM = re.compile(r"\bpath=(\S+)")

#: Where nothing comes from a package.
OWN = ("/etc/systemd/system", "/opt", "/run")

#: Where apt keeps what it has fetched.
ARCHIVES = "/var/cache/apt/archives"


class RestoreError(RuntimeError):
    """The way back is closed; the message says at what."""


@dataclass(frozen=True)
class UnitState:
    """A unit as it was. files: path → text, None for one that was not there. tree, target: its configuration, and where it pointed."""

    unit: str
    files: dict[str, str | None]
    tree: str = ""
    target: str = ""
    record: dict[str, Any] = field(default_factory=dict)
    active: bool = False


@dataclass(frozen=True)
class Point:
    """A host as it was.

    at: seconds since the epoch. packages: name → version, empty for one that was not installed. trees: directory that several
    units use → where it pointed, empty for one that was not there. restored: the host has been brought back to it since.
    """

    at: float
    units: list[UnitState]
    packages: dict[str, str] = field(default_factory=dict)
    trees: dict[str, str] = field(default_factory=dict)
    restored: bool = False

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Point:
        found = [UnitState(**its) for its in data["units"]]
        return cls(float(data["at"]), found, dict(data["packages"]), dict(data.get("trees", {})), bool(data.get("restored")))


def unit_files(unit: str) -> dict[str, str | None]:
    """The unit file and the drop-in that roles write, as they are now."""
    paths = (os.path.join(units.UNITS, unit), os.path.join(units.UNITS, f"{unit}.d", units.DROPIN))
    return {path: units.read(path) for path in paths}


def releases(files: Mapping[str, str | None]) -> dict[str, str]:
    """Component → version, of the releases that a unit's files name."""
    return {match[1]: match[2] for text in files.values() if text for match in RELEASE.finditer(text)}


def target_of(directory: str) -> str:
    """The tree that a directory points to; empty where it is none."""
    return os.path.realpath(directory) if directory and os.path.islink(directory) else ""


def state(unit: str, directory: str) -> UnitState:
    """A unit as it is now. directory: of its configuration; empty for none."""
    now = units.show(unit)
    target = target_of(directory)
    return UnitState(unit, unit_files(unit), directory if target else "", target, units.recorded(unit), now["ActiveState"] == "active")


def owners(names: Sequence[str]) -> list[str]:
    """Debian packages that units, or the programs that they start, come from; those of roles come from none."""
    paths = [units.systemctl("show", "--property", "FragmentPath", "--value", unit).strip() for unit in names]
    paths += [path for unit in names for path in PROGRAM.findall(units.systemctl("show", "--property", "ExecStart", "--value", unit))]
    foreign = [path for path in dict.fromkeys(paths) if path and not path.startswith(OWN)]
    if not foreign:
        return []
    # As they are packed, where /lib has moved into /usr since.
    names_of_files = [*foreign, *(path.removeprefix("/usr") for path in foreign)]
    lines = subprocess.run(["dpkg-query", "--search", *names_of_files], capture_output=True, text=True, check=False).stdout.splitlines()
    return sorted({line.partition(":")[0] for line in lines if not line.startswith("diversion ")})


def of_one_source(names: Sequence[str]) -> list[str]:
    """Debian packages, and all that are installed of the same sources: often they only go together, one way and the other."""
    if not names:
        return []
    command = ["dpkg-query", "--show", "--showformat", "${Package} ${source:Package} ${db:Status-Status}\n"]
    lines = subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()
    sources = {words[0]: words[1] for line in lines if len(words := line.split()) == 3 and words[2] == "installed"}
    wanted = {sources[name] for name in names if name in sources}
    return list(dict.fromkeys([*names, *(name for name, source in sources.items() if source in wanted)]))


def package_versions(names: Sequence[str]) -> dict[str, str]:
    """Versions of Debian packages; empty for one that is not installed."""
    found = dict.fromkeys(names, "")
    if names:
        command = ["dpkg-query", "--show", "--showformat", "${Package} ${Version} ${db:Status-Status}\n", *names]
        lines = subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()
        found.update({words[0]: words[1] for line in lines if len(words := line.split()) == 3 and words[2] == "installed"})
    return found


def kept_file(name: str, version: str, directory: str) -> str:
    """The file of a package, as apt names it, in a directory; empty without one."""
    beginning = os.path.join(directory, f"{name}_{version.replace(':', '%3a')}_")
    return next(iter(glob.glob(f"{glob.escape(beginning)}*.deb")), "")


def keep_packages(versions: Mapping[str, str], directory: str = keep.PACKAGES, archives: str = ARCHIVES) -> list[str]:
    """Keep the packages' files of these versions, from apt's own cache, else from where they come from; those that are not to be had."""
    os.makedirs(directory, mode=0o755, exist_ok=True)
    for name, version in versions.items():
        if not version or kept_file(name, version, directory):
            continue
        if cached := kept_file(name, version, archives):
            shutil.copy2(cached, directory)
        else:
            with contextlib.suppress(OSError, subprocess.SubprocessError):
                command = ["apt-get", "download", "--quiet", f"{name}={version}"]
                subprocess.run(command, cwd=directory, capture_output=True, timeout=120, check=False)
    return [f"{name} {version}" for name, version in versions.items() if version and not kept_file(name, version, directory)]


def look(wanted: Mapping[str, str], packages: Sequence[str] = (), trees: Sequence[str] = ()) -> Point:
    """The host as it is now. wanted: unit → directory of its configuration. trees: directories that several of them use."""
    found = [state(unit, directory) for unit, directory in wanted.items()]
    return Point(time.time(), found, package_versions(of_one_source(packages)), {directory: target_of(directory) for directory in trees})


def save(point: Point, path: str = keep.RESTORE_POINT) -> None:
    """Keep a point, in one step."""
    units.write(path, json.dumps(asdict(point), sort_keys=True) + "\n")


def begin(point: Point, path: str = keep.RESTORE_POINT) -> bool:
    """Keep the point of a change that begins, and whether it is kept: what an interrupted one has left is nothing to go back to.

    What has run for longer than ``PROVEN`` seconds since is.
    """
    before = load(path)
    if before and not before.restored and point.at - before.at < PROVEN:
        return False
    save(point, path)
    return True


def load(path: str = keep.RESTORE_POINT) -> Point | None:
    """The point that was kept; None without one."""
    text = units.read(path)
    try:
        return Point.of(json.loads(text)) if text else None
    except (ValueError, KeyError, TypeError) as error:
        raise RestoreError(f"{path}: it cannot be read: {error}") from error


def forget(path: str = keep.RESTORE_POINT, directory: str = keep.PACKAGES) -> bool:
    """Drop the point and the packages that were kept for it; whether there was one."""
    shutil.rmtree(directory, ignore_errors=True)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
        return True
    return False


def noted_turns(path: str) -> dict[str, float]:
    """Reason of a roll-out that has not ended → when this host's turn in it ended well. What cannot be read is none."""
    try:
        return {str(reason): float(at) for reason, at in json.loads(units.read(path) or "{}").items()}
    except (ValueError, AttributeError, TypeError):
        return {}


def turns(now: float, path: str = keep.TURNS) -> dict[str, float]:
    """The same as seconds since then."""
    return {reason: now - at for reason, at in noted_turns(path).items()}


def note_turn(reason: str, now: float, path: str = keep.TURNS) -> None:
    """Remember that the host's turn ended well."""
    units.write(path, json.dumps({**noted_turns(path), reason: now}, sort_keys=True) + "\n")


def forget_turn(reason: str, path: str = keep.TURNS, *, check: bool = False) -> bool:
    """The roll-out has ended: the next one is another one. Whether there was something to forget."""
    found = noted_turns(path)
    if reason not in found:
        return False
    left = {name: at for name, at in found.items() if name != reason}
    if left and not check:
        units.write(path, json.dumps(left, sort_keys=True) + "\n")
    elif not check:
        os.unlink(path)
    return True


def differs(before: UnitState, now: UnitState) -> list[str]:
    """What is different about a unit, in words."""
    found = []
    if before.files != now.files:
        old, new = releases(before.files), releases(now.files)
        moved = [f"{name} {new.get(name, 'none')} → {version}" for name, version in old.items() if new.get(name) != version]
        found += moved or ["its unit file"]
    if before.target and before.target != now.target:
        found.append("its configuration")
    if before.record != now.record and not found:
        found.append("what it was started with")
    if before.active != now.active:
        found.append("it is started" if before.active else "it is stopped")
    return found


def put_back(before: UnitState, now: UnitState) -> None:
    """Files, tree and record of a unit, as they were."""
    for path, text in before.files.items():
        if text == now.files.get(path):
            continue
        if text is None:
            os.unlink(path)
        else:
            units.write(path, text)
    if before.target and before.target != now.target:
        tree.swap(before.tree, before.target)
    if before.record:
        units.record(before.unit, before.record)
    else:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(units.record_path(before.unit))


def install(wanted: Mapping[str, str], directory: str) -> None:
    """Install versions of packages, all or none of them. RestoreError with apt's words when it cannot."""
    names = [f"{name}={version}" for name, version in wanted.items()]
    files = [kept_file(name, version, directory) or f"{name}={version}" for name, version in wanted.items()]
    # The service is started by what follows, with its configuration of before.
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    command = ["apt-get", "install", "--quiet", "--assume-yes", "--allow-downgrades", "--no-install-recommends", *files]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)
    except (OSError, subprocess.SubprocessError) as error:
        raise RestoreError(f"{' '.join(names)}: {error}") from error
    if done.returncode:
        raise RestoreError(f"{' '.join(names)}: {' | '.join(done.stderr.strip().splitlines()[-3:])}")


def packages_back(point: Point, directory: str = keep.PACKAGES) -> tuple[list[str], list[str]]:
    """Install the versions of before; (those that were changed, why others could not be)."""
    now = package_versions(list(point.packages))
    changed = {name: version for name, version in point.packages.items() if version and now[name] != version}
    if not changed:
        return [], []
    told = {name: f"{name}={version}" for name, version in changed.items()}
    try:
        install(changed, directory)
    except RestoreError as error:
        if len(changed) == 1:
            return [], [str(error)]
    else:
        return list(told.values()), []
    back, refused = [], []
    # One that cannot is no reason for the others to stay.
    for name, version in changed.items():
        try:
            install({name: version}, directory)
            back.append(told[name])
        except RestoreError as error:
            refused.append(str(error))
    return back, refused


def restore(point: Point, *, check: bool) -> list[str]:
    """Bring the host back to ``point``; what was changed, a line each. All that can be put back is, before what cannot is told."""
    targets = [*point.trees.values(), *(its.target for its in point.units)]
    if missing := [target for target in targets if target and not os.path.isdir(target)]:
        raise RestoreError(f"{', '.join(missing)}: no such directory: the configuration of before is gone")
    trees = {directory: target for directory, target in point.trees.items() if target and target_of(directory) != target}
    now = {its.unit: state(its.unit, its.tree) for its in point.units}
    changes = {its.unit: words for its in point.units if (words := differs(its, now[its.unit]))}
    told = [f"{directory}: its files" for directory in trees] + [f"{unit}: {', '.join(words)}" for unit, words in changes.items()]
    if check:
        return told
    for directory, target in trees.items():
        tree.swap(directory, target)
    for its in point.units:
        put_back(its, now[its.unit])
    back, refused = packages_back(point)
    told += back
    try:
        # Whatever started them in between, they may run with what has just been replaced.
        names = {wanted.partition("=")[0] for wanted in back}
        changes |= {its.unit: ["its package"] for its in point.units if names and names.intersection(owners([its.unit]))}
    except units.UnitError as error:
        refused.append(str(error))
    units.systemctl("daemon-reload")
    for its in point.units:
        if its.unit not in changes:
            continue
        try:
            units.systemctl("reset-failed", its.unit)
            units.systemctl("restart" if its.active else "stop", its.unit, timeout=300)
        except units.UnitError as error:
            refused.append(f"{error}; it last said: {units.journal(its.unit)}")
    if refused:
        raise RestoreError("; ".join(refused))
    return told
