# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A host's identity: where the role ``pki`` puts it, and the options of modules that show it."""

from __future__ import annotations

from typing import Any

DIRECTORY = "/etc/monitoring-ha/pki"
CA, CERTIFICATE, KEY = (f"{DIRECTORY}/{name}" for name in ("ca.pem", "host.pem", "host.key"))

#: Arguments of a module that asks members of the stack; the documentation fragment ``monitoring.ha.identity`` describes them.
OPTIONS: dict[str, dict[str, Any]] = {
    "ca": {"type": "path", "default": CA},
    "certificate": {"type": "path", "default": CERTIFICATE},
    "key": {"type": "path", "no_log": False, "default": KEY},
}
