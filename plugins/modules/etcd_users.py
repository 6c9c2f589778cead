#!/usr/bin/python
# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: etcd_users
short_description: Users of an etcd cluster, and what they may use
version_added: 0.1.0
author: monitoring.ha contributors (@monitoring-ha)
description:
  - Declares users with a password and a prefix each, then makes the cluster ask everybody for a password.
  - Runs once, on one of the members. Users that are not declared stay as they are.
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
  address:
    description: Address of a member.
    type: str
    required: true
  port:
    description: Its port for clients.
    type: int
    default: 2379
  root_password:
    description: Password of the user V(root), who may everything.
    type: str
    required: true
  prefixes:
    description: Name of a user to a prefix; the user reads and writes the keys that begin with it.
    type: dict
    default: {}
  passwords:
    description: Name of a user to its password.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Patroni's corner of the cluster
  monitoring.ha.etcd_users:
    address: 192.0.2.11
    root_password: "{{ vaulted_root_password }}"
    prefixes: {patroni: /patroni/}
    passwords: {patroni: "{{ vaulted_password }}"}
  run_once: true
"""

RETURN = r"""
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
            "address": {"type": "str", "required": True},
            "port": {"type": "int", "default": 2379},
            "root_password": {"type": "str", "required": True, "no_log": True},
            # Apart from the rest: inside of it, a password with quotes would escape the masking of the log.
            "prefixes": {"type": "dict", "default": {}},
            "passwords": {"type": "dict", "default": {}, "no_log": True},
            **identity.OPTIONS,
        },
        supports_check_mode=True,
    )
    given = module.params
    api = etcd.Api(identity.client(given, given["address"], given["port"], timeout=10))
    try:
        changes = etcd.ensure(api, given["root_password"], given["prefixes"], given["passwords"], check=module.check_mode)
    except (etcd.EtcdError, Unanswered, OSError) as error:
        if module.check_mode:
            # A cluster that is not there yet has no users either.
            module.exit_json(**outcome.result(["users of a new cluster"]))
        module.fail_json(msg=f"etcd: {error}")
    module.exit_json(**outcome.result(changes))


if __name__ == "__main__":
    main()
