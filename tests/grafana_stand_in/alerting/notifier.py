"""Sends a notification. Webhooks are really called; what other integrations would send is only written to the log."""

from __future__ import annotations

import base64
import json
import urllib.request
from typing import Any

from ..log import Logger
from ..metrics import Metrics
from ..security.secrets import Box
from ..times import rfc3339
from . import contact_points
from .alert import Alert
from .configuration import Json

_TIMEOUT = 10.0


class Notifier:
    def __init__(self, box: Box, metrics: Metrics, root_url: str) -> None:
        self._box = box
        self._metrics = metrics
        self._root_url = root_url
        self._log = Logger("ngalert.notifier")

    def send(self, org_id: int, point: Json, group_labels: dict[str, str], alerts: list[Alert]) -> bool:
        if point["disableResolveMessage"]:
            alerts = [alert for alert in alerts if not alert.resolved]
            if not alerts:
                return True
        labels = {"org": str(org_id), "integration": point["type"]}
        self._metrics.add("grafana_alerting_notifications_total", **labels)
        if point["type"] != "webhook":
            self._log.info(
                "Notification not sent: only webhooks are", receiver=point["name"], integration=point["type"], alerts=len(alerts)
            )
            return True
        try:
            self._webhook(org_id, point, group_labels, alerts)
        except (OSError, ValueError) as error:
            self._metrics.add("grafana_alerting_notifications_failed_total", **labels)
            self._log.error("Failed to send notification", receiver=point["name"], error=error)
            return False
        return True

    def _webhook(self, org_id: int, point: Json, group_labels: dict[str, str], alerts: list[Alert]) -> None:
        settings = {**point["settings"], **contact_points.decrypted(self._box, point)}
        headers = {"Content-Type": "application/json", "User-Agent": "Grafana"}
        if settings.get("authorization_credentials"):
            headers["Authorization"] = f"{settings.get('authorization_scheme') or 'Bearer'} {settings['authorization_credentials']}"
        elif settings.get("username"):
            pair = f"{settings['username']}:{settings.get('password', '')}"
            headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        body = json.dumps(self._message(org_id, point, group_labels, alerts)).encode()
        method = str(settings.get("httpMethod") or "POST")
        request = urllib.request.Request(settings["url"], data=body, headers=headers, method=method)
        with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:
            answer.read()

    def _message(self, org_id: int, point: Json, group_labels: dict[str, str], alerts: list[Alert]) -> dict[str, Any]:
        firing = [alert for alert in alerts if not alert.resolved]
        status = "firing" if firing else "resolved"
        common = dict(set.intersection(*(set(alert.labels.items()) for alert in alerts)))
        name = " ".join(group_labels.values())
        return {
            "receiver": point["name"],
            "status": status,
            "orgId": org_id,
            "alerts": [self._alert(alert) for alert in alerts],
            "groupLabels": group_labels,
            "commonLabels": common,
            "commonAnnotations": dict(set.intersection(*(set(alert.annotations.items()) for alert in alerts))),
            "externalURL": self._root_url,
            "version": "1",
            "groupKey": json.dumps(group_labels, sort_keys=True),
            "truncatedAlerts": 0,
            "title": f"[{status.upper()}:{len(firing or alerts)}] {name}",
            "state": "alerting" if firing else "ok",
            "message": "",
        }

    def _alert(self, alert: Alert) -> dict[str, Any]:
        return {
            "status": "resolved" if alert.resolved else "firing",
            "labels": alert.labels,
            "annotations": alert.annotations,
            "startsAt": rfc3339(int(alert.starts_at * 1000)),
            "endsAt": rfc3339(int(alert.ends_at * 1000)) if alert.resolved else rfc3339(0),
            "generatorURL": f"{self._root_url}alerting/grafana/{alert.rule_uid}/view",
            "fingerprint": alert.fingerprint,
            "values": alert.values,
        }
