# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One question to one daemon over TLS with a client certificate.

For modules that run on the stack's own hosts, where nothing but Python itself
can be counted on.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import socket
import ssl
import urllib.parse
from dataclasses import dataclass, replace
from typing import Any


class Unanswered(RuntimeError):
    """No answer, or not the one that was hoped for; the message says what was seen."""


def split(place: str) -> tuple[str, int]:
    """``https://192.0.2.1:9090/`` or ``192.0.2.1:9090`` → (``192.0.2.1``, 9090); an address of IPv6 comes without its brackets."""
    address, _colon, port = place.rpartition("//")[2].rstrip("/").rpartition(":")
    return address.strip("[]"), int(port)


@dataclass(frozen=True)
class Client:
    """Where to ask, and as whom. timeout: seconds for one question."""

    address: str
    port: int
    ca: str = ""
    certificate: str = ""
    key: str = ""
    timeout: float = 5.0
    tls: bool = True
    user: str = ""
    password: str = ""

    def at(self, place: str, **changes: Any) -> Client:
        """The same one, asking at another ``address:port``."""
        address, port = split(place)
        return replace(self, address=address, port=port, **changes)

    def context(self) -> ssl.SSLContext:
        """TLS that believes the stack's CA alone and shows the host's certificate. Unanswered names a file that is not there."""
        for path in (self.ca, self.certificate, self.key):
            if path and not os.access(path, os.R_OK):
                raise Unanswered(f"{path}: no such file, or it may not be read")
        context = ssl.create_default_context(cafile=self.ca or None)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.certificate:
            context.load_cert_chain(self.certificate, self.key or None)
        return context

    def request(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
        """(status, body) of one request; Unanswered when there is none."""
        # Whoever answers ends the connection, and so has nothing to say of one that ended too soon.
        sent = {"Connection": "close", **(headers or {})}
        if self.user:
            sent["Authorization"] = "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        try:
            connection = (
                http.client.HTTPSConnection(self.address, self.port, timeout=self.timeout, context=self.context())
                if self.tls
                else http.client.HTTPConnection(self.address, self.port, timeout=self.timeout)
            )
            try:
                connection.request(method, path, body=body, headers=sent)
                answer = connection.getresponse()
                return answer.status, answer.read()
            finally:
                connection.close()
        except ssl.SSLCertVerificationError as error:
            words = f"its certificate is not believed: {error.verify_message} (by {self.ca or 'the authorities of this machine'})"
            raise Unanswered(f"{self.address}:{self.port}: {words}") from error
        except (OSError, http.client.HTTPException) as error:
            raise Unanswered(f"{self.address}:{self.port}{path}: {error or type(error).__name__}") from error

    def text(self, path: str, statuses: tuple[int, ...] = (200,)) -> str:
        """The body as text; Unanswered with the status and the first line of another answer."""
        status, body = self.request("GET", path)
        text = body.decode(errors="replace")
        if status not in statuses:
            first = text.strip().splitlines()[0][:200] if text.strip() else "(empty)"
            raise Unanswered(f"{self.address}:{self.port}{path}: {status} {first}")
        return text

    def json(self, path: str, **parameters: str) -> Any:
        """The body as JSON."""
        query = "?" + urllib.parse.urlencode(parameters) if parameters else ""
        try:
            return json.loads(self.text(path + query))
        except ValueError as error:
            raise Unanswered(f"{self.address}:{self.port}{path}: not JSON: {error}") from error


def connects(authority: str, timeout: float = 1.0) -> bool:
    """Whether something accepts connections at ``address:port``; nothing does where that is none."""
    try:
        with socket.create_connection(split(authority), timeout=timeout):
            return True
    except (OSError, ValueError, OverflowError):
        return False


def metric(text: str, name: str, **labels: str) -> list[float]:
    """Values of the samples called ``name`` whose labels contain ``labels``, in the text format."""
    found = []
    for line in text.splitlines():
        if not line.startswith(name) or line[len(name) : len(name) + 1] not in ("{", " "):
            continue
        if all(f'{label}="{value}"' in line for label, value in labels.items()):
            found.append(float(line.rpartition("}")[2].split()[0] if "}" in line else line.split()[1]))
    return found
