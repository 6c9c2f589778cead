# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: drill_rules
short_description: The rule that fires numbered alerts while a failover drill goes on
version_added: 0.1.0
author: monitoring.ha contributors (@monitoring-ha)
description:
  - Every replica of Prometheus fires the same numbers, one each period, while a host of the stack is marked as being drilled.
options:
  _input:
    description: How often rules are evaluated, for instance C(15s).
    type: str
    required: true
"""

EXAMPLES = r"""
- name: The rule file
  ansible.builtin.debug:
    msg: "{{ '15s' | monitoring.ha.drill_rules | to_nice_yaml }}"
"""

RETURN = r"""
_value:
  description: The content of a rule file.
  type: dict
"""

from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.monitoring.ha.plugins.plugin_utils.drill import rule


def drill_rules(interval: object) -> dict[str, Any]:
    """The rule file; AnsibleFilterError for an interval that is none."""
    try:
        return rule.rules(interval)
    except ValueError as error:
        raise AnsibleFilterError(f"drill_rules: {error}") from error


class FilterModule:
    """``monitoring.ha.drill_rules``."""

    def filters(self) -> dict[str, Any]:
        return {"drill_rules": drill_rules}
