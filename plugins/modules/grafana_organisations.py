#!/usr/bin/python
# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: grafana_organisations
short_description: Organisations of a Grafana
version_added: 0.1.0
author: monitoring.ha contributors (@monitoring-ha)
description:
  - Makes those that are missing and tells the numbers of all. Removes none, as everything in one would go with it.
  - Asks the instance on this host, on loopback.
attributes:
  check_mode:
    support: full
    description: Tells what would be made.
  diff_mode:
    support: none
    description: A name is all there is to see.
options:
  port:
    description: Port on loopback.
    type: int
    required: true
  user:
    description: An administrator of the server.
    type: str
    required: true
  password:
    description: The password.
    type: str
    required: true
  names:
    description: Organisations that there have to be. With none it only looks, and an instance that does not answer is no error.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Two organisations beside the first one
  monitoring.ha.grafana_organisations:
    port: 3001
    user: admin
    password: "{{ grafana_admin_password }}"
    names: [Network, Storage]
"""

RETURN = r"""
ids:
  description: Name to number.
  returned: success
  type: dict
  sample: {Main Org.: 1, Network: 2}
"""

import json

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.monitoring.ha.plugins.module_utils.grafana import paging
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.errors import GrafanaError
from ansible_collections.monitoring.ha.plugins.module_utils.https import Client, Unanswered


def existing(client: Client) -> dict[str, int]:
    """Name → number of every organisation; Unanswered when the administrator's login does not count."""
    return paging.organisations(lambda page: client.json("/api/orgs", perpage=str(paging.ORGANISATIONS), page=str(page)))


def make(client: Client, name: str) -> int:
    """The number of a new organisation; Unanswered with what Grafana says otherwise."""
    body = json.dumps({"name": name}).encode()
    status, answer = client.request("POST", "/api/orgs", body, {"Content-Type": "application/json"})
    if status != 200:
        raise Unanswered(f"organisation {name!r}: {status} {answer.decode(errors='replace')[:200]}")
    return int(json.loads(answer)["orgId"])


def main() -> None:
    """Look, then make what is missing."""
    module = AnsibleModule(
        argument_spec={
            "port": {"type": "int", "required": True},
            "user": {"type": "str", "required": True},
            "password": {"type": "str", "required": True, "no_log": True},
            "names": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    given = module.params
    client = Client("127.0.0.1", given["port"], tls=False, user=given["user"], password=given["password"], timeout=20)
    try:
        ids = existing(client)
        missing = [name for name in given["names"] if name not in ids]
        if not module.check_mode:
            ids.update({name: make(client, name) for name in missing})
    except (Unanswered, GrafanaError, ValueError, KeyError) as error:
        if not given["names"]:
            module.exit_json(changed=False, ids={})
        if module.check_mode and ": 401" not in str(error):
            # One that is not there yet has no organisations either.
            module.exit_json(changed=True, ids={})
        remedy = f": is grafana_admin_password still the password of {given['user']}?" if ": 401" in str(error) else ""
        module.fail_json(msg=f"{error}{remedy}")
    module.exit_json(changed=bool(missing), ids=ids)


if __name__ == "__main__":
    main()
