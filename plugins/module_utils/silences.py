# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Silences of Alertmanager, found again by who made them and what they match."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from ansible_collections.monitoring.ha.plugins.module_utils.https import Client, Unanswered

PATH = "/api/v2/silences"
#: Who made it, in Alertmanager's eyes.
AUTHOR = "monitoring.ha"


def matchers(labels: Mapping[str, str]) -> list[dict[str, Any]]:
    """Labels that have to be equal, as Alertmanager writes them."""
    return [{"name": name, "value": str(value), "isRegex": False, "isEqual": True} for name, value in sorted(labels.items())]


def moment(text: str) -> datetime:
    """A time of Alertmanager's."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def mine(client: Client, labels: Mapping[str, str]) -> list[dict[str, Any]]:
    """Silences of ours for exactly these labels that have not ended."""
    wanted = matchers(labels)
    return [
        silence
        for silence in client.json(PATH)
        if silence["status"]["state"] != "expired"
        and silence["createdBy"] == AUTHOR
        and sorted(({"isEqual": True, **one} for one in silence["matchers"]), key=lambda one: str(one["name"])) == wanted
    ]


def send(client: Client, method: str, path: str, body: Any = None) -> bytes:
    """One change; Unanswered with Alertmanager's words when it refuses."""
    text = json.dumps(body).encode() if body is not None else None
    status, answer = client.request(method, path, text, {"Content-Type": "application/json"})
    if status != 200:
        raise Unanswered(f"{method} {path}: {status} {answer.decode(errors='replace')[:200]}")
    return answer


def present(client: Client, labels: Mapping[str, str], comment: str, seconds: float, now: datetime, *, check: bool) -> tuple[bool, str]:
    """(changed, id) of a silence that lasts ``seconds`` from now; one that lasts half of that and more will do."""
    lasting = [s for s in mine(client, labels) if moment(s["endsAt"]) - now >= timedelta(seconds=seconds / 2)]
    if lasting:
        return False, str(lasting[0]["id"])
    if check:
        return True, ""
    times = {"startsAt": now.isoformat(), "endsAt": (now + timedelta(seconds=seconds)).isoformat()}
    answer = send(client, "POST", PATH, {"matchers": matchers(labels), **times, "createdBy": AUTHOR, "comment": comment})
    return True, str(json.loads(answer)["silenceID"])


def absent(client: Client, labels: Mapping[str, str], *, check: bool) -> list[str]:
    """Ends every silence of ours for these labels; their ids."""
    found = [str(silence["id"]) for silence in mine(client, labels)]
    for identifier in found:
        if not check:
            send(client, "DELETE", f"/api/v2/silence/{identifier}")
    return found


def now() -> datetime:
    return datetime.now(UTC)
