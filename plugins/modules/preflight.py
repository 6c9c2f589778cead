#!/usr/bin/python
# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight
short_description: Everything that is wrong with an inventory, in one list
version_added: 0.1.0
author: monitoring.ha contributors (@monitoring-ha)
description:
  - Checks the inventory against the catalogue and the roles' arguments, and judges what M(monitoring.ha.preflight_host) gathered.
  - Runs on the controller, once for all hosts, and changes nothing. Fails with every finding, a line each, that names the
    variable, the host and the remedy, and ends with a code in brackets.
attributes:
  check_mode:
    support: full
    description: Changes nothing anyway.
  diff_mode:
    support: none
    description: Changes nothing.
options:
  facts:
    description: Host to what M(monitoring.ha.preflight_host) returned as C(facts); empty for the inventory alone.
    type: dict
    default: {}
  needed:
    description: Hosts of which there have to be facts.
    type: list
    elements: str
    default: []
  accept:
    description: Codes of findings that are all right here, for instance V(members:prometheus) where one replica has to do.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: The inventory alone
  monitoring.ha.preflight:
  run_once: true
"""

RETURN = r"""
findings:
  description: Empty. What is wrong is in the message of the failure.
  returned: success
  type: list
  elements: str
"""
