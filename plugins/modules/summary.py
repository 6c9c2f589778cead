#!/usr/bin/python
# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: summary
short_description: What runs where and how to open it
version_added: 0.1.0
author: monitoring.ha contributors (@monitoring-ha)
description:
  - Shows a table for people, without passwords, and writes the same with them for programs. Runs on the controller.
attributes:
  check_mode:
    support: full
    description: Shows the table, writes nothing.
  diff_mode:
    support: none
    description: The file holds passwords.
options:
  pki_directory:
    description: The directory of the role P(monitoring.ha.pki#role).
    type: path
    required: true
  file:
    description: Where to write addresses, URLs and credentials as JSON, readable by the owner alone. Empty for nowhere.
    type: path
"""

EXAMPLES = r"""
- name: What runs where
  monitoring.ha.summary:
    pki_directory: "{{ inventory_dir }}/.pki"
  run_once: true
"""

RETURN = r"""
file:
  description: The file.
  returned: success
  type: str
"""
