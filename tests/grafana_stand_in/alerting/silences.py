"""Silences, kept in the database for all nodes."""

from __future__ import annotations

import json
import time
import uuid
from datetime import datetime
from typing import Any

from ..database.session import Session
from ..times import now_ms, rfc3339
from ..web.binding import Body
from ..web.errors import bad_request, classic
from ..web.message import dumps
from . import matching
from .configuration import Json


def _moment(text: str) -> float:
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
    except (ValueError, OverflowError):
        raise bad_request(f"invalid time {text!r}") from None


def shape(silence: Json) -> Json:
    now = time.time()
    state = "expired" if _moment(silence["endsAt"]) <= now else "pending" if _moment(silence["startsAt"]) > now else "active"
    return {**silence, "status": {"state": state}}


def every(session: Session, org_id: int) -> list[Json]:
    texts = session.column('SELECT "data" FROM "alert_silence" WHERE "org_id" = ? ORDER BY "updated" DESC', org_id)
    return [shape(json.loads(text)) for text in texts]


def find(session: Session, org_id: int, number: str) -> Json:
    text = session.value('SELECT "data" FROM "alert_silence" WHERE "org_id" = ? AND "id_text" = ?', org_id, number)
    if text is None:
        raise classic(404, "silence not found")
    return shape(json.loads(text))


def active(session: Session, org_id: int) -> list[Json]:
    return [silence for silence in every(session, org_id) if silence["status"]["state"] == "active"]


def covers(silence: Json, labels: dict[str, str]) -> bool:
    return all(matching.matches(matcher, labels) for matcher in matching.of_silence(silence))


def put(session: Session, org_id: int, body: Body) -> str:
    matchers: list[dict[str, Any]] = [
        {
            "name": item.text("name"),
            "value": item.text("value"),
            "isRegex": item.flag("isRegex"),
            "isEqual": item.flag("isEqual", True),
        }
        for item in body.objects("matchers")
    ]
    if not matchers or not all(matcher["name"] for matcher in matchers):
        raise bad_request("silence invalid: at least one matcher required")
    starts, ends = body.text("startsAt"), body.text("endsAt")
    if _moment(ends) <= _moment(starts):
        raise bad_request("silence invalid: end time must not be before start time")
    number = body.text("id")
    if number:
        find(session, org_id, number)
    number = number or str(uuid.uuid4())
    silence = {
        "id": number,
        "matchers": matchers,
        "startsAt": starts,
        "endsAt": ends,
        "createdBy": body.text("createdBy"),
        "comment": body.text("comment"),
        "updatedAt": rfc3339(now_ms()),
    }
    session.put("alert_silence", {"org_id": org_id, "id_text": number}, data=dumps(silence), updated=now_ms())
    return number


def expire(session: Session, org_id: int, number: str) -> None:
    silence = find(session, org_id, number)
    del silence["status"]
    silence["endsAt"] = rfc3339(now_ms())
    session.update("alert_silence", {"org_id": org_id, "id_text": number}, data=dumps(silence), updated=now_ms())
