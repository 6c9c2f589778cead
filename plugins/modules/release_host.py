#!/usr/bin/python
# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: release_host
short_description: The host's half of the action release
version_added: 0.1.0
author: monitoring.ha contributors (@monitoring-ha)
description:
  - Looks for a release on the host and, given its archive, installs it. Playbooks use M(monitoring.ha.release).
attributes:
  check_mode:
    support: full
    description: Changes nothing, and says what it would do.
  diff_mode:
    support: full
    description: Shows the versions.
options:
  root:
    description: Directory that keeps the component's versions.
    type: path
    required: true
  version:
    description: The version that is wanted.
    type: str
    required: true
  pins:
    description:
      - Architecture to source to the checksums that are right for it; a source without any takes every archive of the version.
    type: dict
    default: {}
  files:
    description: Programs the archive has to contain.
    type: list
    elements: str
    default: []
  archive:
    description: The archive on the host. Without one the module only looks.
    type: path
  about:
    description: What the archive is, namely C(version), C(arch), C(sha256), C(source) and C(pin).
    type: dict
seealso:
  - module: monitoring.ha.release
"""

EXAMPLES = r"""
- name: Is it there?
  monitoring.ha.release_host:
    root: /opt/monitoring-ha/prometheus
    version: 3.16.0
"""

RETURN = r"""
found:
  description: Whether the release is on the host.
  returned: success
  type: bool
machine:
  description: The host's architecture.
  returned: success
  type: str
home:
  description: Directory of the version; empty when it is not there.
  returned: success
  type: str
current:
  description: The symlink to the newest version.
  returned: success
  type: str
version:
  description: The version.
  returned: success
  type: str
id:
  description: Changes whenever the binaries do.
  returned: success
  type: str
source:
  description: Where the archive came from; V(present) when it was there already.
  returned: success
  type: str
previous:
  description: Directory of the version before; empty without one.
  returned: success
  type: str
"""

import os
import platform

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.monitoring.ha.plugins.module_utils import installation


def main() -> None:
    """Look, and with an archive install."""
    module = AnsibleModule(
        argument_spec={
            "root": {"type": "path", "required": True},
            "version": {"type": "str", "required": True},
            "pins": {"type": "dict", "default": {}},
            "files": {"type": "list", "elements": "str", "default": []},
            "archive": {"type": "path"},
            "about": {"type": "dict"},
        },
        required_together=[("archive", "about")],
        supports_check_mode=True,
    )
    given = module.params
    root, machine = given["root"], platform.machine()
    before = installation.inspect(installation.current(root))
    try:
        if given["archive"] and not module.check_mode:
            found: installation.Installed | None = installation.install(root, given["archive"], given["about"], given["files"])
        else:
            arch = installation.ARCHITECTURES.get(machine, machine)
            found = installation.find(root, given["version"], arch, given["pins"].get(arch) or {})
    except installation.InstallError as error:
        module.fail_json(msg=f"{os.path.basename(root)} {given['version']}: {error}")
    except OSError as error:
        module.fail_json(msg=f"{error.filename or root}: {error.strerror}")
    moved = found is not None and found.home != installation.current(root)
    if found and moved and not module.check_mode:
        # A version that is still here becomes the current one again.
        installation.point(root, found.home)
    changed = moved or bool(given["archive"])
    module.exit_json(
        changed=changed,
        found=bool(found),
        machine=machine,
        home=found.home if found else "",
        current=os.path.join(root, installation.CURRENT),
        version=given["version"],
        id=found.identity if found else "",
        source=found.source if found and given["archive"] else "present",
        previous=before.home if before and changed else "",
        diff={"before": f"{before.version if before else 'absent'}\n", "after": f"{given['version']}\n"},
    )


if __name__ == "__main__":
    main()
