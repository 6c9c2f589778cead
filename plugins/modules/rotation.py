#!/usr/bin/python
# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: rotation
short_description: Take a host out of a load balancer's rotation, and back
version_added: 0.1.0
author: monitoring.ha contributors (@monitoring-ha)
description:
  - Runs on a load balancer, and speaks to HAProxy there. A drained host finishes what it has begun and gets nothing new.
  - Where nobody else serves, the host is left in.
  - HAProxy forgets it when it is started anew, so that no host is left out for ever.
attributes:
  check_mode:
    support: full
    description: Tells which back ends would be changed.
  diff_mode:
    support: none
    description: Names the back ends in the result.
options:
  host:
    description: Name of the host in the inventory, which is the server's name in every back end.
    type: str
    required: true
  state:
    description: V(drained) takes it out of every back end, V(ready) puts it back.
    type: str
    choices: [drained, ready]
    required: true
  timeout:
    description: Seconds to wait for a drained host's sessions to end.
    type: int
    default: 15
  socket:
    description: HAProxy's socket.
    type: path
    default: /run/haproxy/admin.sock
"""

EXAMPLES = r"""
- name: No new request reaches mon2
  monitoring.ha.rotation:
    host: mon2
    state: drained
  loop: "{{ groups.load_balancer }}"
  delegate_to: "{{ item }}"
"""

RETURN = r"""
backends:
  description: Back ends in which its state was changed.
  returned: success
  type: list
  elements: str
sessions:
  description: Sessions that had not ended after O(timeout).
  returned: success
  type: int
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.monitoring.ha.plugins.module_utils import rotation


def main() -> None:
    """Arguments in, result out."""
    module = AnsibleModule(
        argument_spec={
            "host": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["drained", "ready"], "required": True},
            "timeout": {"type": "int", "default": 15},
            "socket": {"type": "path", "default": "/run/haproxy/admin.sock"},
        },
        supports_check_mode=True,
    )
    given = module.params
    try:
        backends, sessions = rotation.rotate(
            given["socket"], given["host"], ready=given["state"] == "ready", timeout=given["timeout"], check=module.check_mode
        )
    except rotation.RotationError as error:
        module.fail_json(msg=f"HAProxy: {error}")
    module.exit_json(changed=bool(backends), backends=backends, sessions=sessions)


if __name__ == "__main__":
    main()
