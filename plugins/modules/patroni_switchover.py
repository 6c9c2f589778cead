#!/usr/bin/python
# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: patroni_switchover
short_description: Let another member of a PostgreSQL cluster lead
version_added: 0.1.0
author: monitoring.ha contributors (@monitoring-ha)
description:
  - Hands the lead over when O(away_from) has it, so that its host can be worked on. Does nothing when another member leads.
  - Writes wait for some seconds meanwhile; none that was acknowledged is lost. Afterwards every member follows again.
attributes:
  check_mode:
    support: full
    description: Tells whether it would hand over.
  diff_mode:
    support: none
    description: Names the leader in the result.
extends_documentation_fragment:
  - monitoring.ha.identity
options:
  members:
    description: Name of each member to C(address:port) of its API.
    type: dict
    required: true
  away_from:
    description: Name of the member that shall not lead.
    type: str
    required: true
  user:
    description: User of the API.
    type: str
    default: patroni
  password:
    description: Password of that user.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: mon2 does not lead
  monitoring.ha.patroni_switchover:
    members: {mon1: "192.0.2.11:8008", mon2: "192.0.2.12:8008", mon3: "192.0.2.13:8008"}
    away_from: mon2
    password: "{{ postgresql_rest_password }}"
"""

RETURN = r"""
leader:
  description: Name of the member that leads now.
  returned: success
  type: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.monitoring.ha.plugins.module_utils import patroni
from ansible_collections.monitoring.ha.plugins.module_utils.https import Unanswered


def main() -> None:
    """Arguments in, result out."""
    module = AnsibleModule(argument_spec={**patroni.OPTIONS, "away_from": {"type": "str", "required": True}}, supports_check_mode=True)
    given = module.params
    cluster = patroni.Cluster.of(given)
    try:
        before = cluster.leader()
        leader = patroni.switch_over(cluster, given["away_from"], check=module.check_mode)
    except (patroni.PatroniError, Unanswered, OSError) as error:
        module.fail_json(msg=f"Patroni: {error}")
    module.exit_json(changed=before == given["away_from"], leader=leader)


if __name__ == "__main__":
    main()
