# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: frontends
short_description: What the load balancers publish, and where
version_added: 0.1.0
author: monitoring.ha contributors (@monitoring-ha)
description:
  - Answers from the catalogue and the inventory which services are published on the virtual address, and who is behind them.
  - Without load balancers the list is empty; without a virtual address clients reach each load balancer at its own.
options:
  _terms:
    description: Names of front ends, for instance V(query); without any, all of them.
"""

EXAMPLES = r"""
- name: Where people query
  ansible.builtin.debug:
    msg: "{{ query('monitoring.ha.frontends', 'query') | map(attribute='url') }}"
"""

RETURN = r"""
_list:
  description: One mapping a front end, with its description from the catalogue.
  type: list
  elements: dict
  contains:
    name:
      description: Name of the front end.
      type: str
    component:
      description: Name of the component behind it.
      type: str
    endpoints:
      description: Where clients reach it, as P(monitoring.ha.endpoints#lookup) describes endpoints.
      type: list
      elements: dict
    url:
      description: URL of the first of them.
      type: str
    authority:
      description: C(address:port) of the first of them.
      type: str
    members:
      description: The endpoints behind it, with the port of their health check as C(check).
      type: list
      elements: dict
"""

from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible_collections.monitoring.ha.plugins.module_utils import topology
from ansible_collections.monitoring.ha.plugins.plugin_utils.hostvars import once


class LookupModule(LookupBase):
    """``query('monitoring.ha.frontends')``."""

    def run(self, terms: list[str], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[dict[str, Any]]:
        """The front ends in ``terms``, or all."""
        self.set_options(var_options=variables, direct=kwargs)
        values = variables or {}
        if unknown := set(terms) - set(topology.frontend_names()):
            raise AnsibleLookupError(f"no front end {', '.join(sorted(unknown))}; there are: {', '.join(topology.frontend_names())}")
        try:
            hostvars = once(values["hostvars"])
            found = topology.frontends(values["groups"], hostvars)
        except topology.TopologyError as error:
            raise AnsibleLookupError(str(error)) from error
        return [f for f in found if not terms or f["name"] in terms]
