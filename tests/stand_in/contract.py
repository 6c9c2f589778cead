"""Grafana's own description of its API, and where Grafana does not keep to it."""

from __future__ import annotations

import gzip
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
import schemathesis
from schemathesis.core.failures import FailureGroup

COMMITTED = Path(__file__).parents[1] / "grafana_stand_in" / "contract" / "openapi-13.0.0.json.gz"


@dataclass(frozen=True)
class Departure:
    """Answers of these operations with these status codes are outside the contract, in Grafana too."""

    operations: str
    statuses: tuple[int, ...]
    reason: str

    def covers(self, label: str, status: int) -> bool:
        return status in self.statuses and re.fullmatch(self.operations, label) is not None


# Where Grafana is known not to follow its own document.
KNOWN = (
    Departure(r"POST /dashboards/db", (200,), "the answer has `slug`, the contract calls it `title` and requires it"),
    Departure(r"POST /dashboards/uid/\{uid\}/restore", (200,), "the same answer as POST /dashboards/db"),
    Departure(r"POST /dashboards/db", (409, 413), "conflict of newer releases, and the size limit, are not listed"),
    Departure(r"(POST|PUT) /folders.*", (412,), "an existing uid and a stale version are 412, which is not listed"),
    Departure(r"POST /datasources", (400,), "not listed"),
    Departure(r"PUT /datasources/uid/\{uid\}", (400, 404), "not listed"),
    Departure(r".* /library-elements.*", (400, 412), "not listed"),
    Departure(r".* /v1/provisioning/.*", (401, 409), "missing credentials, provenance and references are not listed"),
    Departure(r"PUT /v1/provisioning/contact-points/\{UID\}", (404,), "not listed"),
    Departure(r"(GET|PUT) /v1/provisioning/alert-rules/\{UID\}", (404,), "an empty body"),
    Departure(r"GET /v1/provisioning/(alert-rules|folder)/.*export", (404,), "an empty body"),
    Departure(r"GET /v1/provisioning/.*/export", (200,), "YAML unless JSON is asked for"),
    Departure(r".* /v1/provisioning/contact-points.*", (200, 202), "the type is prometheus-alertmanager, and newer types are missing"),
    Departure(r"PUT /v1/provisioning/(mute-timings|templates)/\{name\}", (404,), "an unknown name is 404, which is not listed"),
    Departure(r"DELETE /v1/provisioning/policies", (202,), "the body is the tree that is in force again"),
    Departure(r"GET /health", (503,), "the body has the shape of the healthy answer"),
)

# Codes that any request of the kind can get, and that the contract lists for some operations only.
_ORG = r"/(org|orgs/\{org_id\})"
_USER = r"(/admin)?/users/\{user_id\}"
UNLISTED = (
    Departure(r"(GET|PUT|POST|DELETE) " + _USER + r"(/.*)?", (400,), "an id that is no number, or a malformed body"),
    Departure(r"(GET|PUT|POST|PATCH|DELETE) (/orgs|" + _ORG + r"(/.*)?)", (400,), "an id that is no number, or a malformed body"),
    Departure(r"(GET|PUT|PATCH|DELETE|POST) /annotations(/.*)?", (400,), "an id that is no number, or a malformed body"),
    Departure(r"GET /dashboards/uid/\{uid\}/versions/.*", (400,), "a version that is no number"),
    Departure(r"GET /(folders|search|serviceaccounts/search)", (400,), "a page beyond any number"),
    Departure(r"POST /folders/\{folder_uid\}/permissions", (400,), "a malformed body"),
    Departure(r"POST /folders/\{folder_uid\}/move", (400,), "too deep, or below itself"),
    Departure(r"POST " + _ORG + r"/users", (409,), "somebody who is a member already"),
    Departure(r"(POST|PUT|DELETE) /(teams|playlists|snapshots)(/.*)?", (400,), "a malformed body"),
    Departure(r"PUT /user", (400,), "a malformed body"),
    Departure(r"GET /v1/provisioning/alert-rules/export", (400,), "a group without its folder"),
    Departure(r"PUT /v1/provisioning/templates/\{name\}", (400,), "a template that does not parse"),
    Departure(r"(GET|POST|PATCH|DELETE) " + _ORG + r"(/.*)?", (404,), "an organisation or a user that is not there"),
    Departure(r"GET /orgs/name/\{org_name\}", (404,), "an organisation that is not there"),
    Departure(r"(DELETE|POST|GET) /annotations(/.*)?", (404,), "an annotation or a dashboard that is not there"),
    Departure(r"GET /datasources/(name/\{name\}|uid/\{uid\}/health)", (404,), "a data source that is not there"),
    Departure(r"GET /datasources/uid/\{uid\}/resources/.*", (502,), "a data source that cannot be reached"),
    Departure(r"(GET|POST) /folders", (404,), "a parent that is not there"),
    Departure(r"(GET|PUT) /teams/\{team_id\}/preferences", (404,), "a team or a dashboard that is not there"),
    Departure(r"(PUT|PATCH) /(org|user)/preferences", (404,), "a dashboard that is not there"),
    Departure(r"GET /v1/provisioning/mute-timings/\{name\}/export", (404,), "a mute timing that is not there"),
)


def document() -> dict[str, Any]:
    named = os.environ.get("GRAFANA_OPENAPI")
    path = Path(named) if named else COMMITTED
    raw = path.read_bytes()
    # `duration` means a duration as Go and Prometheus write it, not one of ISO 8601.
    text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode().replace('"format": "duration",', "")
    found: dict[str, Any] = json.loads(text)
    return found


class Contract:
    def __init__(self) -> None:
        self.document = document()
        self.schema = schemathesis.openapi.from_dict(self.document)
        self.checked: dict[str, set[int]] = {}
        templates = sorted(self.document["paths"], key=lambda path: (path.count("{"), path))
        self._templates = [(re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path)).rstrip("/") + "/?"), path) for path in templates]

    def label(self, method: str, path: str) -> str | None:
        for pattern, template in self._templates:
            if pattern.fullmatch(path) and method.lower() in self.document["paths"][template]:
                return f"{method} {template}"
        return None

    def check(self, response: requests.Response, **_: Any) -> None:
        """Raises where an answer is outside the contract and no departure accounts for it."""
        path = response.request.path_url.partition("?")[0]
        method = response.request.method or ""
        if not path.startswith("/api/"):
            return
        label = self.label(method, path.removeprefix("/api"))
        if label is not None:
            self.verify(label, response)

    def verify(self, label: str, response: requests.Response) -> None:
        status = response.status_code
        self.checked.setdefault(label, set()).add(status)
        if any(departure.covers(label, status) for departure in (*KNOWN, *UNLISTED)):
            return
        method, _, template = label.partition(" ")
        operation = self.schema[template][method]
        listed = self.document["paths"][template][method.lower()]["responses"]
        if str(status) not in listed:
            raise AssertionError(f"{label} answered {status}, which the contract does not list: {response.text[:500]}")
        try:
            operation.validate_response(response)
        except FailureGroup as group:
            raise AssertionError(f"{label} {status}: {[str(error) for error in group.exceptions]} in {response.text[:500]}") from None
