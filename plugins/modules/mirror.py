#!/usr/bin/python
# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: mirror
short_description: A directory with the archives that an inventory needs
version_added: 0.1.0
author: monitoring.ha contributors (@monitoring-ha)
description:
  - Obtains every release that the inventory asks for, as M(monitoring.ha.release) would, and puts the archives and a
    C(sha256sums.txt) into a directory on the controller.
  - Served by any web server, or carried to a site without internet, the directory is what C(release_mirror) names there.
attributes:
  check_mode:
    support: none
    description: Obtaining the archives is all it does.
  diff_mode:
    support: none
    description: Archives are not compared.
options:
  directory:
    description: Where to put them; by default the controller's cache, which is laid out the same.
    type: path
  components:
    description: Names in the lock file; by default those of components that some host runs, all of them where none does.
    type: list
    elements: str
  architectures:
    description: For which architectures; by default the controller's own. A crate is built for that one only.
    type: list
    elements: str
  mirror:
    description: Another mirror to take them from.
    type: str
  lock:
    description: A lock file of your own, on top of the collection's.
    type: str
"""

EXAMPLES = r"""
- name: Everything for hosts of both kinds
  monitoring.ha.mirror:
    directory: /srv/mirror
    architectures: [amd64, arm64]
"""

RETURN = r"""
directory:
  description: The directory.
  returned: success
  type: str
archives:
  description: The archives, with C(file), C(sha256) and C(source).
  returned: success
  type: list
  elements: dict
"""
