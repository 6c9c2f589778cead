# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: variable_of
short_description: A variable of a component, on whatever host it is asked for
version_added: 0.1.0
author: monitoring.ha contributors (@monitoring-ha)
description:
  - Variables of a component belong to its members, for instance in C(group_vars/grafana.yml). Hosts that only deal with it need not
    have them.
  - The first member in inventory order answers for all of them.
options:
  _terms:
    description: Name of the component, then name of the variable.
    type: list
    required: true
    elements: str
  default:
    description: What is returned where the inventory has no such component, or its first member does not set the variable.
    type: raw
"""

EXAMPLES = r"""
- name: Who administers Grafana
  ansible.builtin.debug:
    msg: "{{ lookup('monitoring.ha.variable_of', 'grafana', 'grafana_admin_user', default='admin') }}"
"""

RETURN = r"""
_raw:
  description: One element, the variable's value.
  type: list
  elements: raw
"""

from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible_collections.monitoring.ha.plugins.module_utils import topology
from ansible_collections.monitoring.ha.plugins.plugin_utils.hostvars import once


class LookupModule(LookupBase):
    """``lookup('monitoring.ha.variable_of', component, variable)``."""

    def run(self, terms: list[str], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[Any]:
        """The value, in a list."""
        self.set_options(var_options=variables, direct=kwargs)
        values = variables or {}
        if len(terms) != 2:
            raise AnsibleLookupError("variable_of takes the name of a component and the name of a variable")
        component, variable = terms
        try:
            found = topology.of_member(component, variable, values["groups"], once(values["hostvars"]), self.get_option("default"))
        except topology.TopologyError as error:
            raise AnsibleLookupError(str(error)) from error
        if found is None:
            raise AnsibleLookupError(f"{variable} is not set for {component}: set it, or give a default")
        return [found]
