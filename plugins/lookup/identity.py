# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: identity
short_description: Where a host's identity is, and how daemons are told
version_added: 0.1.0
author: monitoring.ha contributors (@monitoring-ha)
description:
  - The paths of the files that the role P(monitoring.ha.pki#role) puts on every host, and the configurations that name them.
options:
  _terms:
    description: None.
"""

EXAMPLES = r"""
- name: The web configuration of an exporter
  ansible.builtin.debug:
    msg: "{{ lookup('monitoring.ha.identity').web_config | to_nice_yaml }}"
"""

RETURN = r"""
_raw:
  description: One mapping.
  type: list
  elements: dict
  contains:
    directory:
      description: Where the files are.
      type: str
    ca:
      description: File with the authorities to trust.
      type: str
    certificate:
      description: File with the host's certificate.
      type: str
    key:
      description: File with its key.
      type: str
    bundle:
      description: File with both.
      type: str
    client:
      description: The three files as Prometheus' and Thanos' C(tls_config) name them.
      type: dict
    web_config:
      description: A C(web.config.file) that asks for a client certificate.
      type: dict
"""

from typing import Any

from ansible.plugins.lookup import LookupBase
from ansible_collections.monitoring.ha.plugins.module_utils.identity import CA, CERTIFICATE, DIRECTORY, KEY

MINIMUM = "TLS12"


def identity() -> dict[str, Any]:
    """Paths, and the configurations made of them."""
    return {
        "directory": DIRECTORY,
        "ca": CA,
        "certificate": CERTIFICATE,
        "key": KEY,
        "bundle": f"{DIRECTORY}/host-bundle.pem",
        "client": {"ca_file": CA, "cert_file": CERTIFICATE, "key_file": KEY},
        "web_config": {
            "tls_server_config": {
                "cert_file": CERTIFICATE,
                "key_file": KEY,
                "client_ca_file": CA,
                "client_auth_type": "RequireAndVerifyClientCert",
                "min_version": MINIMUM,
            }
        },
    }


class LookupModule(LookupBase):
    """``lookup('monitoring.ha.identity')``."""

    def run(self, terms: list[str], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[dict[str, Any]]:
        self.set_options(var_options=variables, direct=kwargs)
        return [identity()]
