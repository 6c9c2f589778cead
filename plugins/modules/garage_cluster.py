#!/usr/bin/python
# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: garage_cluster
short_description: Nodes, layout, keys and buckets of a Garage object store
version_added: 0.1.0
author: monitoring.ha contributors (@monitoring-ha)
description:
  - Connects the nodes, gives each its zone and capacity, and declares access keys, buckets and who may use them.
  - Runs once, on one of the nodes; on one that knows the cluster's layout, where there is a cluster already. Without O(nodes) it only
    looks at the node that it runs on, or says which nodes that have left the layout still hold data. Removes nothing but the nodes in
    O(remove), and takes away permissions that are not declared.
attributes:
  check_mode:
    support: full
    description: Tells what would be changed.
  diff_mode:
    support: full
    description: Lists the changes.
options:
  address:
    description: Address of the administration API.
    type: str
    default: 127.0.0.1
  port:
    description: Port of the administration API.
    type: int
    default: 3903
  token:
    description: Token of the administration API.
    type: str
    required: true
  nodes:
    description: The nodes.
    type: list
    elements: dict
    default: []
    suboptions:
      id:
        description: Node id, as a look at the node returns it.
        type: str
        required: true
      name:
        description: Name of the host.
        type: str
        required: true
      address:
        description: C(address:port) at which the other nodes reach it.
        type: str
        required: true
      zone:
        description: Zone; replicas are put into different ones where there are enough.
        type: str
        required: true
      capacity:
        description: How much it stores, for instance V(100G).
        type: str
        required: true
  members:
    description:
      - Hosts that have a node by the inventory. With fewer O(nodes) than that, a new node is refused, as it would found a cluster of its
        own. One of them in O(remove) loses its place only to a node among O(nodes).
    type: list
    elements: str
    default: []
  remove:
    description:
      - Names or ids of nodes to take out of the layout. Without O(nodes) nothing is taken out, and RV(leaving) says who still holds data.
      - A new node whose host has a place in the layout already is refused unless that one is named here, as its disk may only be missing.
    type: list
    elements: str
    default: []
  reached:
    description:
      - Hosts that the others will reach. With it the module only looks, and fails where a node works, has a place in the layout, and is
        none of them; or where more nodes still give their data away than there are such hosts without a place in the layout. A daemon
        that does not run is not waited for.
    type: list
    elements: str
  keys:
    description: Access keys.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name, by which buckets refer to it.
        type: str
        required: true
      id:
        description: Access key id, C(GK) and 24 hexadecimal digits.
        type: str
        required: true
      secret:
        description: Secret key, 64 hexadecimal digits.
        type: str
        required: true
  buckets:
    description: Buckets.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name.
        type: str
        required: true
      keys:
        description: Name of a key to the list of its permissions, of V(read), V(write) and V(owner).
        type: dict
        default: {}
      max_size:
        description: How much it may hold, for instance V(500G).
        type: str
      max_objects:
        description: How many objects it may hold.
        type: int
  timeout:
    description: Seconds to wait for the daemon, and for nodes to be connected.
    type: int
    default: 60
"""

EXAMPLES = r"""
- name: Id of this node
  monitoring.ha.garage_cluster:
    token: "{{ vaulted_token }}"

- name: A bucket for Thanos
  monitoring.ha.garage_cluster:
    token: "{{ vaulted_token }}"
    nodes:
      - {id: 7c1b0e0f, name: mon1, address: "192.0.2.11:3901", zone: rack1, capacity: 100G}
    keys:
      - {name: thanos, id: "{{ vaulted_id }}", secret: "{{ vaulted_secret }}"}
    buckets:
      - {name: thanos, keys: {thanos: [read, write]}}
  run_once: true

- name: Nodes that were taken out hold nothing any more
  monitoring.ha.garage_cluster:
    token: "{{ vaulted_token }}"
    remove: [mon4, mon5]
  run_once: true
  register: left
  until: left is failed or left.leaving | length == 0
  retries: 1000
  delay: 10
"""

RETURN = r"""
id:
  description: Id of the node that was looked at; empty in check mode when it does not run.
  returned: without O(nodes) and O(remove)
  type: str
version:
  description: Version of the layout that it knows; 0 for none.
  returned: without O(nodes) and O(remove)
  type: int
changes:
  description: What was changed, a line each.
  returned: with O(nodes)
  type: list
  elements: str
leaving:
  description:
    - Hosts that work, have no place in the layout, and still hold data, with the number of their blocks; V(null) where one does not say.
  returned: with O(remove), without O(nodes)
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.monitoring.ha.plugins.module_utils import changes as outcome
from ansible_collections.monitoring.ha.plugins.module_utils import garage
from ansible_collections.monitoring.ha.plugins.module_utils.https import Client, Unanswered


def main() -> None:
    """Arguments in, result out."""
    module = AnsibleModule(
        argument_spec={
            "address": {"type": "str", "default": "127.0.0.1"},
            "port": {"type": "int", "default": 3903},
            "token": {"type": "str", "required": True, "no_log": True},
            "nodes": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {name: {"type": "str", "required": True} for name in ("id", "name", "address", "zone", "capacity")},
            },
            "members": {"type": "list", "elements": "str", "default": []},
            "remove": {"type": "list", "elements": "str", "default": []},
            "reached": {"type": "list", "elements": "str"},
            "keys": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "no_log": False,
                "options": {
                    "name": {"type": "str", "required": True},
                    "id": {"type": "str", "required": True},
                    "secret": {"type": "str", "required": True, "no_log": True},
                },
            },
            "buckets": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "name": {"type": "str", "required": True},
                    "keys": {"type": "dict", "default": {}, "no_log": False},
                    "max_size": {"type": "str"},
                    "max_objects": {"type": "int"},
                },
            },
            "timeout": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    given = module.params
    api = garage.Api(Client(given["address"], given["port"], tls=False, timeout=30), given["token"])
    try:
        if not given["nodes"] and given["remove"]:
            garage.wait(api, given["timeout"])
            leaving = {} if module.check_mode else garage.leaving(api)
            still = ", ".join(f"{host} ({'?' if blocks is None else blocks} blocks)" for host, blocks in leaving.items())
            module.exit_json(changed=False, leaving=leaving, msg=f"still to give away: {still}" if still else "")
        if not given["nodes"]:
            module.exit_json(changed=False, **look(module, api))
        nodes = [
            garage.Node(n["id"], n["address"], n["zone"], garage.size(n["capacity"]), n["name"])
            for n in given["nodes"]
            if n["id"] or not module.check_mode
        ]
        if module.check_mode and len(nodes) < len(given["nodes"]):
            # Hosts that have nothing yet have no id either.
            module.exit_json(**outcome.result(["a new cluster"]))
        garage.wait(api, given["timeout"])
        garage.refuse_alone(api, nodes, given["members"])
        changes = garage.ensure(
            api,
            nodes,
            given["keys"],
            given["buckets"],
            given["remove"],
            given["timeout"],
            members=given["members"],
            check=module.check_mode,
        )
    except (garage.GarageError, Unanswered) as error:
        module.fail_json(msg=f"object store: {error}")
    module.exit_json(**outcome.result(changes))


def look(module: AnsibleModule, api: garage.Api) -> dict[str, object]:
    """The node's id, and the version of its layout."""
    patient = not module.check_mode and module.params["reached"] is None
    try:
        garage.wait(api, module.params["timeout"] if patient else 0)
    except garage.GarageError:
        if patient:
            raise
        return {"id": "", "version": 0}
    if module.params["reached"] is not None:
        garage.refuse_cut_off(api, module.params["reached"])
    return garage.look(api)


if __name__ == "__main__":
    main()
