#!/usr/bin/python
# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: restore_point
short_description: Remember what a host runs, and bring it back
version_added: 0.1.0
author: monitoring.ha contributors (@monitoring-ha)
description:
  - Keeps, for each unit, its files, the configuration tree that counts and what it was started with; further trees; and the versions of
    packages.
  - Going back swaps the trees, writes the unit files, installs the packages of before, and restarts exactly the units that were changed,
    those of such packages included.
    What cannot be brought back is told at the end; all else is brought back nevertheless.
  - Data are not part of it.
attributes:
  check_mode:
    support: full
    description: Tells what would be brought back.
  diff_mode:
    support: none
    description: Names what was changed in the result.
options:
  state:
    description:
      - V(looked) only looks. V(saved) remembers the host as it is; after a change that was interrupted, what was remembered before it
        stays.
      - V(restored) goes back to what was remembered, V(absent) forgets it.
      - V(ended) forgets that the host has had its turn, as the whole roll-out for O(reason) has ended.
    type: str
    choices: [looked, saved, restored, absent, ended]
    required: true
  units:
    description: Name of each unit to the directory of its configuration, empty for none.
    type: dict
    default: {}
  packages:
    description: Debian packages whose versions are part of it, with all that are installed of the same sources.
    type: list
    elements: str
    default: []
  trees:
    description: Directories that several units use, as M(monitoring.ha.config_tree) makes them, which are part of it.
    type: list
    elements: path
    default: []
  reason:
    description:
      - Of the roll-out. With V(absent) the host remembers that its turn for this reason ended well, empty for no need to; the rest of an
        interrupted roll-out passes over it.
    type: str
    default: ''
  keep_packages:
    description: Whether their files are kept as well, where they can be had; archives offer the newest version only.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: What mon2 runs now
  monitoring.ha.restore_point:
    state: saved
    units: {prometheus.service: /etc/prometheus}

- name: Back to it
  monitoring.ha.restore_point:
    state: restored
"""

RETURN = r"""
releases:
  description: Versions of the releases that the units name, by component.
  returned: when O(state) is V(looked) or V(saved)
  type: dict
packages:
  description: Debian packages that the units, or the programs that they start, come from.
  returned: when O(state) is V(looked) or V(saved)
  type: list
  elements: str
versions:
  description: Versions of O(packages), and of what is installed of the same sources; empty for one that is not installed.
  returned: when O(state) is V(looked) or V(saved)
  type: dict
unfinished:
  description: Whether something is remembered, so that a change did not come to its end here.
  returned: when O(state) is V(looked) or V(saved)
  type: bool
turns:
  description: Reasons of roll-outs that have not ended, in which the host's turn ended well, to the seconds since then.
  returned: when O(state) is V(looked) or V(saved)
  type: dict
changes:
  description: What was brought back, a line each.
  returned: when O(state) is V(restored)
  type: list
  elements: str
"""

import time
from dataclasses import replace

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.monitoring.ha.plugins.module_utils import restore_point, tree, units


def main() -> None:
    """Arguments in, result out."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["looked", "saved", "restored", "absent", "ended"], "required": True},
            "units": {"type": "dict", "default": {}},
            "packages": {"type": "list", "elements": "str", "default": []},
            "trees": {"type": "list", "elements": "path", "default": []},
            "reason": {"type": "str", "default": ""},
            "keep_packages": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    given = module.params
    try:
        if given["state"] in ("looked", "saved"):
            wanted = {unit: str(directory or "") for unit, directory in given["units"].items()}
            point = restore_point.look(wanted, given["packages"], given["trees"])
            unfinished = restore_point.load() is not None
            if given["state"] == "saved" and not module.check_mode:
                # Of what an interrupted change began with, where there was one.
                kept = point if restore_point.begin(point) else restore_point.load() or point
                for lacking in restore_point.keep_packages(kept.packages) if given["keep_packages"] else []:
                    module.warn(f"{lacking}: nobody offers this version any more, so that the way back to it is closed")
            found = {name: version for its in point.units for name, version in restore_point.releases(its.files).items()}
            owners = restore_point.owners(list(given["units"]))
            turns = restore_point.turns(time.time())
            module.exit_json(changed=False, releases=found, packages=owners, versions=point.packages, turns=turns, unfinished=unfinished)
        if given["state"] == "ended":
            module.exit_json(changed=restore_point.forget_turn(given["reason"], check=module.check_mode))
        if given["state"] == "absent":
            if given["reason"] and not module.check_mode:
                restore_point.note_turn(given["reason"], time.time())
            module.exit_json(changed=restore_point.load() is not None if module.check_mode else restore_point.forget())
        before = restore_point.load()
        if before is None:
            module.fail_json(msg="no restore point was saved on this host")
        changes = restore_point.restore(before, check=module.check_mode)
        if not module.check_mode:
            restore_point.save(replace(before, restored=True))
    except (restore_point.RestoreError, units.UnitError, tree.TreeError) as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"{error.filename}: {error.strerror}")
    module.exit_json(changed=bool(changes), changes=changes)


if __name__ == "__main__":
    main()
