"""Talks to what a data source points at, with the identity the data source was given."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import ssl
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ..database.dialect import Row
from ..security.secrets import Box

_HOP = {"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "content-length", "content-encoding", "date", "server"}


class Unreachable(Exception):
    """Nothing that could be called an answer came back."""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Client:
    url: str
    headers: dict[str, str]
    tls: ssl.SSLContext | None
    timeout: float

    @classmethod
    def of(cls, row: Row, box: Box, timeout: float) -> Client:
        """Raises WrongKey where the secrets were written under another secret_key, and Unreachable where they are no use."""
        data: dict[str, Any] = json.loads(row["json_data"] or "{}")
        secrets = box.decrypt_map(row["secure_json_data"])
        headers = {}
        if row["basic_auth"]:
            pair = f"{row['basic_auth_user']}:{secrets.get('basicAuthPassword', '')}"
            headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        for key, name in data.items():
            number = key.removeprefix("httpHeaderName")
            if number != key and isinstance(name, str) and name:
                headers[name] = secrets.get(f"httpHeaderValue{number}", "")
        tls = None
        if row["url"].startswith("https://"):
            try:
                tls = _tls(data, secrets)
            except (ssl.SSLError, ValueError) as error:
                raise Unreachable(f"tls: {error}") from error
        return cls(row["url"].rstrip("/"), headers, tls, timeout)

    def send(self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> Answer:
        url = self.url if "://" in self.url else f"http://{self.url}"
        parts = urlsplit(url)
        host = parts.hostname or ""
        connection: http.client.HTTPConnection
        if self.tls is not None:
            connection = http.client.HTTPSConnection(host, parts.port, timeout=self.timeout, context=self.tls)
        else:
            connection = http.client.HTTPConnection(host, parts.port, timeout=self.timeout)
        with contextlib.closing(connection):
            try:
                connection.request(method, f"{parts.path.rstrip('/')}{path}" or "/", body or None, {**(headers or {}), **self.headers})
                answer = connection.getresponse()
                data = answer.read()
            except (OSError, http.client.HTTPException, ValueError) as error:
                raise Unreachable(f"{method} {self.url}: {error}") from error
        return Answer(answer.status, {name: value for name, value in answer.getheaders() if name.lower() not in _HOP}, data)


def _tls(data: dict[str, Any], secrets: dict[str, str]) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if data.get("tlsSkipVerify"):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if data.get("tlsAuthWithCACert"):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=secrets.get("tlsCACert", ""))
    if data.get("tlsAuth"):
        with _file(secrets.get("tlsClientCert", "")) as certificate, _file(secrets.get("tlsClientKey", "")) as key:
            context.load_cert_chain(certificate, key)
    return context


@contextlib.contextmanager
def _file(content: str) -> Iterator[str]:
    """The ssl module takes a key from a file only; this one nobody else can read, and it is gone at once."""
    handle, path = tempfile.mkstemp()
    try:
        with os.fdopen(handle, "w", encoding="ascii", errors="replace") as stream:
            stream.write(content)
        yield path
    finally:
        os.unlink(path)
