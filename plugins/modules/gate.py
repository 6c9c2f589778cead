#!/usr/bin/python
# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: gate
short_description: Wait until a component behaves
version_added: 0.1.0
author: monitoring.ha contributors (@monitoring-ha)
description:
  - Waits for behaviour, not for an active unit; what that is depends on the component.
  - Changes nothing. Fails with what was seen last, and with the last words of the unit where it is named.
attributes:
  check_mode:
    support: full
    description: Asks nothing and passes, as what it would ask may not be there yet.
  diff_mode:
    support: none
    description: Nothing is changed.
extends_documentation_fragment:
  - monitoring.ha.identity
options:
  component:
    description: Name of the component in the catalogue.
    type: str
    required: true
  address:
    description: Address to ask at.
    type: str
    required: true
  port:
    description: Port to ask at.
    type: int
    required: true
  timeout:
    description: Seconds within which it has to behave.
    type: int
    default: 60
  expect:
    description:
      - What it has to show beyond being ready.
      - V(targets_up) (prometheus), every target is up; with a list of hosts, every one of theirs.
      - V(peers) (alertmanager, grafana), the mesh has that many members.
      - V(stores) (thanos_query), it sees that many healthy stores.
      - V(members) (alertmanager, thanos_query, postgresql, mariadb, grafana), a mapping of the name under which a member is known to its
        C(address:port). Those that answer there have to be known. With etcd, a majority is waited for once enough of them are up.
      - V(standbys) (postgresql), that many follow the leader.
      - V(synchronous) (postgresql), whether one of them has to confirm writes; by default what the cluster itself says.
      - V(nodes) (object_store, mariadb), that many hosts are connected.
      - V(backends) (load_balancer, proxy), every member is in rotation.
      - V(holder) (keepalived), C(address:port) at which the virtual address answers.
    type: dict
    default: {}
  after:
    description: What was done to the unit before; V(start) and V(restart) make it wait for what a fresh process does in a while.
    type: str
    choices: [none, start, restart, reload]
    default: none
  unit:
    description: Unit on this host whose end makes waiting pointless, and whose last words are reported.
    type: str
"""

EXAMPLES = r"""
- name: Gossip has settled, and all members are there
  monitoring.ha.gate:
    component: alertmanager
    address: 192.0.2.11
    port: 9093
    expect: {peers: 3}
"""

RETURN = r"""
seconds:
  description: How long it took until it behaved.
  returned: success
  type: float
missing:
  description: What was seen last.
  returned: failure
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.monitoring.ha.plugins.module_utils import gating, units


def main() -> None:
    """Ask until it behaves."""
    module = AnsibleModule(
        argument_spec={
            "after": {"type": "str", "choices": ["none", "start", "restart", "reload"], "default": "none"},
            "unit": {"type": "str"},
            **gating.OPTIONS,
        },
        supports_check_mode=True,
    )
    if module.check_mode:
        module.exit_json(changed=False, seconds=0.0, skipped=True)
    try:
        module.exit_json(changed=False, seconds=gating.passed(module.params, module.params["unit"] or "", module.params["after"]))
    except gating.GateError as error:
        module.fail_json(msg=str(error), missing=error.missing)
    except units.UnitError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
