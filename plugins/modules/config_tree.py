#!/usr/bin/python
# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: config_tree
short_description: A component's whole configuration directory, validated and swapped in at once
version_added: 0.1.0
author: monitoring.ha contributors (@monitoring-ha)
description:
  - Renders all files of a configuration on the controller and ships them in one round trip.
  - Stages the whole tree on the host, runs O(validate) on it, and swaps it in by a symlink only when every command accepts it.
  - A file that is no longer rendered disappears. The previous tree is kept beside the new one for going back.
  - What stood at O(dest) before the first run is kept under C(adopted-*) among the trees.
attributes:
  check_mode:
    support: full
    description: Stages and validates in a temporary directory, as far as the programs that validate are there.
  diff_mode:
    support: full
    description: Shows every file that changes, without what looks like a secret; of a secret one only that it does.
options:
  dest:
    description: The configuration directory. Becomes a symlink. Its files refer to each other by relative paths.
    type: path
    required: true
  files:
    description: The files of the tree; there are no others afterwards.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: Path inside the tree.
        type: str
        required: true
      template:
        description: Template to render, looked for as by M(ansible.builtin.template).
        type: str
      src:
        description: File on the controller to take as it is.
        type: str
      content:
        description: The content itself.
        type: str
      vars:
        description: Further variables for the template.
        type: dict
      mode:
        description: Permission bits; by default O(mode).
        type: str
      owner:
        description: Owner; by default O(owner).
        type: str
      group:
        description: Group; by default O(group).
        type: str
      secret:
        description: The content appears in no diff, result or message.
        type: bool
        default: false
  owner:
    description: Owner of the files.
    type: str
    default: root
  group:
    description: Group of the files and directories.
    type: str
    default: root
  mode:
    description: Permission bits of the files.
    type: str
    default: "0640"
  directory_mode:
    description: Permission bits of the directories.
    type: str
    default: "0750"
  validate:
    description:
      - Commands, each a list of words, that have to succeed on the staged tree, for which V({staged}) stands.
      - A tree that is there already is shown to them again when they are others, or when their program is another version.
    type: list
    elements: list
    default: []
  environment:
    description: Further environment of the commands.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Configuration
  monitoring.ha.config_tree:
    dest: /etc/prometheus
    group: prometheus
    files:
      - {path: prometheus.yml, template: prometheus.yml.j2}
      - {path: rules/site.yml, src: rules/site.yml}
      - {path: secrets/token, content: "{{ vaulted_token }}", secret: true}
    validate:
      - [/opt/monitoring-ha/prometheus/current/promtool, check, config, "{staged}/prometheus.yml"]
  register: prometheus_tree
"""

RETURN = r"""
digest:
  description: Changes whenever a path, content, owner or mode in the tree does.
  returned: success
  type: str
digests:
  description: Path to the sha256 of the content.
  returned: success
  type: dict
previous:
  description: Directory of the tree before; empty when there was none, or when nothing changed.
  returned: success
  type: str
validated:
  description: Whether all commands ran; false when they have accepted the tree before, or in check mode when a program is not there yet.
  returned: success
  type: bool
"""
