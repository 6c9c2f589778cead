#!/usr/bin/python
# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: certificates
short_description: A certificate authority and a short-lived certificate for each host
version_added: 0.1.0
author: monitoring.ha contributors (@monitoring-ha)
description:
  - Keeps a certificate authority in a directory and issues every host a certificate for servers and clients, on the curve P-256.
  - A certificate is made anew when a third of O(days) is left, when its names or the authority changed, or when a file is damaged.
  - Instead of issuing, it takes over certificates made elsewhere, after checking that they can work.
  - Runs on the controller. Several processes may use the same directory at once.
requirements:
  - cryptography
attributes:
  check_mode:
    support: full
    description: Tells what would be made, and writes nothing.
  diff_mode:
    support: none
    description: The files are secrets.
options:
  directory:
    description: Where the authority and the hosts' files are kept; readable by the owner alone.
    type: path
    required: true
  hosts:
    description: The hosts that need a certificate.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the host in the inventory.
        type: str
        required: true
      names:
        description: Host names and addresses the certificate is good for.
        type: list
        elements: str
        default: []
      certificate:
        description: File with a certificate made elsewhere, followed by its intermediates.
        type: path
      key:
        description: File with its private key.
        type: path
      renew:
        description: Whether it is made anew, however long it is still good for.
        type: bool
        default: false
      trusts:
        description: What the host trusts so far, as PEM. Nothing is made when that is another authority, unless O(replace) says so.
        type: str
        default: ""
  days:
    description: How long a host's certificate is good for.
    type: int
    default: 90
  ca:
    description: File with the certificate of an authority that is not kept here. Every host then needs its own O(hosts[].certificate).
    type: path
  ca_name:
    description: Common name of a new authority.
    type: str
    default: monitoring.ha CA
  ca_days:
    description: How long a new authority is good for.
    type: int
    default: 3650
  ca_passphrase:
    description: Protects the authority's private key.
    type: str
  trust:
    description: Files with further authorities that the hosts trust, for instance the previous one while certificates are replaced.
    type: list
    elements: path
    default: []
  replace:
    description: Whether hosts may lose the authority that they trust, with which they do not reach each other until all have the new one.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Certificates of all hosts
  monitoring.ha.certificates:
    directory: "{{ inventory_dir }}/.pki"
    hosts:
      - name: mon1
        names: [mon1, mon1.example.org, 192.0.2.11, localhost, 127.0.0.1]
  delegate_to: localhost
  run_once: true
  become: false
"""

RETURN = r"""
ca:
  description: The authority.
  returned: success
  type: dict
  contains:
    path:
      description: File with its certificate.
      type: str
    fingerprint:
      description: SHA-256 of its certificate.
      type: str
    not_after:
      description: End of its validity.
      type: str
    created:
      description: Whether it was made in this run.
      type: bool
hosts:
  description: The hosts' certificates, by name.
  returned: success
  type: dict
  contains:
    directory:
      description: Where the host's files are.
      type: str
    present:
      description: Whether the files exist; false in check mode for a host that has none yet.
      type: bool
    reason:
      description: Why it was made or changed; empty when it was right.
      type: str
    fingerprint:
      description: SHA-256 of the certificate.
      type: str
    not_after:
      description: End of its validity.
      type: str
    names:
      description: The names in it.
      type: list
      elements: str
"""

import os
from dataclasses import asdict
from datetime import datetime, timedelta

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.monitoring.ha.plugins.module_utils import certificates


def main() -> None:
    """Arguments in, result out."""
    module = AnsibleModule(
        argument_spec={
            "directory": {"type": "path", "required": True},
            "hosts": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "name": {"type": "str", "required": True},
                    "names": {"type": "list", "elements": "str", "default": []},
                    "certificate": {"type": "path"},
                    "key": {"type": "path", "no_log": False},
                    "renew": {"type": "bool", "default": False},
                    "trusts": {"type": "str", "default": ""},
                },
            },
            "days": {"type": "int", "default": 90},
            "ca": {"type": "path"},
            "ca_name": {"type": "str", "default": "monitoring.ha CA"},
            "ca_days": {"type": "int", "default": 3650},
            "ca_passphrase": {"type": "str", "no_log": True},
            "trust": {"type": "list", "elements": "path", "default": []},
            "replace": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    if certificates.IMPORT_ERROR:
        module.fail_json(msg=missing_required_lib("cryptography"), exception=certificates.IMPORT_ERROR)
    given = module.params
    if given["days"] < 1 or given["ca_days"] < given["days"]:
        module.fail_json(msg=f"days is {given['days']} and ca_days {given['ca_days']}: give at least 1, and the CA more than the hosts")
    settings = certificates.Settings(
        directory=given["directory"],
        days=given["days"],
        ca_days=given["ca_days"],
        ca_name=given["ca_name"],
        passphrase=given["ca_passphrase"].encode() if given["ca_passphrase"] else None,
        ca=given["ca"] or "",
        trust=tuple(given["trust"]),
        replace=given["replace"],
    )
    hosts = [
        certificates.Wanted(h["name"], tuple(h["names"]), h["certificate"] or "", h["key"] or "", h["renew"], h["trusts"])
        for h in given["hosts"]
    ]
    now = datetime.now(certificates.UTC)
    try:
        authority, issued = certificates.ensure(settings, hosts, now, save=not module.check_mode)
    except certificates.CertificateError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"{error.filename or settings.directory}: {error.strerror}")
    end = certificates.not_after(authority.certificate)
    if end - now < timedelta(days=2 * settings.days):
        module.warn(f"the CA expires on {end:%Y-%m-%d}: prepare the next one")
    module.exit_json(
        changed=bool(authority.reason) or any(i.reason for i in issued.values()),
        ca={
            "path": settings.ca or os.path.join(settings.directory, "ca.pem"),
            "fingerprint": certificates.fingerprint(authority.certificate),
            "not_after": end.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "created": bool(authority.reason),
        },
        hosts={name: asdict(i) for name, i in issued.items()},
    )


if __name__ == "__main__":
    main()
