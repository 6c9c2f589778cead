#!/usr/bin/python
# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: grafana_import
short_description: Make Grafana equal to a tree of files
version_added: 0.1.0
author: monitoring.ha contributors (@monitoring-ha)
description:
  - Creates, updates and moves what differs between Grafana and a tree that M(monitoring.ha.grafana_export) wrote or that was put together
    by hand, in the order in which objects depend on each other. What is equal already is not written, so it gets no new version.
  - Files that somebody has laid into an exported tree, or has changed, are meant whatever the tree was exported with. Permissions of what
    was laid there stay as Grafana has them, unless there are files for them.
  - Everything that stands in the way, secrets that are missing above all, is named before anything is written.
  - An object that somebody else changes meanwhile is reported, and neither overwritten nor deleted. After an interruption the next run
    does the rest.
  - Organisations that Grafana does not have are created, which needs the password of a server administrator.
attributes:
  check_mode:
    support: full
    description: Returns the complete plan, also where something stands in the way; the module fails then.
  diff_mode:
    support: full
    description: Shows every object before and after.
extends_documentation_fragment:
  - monitoring.ha.grafana
  - monitoring.ha.grafana.selection
  - monitoring.ha.grafana.mapping
options:
  prune:
    description:
      - Whether to delete what the tree does not have, within what it was exported with and what is chosen here. Never deleted is what
        the tree has elsewhere or under another name; where it was in Grafana, or where it is in the tree, is enough to choose it.
      - A folder with anything left in it stays, and counts as skipped.
    type: bool
    default: false
  secrets:
    description:
      - Values of secrets, kind to name (or uid) to field. Kinds are C(data_sources) and C(contact_points).
      - Fields are those that the files list in C(secureJsonFields) and C(secureFields).
    type: dict
    default: {}
  update_secrets:
    description:
      - When to send secrets.
      - V(when_missing) where Grafana has none, and along with other changes. V(always) in every run, as Grafana does not tell whether
        one has changed; the result is then always changed.
    type: str
    choices: [when_missing, always]
    default: when_missing
  provisioned:
    description:
      - What to do where an object differs that is provisioned from a file on the server, which the API cannot change.
      - V(fail) names it and writes nothing. V(skip) leaves it, and counts it as skipped.
    type: str
    choices: [fail, skip]
    default: fail
  on_error:
    description:
      - What to do when Grafana refuses an object.
      - V(fail) stops after the objects of the same kind, before the next organisation. V(continue) writes all others, and deletes nothing
        but what had to go before them, as it had a name that is unique. The module fails either way, and lists what was refused and what
        was done.
    type: str
    choices: [fail, continue]
    default: fail
"""

EXAMPLES = r"""
- name: Restore, with the secrets that no backup holds
  monitoring.ha.grafana_import:
    url: https://grafana.example.org
    user: admin
    password: "{{ vaulted_password }}"
    src: /var/backups/grafana/tree
    secrets:
      data_sources:
        Metrics: {basicAuthPassword: "{{ vaulted_metrics_password }}"}
      contact_points:
        on call: {url: "{{ vaulted_webhook }}"}

- name: From staging to production, with its own data sources
  monitoring.ha.grafana_import:
    url: https://grafana.example.org
    token: "{{ vaulted_token }}"
    src: "{{ playbook_dir }}/grafana/staging"
    kinds: [folders, library_panels, dashboards, alert_rules]
    datasource_map: {metrics-staging: metrics-production}
    provenance: api
    prune: true
"""

RETURN = r"""
summary:
  description:
    - Organisation to kind to how many objects were created, updated, unchanged, deleted and skipped.
    - After a failure those are counted that were done all the same.
  returned: success, in check mode, and when the module fails after it has begun to write
  type: dict
  sample: {Main Org.: {dashboards: {created: 1, updated: 2, unchanged: 240, deleted: 0, skipped: 0}}}
changes:
  description: Every object that is not unchanged; after a failure, every one that was changed all the same, or was skipped.
  returned: success, in check mode, and when the module fails after it has begun to write
  type: list
  elements: dict
  contains:
    organisation:
      description: Name of the organisation.
      type: str
    kind:
      description: Kind of the object.
      type: str
    action:
      description: What was done, V(created), V(updated), V(deleted) or V(skipped).
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
    moved_from:
      description: The same before, where it was moved.
      type: str
    reason:
      description: Why it was skipped.
      type: str
organisations_created:
  description: Organisations that were missing, and were created.
  returned: success, in check mode, and when the module fails after it has begun to write
  type: list
  elements: str
problems:
  description: What stands in the way.
  returned: when there is anything
  type: list
  elements: str
  sample: ["Main Org.: secrets.data_sources.Metrics.basicAuthPassword is missing"]
failures:
  description: Objects that could not be read or written.
  returned: when there are any
  type: list
  elements: dict
  sample: [{organisation: Main Org., kind: dashboards, key: abc, name: Hosts, status: 413, message: "POST /api/…: 413 too large"}]
error:
  description: Name of the type of error.
  returned: failure
  type: str
  sample: Blocked
"""

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.monitoring.ha.plugins.module_utils.grafana import client, importer, options
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.errors import Blocked, GrafanaError


def main() -> None:
    """Arguments in, result out."""
    module = AnsibleModule(argument_spec=options.IMPORT, supports_check_mode=True, **options.TOGETHER)
    if client.REQUESTS_ERROR:
        module.fail_json(msg=missing_required_lib("requests"), exception=client.REQUESTS_ERROR)
    given, src = module.params, Path(module.params["src"])
    try:
        request = options.request(given)
        with options.client(given) as grafana:
            done = importer.plan(grafana, src, request) if module.check_mode else importer.carry_out(grafana, src, request)
    except GrafanaError as error:
        more = {} if error.done is None else told(module, error.done)
        module.fail_json(msg=str(error), **{**more, **options.failed(error)})
    if done.problems:
        blocked = Blocked(done.problems)
        module.fail_json(msg=str(blocked), **{**told(module, done), **options.failed(blocked)})
    module.exit_json(**told(module, done))


def told(module: AnsibleModule, done: importer.Imported) -> dict[str, Any]:
    """What was done, or would be, as the module returns it."""
    result = options.imported(done)
    for warning in result.pop("warnings"):
        module.warn(warning)
    for name in ("failures", "problems"):
        if not result[name]:
            del result[name]
    if module._diff:
        result["diff"] = options.diffs(done)
    return result


if __name__ == "__main__":
    main()
