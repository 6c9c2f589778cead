# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Numbered objects, put and got through the virtual address. The requests are signed with AWS' version 4."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import threading
import urllib.parse
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from types import MappingProxyType

from ansible_collections.monitoring.ha.plugins.module_utils.https import Unanswered, split

from .common import Outcome, Probe

UTC = timezone.utc  # noqa: UP017
#: Objects that are removed in one request; each is a write of its own for the store.
BATCH = 100
NOTHING: Mapping[str, str] = MappingProxyType({})


def signed(
    method: str, authority: str, path: str, parameters: Mapping[str, str], body: bytes, key: str, secret: str, region: str, at: datetime
) -> dict[str, str]:
    """Headers of a signed request to S3. parameters: of the query, not yet encoded."""
    moment, day = at.strftime("%Y%m%dT%H%M%SZ"), at.strftime("%Y%m%d")
    digest = hashlib.sha256(body).hexdigest()
    headers = {"host": authority, "x-amz-content-sha256": digest, "x-amz-date": moment}
    names = ";".join(sorted(headers))
    query = "&".join(f"{quoted(name)}={quoted(value)}" for name, value in sorted(parameters.items()))
    lines = [
        method,
        urllib.parse.quote(path, safe="/-_.~"),
        query,
        *(f"{name}:{headers[name]}" for name in sorted(headers)),
        "",
        names,
        digest,
    ]
    scope = f"{day}/{region}/s3/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", moment, scope, hashlib.sha256("\n".join(lines).encode()).hexdigest()])
    found = f"AWS4{secret}".encode()
    for part in (day, region, "s3", "aws4_request"):
        found = hmac.new(found, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(found, text.encode(), hashlib.sha256).hexdigest()
    authorization = f"AWS4-HMAC-SHA256 Credential={key}/{scope}, SignedHeaders={names}, Signature={signature}"
    return {"x-amz-content-sha256": digest, "x-amz-date": moment, "Authorization": authorization}


def quoted(text: str) -> str:
    return urllib.parse.quote(text, safe="-_.~")


class Objects(Probe):
    name = "objects"

    def __init__(self, *given: object) -> None:
        super().__init__(*given)  # type: ignore[arg-type]
        self._put = 0
        self._lock = threading.Lock()

    @property
    def prefix(self) -> str:
        return f"monitoring-ha-drill/{self.settings.run}/"

    def request(
        self, method: str, key: str, body: bytes = b"", timeout: float = 0.0, parameters: Mapping[str, str] = NOTHING
    ) -> tuple[int, bytes]:
        its = self.settings.endpoints["object_store"]
        address, port = split(its["url"])
        client = self.settings.member(address, port)
        path = f"/{its['bucket']}/{key}".rstrip("/")
        authority = its["url"].rpartition("//")[2].rstrip("/")
        headers = signed(
            method, authority, path, parameters, body, its["access_key"], its["secret_key"], its.get("region", "garage"), datetime.now(UTC)
        )
        if method == "POST":
            headers["Content-MD5"] = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
        query = "&".join(f"{quoted(name)}={quoted(value)}" for name, value in sorted(parameters.items()))
        return client.patient(timeout or self.patience).request(method, path + (f"?{query}" if query else ""), body or None, headers)

    def tries(self) -> Mapping[str, Callable[[int], Outcome]]:
        return {"put": self.put, "get": self.get}

    def put(self, number: int) -> Outcome:
        status, body = self.request("PUT", f"{self.prefix}{number}", str(number).encode())
        if status != 200:
            return "error", f"{status} {body[:120]!r}"
        with self._lock:
            self._put = max(self._put, number)
        return "ok", ""

    def get(self, number: int) -> Outcome:
        del number
        last = self._put
        if not last:
            return "ok", "nothing was put yet"
        status, body = self.request("GET", f"{self.prefix}{last}")
        if status == 404:
            return "wrong", f"object {last}, which was put, is not there"
        if status != 200:
            return "error", f"{status} {body[:120]!r}"
        return ("ok", "") if body == str(last).encode() else ("wrong", f"object {last} is {body[:40]!r}")

    def listed(self) -> list[int]:
        found: list[int] = []
        more: dict[str, str] = {}
        while True:
            status, body = self.request("GET", "", timeout=30, parameters={"list-type": "2", "prefix": self.prefix, **more})
            if status != 200:
                raise Unanswered(f"a listing: {status} {body[:200]!r}")
            text = body.decode()
            found += [int(name) for name in re.findall(rf"<Key>{re.escape(self.prefix)}(\d+)</Key>", text)]
            token = re.search(r"<NextContinuationToken>(.*?)</NextContinuationToken>", text)
            if not token:
                return found
            more = {"continuation-token": token[1]}

    def finish(self) -> None:
        self.ledger.fact("found", sorted(self.listed()))

    def tidy(self) -> None:
        found = self.listed()
        for begin in range(0, len(found), BATCH):
            names = "".join(f"<Object><Key>{self.prefix}{number}</Key></Object>" for number in found[begin : begin + BATCH])
            status, body = self.request("POST", "", f"<Delete><Quiet>true</Quiet>{names}</Delete>".encode(), 30, {"delete": ""})
            if status != 200:
                raise Unanswered(f"removal of the objects: {status} {body[:200]!r}")
