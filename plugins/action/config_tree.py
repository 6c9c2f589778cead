# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The controller's half of ``config_tree``: render everything, ship it in one round trip."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible_collections.monitoring.ha.plugins.module_utils import tree
from ansible_collections.monitoring.ha.plugins.plugin_utils import rendering

KEYS = {"path", "template", "src", "content", "vars", "mode", "owner", "group", "secret"}


def octal(value: Any, where: str) -> int:
    """``"0640"`` → 416. A number that YAML has read as decimal is refused, as it is never what was meant."""
    text = str(value)
    if isinstance(value, int) or not text.isdigit() or any(c in "89" for c in text):
        raise AnsibleActionFail(f"config_tree: {where}: mode {value!r}: write it as a quoted octal number, for instance '0640'")
    return int(text, 8)


class ActionModule(ActionBase):
    """``monitoring.ha.config_tree``."""

    _supports_check_mode = True
    _VALID_ARGS = frozenset({"dest", "directory_mode", "environment", "files", "group", "mode", "owner", "validate"})
    _supports_diff = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Render, pack, send."""
        super().run(tmp, task_vars)
        values = task_vars or {}
        given = dict(self._task.args)
        entries = given.pop("files", None)
        if not given.get("dest") or not isinstance(entries, list):
            raise AnsibleActionFail("config_tree: dest and a list of files are needed")
        files = [self._file(entry, given, values) for entry in entries]
        if "directory_mode" in given:
            octal(given["directory_mode"], "directory_mode")
        given.pop("owner", None)
        given.pop("mode", None)
        arguments = {**given, "packed": tree.pack(files)}
        result = self._execute_module(module_name="monitoring.ha.config_tree_host", module_args=arguments, task_vars=values)
        result.pop("invocation", None)
        return result

    def _file(self, entry: dict[str, Any], given: dict[str, Any], values: dict[str, Any]) -> tree.File:
        """One entry of ``files``, rendered."""
        if not isinstance(entry, Mapping):
            raise AnsibleActionFail(f"config_tree: {entry!r} is no file: give a mapping with path, and template, src or content")
        path = str(entry.get("path", ""))
        if unknown := set(entry) - KEYS:
            raise AnsibleActionFail(f"config_tree: {path}: unknown key {', '.join(sorted(unknown))}; known: {', '.join(sorted(KEYS))}")
        sources = [key for key in ("template", "src", "content") if entry.get(key) is not None]
        if len(sources) != 1:
            raise AnsibleActionFail(f"config_tree: {path}: give exactly one of template, src and content, not {sources or 'none'}")
        if sources == ["template"]:
            data = rendering.render(self, entry["template"], values, entry.get("vars")).encode()
        elif sources == ["src"]:
            data = rendering.content(self, entry["src"])
        elif isinstance(entry["content"], Mapping | list):
            raise AnsibleActionFail(f"config_tree: {path}: content is data, not text: use to_nice_yaml or to_nice_json")
        else:
            data = str(entry["content"]).encode()
        try:
            checked = tree.checked_path(path)
        except tree.TreeError as error:
            raise AnsibleActionFail(f"config_tree: {error}") from error
        return tree.File(
            path=checked,
            content=data,
            mode=octal(entry.get("mode", given.get("mode", "0640")), path),
            owner=str(entry.get("owner", given.get("owner", "root"))),
            group=str(entry.get("group", given.get("group", "root"))),
            secret=boolean(entry.get("secret", False)),
        )
