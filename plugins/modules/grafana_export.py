#!/usr/bin/python
# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: grafana_export
short_description: Write Grafana to a tree of files
version_added: 0.1.0
author: monitoring.ha contributors (@monitoring-ha)
description:
  - Writes organisations as a directory with one file an object, and a manifest with counts, Grafana's version and the sha256 of every
    file. The same state gives the same bytes on any instance, so that the tree can be kept in Git.
  - Every object that Grafana lists is read, or the module fails and names it. The directory is replaced as a whole at the end, and stays
    as it was when anything fails.
  - Dashboards are written in the schema in which they are stored.
  - Secrets are not in the tree, as Grafana does not give them out; the files say which ones are set.
  - Users and their membership of organisations, snapshots, public dashboards, correlations, silences, tokens of service accounts and
    everything of the paid editions are not exported.
  - Further trees of notification policies and inhibition rules, which Grafana 13 may have, count as objects that cannot be read.
  - Folders of a Grafana older than 12 have no descriptions in the tree, as it does not give them.
attributes:
  check_mode:
    support: full
    description: Reads everything, and tells what would be different.
  diff_mode:
    support: full
    description: Lists the files that are added, changed and removed.
extends_documentation_fragment:
  - monitoring.ha.grafana
  - monitoring.ha.grafana.selection
options:
  dest:
    description:
      - Directory of the tree. It is replaced as a whole, and so must not hold anything else, which is refused; a Git repository may be
        around it.
    type: path
    required: true
  organisations:
    description: Names or ids of organisations, V(all) for all of them; none for the one that the credentials lead to.
    type: list
    elements: str
    default: []
  on_error:
    description:
      - What to do about objects that cannot be read.
      - V(fail) stops and leaves the tree as it was. V(continue) leaves them out, and lists them in the result and in the manifest; an
        import of such a tree refuses to prune.
    type: str
    choices: [fail, continue]
    default: fail
"""

EXAMPLES = r"""
- name: All organisations
  monitoring.ha.grafana_export:
    url: https://grafana.example.org
    user: admin
    password: "{{ vaulted_password }}"
    organisations: [all]
    dest: /var/backups/grafana/tree

- name: Dashboards and rules of one folder
  monitoring.ha.grafana_export:
    url: https://grafana.example.org
    token: "{{ vaulted_token }}"
    kinds: [dashboards, alert_rules]
    folders: [Production/Databases]
    dest: "{{ playbook_dir }}/grafana/databases"
  delegate_to: localhost
"""

RETURN = r"""
dest:
  description: Directory of the tree.
  returned: success
  type: str
release:
  description: Version of Grafana; empty where it is hidden.
  returned: success
  type: str
  sample: 13.0.1
counts:
  description: Organisation to kind to number of files.
  returned: success
  type: dict
  sample: {Main Org.: {folders: 12, dashboards: 240}}
files:
  description: Paths that differ from what was there.
  returned: success
  type: dict
  contains:
    added:
      description: New files.
      type: list
      elements: str
    changed:
      description: Files with other content.
      type: list
      elements: str
    removed:
      description: Files that are gone.
      type: list
      elements: str
failures:
  description: Objects that could not be read; empty when all were.
  returned: success, and when the module fails because of them
  type: list
  elements: dict
  sample: [{organisation: Main Org., kind: dashboards, key: abc, name: Hosts, status: 403, message: "GET /api/…: 403 Access denied"}]
error:
  description: Name of the type of error.
  returned: failure
  type: str
  sample: Incomplete
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.monitoring.ha.plugins.module_utils.grafana import client, exporter, options
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.errors import GrafanaError
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.selection import Selection


def main() -> None:
    """Arguments in, result out."""
    module = AnsibleModule(argument_spec=options.EXPORT, supports_check_mode=True, **options.TOGETHER)
    if client.REQUESTS_ERROR:
        module.fail_json(msg=missing_required_lib("requests"), exception=client.REQUESTS_ERROR)
    given, dest = module.params, Path(module.params["dest"])
    try:
        with options.client(given) as grafana:
            done = exporter.export(
                grafana,
                dest,
                wanted=given["organisations"],
                selection=Selection.of(given),
                keep_going=given["on_error"] == "continue",
                check=module.check_mode,
            )
    except GrafanaError as error:
        module.fail_json(msg=str(error), **options.failed(error))
    result = options.exported(done, dest)
    for failure in done.failures:
        module.warn(f"not exported: {failure}")
    if module._diff:
        lines = [f"{word} {path}" for word, paths in result["files"].items() for path in paths]
        result["diff"] = {"prepared": "".join(f"{line}\n" for line in lines)}
    module.exit_json(**result)


if __name__ == "__main__":
    main()
