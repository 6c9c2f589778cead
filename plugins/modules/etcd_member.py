#!/usr/bin/python
# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: etcd_member
short_description: The place of a member in an etcd cluster
version_added: 0.1.0
author: monitoring.ha contributors (@monitoring-ha)
description:
  - Finds out what a member has to start with. One that has data goes on with what it was started with. One that has none founds a new
    cluster with the others, or, where those are a cluster already, is added to it.
  - Runs on the member before it is started. Fails where the cluster knows a member of this name that had data, as a disk that is not
    mounted must not lead to an empty member, unless O(replaces) says that the host is a new one.
  - With O(state=absent), takes a member out of the cluster, and those that never started and are none of O(peers); its host and its
    data stay as they are.
attributes:
  check_mode:
    support: full
    description: Tells what would be changed.
  diff_mode:
    support: full
    description: Lists the changes.
extends_documentation_fragment:
  - monitoring.ha.identity
options:
  name:
    description: Name of the member.
    type: str
    required: true
  state:
    description: Whether it belongs to the cluster.
    type: str
    choices: [present, absent]
    default: present
  peers:
    description: Name to URL for peers, of all members of the inventory.
    type: dict
    default: {}
  others:
    description: C(address:port) for clients of members that can be asked.
    type: list
    elements: str
    default: []
  root_password:
    description: Password of the user V(root).
    type: str
    required: true
  data:
    description: Directory of the member's data.
    type: path
    default: /var/lib/etcd/data
  config:
    description: The configuration that it was started with.
    type: path
    default: /etc/monitoring-ha/etcd/etcd.yml
  replaces:
    description: Whether the host takes the place of a lost one of the same name.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Place in the cluster
  monitoring.ha.etcd_member:
    name: mon2
    peers: {mon1: "https://192.0.2.11:2380", mon2: "https://192.0.2.12:2380", mon3: "https://192.0.2.13:2380"}
    others: ["192.0.2.11:2379", "192.0.2.13:2379"]
    root_password: "{{ vaulted_root_password }}"
"""

RETURN = r"""
initial:
  description: The settings C(initial-cluster) and C(initial-cluster-state).
  returned: when O(state=present)
  type: dict
changes:
  description: What was changed, a line each.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.monitoring.ha.plugins.module_utils import changes as outcome
from ansible_collections.monitoring.ha.plugins.module_utils import etcd, identity
from ansible_collections.monitoring.ha.plugins.module_utils.https import Unanswered


def main() -> None:
    """Arguments in, result out."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "peers": {"type": "dict", "default": {}},
            "others": {"type": "list", "elements": "str", "default": []},
            "root_password": {"type": "str", "required": True, "no_log": True},
            "data": {"type": "path", "default": "/var/lib/etcd/data"},
            "config": {"type": "path", "default": "/etc/monitoring-ha/etcd/etcd.yml"},
            "replaces": {"type": "bool", "default": False},
            **identity.OPTIONS,
        },
        supports_check_mode=True,
    )
    given = module.params
    others = [etcd.Api(identity.client(given).at(place)) for place in given["others"]]
    try:
        if given["state"] == "absent":
            changes = etcd.leave(others, given["name"], given["root_password"], given["peers"], check=module.check_mode)
            module.exit_json(**outcome.result(changes))
        initial = etcd.began_with(given["data"], given["config"], given["peers"])
        changes = []
        if not initial:
            initial, changes = etcd.join(
                others, given["name"], given["peers"], given["root_password"], replaces=given["replaces"], check=module.check_mode
            )
    except (etcd.EtcdError, Unanswered, OSError) as error:
        module.fail_json(msg=f"etcd: {error}")
    module.exit_json(initial=initial, **outcome.result(changes))


if __name__ == "__main__":
    main()
