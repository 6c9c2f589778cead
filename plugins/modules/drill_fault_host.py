#!/usr/bin/python
# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: drill_fault_host
short_description: The host's half of the action drill_fault
version_added: 0.1.0
author: monitoring.ha contributors (@monitoring-ha)
description:
  - Makes a failure on this host, or mends it. Playbooks use M(monitoring.ha.drill_fault).
  - What mends is left on the host, and armed to run by itself, before the failure is made.
extends_documentation_fragment:
  - monitoring.ha.fault
options:
  state:
    description: V(present) makes the failure, V(absent) mends it, or whatever is left of any when O(fault) is not given.
    type: str
    choices: [present, absent]
    default: present
  fault:
    description: What is done, as C(do) in the collection's list of failures.
    type: str
  files:
    description: Name of a file of the host's identity to its content, for a certificate that has expired.
    type: dict
    default: {}
seealso:
  - module: monitoring.ha.drill_fault
"""

EXAMPLES = r"""
- name: Whatever a drill has left behind
  monitoring.ha.drill_fault_host:
    state: absent
"""

RETURN = r"""
ago:
  description: Seconds between the failure and the end of this module.
  returned: when a failure was made
  type: float
unsupported:
  description: Why the failure cannot be made on this host; empty when it can.
  returned: success
  type: str
mended:
  description: Names of the failures that were mended.
  returned: O(state=absent)
  type: list
  elements: str
"""

import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.monitoring.ha.plugins.module_utils import faults


def mended(names: list[str]) -> dict[str, str]:
    """Mend one after the other. Those with which it did not work, and why."""
    failed = {}
    for name in names:
        try:
            faults.mend(name)
        except faults.FaultError as error:
            failed[name] = str(error)
    return failed


def main() -> None:
    """Make a failure or mend it."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "fault": {"type": "str"},
            "given": {"type": "dict", "default": {}},
            "files": {"type": "dict", "default": {}, "no_log": True},
            "deadline": {"type": "int", "default": 300},
            "pause": {"type": "float", "default": 0},
        },
        required_if=[("state", "present", ["fault"])],
        supports_check_mode=True,
    )
    its = module.params
    name = its["fault"]
    if name and name not in faults.FAULTS:
        module.fail_json(msg=f"nothing is known of the failure {name!r}; there are: {', '.join(faults.FAULTS)}")
    try:
        if its["state"] == "absent":
            left = [one for one in faults.armed() if name in (None, one)]
            failed = {} if module.check_mode else mended(left)
            if failed:
                module.fail_json(msg="; ".join(f"{one}: {error}" for one, error in failed.items()), mended=sorted(set(left) - set(failed)))
            module.exit_json(changed=bool(left), mended=left, unsupported="")
        fault = faults.FAULTS[name]({**its["given"], "files": its["files"]})
        if reason := faults.impossible(fault):
            if name == faults.CLAIM:
                module.fail_json(msg=f"{reason}: wait until they have ended; where they were broken off, run this module with state=absent")
            module.exit_json(changed=False, unsupported=reason)
        if others := sorted(set(faults.armed()) - faults.HARMLESS):
            remedy = "wait until the host has mended it by itself, or run this module with state=absent"
            module.fail_json(msg=f"there is a failure of another drill on this host ({', '.join(others)}): {remedy}")
        if module.check_mode:
            module.exit_json(changed=True, unsupported="")
        faults.arm(name, fault.mend, its["deadline"] + its["pause"])
        time.sleep(its["pause"])
        begun = time.monotonic()
        try:
            faults.inject(name, fault.inject)
        except faults.FaultError:
            faults.mend(name)
            raise
        module.exit_json(changed=True, ago=round(time.monotonic() - begun, 3), unsupported="")
    except faults.FaultError as error:
        module.fail_json(msg=f"{name or 'mending'}: {error}")


if __name__ == "__main__":
    main()
