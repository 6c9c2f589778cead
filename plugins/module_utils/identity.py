# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A host's identity: where the role ``pki`` puts it, and the options of modules that show it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.monitoring.ha.plugins.module_utils.https import Client

DIRECTORY = "/etc/monitoring-ha/pki"
CA, CERTIFICATE, KEY = (f"{DIRECTORY}/{name}" for name in ("ca.pem", "host.pem", "host.key"))

#: Arguments of a module that asks members of the stack; the documentation fragment ``monitoring.ha.identity`` describes them.
OPTIONS: dict[str, dict[str, Any]] = {
    "ca": {"type": "path", "default": CA},
    "certificate": {"type": "path", "default": CERTIFICATE},
    "key": {"type": "path", "no_log": False, "default": KEY},
}


def client(given: Mapping[str, Any], address: str = "", port: int = 0, timeout: float = 5.0) -> Client:
    """Whoever the module's arguments (OPTIONS) say asks at an address. timeout: seconds for one question."""
    return Client(address, port, given["ca"], given["certificate"], given["key"], timeout)
