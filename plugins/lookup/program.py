# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: program
short_description: Files of a program of the collection's that runs on hosts without Ansible
version_added: 0.1.0
author: monitoring.ha contributors (@monitoring-ha)
description:
  - Entries of O(monitoring.ha.config_tree#module:files) that put modules of the collection below C(lib), where Python finds them
    by their names with C(PYTHONPATH) set to it.
options:
  _terms:
    description: Names of modules of C(plugins/module_utils), with all that they import.
    type: list
    required: true
    elements: str
"""

EXAMPLES = r"""
- name: A daemon
  monitoring.ha.config_tree:
    dest: /etc/monitoring-ha/example
    files: "{{ query('monitoring.ha.program', 'https', 'galera') }}"
"""

RETURN = r"""
_raw:
  description: C(path) and C(src) of each module, and the package that they are in.
  type: list
  elements: dict
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible_collections.monitoring.ha.plugins.module_utils import https

#: Where the modules are, and by which names they know each other; any of them tells.
LIBRARY = Path(https.__file__).parent
NAMES = https.__name__.split(".")[:-1]


def files(names: Sequence[str]) -> list[dict[str, str]]:
    """Entries for the modules, and for the package that they are in. AnsibleLookupError for a module that there is not."""
    found = [{"path": f"lib/{NAMES[0]}/__init__.py", "content": ""}]
    for name in names:
        source = LIBRARY / f"{name}.py"
        if not source.is_file():
            raise AnsibleLookupError(f"program: the collection has no module {name!r}")
        found.append({"path": "/".join(["lib", *NAMES, source.name]), "src": str(source)})
    return found


class LookupModule(LookupBase):
    """``query('monitoring.ha.program', 'https', 'galera')``."""

    def run(self, terms: list[str], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[dict[str, str]]:
        """One entry a file."""
        self.set_options(var_options=variables, direct=kwargs)
        return files(terms)
