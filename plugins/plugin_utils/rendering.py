# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Templates and files on the controller, found and rendered as ``ansible.builtin.template`` does."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleTemplateError
from ansible.plugins.action import ActionBase
from ansible.template import trust_as_template

MANAGED = "Ansible managed by monitoring.ha: changes here are undone by the next run"


def render(action: ActionBase, name: str, values: Mapping[str, Any], extra: Mapping[str, Any] | None = None) -> str:
    """The rendered text of a template of the role or playbook."""
    source = action._find_needle("templates", name)
    search = [*values.get("ansible_search_path", []), action._loader.get_basedir(), os.path.dirname(source)]
    available = {**values, "ansible_managed": values.get("ansible_managed", MANAGED), **(extra or {})}
    templar = action._templar.copy_with_new_env(
        searchpath=[path for top in search for path in (os.path.join(top, "templates"), top)], available_variables=available
    )
    text = trust_as_template(action._loader.get_text_file_contents(source))
    try:
        return str(templar.template(text, escape_backslashes=False, overrides={"trim_blocks": True, "lstrip_blocks": True}) or "")
    except AnsibleTemplateError as error:
        raise AnsibleActionFail(f"{source} cannot be rendered, and nothing was changed") from error


def content(action: ActionBase, name: str) -> bytes:
    """The bytes of a file of the role or playbook, decrypted when it is vaulted."""
    source = action._find_needle("files", name)
    real = action._loader.get_real_file(source)
    try:
        return Path(real).read_bytes()
    finally:
        action._loader.cleanup_tmp_file(real)
