#!/usr/bin/python
# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight_host
short_description: What a host says before it is touched
version_added: 0.1.0
author: monitoring.ha contributors (@monitoring-ha)
description:
  - Gathers what M(monitoring.ha.preflight) judges. Changes nothing.
  - The action measures in addition how far the host's clock is from the controller's.
attributes:
  check_mode:
    support: full
    description: Changes nothing anyway.
  diff_mode:
    support: none
    description: Changes nothing.
options:
  paths:
    description: Directories in which data will be kept.
    type: list
    elements: path
    default: []
  names:
    description: Names that have to resolve, besides its own.
    type: list
    elements: str
    default: []
  virtual_address:
    description: Address that nobody else may hold.
    type: str
    default: ""
  reach:
    description: Variable to the C(address:port) in it, outside of the stack, that has to accept connections.
    type: dict
    default: {}
seealso:
  - module: monitoring.ha.preflight
"""

EXAMPLES = r"""
- name: Look
  monitoring.ha.preflight_host:
    paths: [/var/lib/prometheus]
    virtual_address: 192.0.2.100
  register: preflight_looked
"""

RETURN = r"""
facts:
  description:
    - System, addresses, listeners, services that run and those that roles have set up, free space, names, trusted authorities, and the
      clock as offset and uncertainty in seconds.
  returned: success
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.monitoring.ha.plugins.module_utils import preflight_hosts


def main() -> None:
    """Look."""
    module = AnsibleModule(
        argument_spec={
            "paths": {"type": "list", "elements": "path", "default": []},
            "names": {"type": "list", "elements": "str", "default": []},
            "virtual_address": {"type": "str", "default": ""},
            "reach": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    given = module.params
    module.exit_json(changed=False, facts=preflight_hosts.look(given["paths"], given["names"], given["virtual_address"], given["reach"]))


if __name__ == "__main__":
    main()
