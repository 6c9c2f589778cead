# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Fills a directory with the archives that an inventory needs."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.monitoring.ha.plugins.module_utils import topology
from ansible_collections.monitoring.ha.plugins.module_utils.catalogue import COMPONENTS
from ansible_collections.monitoring.ha.plugins.module_utils.installation import ARCHITECTURES
from ansible_collections.monitoring.ha.plugins.plugin_utils import archives, lock

display = Display()


def versions(hostvars: Mapping[str, Mapping[str, Any]], components: Mapping[str, Mapping[str, Any]]) -> dict[str, set[str]]:
    """Name in the lock file → versions that some host asks for; the lock file's own where none does."""
    found: dict[str, set[str]] = {name: set() for name in components}
    for component in COMPONENTS.values():
        if component.release in found:
            chosen = {str(its.get(f"{component.role}_version") or "") for its in hostvars.values()}
            found[component.release] |= chosen - {""}
    return {name: chosen or {str(components[name]["version"])} for name, chosen in found.items()}


class ActionModule(ActionBase):
    """``monitoring.ha.mirror``."""

    _supports_check_mode = False
    _requires_connection = False
    _VALID_ARGS = frozenset({"architectures", "components", "directory", "lock", "mirror"})

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Obtain each archive, and put it into the directory."""
        super().run(tmp, task_vars)
        values, given = task_vars or {}, self._task.args
        directory = Path(str(given.get("directory") or archives.cache_directory())).expanduser()
        here = ARCHITECTURES.get(platform.machine(), "amd64")
        done: list[dict[str, str]] = []
        changed = False
        try:
            components = lock.read(str(given.get("lock") or "") or None)
            wanted = versions(values["hostvars"], components)
            needed = {c.release for c in COMPONENTS.values() if c.release and topology.members(c, values["groups"])}
            for name in given.get("components") or sorted(needed or components):
                for version in sorted(wanted.get(name, {""})):
                    release = lock.find(components, name, version)
                    for arch in given.get("architectures") or [here]:
                        archive, new = self._one(release, arch, str(given.get("mirror") or ""), directory)
                        done.append({"file": Path(archive.path).name, "sha256": archive.sha256, "source": archive.source})
                        changed = changed or new
                        display.display(f"    {Path(archive.path).name} ({archive.source}{', new' if new else ''})")
        except (lock.LockError, archives.ArchiveError) as error:
            raise AnsibleActionFail(str(error)) from error
        except OSError as error:
            raise AnsibleActionFail(f"{error.filename or directory}: {error.strerror}") from error
        return {"changed": changed, "directory": str(directory), "archives": done}

    def _one(self, release: lock.Release, arch: str, mirror: str, directory: Path) -> tuple[archives.Archive, bool]:
        """An archive in the directory, and whether it was not there before."""
        path = directory / release.archive(arch)
        before = archives.digest(path) if path.is_file() else ""
        archive = archives.obtain(release, arch, mirror, lambda line: display.display(f"    {line}", color="cyan"))
        if before != archive.sha256:
            archives.publish(archive, directory)
        return archive, before != archive.sha256
