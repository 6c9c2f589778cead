#!/usr/bin/python
# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: config_tree_host
short_description: The host's half of the action config_tree
version_added: 0.1.0
author: monitoring.ha contributors (@monitoring-ha)
description:
  - Stages, validates and swaps in a tree that the controller has rendered. Playbooks use M(monitoring.ha.config_tree).
attributes:
  check_mode:
    support: full
    description: Stages and validates in a temporary directory.
  diff_mode:
    support: full
    description: Shows every file that changes; of a secret one only that it does.
options:
  dest:
    description: The configuration directory.
    type: path
    required: true
  packed:
    description: The files with their owners, modes and secrecy, packed by the action.
    type: str
    required: true
  group:
    description: Group of the directories.
    type: str
    default: root
  directory_mode:
    description: Permission bits of the directories.
    type: str
    default: "0750"
  validate:
    description: Commands that have to succeed on the staged tree.
    type: list
    elements: list
    default: []
  environment:
    description: Further environment of the commands.
    type: dict
    default: {}
seealso:
  - module: monitoring.ha.config_tree
"""

EXAMPLES = r"""
- name: An empty tree
  monitoring.ha.config_tree_host:
    dest: /etc/example
    packed: H4sIAAAAAAAC/+3BAQ0AAADCoPdPbQ8HFAAAAAAAAAAAAAAAAAAAAPwbWVpf5QAoAAA=
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
  description: Whether all commands ran.
  returned: success
  type: bool
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.monitoring.ha.plugins.module_utils import tree


def main() -> None:
    """Arguments in, result out."""
    module = AnsibleModule(
        argument_spec={
            "dest": {"type": "path", "required": True},
            "packed": {"type": "str", "required": True, "no_log": True},
            "group": {"type": "str", "default": "root"},
            "directory_mode": {"type": "str", "default": "0750"},
            "validate": {"type": "list", "elements": "list", "default": []},
            "environment": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    given = module.params
    try:
        outcome = tree.apply(
            given["dest"].rstrip("/"),
            tree.unpack(given["packed"]),
            group=given["group"],
            directory_mode=int(given["directory_mode"], 8),
            commands=given["validate"],
            environment={name: str(value) for name, value in given["environment"].items()},
            check=module.check_mode,
            diff=module._diff,
        )
    except tree.TreeError as error:
        module.fail_json(msg=f"{given['dest']}: {error}")
    except OSError as error:
        module.fail_json(msg=f"{error.filename or given['dest']}: {error.strerror}")
    module.exit_json(**outcome.as_dict())


if __name__ == "__main__":
    main()
