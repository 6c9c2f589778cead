#!/usr/bin/python
# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: release
short_description: Put one verified version of an upstream release on a host
version_added: 0.1.0
author: monitoring.ha contributors (@monitoring-ha)
description:
  - Looks first at what is on the host, and does nothing, without asking the network, when it is right.
  - Otherwise takes the archive from the controller's cache, the mirror, the project's own archive, or a build from a package
    registry, in this order, and checks it against the lock file before it is sent.
  - Unpacks beside the other versions and swaps the symlink C(current). The previous version stays.
attributes:
  check_mode:
    support: full
    description: Tells what would be installed; fetches nothing.
  diff_mode:
    support: full
    description: Shows the versions.
options:
  component:
    description: Name of the release in the lock file.
    type: str
    required: true
  version:
    description: Version; by default the one in the lock file. It has to be in the lock file or in O(lock).
    type: str
  mirror:
    description:
      - URL or directory with the archives and a C(sha256sums.txt). By default the variable C(release_mirror).
      - A mirror that lacks an archive is passed over; one that does not answer is an error.
    type: str
  lock:
    description: A lock file of your own on the controller, on top of the collection's. By default the variable C(release_lock).
    type: str
  root:
    description: Directory below which releases are kept.
    type: path
    default: /opt/monitoring-ha
"""

EXAMPLES = r"""
- name: Prometheus, as the lock file says
  monitoring.ha.release:
    component: prometheus
  register: prometheus_release

- name: Another version, from a mirror
  monitoring.ha.release:
    component: prometheus
    version: 3.15.0
    mirror: https://mirror.example.org/monitoring-ha
    lock: "{{ inventory_dir }}/releases.lock.yml"
"""

RETURN = r"""
home:
  description: Directory of this version. Name it in units, so that the version changes when the unit does.
  returned: success
  type: str
  sample: /opt/monitoring-ha/prometheus/3.16.0-1f2e3d4c
current:
  description: The symlink to the newest version, for people.
  returned: success
  type: str
  sample: /opt/monitoring-ha/prometheus/current
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
  sample: official
machine:
  description: The host's architecture, as C(uname -m) has it.
  returned: success
  type: str
previous:
  description: Directory of the version before; empty without one.
  returned: success
  type: str
"""
