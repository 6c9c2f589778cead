"""Quotas: how many of a thing an organisation or a user may have, where [quota] is enabled."""

from __future__ import annotations

from typing import Any

from ..database.session import Session
from ..settings.settings import Settings
from ..web.errors import classic

_USED = {
    "org_user": 'SELECT count(*) FROM "org_user" WHERE "org_id" = ?',
    "dashboard": 'SELECT count(*) FROM "dashboard" WHERE "org_id" = ?',
    "data_source": 'SELECT count(*) FROM "data_source" WHERE "org_id" = ?',
    "api_key": 'SELECT count(*) FROM "api_key" WHERE "org_id" = ?',
    "alert_rule": 'SELECT count(*) FROM "alert_rule" WHERE "org_id" = ?',
}
_USED_BY_USER = {"user_org": 'SELECT count(*) FROM "org_user" WHERE "user_id" = ?'}


def listing(session: Session, settings: Settings, *, org_id: int = 0, user_id: int = 0) -> list[dict[str, Any]]:
    if not settings.flag("quota", "enabled"):
        raise classic(404, "Quotas not enabled")
    own = {
        row["target"]: row["limit_value"]
        for row in session.rows('SELECT "target", "limit_value" FROM "quota" WHERE "org_id" = ? AND "user_id" = ?', org_id, user_id)
    }
    found = []
    for target, sql in (_USED if org_id else _USED_BY_USER).items():
        option = target if target in ("org_user", "user_org") else f"org_{target}"
        limit = own.get(target, settings.number("quota", option, -1))
        used = session.value(sql, org_id or user_id)
        found.append({**({"org_id": org_id} if org_id else {"user_id": user_id}), "target": target, "limit": limit, "used": used})
    return found


def change(session: Session, settings: Settings, target: str, limit: int, *, org_id: int = 0, user_id: int = 0) -> None:
    if not settings.flag("quota", "enabled"):
        raise classic(404, "Quotas not enabled")
    if target not in (_USED if org_id else _USED_BY_USER):
        raise classic(404, "Invalid quota target")
    session.put("quota", {"org_id": org_id, "user_id": user_id, "target": target}, limit_value=limit)


def check(session: Session, settings: Settings, org_id: int, target: str) -> None:
    """Before one more is made."""
    if not settings.flag("quota", "enabled"):
        return
    for entry in listing(session, settings, org_id=org_id):
        if entry["target"] == target and 0 <= entry["limit"] <= entry["used"]:
            raise classic(403, "Quota reached")
