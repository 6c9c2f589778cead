# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: grafana_ini
short_description: A mapping as grafana.ini
version_added: 0.1.0
author: monitoring.ha contributors (@monitoring-ha)
description:
  - Gives the files for M(monitoring.ha.config_tree), grafana.ini itself and one below C(secrets) for each option that holds a secret.
  - Every value is quoted so that Grafana reads it back as it is.
options:
  _input:
    description: Section to option to value; options without a section stand beside the sections. What is null is left out.
    type: dict
    required: true
  accept:
    description: Names that are all right though Grafana is not known to have them, as C(grafana_ini:section.option). Others are refused.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: The password of the mail server ends up in a file of its own
  ansible.builtin.debug:
    msg: "{{ {'smtp': {'enabled': true, 'password': 'a#b'}} | monitoring.ha.grafana_ini }}"
"""

RETURN = r"""
_value:
  description: Entries of files.
  type: list
  elements: dict
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.monitoring.ha.plugins.plugin_utils import grafana


def grafana_ini(ini: Mapping[str, Any], accept: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Entries of ``files``."""
    if not isinstance(ini, Mapping):
        raise AnsibleFilterError(f"grafana_ini: a mapping is needed, not {type(ini).__name__}")
    # Before a run only what the inventory says by itself can be looked at.
    if wrong := [f"{problem}: {remedy}" for name, problem, remedy in grafana.misspelt(ini) if f"grafana_ini:{name}" not in accept]:
        raise AnsibleFilterError("; ".join(wrong))
    try:
        text, secrets = grafana.render(ini)
    except grafana.IniError as error:
        raise AnsibleFilterError(str(error)) from error
    files: list[dict[str, Any]] = [{"path": "grafana.ini", "content": text}]
    return files + [{"path": f"secrets/{name}", "content": value, "secret": True} for name, value in secrets.items()]


class FilterModule:
    """Filters of the collection."""

    def filters(self) -> dict[str, Any]:
        return {"grafana_ini": grafana_ini}
