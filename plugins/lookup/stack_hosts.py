# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: stack_hosts
short_description: Hosts that run more than what every host runs
version_added: 0.1.0
author: monitoring.ha contributors (@monitoring-ha)
description:
  - The hosts without which the stack is not whole, in the order of the inventory. All others are only monitored, and may be away.
"""

EXAMPLES = r"""
- name: Only where it matters at once
  ansible.builtin.debug:
    msg: "{{ inventory_hostname }} is part of the stack"
  when: inventory_hostname in query('monitoring.ha.stack_hosts')
"""

RETURN = r"""
_raw:
  description: Their names.
  type: list
  elements: str
"""

from typing import Any

from ansible.plugins.lookup import LookupBase
from ansible_collections.monitoring.ha.plugins.module_utils import topology


class LookupModule(LookupBase):
    """``query('monitoring.ha.stack_hosts')``."""

    def run(self, terms: list[str], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[str]:
        """All of them."""
        self.set_options(var_options=variables, direct=kwargs)
        return topology.stack_hosts((variables or {})["groups"])
