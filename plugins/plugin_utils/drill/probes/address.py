# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The virtual address itself: a connection and a TLS handshake, and whose certificate was shown."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.monitoring.ha.plugins.module_utils.https import split

from .common import PATIENCE, Outcome, Probe


def subject(certificate: Mapping[str, Any]) -> str:
    """The common name of a peer's certificate; empty without one."""
    return next((str(value) for part in certificate.get("subject", ()) for key, value in part if key == "commonName"), "")


class Address(Probe):
    name = "address"
    patience = 2.0

    def tries(self) -> Mapping[str, Callable[[int], Outcome]]:
        return {"": self.shake_hands}

    def shake_hands(self, number: int) -> Outcome:
        del number
        address, port = split(str(self.settings.values["address"]))
        context = self.settings.member(address, port).context()
        with (
            socket.create_connection((address, port), timeout=PATIENCE) as plain,
            context.wrap_socket(plain, server_hostname=address) as tls,
        ):
            return "ok", subject(tls.getpeercert() or {})
