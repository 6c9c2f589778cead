#!/usr/bin/python
# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: verify
short_description: The stack seen from outside
version_added: 0.1.0
author: monitoring.ha contributors (@monitoring-ha)
description:
  - Asks every member and every front end, and queries what they monitor. Changes nothing.
  - Runs wherever the looking is done from, for instance on the controller.
extends_documentation_fragment:
  - monitoring.ha.identity
attributes:
  check_mode:
    support: full
    description: Changes nothing anyway.
  diff_mode:
    support: none
    description: Changes nothing.
options:
  targets:
    description: Members, with C(component), C(title), C(host), C(address), C(port) and C(expect) as in M(monitoring.ha.gate).
    type: list
    elements: dict
    default: []
  frontends:
    description: Front ends, as the lookup P(monitoring.ha.frontends#lookup) gives them.
    type: list
    elements: dict
    default: []
  jobs:
    description: Name of a scrape job to the hosts it should have.
    type: dict
    default: {}
  user:
    description: User to log in as at front ends for people.
    type: str
    default: ""
  password:
    description: Password of the user.
    type: str
    default: ""
  grafana_user:
    description: User to log in as at Grafana.
    type: str
    default: admin
  grafana_password:
    description: Password of that user; empty to leave it.
    type: str
    default: ""
  timeout:
    description: Seconds within which each member has to behave, and every target to be there.
    type: int
    default: 60
"""

EXAMPLES = r"""
- name: From the controller
  monitoring.ha.verify:
    frontends: "{{ query('monitoring.ha.frontends') }}"
    user: admin
    password: "{{ vaulted_password }}"
    ca: pki/ca.pem
    certificate: pki/hosts/controller/host.pem
    key: pki/hosts/controller/host.key
  delegate_to: localhost
  run_once: true
"""

RETURN = r"""
lines:
  description: The report, a line for each thing that was looked at.
  returned: always
  type: list
  elements: str
failures:
  description: How many of them are not as they should be.
  returned: always
  type: int
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.monitoring.ha.plugins.module_utils import identity, verification


def main() -> None:
    """Look at everything, then say what was seen."""
    module = AnsibleModule(
        argument_spec={
            "targets": {"type": "list", "elements": "dict", "default": []},
            "frontends": {"type": "list", "elements": "dict", "default": []},
            "jobs": {"type": "dict", "default": {}},
            "user": {"type": "str", "default": ""},
            "password": {"type": "str", "default": "", "no_log": True},
            "grafana_user": {"type": "str", "default": "admin"},
            "grafana_password": {"type": "str", "default": "", "no_log": True},
            **identity.OPTIONS,
            "timeout": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    given = module.params
    client = identity.client(given)
    found = verification.verify(
        given["targets"], given["frontends"], given["jobs"], client, given["user"], given["password"], given["timeout"]
    )
    if given["grafana_password"]:
        found += verification.grafana(given["frontends"], client.ca, given["grafana_user"], given["grafana_password"])
    lines = [observation.line for observation in found]
    bad = [observation.line for observation in found if observation.missing]
    if bad:
        module.fail_json(
            msg="\n".join([f"{len(bad)} of {len(found)} things are not as they should be:", *bad]), lines=lines, failures=len(bad)
        )
    module.exit_json(changed=False, lines=lines, failures=0)


if __name__ == "__main__":
    main()
