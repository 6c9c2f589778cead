# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: endpoints
short_description: Who runs a component, and where
version_added: 0.1.0
author: monitoring.ha contributors (@monitoring-ha)
description:
  - Answers from the catalogue and the inventory which hosts run a component and at which address, port and URL.
  - An empty group gives an empty list, so that whatever would talk to it adapts.
options:
  _terms:
    description: Names of components, as in the catalogue.
    required: true
  port:
    description: Name of the port, as in the catalogue.
    type: str
    default: http
  host:
    description: Only the endpoint on this host.
    type: str
"""

EXAMPLES = r"""
- name: Every Alertmanager
  ansible.builtin.debug:
    msg: "{{ query('monitoring.ha.endpoints', 'alertmanager') | map(attribute='url') }}"

- name: This host's Prometheus
  ansible.builtin.debug:
    msg: "{{ query('monitoring.ha.endpoints', 'prometheus', host=inventory_hostname) | first }}"
"""

RETURN = r"""
_list:
  description: One mapping an endpoint.
  type: list
  elements: dict
  contains:
    host:
      description: Inventory name.
      type: str
    address:
      description: IP address.
      type: str
    port:
      description: Port number.
      type: int
    component:
      description: Name of the component.
      type: str
    scheme:
      description: Scheme of the URL.
      type: str
    authority:
      description: C(address:port).
      type: str
    url:
      description: C(scheme://address:port).
      type: str
"""

from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible_collections.monitoring.ha.plugins.module_utils import topology
from ansible_collections.monitoring.ha.plugins.plugin_utils.hostvars import once


class LookupModule(LookupBase):
    """``query('monitoring.ha.endpoints', component)``."""

    def run(self, terms: list[str], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[dict[str, Any]]:
        """Endpoints of every component in ``terms``, in inventory order."""
        self.set_options(var_options=variables, direct=kwargs)
        values = variables or {}
        groups, hostvars = values["groups"], once(values["hostvars"])
        found: list[topology.Endpoint] = []
        try:
            for name in terms:
                found += topology.endpoints(name, groups, hostvars, self.get_option("port"), self.get_option("host"))
        except (topology.TopologyError, KeyError) as error:
            raise AnsibleLookupError(str(error.args[0])) from error
        return [e.as_dict() for e in found]
