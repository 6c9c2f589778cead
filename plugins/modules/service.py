#!/usr/bin/python
# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: service
short_description: A systemd unit that runs with exactly this release and configuration, and behaves
version_added: 0.1.0
author: monitoring.ha contributors (@monitoring-ha)
description:
  - Writes the unit or a drop-in, and starts, restarts or reloads it when what it runs with differs from what it should.
  - That is recorded on the host, after the gate has passed. A run that died in between is finished by the next one,
    also by one that goes back; there is no handler that can be forgotten.
  - Hosts are looked at together, and those where something differs have their turn one after the other. The gate is part of a turn,
    and when one host does not pass, those after it are left as they are, unless several have their turn together.
attributes:
  check_mode:
    support: full
    description: Tells what would be done.
  diff_mode:
    support: full
    description: Shows unit files and drop-ins.
options:
  unit:
    description: Name of the unit, with its suffix.
    type: str
    required: true
  template:
    description: Template of the whole unit file.
    type: str
  content:
    description: The whole unit file.
    type: str
  dropin_template:
    description: Template of a drop-in for a package's unit.
    type: str
  dropin:
    description: A drop-in for a package's unit.
    type: str
  restart_on:
    description: Values that a change of which needs a restart. The unit file itself is always one.
    type: list
    elements: str
    default: []
  reload_on:
    description: Values for a change of which a reload does.
    type: list
    elements: str
    default: []
  restart_files:
    description: Files on the host, for a change of whose content a restart is needed.
    type: list
    elements: path
    default: []
  reload_files:
    description: Files on the host, for a change of whose content a reload does; for instance certificates.
    type: list
    elements: path
    default: []
  state:
    description:
      - Whether the unit runs.
      - V(installed) writes its files and leaves it as it is, for what is started by something else, such as a timer.
    type: str
    choices: [started, stopped, installed]
    default: started
  enabled:
    description: Whether it starts with the host.
    type: bool
    default: true
  gate:
    description: Arguments of M(monitoring.ha.gate), which has to pass, whether or not something had to be done.
    type: dict
  at_once:
    description: How many hosts have their turn together; 0 for all of them.
    type: int
    default: 1
  timeout:
    description: Seconds that systemd may take.
    type: int
    default: 120
"""

EXAMPLES = r"""
- name: Service
  monitoring.ha.service:
    unit: prometheus.service
    template: prometheus.service.j2
    reload_on: ["{{ prometheus_tree.digest }}"]
    gate:
      component: prometheus
      address: 192.0.2.11
      port: 9090
"""

RETURN = r"""
action:
  description: What was done, or would be in check mode.
  returned: success
  type: str
  sample: reload
reasons:
  description: Why.
  returned: success
  type: list
  elements: str
"""
