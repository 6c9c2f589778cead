#!/usr/bin/python
# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: grafana_diff
short_description: Compare Grafana with a tree of files
version_added: 0.1.0
author: monitoring.ha contributors (@monitoring-ha)
description:
  - Lists what was added, changed and removed in Grafana since a tree was written. Changes nothing.
  - Compares what the tree was exported with, within what is chosen here. Values of secrets cannot be compared, only which ones are set.
  - What the export could not read is in no tree, and is not taken for something that was added.
  - For a tree of all organisations the user has to be a server administrator, unless O(organisations) names those that are meant.
attributes:
  check_mode:
    support: full
    description: The same, as nothing is changed anyway.
  diff_mode:
    support: full
    description: Shows every object as the tree has it and as Grafana has it.
extends_documentation_fragment:
  - monitoring.ha.grafana
  - monitoring.ha.grafana.selection
  - monitoring.ha.grafana.mapping
"""

EXAMPLES = r"""
- name: What has been changed by hand
  monitoring.ha.grafana_diff:
    url: https://grafana.example.org
    token: "{{ vaulted_token }}"
    src: "{{ playbook_dir }}/grafana/production"
    kinds: [dashboards, alert_rules]
  register: drift
  failed_when: drift.drifted
"""

RETURN = r"""
drifted:
  description: Whether there is any difference.
  returned: success
  type: bool
differences:
  description: The objects that differ.
  returned: success
  type: dict
  contains:
    added:
      description: Objects that Grafana has and the tree has not.
      type: list
      elements: dict
      contains: &object
        organisation:
          description: Name of the organisation.
          type: str
        kind:
          description: Kind of the object.
          type: str
        key:
          description: What the object is known by; its uid, or its name.
          type: str
        name:
          description: Its name or title.
          type: str
        folder:
          description: Titles of the folders that it is in, from the root, with C(/) between.
          type: str
    changed:
      description: Objects that both have, and that differ.
      type: list
      elements: dict
      contains: *object
    removed:
      description: Objects that the tree has and Grafana has not.
      type: list
      elements: dict
      contains: *object
organisations_added:
  description:
    - Organisations that Grafana has and the tree has not, where it was exported with all of them and O(organisations) names none. What is
      in them is not listed.
    - With a token there are none, as it belongs to one organisation.
  returned: success
  type: list
  elements: str
organisations_removed:
  description: Organisations that the tree has and Grafana has not.
  returned: success
  type: list
  elements: str
warnings:
  description: What people should know about the comparison, for instance directories of the tree that are of no known kind.
  returned: when there is anything
  type: list
  elements: str
problems:
  description:
    - Data sources that O(datasource_map) names, and that are missing where they are in use or everywhere, and inputs without a value.
    - Nothing was compared.
  returned: when there are any
  type: list
  elements: str
  sample: ["Main Org.: datasource_map: Grafana has no data source 'metrics'"]
failures:
  description: Objects of Grafana that could not be read.
  returned: when there are any
  type: list
  elements: dict
error:
  description: Name of the type of error.
  returned: failure
  type: str
  sample: TreeError
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.monitoring.ha.plugins.module_utils.grafana import client, importer, options
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.errors import GrafanaError


def main() -> None:
    """Arguments in, result out."""
    module = AnsibleModule(argument_spec=options.DIFF, supports_check_mode=True, **options.TOGETHER)
    if client.REQUESTS_ERROR:
        module.fail_json(msg=missing_required_lib("requests"), exception=client.REQUESTS_ERROR)
    given = module.params
    try:
        request = options.request(given, drift=True)
        with options.client(given) as grafana:
            found = importer.compare(grafana, Path(given["src"]), request)
    except GrafanaError as error:
        module.fail_json(msg=str(error), **options.failed(error))
    result = options.drifted(found)
    for warning in result.pop("warnings"):
        module.warn(warning)
    if module._diff:
        result["diff"] = options.diffs(found, towards_tree=False)
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
