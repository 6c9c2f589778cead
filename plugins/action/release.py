# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The controller's half of ``release``: one round trip when the host is right, the archive otherwise."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.monitoring.ha.plugins.plugin_utils import lock
from ansible_collections.monitoring.ha.plugins.plugin_utils.archives import ArchiveError, obtain

display = Display()
ROOT = "/opt/monitoring-ha"


class ActionModule(ActionBase):
    """``monitoring.ha.release``."""

    _supports_check_mode = True
    _VALID_ARGS = frozenset({"component", "lock", "mirror", "root", "version"})
    _supports_diff = True
    TRANSFERS_FILES = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Ask the host, then fetch, check, send and install."""
        super().run(tmp, task_vars)
        values = task_vars or {}
        given = dict(self._task.args)
        mirror = self._setting(given, values, "mirror", "release_mirror")
        site = self._setting(given, values, "lock", "release_lock")
        if not given.get("component"):
            raise AnsibleActionFail("release: name a component")
        try:
            release = lock.find(lock.read(site), given["component"], given.get("version"))
        except lock.LockError as error:
            raise AnsibleActionFail(str(error)) from error
        arguments = {
            "root": f"{given.get('root', ROOT)}/{release.component}",
            "version": release.version,
            "pins": {arch: release.right(arch) for arch in lock.MACHINES},
        }
        result = self._ask(arguments, values)
        if result.get("failed") or result.pop("found", False):
            return result
        try:
            arch = lock.architecture(result["machine"])
        except lock.LockError as error:
            raise AnsibleActionFail(f"{release.component}: {error}") from error
        if self._task.check_mode:
            identity = f"{release.version}-unknown"
            home = result["current"].rsplit("/", 1)[0] + "/" + identity
            return {**result, "changed": True, "id": identity, "home": home, "source": "unknown"}
        try:
            archive = obtain(release, arch, mirror, lambda line: display.display(f"    {line}", color="cyan"))
        except ArchiveError as error:
            raise AnsibleActionFail(str(error)) from error
        directory = self._connection._shell.tmpdir or self._make_tmp_path()
        path = self._connection._shell.join_path(directory, release.archive(arch))
        try:
            self._transfer_file(archive.path, path)
            about = {"version": release.version, "arch": arch, "sha256": archive.sha256, "source": archive.source, "pin": archive.pin}
            result = self._ask({**arguments, "files": list(release.files), "archive": path, "about": about}, values)
        finally:
            self._remove_tmp_path(directory)
        result.pop("found", None)
        return result

    def _setting(self, given: dict[str, Any], values: dict[str, Any], option: str, variable: str) -> str:
        """An option of the task, or the variable that sets it for all tasks."""
        value = given.pop(option, None)
        if value is None:
            value = self._templar.template(values.get(variable))
        return str(value or "")

    def _ask(self, arguments: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
        result = self._execute_module(module_name="monitoring.ha.release_host", module_args=arguments, task_vars=values)
        result.pop("invocation", None)
        return result
