#!/usr/bin/python
# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: drill_fault
short_description: Make one failure, or mend it, and tell when
version_added: 0.1.0
author: monitoring.ha contributors (@monitoring-ha)
description:
  - A step of the playbook C(monitoring.ha.drill). Power is cut by a command on the controller; everything else happens on the host,
    which mends it by itself after O(deadline).
extends_documentation_fragment:
  - monitoring.ha.fault
options:
  state:
    description: V(present) makes the failure, V(absent) mends it.
    type: str
    choices: [present, absent]
    default: present
  fault:
    description: What is done, as C(do) in the collection's list of failures.
    type: str
    required: true
  directory:
    description: Where the drill keeps its record.
    type: path
    required: true
"""

EXAMPLES = r"""
- name: Prometheus hangs
  monitoring.ha.drill_fault:
    fault: hang
    given: {units: [prometheus.service]}
    directory: /tmp/drill
"""

RETURN = r"""
at:
  description: When it was done, or when mending began, in seconds since 1970 by the controller's clock.
  returned: success, but not in check mode
  type: float
ago:
  description: Seconds between the failure and the end of what made it.
  returned: when a failure was made, or a host was given its power again
  type: float
mended:
  description: Names of the failures that were mended on the host.
  returned: O(state=absent), unless O(fault) is the power cut
  type: list
  elements: str
unsupported:
  description: Why the failure cannot be made on this host; empty when it can.
  returned: success
  type: str
"""
