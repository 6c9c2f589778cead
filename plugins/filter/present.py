# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.monitoring.ha.plugins.module_utils.preflight_databases import present

DOCUMENTATION = r"""
name: present
short_description: Users or databases that are to be there
version_added: 0.1.0
author: monitoring.ha contributors (@monitoring-ha)
description:
  - Leaves out those that say C(state=absent).
options:
  _input:
    description: Name to properties, as C(postgresql_databases).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Databases
  ansible.builtin.debug:
    msg: "{{ {'grafana': {'owner': 'grafana'}, 'old': {'owner': 'grafana', 'state': 'absent'}} | monitoring.ha.present }}"
"""

RETURN = r"""
_value:
  description: The same without them.
  type: dict
"""


class FilterModule:
    """``entries | monitoring.ha.present``."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"present": present}
