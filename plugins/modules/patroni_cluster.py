#!/usr/bin/python
# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: patroni_cluster
short_description: What the members of a Patroni cluster share
version_added: 0.1.0
author: monitoring.ha contributors (@monitoring-ha)
description:
  - Declares the dynamic configuration. Settings of PostgreSQL that are not declared are taken away; anything else that an
    operator has added, for instance a pause, stays.
  - Restarts the members that need it for a setting, standbys first, one after the other.
  - Runs once, on any of the members, and tells who leads.
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
  members:
    description: Name of each member to the C(address:port) of its REST API.
    type: dict
    required: true
  user:
    description: User of the REST API.
    type: str
    default: patroni
  password:
    description: Password of the user.
    type: str
    required: true
  config:
    description: The dynamic configuration.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: More connections
  monitoring.ha.patroni_cluster:
    members: {db1: "192.0.2.11:8008", db2: "192.0.2.12:8008"}
    password: "{{ vaulted_password }}"
    config:
      ttl: 20
      postgresql: {parameters: {max_connections: 300}}
  run_once: true
"""

RETURN = r"""
changes:
  description: What was changed, a line each.
  returned: success
  type: list
  elements: str
leader:
  description: Name of the member that leads; empty in check mode where there is no cluster yet.
  returned: success
  type: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.monitoring.ha.plugins.module_utils import changes as outcome
from ansible_collections.monitoring.ha.plugins.module_utils import patroni
from ansible_collections.monitoring.ha.plugins.module_utils.https import Unanswered


def main() -> None:
    """Arguments in, result out."""
    module = AnsibleModule(argument_spec={**patroni.OPTIONS, "config": {"type": "dict", "required": True}}, supports_check_mode=True)
    given = module.params
    cluster = patroni.Cluster.of(given)
    try:
        # Members look once a loop.
        wait = float(given["config"].get("loop_wait", 10)) + 2
        changes = patroni.ensure(cluster, given["config"], check=module.check_mode, wait=wait)
        leader = cluster.leader()
    except (patroni.PatroniError, Unanswered, OSError) as error:
        if module.check_mode:
            # A cluster that is not there yet has nothing to share either.
            module.exit_json(**outcome.result(["a new cluster"]), leader="")
        module.fail_json(msg=f"Patroni: {error}")
    module.exit_json(**outcome.result(changes), leader=leader)


if __name__ == "__main__":
    main()
