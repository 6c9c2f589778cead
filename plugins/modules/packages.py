#!/usr/bin/python
# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: packages
short_description: Debian packages, without a look at the network when they are there
version_added: 0.1.0
author: monitoring.ha contributors (@monitoring-ha)
description:
  - Asks the host's own package database first. Only when something is missing the lists are refreshed and
    M(ansible.builtin.apt) installs it.
  - Daemons are not started by the installation, and recommended packages are left out.
attributes:
  check_mode:
    support: full
    description: Tells what would be installed.
  diff_mode:
    support: none
    description: Names what is missing in the result.
options:
  names:
    description: Names of the packages; C(name=version) for exactly that version, also where it is an older one.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: HAProxy
  monitoring.ha.packages:
    names: [haproxy]

- name: Grafana from a repository that has many versions of it
  monitoring.ha.packages:
    names: [grafana=13.2.1]
"""

RETURN = r"""
missing:
  description: What was not installed before.
  returned: success
  type: list
  elements: str
"""

import subprocess

from ansible.module_utils.basic import AnsibleModule


def installed(listing: str) -> set[str]:
    """Names of installed packages in the output of ``dpkg-query``, and each with its version: ``haproxy``, ``haproxy=3.0.11-1``."""
    found: set[str] = set()
    for line in listing.splitlines():
        name, version, state = line.split(" ")
        if state == "installed":
            found |= {name.partition(":")[0], f"{name.partition(':')[0]}={version}"}
    return found


def main() -> None:
    """Which are missing? Installing them is the action's part."""
    module = AnsibleModule(argument_spec={"names": {"type": "list", "elements": "str", "required": True}}, supports_check_mode=True)
    names = module.params["names"]
    command = ["dpkg-query", "--show", "--showformat", "${binary:Package} ${Version} ${db:Status-Status}\n"]
    command += [name.partition("=")[0] for name in names]
    try:
        listing = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    except FileNotFoundError:
        module.fail_json(msg="dpkg-query: no such program: the host has to run Debian")
    missing = [name for name in names if name not in installed(listing)]
    module.exit_json(changed=bool(missing), missing=missing)


if __name__ == "__main__":
    main()
