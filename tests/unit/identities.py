"""Identities as the role ``pki`` makes them, and servers that have one."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ansible_collections.monitoring.ha.plugins.module_utils import certificates
from ansible_collections.monitoring.ha.plugins.module_utils.certificates import Settings, Wanted
from ansible_collections.monitoring.ha.plugins.module_utils.https import Client


@dataclass(frozen=True)
class Site:
    """An authority with the identities of ``server`` (loopback) and ``controller``."""

    directory: Path

    @property
    def ca(self) -> str:
        return str(self.directory / "ca.pem")

    def files(self, name: str) -> tuple[str, str]:
        """(certificate, key)"""
        return str(self.directory / "hosts" / name / "host.pem"), str(self.directory / "hosts" / name / "host.key")

    def context(self, *, asks: bool = True) -> ssl.SSLContext:
        """A server's, which asks for a client certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.files("server"))
        if asks:
            context.load_verify_locations(self.ca)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def client(self, port: int, timeout: float = 5.0) -> Client:
        return Client("127.0.0.1", port, self.ca, *self.files("controller"), timeout=timeout)


def make(directory: Path, *names: str) -> Site:
    """An authority. names: what the server's certificate is good for; loopback by default."""
    wanted = [Wanted("server", names or ("localhost", "127.0.0.1")), Wanted("controller", ("controller",))]
    certificates.ensure(Settings(str(directory)), wanted, datetime.now(certificates.UTC), save=True)
    return Site(directory)
