# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: grafana_provisioning
short_description: Grafana's provisioning files
version_added: 0.1.0
author: monitoring.ha contributors (@monitoring-ha)
description:
  - Gives the files for M(monitoring.ha.config_tree). What is written arrives as it is; Grafana's own replacements
    (C($__file{...}), C($__env{...})) stay possible as whole values.
options:
  _input:
    description: Data sources, as in Grafana's documentation.
    type: list
    elements: dict
    required: true
  folders:
    description: Folders of dashboards, each with C(name), C(folder) and C(path).
    type: list
    elements: dict
    required: true
  alerting:
    description: Kind, as in Grafana's documentation, to its entries.
    type: dict
    required: true
  organisations:
    description: Name to number, for entries that name their C(organisation); 0 for one that is still to be made.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: One data source, nothing else
  ansible.builtin.debug:
    msg: "{{ [{'name': 'Thanos', 'type': 'prometheus', 'url': 'http://127.0.0.1:9090'}] | monitoring.ha.grafana_provisioning([], {}, {}) }}"
"""

RETURN = r"""
_value:
  description: Entries of files.
  type: list
  elements: dict
"""

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.monitoring.ha.plugins.plugin_utils import grafana


def grafana_provisioning(
    datasources: list[Mapping[str, Any]],
    folders: list[Mapping[str, Any]],
    alerting: Mapping[str, list[Any]],
    organisations: Mapping[str, int],
) -> list[dict[str, Any]]:
    """Entries of ``files``."""
    try:
        return grafana.provisioning(datasources, folders, alerting, organisations)
    except grafana.ProvisioningError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """Filters of the collection."""

    def filters(self) -> dict[str, Any]:
        return {"grafana_provisioning": grafana_provisioning}
