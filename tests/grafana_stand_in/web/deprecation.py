"""Headers with which newer releases announce the end of the alerting provisioning endpoints."""

from __future__ import annotations

from ..release import Release
from .message import Response

_ROOT = "/api/v1/provisioning/"
_RULES = ("alert-rules", "folder")
_REPLACEMENT = {"rules": "rules.alerting.grafana.app", "notifications": "notifications.alerting.grafana.app"}
# The days of the releases that began it.
_DATE = {"rules": "2026-04-14", "notifications": "2026-06-23"}


def announce(release: Release, pattern: str, response: Response) -> None:
    if not pattern.startswith(_ROOT):
        return
    kind = "rules" if pattern.removeprefix(_ROOT).split("/", 1)[0] in _RULES else "notifications"
    if not (release.rule_endpoints_deprecated if kind == "rules" else release.notification_endpoints_deprecated):
        return
    replacement = f"/apis/{_REPLACEMENT[kind]}"
    response.headers["Warning"] = f'299 - "this endpoint is deprecated, use {replacement}"'
    response.headers["X-API-Deprecation-Date"] = _DATE[kind]
    response.headers["X-API-Replacement"] = replacement
