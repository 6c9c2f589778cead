# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: targets
short_description: Every member of the stack that can be asked, and what it has to show
version_added: 0.1.0
author: monitoring.ha contributors (@monitoring-ha)
description:
  - What M(monitoring.ha.verify) looks at. A member is whole when it shows what is expected of it, as in M(monitoring.ha.gate).
options:
  hosts:
    description: Hosts that have to be there; empty for all.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Is the stack whole?
  monitoring.ha.verify:
    targets: "{{ query('monitoring.ha.targets') }}"
    ca: pki/ca.pem
    certificate: pki/hosts/controller/host.pem
    key: pki/hosts/controller/host.key
  delegate_to: localhost
  run_once: true
"""

RETURN = r"""
_list:
  description: One mapping a member.
  type: list
  elements: dict
  contains:
    component:
      description: Name of the component in the catalogue.
      type: str
    title:
      description: The component, for people.
      type: str
    host:
      description: Inventory name.
      type: str
    address:
      description: Address of the host.
      type: str
    port:
      description: Port at which it tells how it is.
      type: int
    expect:
      description: What it has to show beyond being ready.
      type: dict
"""

from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible_collections.monitoring.ha.plugins.module_utils import topology
from ansible_collections.monitoring.ha.plugins.plugin_utils.hostvars import once


class LookupModule(LookupBase):
    """``query('monitoring.ha.targets')``."""

    def run(self, terms: list[str], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[dict[str, Any]]:
        """All of them, in the order of the catalogue."""
        self.set_options(var_options=variables, direct=kwargs)
        values = variables or {}
        try:
            return topology.targets(values["groups"], once(values["hostvars"]), self.get_option("hosts"))
        except topology.TopologyError as error:
            raise AnsibleLookupError(str(error)) from error
