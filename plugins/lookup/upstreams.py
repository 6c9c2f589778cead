# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: upstreams
short_description: The ways to other members that the proxy on a host offers
version_added: 0.1.0
author: monitoring.ha contributors (@monitoring-ha)
description:
  - Answers from the catalogue and the inventory at which loopback addresses the role P(monitoring.ha.proxy#role) listens for clients
    on the host, and who is behind them.
options:
  _terms:
    description: Kinds of ways, for instance V(s3); without any, all of them.
"""

EXAMPLES = r"""
- name: Where clients on this host find the object store
  ansible.builtin.debug:
    msg: "{{ query('monitoring.ha.upstreams', 's3') | map(attribute='local') }}"
"""

RETURN = r"""
_list:
  description: One mapping a way.
  type: list
  elements: dict
  contains:
    name:
      description: Name, unique on the host.
      type: str
    kind:
      description: Kind of way.
      type: str
    component:
      description: Name of the component that it leads to.
      type: str
    host:
      description: The member it leads to; empty when it leads to whichever is healthy.
      type: str
    local:
      description: C(address:port) for clients.
      type: str
    servers:
      description: The endpoints behind it, the preferred one first, each with the port to C(check).
      type: list
      elements: dict
    check:
      description: Path that a healthy one answers.
      type: str
    check_method:
      description: Method of the check.
      type: str
    check_body:
      description: What has to be in that answer, a regular expression; empty for nothing.
      type: str
    one_writer:
      description: Whether only one member takes traffic at a time.
      type: bool
    cut:
      description: Whether connections to a member are cut when it fails its check.
      type: bool
    tls:
      description: Whether the proxy speaks TLS, for a client that does not.
      type: bool
"""

from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible_collections.monitoring.ha.plugins.module_utils import topology
from ansible_collections.monitoring.ha.plugins.plugin_utils.hostvars import once


class LookupModule(LookupBase):
    """``query('monitoring.ha.upstreams')``."""

    def run(self, terms: list[str], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[dict[str, Any]]:
        """The ways of the kinds in ``terms``, or all."""
        self.set_options(var_options=variables, direct=kwargs)
        values = variables or {}
        try:
            found = topology.upstreams(values["groups"], once(values["hostvars"]), values["inventory_hostname"])
        except topology.TopologyError as error:
            raise AnsibleLookupError(str(error)) from error
        return [way for way in found if not terms or way["kind"] in terms]
