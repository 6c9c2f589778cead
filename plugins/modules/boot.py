#!/usr/bin/python
# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: boot
short_description: Which boot a host runs, or waiting for another one
version_added: 0.1.0
author: monitoring.ha contributors (@monitoring-ha)
description:
  - Tells one boot from another, by the kernel's identifier and by when systemd was started, which is what a restart changes in a container.
  - Asked for another one, it goes on asking while the host still runs and while it cannot be reached.
attributes:
  check_mode:
    support: full
    description: Does not wait.
  diff_mode:
    support: none
    description: Changes nothing.
options:
  after:
    description: Boot, as returned before, after which another one has to come. Empty for none.
    type: str
    default: ''
  timeout:
    description: Seconds until then.
    type: int
    default: 600
"""

EXAMPLES = r"""
- name: Which boot is it?
  monitoring.ha.boot:
  register: before

- name: Reboot from outside
  ansible.builtin.command: cloud instance reboot {{ inventory_hostname }}
  delegate_to: localhost

- name: It has been started anew
  monitoring.ha.boot:
    after: "{{ before.boot }}"
"""

RETURN = r"""
boot:
  description: What tells this boot from all others.
  returned: success
  type: str
"""
