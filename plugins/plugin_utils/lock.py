# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The lock file: which version of which upstream release, from where, with which checksum.

The collection's own lock file stands in its root; a site adds versions and
pins of its own in a second file of the same form (``release_lock``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.monitoring.ha.plugins.module_utils.installation import ARCHITECTURES

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "releases.lock.yml"

#: As upstream archives say it → as ``uname -m`` and Rust say it.
MACHINES = {arch: machine for machine, arch in ARCHITECTURES.items()}


class LockError(ValueError):
    """The lock file cannot answer; the message names the component and the remedy."""


@dataclass(frozen=True)
class Release:
    """One version of one component.

    official, build: as in the lock file, already filled in with the version.
    pins: source (``official``, ``build``) → platform (``linux-amd64``) → sha256; ``crate`` → sha256 of the crate.
    """

    component: str
    version: str
    files: tuple[str, ...]
    official: Mapping[str, str] = field(default_factory=dict)
    build: Mapping[str, Any] = field(default_factory=dict)
    pins: Mapping[str, Any] = field(default_factory=dict)

    def pin(self, source: str, arch: str) -> str:
        """The sha256 for ``source`` (see ``archives.measure``); empty when the lock file has none."""
        value = self.pins.get(source)
        return str(value.get(f"linux-{arch}", "")) if isinstance(value, Mapping) else ""

    def pinned(self, arch: str) -> set[str]:
        """Every pin for ``arch``, whatever the source."""
        return {pin for source in ("official", "build") if (pin := self.pin(source, arch))}

    def unpinned(self, arch: str) -> bool:
        """Whether a source that the lock file names gives archives for ``arch`` without a pin."""
        listed = "checksums" in self.official and not self.official.keys().isdisjoint({"archive", "program"})
        sources = {"official": listed, "build": bool(self.build)}
        return any(given and not self.pin(source, arch) for source, given in sources.items())

    def right(self, arch: str) -> dict[str, list[str]]:
        """Source → pins of which an archive from it has met one; empty where any archive is right.

        What a mirror gives may be from any source: ``""`` stands for an archive that meets no pin, as its source has none.
        """
        pins = {source: [pin] if (pin := self.pin(source, arch)) else [] for source in ("official", "build")}
        known = sorted(self.pinned(arch))
        return {**pins, "mirror": ["", *known] if known and self.unpinned(arch) else known}

    def archive(self, arch: str) -> str:
        """The archive's file name, as upstream names it."""
        return f"{self.component}-{self.version}.linux-{arch}.tar.gz"

    @staticmethod
    def stem(archive: str) -> str:
        """The only top directory of an archive, by its file name."""
        return archive.lstrip(".").removesuffix(".part").removesuffix(".tar.gz")

    def fill(self, pattern: str, arch: str) -> str:
        """A URL pattern with version and architecture filled in."""
        try:
            return pattern.format(version=self.version, arch=arch, machine=MACHINES.get(arch, arch))
        except (LookupError, ValueError) as error:
            raise LockError(f"the lock file's address {pattern} is filled in with version, arch and machine only") from error


def load(path: Path) -> dict[str, dict[str, Any]]:
    """The components of a lock file; LockError names the file and what is wrong with it."""
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise LockError(f"{path}: {error.strerror}") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise LockError(f"{path}: {' '.join(str(error).split())}") from error
    components = data.get("components") if isinstance(data, dict) else None
    if not isinstance(components, dict):
        raise LockError(f"{path}: a mapping with the key 'components' is needed")
    for name, entry in components.items():
        if not isinstance(entry, dict) or not isinstance(entry.get("pins"), dict):
            raise LockError(f"{path}: {name}: a mapping with the key 'pins' is needed, which names the versions")
    return components


def merged(own: Mapping[Any, Any], site: Mapping[Any, Any]) -> dict[str, dict[str, Any]]:
    """Version → what is known of it, by the collection and by a site: per platform and address. A recipe is replaced as a whole."""
    found: dict[str, dict[str, Any]] = {str(version): dict(its or {}) for version, its in own.items()}
    for version, its in site.items():
        here = found.setdefault(str(version), {})
        for key, value in (its or {}).items():
            within = isinstance(value, Mapping) and isinstance(here.get(key), Mapping) and key != "recipe"
            here[key] = {**here[key], **value} if within else value
    return found


def read(site: str | None = None) -> dict[str, dict[str, Any]]:
    """The collection's lock file, with the site's (``release_lock``) on top of it, pins merged within each version."""
    components = load(LOCK)
    for name, entry in (load(Path(site).expanduser()) if site else {}).items():
        own = components.get(name, {})
        components[name] = {**own, **entry, "pins": merged(own.get("pins", {}), entry.get("pins", {}))}
    return components


def find(components: Mapping[str, Mapping[str, Any]], name: str, version: str | None = None) -> Release:
    """The release of a component; LockError for an unknown component or version, and for ``latest``."""
    if name not in components:
        raise LockError(f"no release of {name!r} in the lock file; it has: {', '.join(sorted(components))}")
    entry = components[name]
    chosen = str(version or entry.get("version") or "")
    pins = {str(key): value or {} for key, value in entry.get("pins", {}).items()}
    if chosen not in pins or not re.fullmatch(r"[0-9A-Za-z][0-9A-Za-z.+~_-]*", chosen):
        known = ", ".join(sorted(pins)) or "none"
        raise LockError(f"version {chosen!r} of {name} is not in the lock file (it has: {known}): add it in the file named by release_lock")
    if not entry.get("files"):
        raise LockError(f"{name} has no 'files' in the lock file: name the programs that its archive contains")
    return Release(
        component=name,
        version=chosen,
        files=tuple(entry.get("files", ())),
        official={**(entry.get("official") or {}), **(pins[chosen].get("official_urls") or {})},
        build={**(entry.get("build") or {}), **(pins[chosen].get("recipe") or {})},
        pins=pins[chosen],
    )


def architecture(machine: str) -> str:
    """``uname -m`` → the name in archives; LockError for an unknown one."""
    try:
        return ARCHITECTURES[machine]
    except KeyError:
        raise LockError(f"no release is built for the architecture {machine!r}; known: {', '.join(ARCHITECTURES)}") from None
