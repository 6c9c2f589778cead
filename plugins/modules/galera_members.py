#!/usr/bin/python
# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: galera_members
short_description: Who of a Galera cluster runs, and who writes
version_added: 0.1.0
author: monitoring.ha contributors (@monitoring-ha)
description:
  - Asks the daemon beside every member. Changes nothing, and does not fail when members do not answer.
  - Runs once, on any of the members.
attributes:
  check_mode:
    support: full
    description: Changes nothing anyway.
  diff_mode:
    support: none
    description: Changes nothing.
extends_documentation_fragment:
  - monitoring.ha.identity
options:
  members:
    description: Name of each member to the C(address:port) of its daemon.
    type: dict
    required: true
  patience:
    description: Seconds for which members that do not answer are asked again.
    type: int
    default: 5
"""

EXAMPLES = r"""
- name: Who writes?
  monitoring.ha.galera_members:
    members: {db1: "192.0.2.11:9105", db2: "192.0.2.12:9105", db3: "192.0.2.13:9105"}
  run_once: true
  register: found
"""

RETURN = r"""
writer:
  description: Name of the member that writes; empty for nobody.
  returned: success
  type: str
synced:
  description: Names of the members that have everything.
  returned: success
  type: list
  elements: str
asleep:
  description: Whether no server runs; members have to be started together then, as each may wait for another one.
  returned: success
  type: bool
members:
  description: Each of them in words.
  returned: success
  type: list
  elements: str
"""

import time
from concurrent.futures import ThreadPoolExecutor

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.monitoring.ha.plugins.module_utils import galera, identity
from ansible_collections.monitoring.ha.plugins.module_utils.https import Client, Unanswered


def ask(asker: Client, name: str, authority: str) -> galera.Member:
    """What a member's daemon tells."""
    try:
        return galera.Member.of(name, asker.at(authority).json("/state"))
    except (Unanswered, KeyError, TypeError, ValueError):
        return galera.Member.of(name, None)


def main() -> None:
    """Ask all of them at once."""
    module = AnsibleModule(
        argument_spec={"members": {"type": "dict", "required": True}, "patience": {"type": "int", "default": 5}, **identity.OPTIONS},
        supports_check_mode=True,
    )
    given = module.params
    asker = identity.client(given)
    end = time.monotonic() + (0 if module.check_mode else given["patience"])
    with ThreadPoolExecutor(max(1, len(given["members"]))) as pool:
        while True:
            found = list(pool.map(lambda entry: ask(asker, *entry), given["members"].items()))
            if time.monotonic() > end or not any(member.state == "silent" for member in found):
                break
            time.sleep(0.5)
    module.exit_json(
        changed=False,
        writer=next((member.name for member in found if member.writer), ""),
        synced=[member.name for member in found if member.synced],
        asleep=galera.asleep(found),
        members=[str(member) for member in found],
    )


if __name__ == "__main__":
    main()
