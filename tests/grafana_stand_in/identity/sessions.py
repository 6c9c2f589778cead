"""Login sessions. They live in the database, so any instance honours what another one issued."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..database.dialect import Row
from ..database.session import Session
from ..security.tokens import digest, random_text
from ..settings.settings import Settings
from ..web.errors import errutil
from ..web.message import Request, Response

if TYPE_CHECKING:
    from ..web.context import Context

# The token before the current one stays good until the client has shown the current one, and this long after.
_GRACE = 60


@dataclass(frozen=True)
class SessionRules:
    cookie: str
    rotation: float
    inactive: float
    lifetime: float
    secure: bool
    same_site: str

    @classmethod
    def of(cls, settings: Settings) -> SessionRules:
        return cls(
            settings.text("auth", "login_cookie_name", "grafana_session"),
            max(2, settings.number("auth", "token_rotation_interval_minutes", 10)) * 60.0,
            settings.duration("auth", "login_maximum_inactive_lifetime_duration", 7 * 86400.0),
            settings.duration("auth", "login_maximum_lifetime_duration", 30 * 86400.0),
            settings.flag("security", "cookie_secure"),
            settings.text("security", "cookie_samesite", "lax"),
        )

    def write(self, response: Response, token: str, rotated: int) -> None:
        age = int(self.lifetime)
        response.cookie(self.cookie, token, max_age=age, secure=self.secure, same_site=self.same_site)
        expiry = str(int(rotated + self.rotation - 20))
        response.cookie(f"{self.cookie}_expiry", expiry, max_age=age, secure=self.secure, http_only=False, same_site=self.same_site)

    def clear(self, response: Response) -> None:
        for name in (self.cookie, f"{self.cookie}_expiry"):
            response.cookie(name, "", max_age=0, secure=self.secure, same_site=self.same_site)


def create(session: Session, user_id: int, request: Request) -> tuple[str, int]:
    token, now = random_text(32), int(time.time())
    session.insert(
        "user_auth_token",
        user_id=user_id,
        auth_token=digest(token),
        prev_auth_token=digest(token),
        auth_token_seen=False,
        user_agent=request.header("user-agent")[:190],
        client_ip=request.remote,
        rotated_at=now,
        seen_at=0,
        created_at=now,
        updated_at=now,
        revoked_at=0,
    )
    return token, now


def find(session: Session, rules: SessionRules, token: str) -> Row | None:
    """The live session this token belongs to, be it the current token or the one before it."""
    hashed, now = digest(token), int(time.time())
    row = session.row(
        'SELECT * FROM "user_auth_token" WHERE ("auth_token" = ? OR "prev_auth_token" = ?) AND "revoked_at" = 0 AND '
        '"created_at" > ? AND "rotated_at" > ?',
        hashed,
        hashed,
        int(now - rules.lifetime),
        int(now - rules.inactive),
    )
    if row is None:
        return None
    if row["auth_token"] != hashed and row["auth_token_seen"] and row["seen_at"] < now - _GRACE:
        return None
    return row


def check(session: Session, rules: SessionRules, token: str) -> Row | None:
    row = find(session, rules, token)
    if row is None:
        return None
    now = int(time.time())
    if row["rotated_at"] < now - rules.rotation:
        raise errutil(401, "session.token.rotate", "Unauthorized")
    if row["auth_token"] == digest(token) and not row["auth_token_seen"]:
        session.update("user_auth_token", {"id": row["id"]}, auth_token_seen=True, seen_at=now)
    return row


def rotate(context: Context, token: str) -> tuple[str, int] | None:
    """A new token for the session; the client has the old one until it has read the answer."""
    rules = context.app.session_rules
    row = find(context.session, rules, token)
    if row is None:
        return None
    fresh, now = random_text(32), int(time.time())
    context.session.update(
        "user_auth_token",
        {"id": row["id"]},
        auth_token=digest(fresh),
        prev_auth_token=digest(token),
        auth_token_seen=False,
        seen_at=0,
        rotated_at=now,
        updated_at=now,
    )
    return fresh, now
