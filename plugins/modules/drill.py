#!/usr/bin/python
# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: drill
short_description: A step of a failover drill
version_added: 0.1.0
author: monitoring.ha contributors (@monitoring-ha)
description:
  - Chooses drills, starts what measures them, waits, judges and reports. The playbook C(monitoring.ha.drill) puts the steps in order.
  - Runs on the controller. Failures themselves are made by M(monitoring.ha.drill_fault).
attributes:
  check_mode:
    support: partial
    description: Says which drills are meant with O(step=choose). There is no measuring without doing.
  diff_mode:
    support: none
    description: Nothing is configured.
options:
  step:
    description:
      - V(choose) tells which drills are meant.
      - V(guard) leaves a process beside the playbook that takes away whatever drills left on hosts, should the playbook go.
      - V(look) tells whether the virtual address has to be moved away from the database's leader first.
      - V(begin) waits until the stack is whole and starts the probes.
      - V(last) waits until a failure has lasted.
      - V(finish) waits until the stack is whole again, and judges.
      - V(log) puts the components' logs beside the verdict.
      - V(tell) writes the report.
    type: str
    choices: [choose, guard, look, begin, last, finish, log, tell]
    required: true
  options:
    description: The variables of the role P(monitoring.ha.drill#role), without their prefix, as C(drill_options) of the role names them.
    type: dict
    required: true
  index:
    description: Which of the drills that were chosen.
    type: int
    default: 0
  addresses:
    description: Load balancer to what C(ip -o address) says there.
    type: dict
    default: {}
  logs:
    description: Host to what its components said.
    type: dict
    default: {}
  unmended:
    description: Hosts on which mending did not work.
    type: list
    elements: str
    default: []
  unsupported:
    description: Why hosts cannot have the failure.
    type: list
    elements: str
    default: []
  unreachable:
    description: Hosts that the failure would strike, and that cannot be reached.
    type: list
    elements: str
    default: []
  trouble:
    description: What went wrong between the steps, or instead of them.
    type: str
"""

EXAMPLES = r"""
- name: What is meant
  monitoring.ha.drill:
    step: choose
    options:
      wanted: core
      directory: drill-report
      pki_directory: "{{ inventory_dir }}/.pki"
  run_once: true
"""

RETURN = r"""
seconds:
  description: How long the step took.
  returned: success
  type: float
drills:
  description: The drills that are meant, with C(index) and C(name).
  returned: O(step=choose)
  type: list
  elements: dict
marks:
  description: Hosts that are marked so that alerts fire, with the C(path) of the mark.
  returned: O(step=choose)
  type: list
  elements: dict
hosts:
  description: Hosts of the stack.
  returned: O(step=choose)
  type: list
  elements: str
longest:
  description: Seconds that all of it may take.
  returned: O(step=choose)
  type: int
move:
  description: The host from which the virtual address has to be moved away; empty when it has not.
  returned: O(step=look)
  type: str
unit:
  description: The unit that is restarted there for it.
  returned: O(step=look)
  type: str
faults:
  description: What is done to which host.
  returned: O(step=look), and O(step=begin) where the drill can be run
  type: list
  elements: dict
run:
  description: Whether the drill can be run.
  returned: O(step=begin)
  type: bool
directory:
  description: Where the drill keeps its record.
  returned: O(step=begin), where the drill can be run
  type: str
deadline:
  description: Seconds after which a host mends the failure by itself.
  returned: O(step=begin), where the drill can be run
  type: int
early:
  description: Whether the failure was ended before its time, as clients had been without answers for too long.
  returned: O(step=last)
  type: bool
verdict:
  description: V(passed), V(failed), V(not run) or V(error).
  returned: O(step=finish)
  type: str
halt:
  description: Whether no further drill is begun.
  returned: O(step=finish)
  type: bool
since:
  description: When the drill began, in seconds since 1970.
  returned: O(step=finish)
  type: int
logged:
  description: Hosts whose logs are part of the report.
  returned: O(step=finish)
  type: list
  elements: str
units:
  description: Units whose logs are.
  returned: O(step=finish)
  type: list
  elements: str
states:
  description: Verdict to the number of drills that came to it.
  returned: O(step=tell)
  type: dict
"""
