# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: catalogue
short_description: The components of the stack as data
version_added: 0.1.0
author: monitoring.ha contributors (@monitoring-ha)
description:
  - Each component once, with its group, ports, unit, user, paths and front end, and its members in this inventory.
options:
  _terms:
    description: Names of components; without any, all of them.
"""

EXAMPLES = r"""
- name: Components that this inventory has
  ansible.builtin.debug:
    msg: "{{ query('monitoring.ha.catalogue') | selectattr('members') | map(attribute='name') }}"
"""

RETURN = r"""
_list:
  description: One mapping a component; C(members) are the inventory names of its hosts.
  type: list
  elements: dict
"""

from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible_collections.monitoring.ha.plugins.module_utils import catalogue, topology


class LookupModule(LookupBase):
    """``query('monitoring.ha.catalogue')``."""

    def run(self, terms: list[str], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[dict[str, Any]]:
        """The described components in ``terms``, or all."""
        self.set_options(var_options=variables, direct=kwargs)
        try:
            wanted = {catalogue.component(name).name for name in terms}
        except KeyError as error:
            raise AnsibleLookupError(str(error.args[0])) from error
        return [c for c in topology.describe((variables or {})["groups"]) if not wanted or c["name"] in wanted]
