#!/usr/bin/python
# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: upgrade_plan
short_description: Who is upgraded, in which order, from what to what
version_added: 0.1.0
author: monitoring.ha contributors (@monitoring-ha)
description:
  - Compares what hosts run with what the lock file and the roles' variables want, and puts the hosts in order.
  - Fails, naming host, component and remedy, where a version must not be reached in one step, and where the backups are too old.
  - Runs on the controller, once for all hosts, and changes nothing.
attributes:
  check_mode:
    support: full
    description: Changes nothing anyway.
  diff_mode:
    support: none
    description: Changes nothing.
options:
  releases:
    description: Host to the versions of its releases, as M(monitoring.ha.restore_point) finds them.
    type: dict
    required: true
  last:
    description: Hosts that lead something, the most important one at the end.
    type: list
    elements: str
    default: []
  strategy:
    description:
      - V(one_by_one), one host after the other. V(canary), the first one is watched for a while before the others follow, and so is
        the first one of those that are only monitored.
      - V(failure_domain), the hosts of a domain together, as far as every component keeps its majority and a member.
    type: str
    choices: [one_by_one, canary, failure_domain]
    default: one_by_one
  fleet_batch:
    description: How many hosts that are only monitored have their turn at once; a number or a percentage.
    type: raw
    default: 25%
  fleet_failures:
    description: Percentage of those hosts that may fail before the roll-out stops.
    type: int
    default: 0
  lock:
    description: A lock file of the site's own, whose components and pins come on top of the collection's.
    type: str
    default: ''
  away:
    description: Hosts that could not be looked at; that is a reason not to begin when one is part of the stack.
    type: list
    elements: str
    default: []
  everybody:
    description: Whether hosts whose versions stay as they are have their turn, too.
    type: bool
    default: true
  turns:
    description: Host to what M(monitoring.ha.restore_point) returns as C(turns), reasons to the seconds since its turn ended well.
    type: dict
    default: {}
  reason:
    description: Reason of this roll-out, by which O(turns) are told.
    type: str
    default: ''
  resume:
    description: How long ago, as C(3d), such a turn may be for the host not to need another one in spite of O(everybody). Empty for any
      host's having one.
    type: str
    default: ''
  unfinished:
    description: Hosts whose last turn did not come to its end, which have one in any case.
    type: list
    elements: str
    default: []
  downgrade:
    description: Whether an older version is all right.
    type: bool
    default: false
  backups:
    description: Member of the group C(backup) to what its C(status --json) printed, empty where there was no run yet. Those that are not
      in it could not be asked.
    type: dict
    default: {}
  backup_max_age:
    description: Age, as C(1h), that the youngest of them may have where a version on a host of the stack changes, or for the O(reason)
      C(packages); when nobody could be asked, that is a reason not to begin. Empty for any.
    type: str
    default: ''
  idle:
    description: Load balancers whose keepalived does not run, or could not be asked, so that the address may have nowhere to go.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Plan
  monitoring.ha.upgrade_plan:
    releases: {mon1: {prometheus: 3.15.0}, mon2: {prometheus: 3.15.0}}
    last: [mon1]
  run_once: true
"""

RETURN = r"""
turns:
  description: Hosts of the stack, in the order of their turns.
  returned: always
  type: list
  elements: str
batches:
  description: How many of them at once.
  returned: always
  type: list
  elements: int
fleet:
  description: Hosts that are only monitored.
  returned: always
  type: list
  elements: str
fleet_batches:
  description: How many of them at once, numbers or percentages; the last one is for all that follow.
  returned: always
  type: list
  elements: raw
fleet_failures:
  description: Percentage of them that may fail before the roll-out stops.
  returned: always
  type: int
canaries:
  description: Hosts that are watched for a while before others follow.
  returned: always
  type: list
  elements: str
right:
  description: Hosts that need no turn.
  returned: always
  type: list
  elements: str
moves:
  description: Host to what changes there, a line each.
  returned: always
  type: dict
problems:
  description: Why it must not begin, a line each.
  returned: always
  type: list
  elements: str
"""
