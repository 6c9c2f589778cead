#!/usr/bin/python
# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: silence
short_description: Silence alerts while somebody works on what they are about
version_added: 0.1.0
author: monitoring.ha contributors (@monitoring-ha)
description:
  - Keeps one silence for alerts that have all of O(labels), and ends it again. Silences of people are never touched.
attributes:
  check_mode:
    support: full
    description: Tells whether a silence would be made or ended.
  diff_mode:
    support: none
    description: Names the silence in the result.
extends_documentation_fragment:
  - monitoring.ha.identity
options:
  address:
    description: Address of an Alertmanager; its members tell each other.
    type: str
    required: true
  port:
    description: Its port.
    type: int
    required: true
  labels:
    description: Labels that an alert has to have.
    type: dict
    required: true
  comment:
    description: Why, for whoever wonders.
    type: str
    default: Under maintenance
  duration:
    description: How long it lasts when nobody ends it, like V(30m).
    type: str
    default: 30m
  state:
    description: Whether there is one.
    type: str
    choices: [present, absent]
    default: present
"""

EXAMPLES = r"""
- name: Nobody is paged about mon2 for half an hour
  monitoring.ha.silence:
    address: 192.0.2.100
    port: 9093
    labels: {host: mon2}
    comment: Its disks are replaced
"""

RETURN = r"""
ids:
  description: Identifiers of the silences that are there, or that were ended.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.monitoring.ha.plugins.module_utils import durations, identity, silences
from ansible_collections.monitoring.ha.plugins.module_utils.https import Unanswered


def main() -> None:
    """Arguments in, result out."""
    module = AnsibleModule(
        argument_spec={
            "address": {"type": "str", "required": True},
            "port": {"type": "int", "required": True},
            "labels": {"type": "dict", "required": True},
            "comment": {"type": "str", "default": "Under maintenance"},
            "duration": {"type": "str", "default": "30m"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            **identity.OPTIONS,
        },
        supports_check_mode=True,
    )
    given = module.params
    client = identity.client(given, given["address"], given["port"])
    if not given["labels"]:
        module.fail_json(msg="labels: name one at least, as a silence without any is one for everything")
    try:
        if given["state"] == "absent":
            ids = silences.absent(client, given["labels"], check=module.check_mode)
            module.exit_json(changed=bool(ids), ids=ids)
        seconds = durations.seconds(given["duration"])
        changed, identifier = silences.present(client, given["labels"], given["comment"], seconds, silences.now(), check=module.check_mode)
    except (Unanswered, ValueError, KeyError) as error:
        module.fail_json(msg=f"Alertmanager: {error}")
    module.exit_json(changed=changed, ids=[identifier] if identifier else [])


if __name__ == "__main__":
    main()
