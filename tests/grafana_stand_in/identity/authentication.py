"""From credentials to a caller: service account token, basic auth, login cookie, anonymous; in this order."""

from __future__ import annotations

import base64
import binascii
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ..database.dialect import Row
from ..database.session import Session
from ..security.tokens import digest
from ..web.errors import ApiError, classic, errutil
from ..web.message import Request
from . import sessions
from .identity import NO_ORG, ROLES, Identity

if TYPE_CHECKING:
    from ..application import Application

_ATTEMPT_WINDOW = 300
_USER = (
    'SELECT u."id", u."uid", u."login", u."name", u."email", u."password", u."salt", u."org_id", u."is_admin", u."is_disabled", '
    'u."is_service_account", u."last_seen_at", m."role", m."org_id" AS "member_of"{more} FROM "user" u '
    'LEFT JOIN "org_user" m ON m."user_id" = u."id" AND m."org_id" = COALESCE(?, u."org_id") '
)
_BY_LOGIN = (
    _USER.format(more=', (SELECT count(*) FROM "login_attempt" a WHERE a."username" = ? AND a."created" > ?) AS "attempts"')
    + 'WHERE (u."login" = ? OR u."email" = ?) AND u."is_service_account" = 0'
)
_BY_ID = _USER.format(more="") + 'WHERE u."id" = ?'
_BY_TOKEN = (
    'SELECT k."id" AS "key_id", k."org_id" AS "key_org", k."expires", k."is_revoked", k."last_used_at", u."id", '
    'u."uid", u."login", u."name", u."email", '
    'u."is_disabled", m."role" FROM "api_key" k JOIN "user" u ON u."id" = k."service_account_id" '
    'LEFT JOIN "org_user" m ON m."user_id" = u."id" AND m."org_id" = k."org_id" WHERE k."key_hash" = ?'
)


def wrong_password() -> ApiError:
    return errutil(401, "password-auth.failed", "Invalid username or password")


def invalid_key() -> ApiError:
    return errutil(401, "api-key.invalid", "Invalid API key")


def requested_org(request: Request) -> int | None:
    """From the header, the query or the namespace of a resource; what is no integer is not heard."""
    candidates = [request.header("x-grafana-org-id"), request.query.get("targetOrgId", [""])[0]]
    segments = request.segments
    if segments and segments[0] == "apis" and "namespaces" in segments[:-1]:
        candidates.insert(0, str(org_of_namespace(segments[segments.index("namespaces") + 1]) or ""))
    for text in candidates:
        if text.isascii() and text.isdecimal() and len(text) < 19 and int(text) > 0:
            return int(text)
    return None


def org_of_namespace(namespace: str) -> int | None:
    if namespace == "default":
        return 1
    number = namespace.removeprefix("org-")
    return int(number) if number != namespace and number.isascii() and number.isdecimal() and len(number) < 19 else None


def _user(row: Row, session_id: int = 0) -> Identity:
    org, role = (row["org_id"] if row["member_of"] is None else row["member_of"]), row["role"]
    if row["member_of"] is None:
        org, role = NO_ORG, "None"
    return Identity("user", row["id"], row["uid"], row["login"], row["name"], row["email"], org, role, bool(row["is_admin"]), session_id)


class Authenticator:
    def __init__(self, app: Application) -> None:
        settings = app.settings
        self._app = app
        self._basic = settings.flag("auth.basic", "enabled", True)
        self._anonymous = settings.flag("auth.anonymous", "enabled")
        self._protection = not (
            settings.flag("security", "disable_brute_force_login_protection")
            or settings.flag("security", "disable_username_login_protection")
        )
        self._max_attempts = settings.number("security", "brute_force_login_protection_max_attempts", 5)
        self._trusted_origins = set(settings.text("security", "csrf_trusted_origins").split())

    def authenticate(self, request: Request, session: Session) -> Identity | None:
        authorization = request.header("authorization")
        if authorization:
            scheme, _, rest = authorization.partition(" ")
            if scheme.lower() == "bearer":
                return self._token(session, rest.strip())
            if scheme.lower() == "basic" and self._basic:
                return self._basic_auth(request, session, rest.strip())
        token = request.cookies.get(self._app.session_rules.cookie, "") if "cookie" in request.headers else ""
        if token:
            row = sessions.check(session, self._app.session_rules, token)
            if row is None:
                raise errutil(401, "auth.unauthorized", "Unauthorized")
            self._check_origin(request)
            return self._by_id(request, session, row["user_id"], row["id"])
        if self._anonymous:
            return self._nobody(session)
        return None

    def login(self, session: Session, name: str, password: str, org: int | None) -> Identity:
        """Checks a name and a password; failures count against the name, wherever they came from."""
        name = name.lower()
        since = int(time.time()) - _ATTEMPT_WINDOW
        row = session.row(_BY_LOGIN, name, since, org, name, name)
        locked = self._protection and row is not None and row["attempts"] >= self._max_attempts
        if row is None or locked or not row["password"] or not self._app.passwords.verify(password, row["salt"], row["password"]):
            if row is not None and not locked:
                # The pool may have no second connection to give.
                session.rollback()
                self._remember_failure(name)
            raise wrong_password()
        if row["is_disabled"]:
            raise errutil(401, "user.disabled", "User is disabled")
        self._app.seen(row["id"], row["last_seen_at"])
        return _user(row)

    def _remember_failure(self, name: str) -> None:
        # Apart from the request, which is about to be rolled back.
        with self._app.database(write=True) as session:
            now = int(time.time())
            session.execute('DELETE FROM "login_attempt" WHERE "created" < ?', now - _ATTEMPT_WINDOW)
            session.insert("login_attempt", username=name, created=now)

    def _basic_auth(self, request: Request, session: Session, encoded: str) -> Identity:
        try:
            name, colon, password = base64.b64decode(encoded, validate=True).decode("utf-8", "replace").partition(":")
        except (binascii.Error, ValueError):
            raise errutil(400, "auth.invalid-header", "Invalid basic auth header") from None
        if not colon:
            raise errutil(400, "auth.invalid-header", "Invalid basic auth header")
        if name == "api_key":
            return self._token(session, password)
        if "\0" in name or not name or not password:
            raise wrong_password()
        return self.login(session, name, password, requested_org(request))

    def _token(self, session: Session, key: str) -> Identity:
        row = session.row(_BY_TOKEN, digest(key)) if key.startswith("glsa_") else None
        if row is None:
            raise invalid_key()
        if row["is_revoked"]:
            raise errutil(401, "service-accounts.token-revoked", "Revoked API key")
        now = int(time.time())
        if 0 < row["expires"] <= now:
            raise errutil(401, "api-key.expired", "Expired API key")
        if row["is_disabled"]:
            raise errutil(401, "service-accounts.disabled", "Service account is disabled")
        self._app.used(row["key_id"], row["last_used_at"])
        role = row["role"] or ROLES[0]
        return Identity("service-account", row["id"], row["uid"], row["login"], row["name"], row["email"], row["key_org"], role)

    def _by_id(self, request: Request, session: Session, user_id: int, session_id: int) -> Identity:
        row = session.row(_BY_ID, requested_org(request), user_id)
        if row is None or row["is_disabled"]:
            raise errutil(401, "auth.unauthorized", "Unauthorized")
        self._app.seen(row["id"], row["last_seen_at"])
        return _user(row, session_id)

    def _nobody(self, session: Session) -> Identity | None:
        name = self._app.settings.text("auth.anonymous", "org_name", "Main Org.")
        org = session.value('SELECT "id" FROM "org" WHERE "name" = ?', name)
        if org is None:
            return None
        role = self._app.settings.text("auth.anonymous", "org_role", "Viewer")
        return Identity("anonymous", 0, "", "", "", "", int(org), role if role in ROLES else "Viewer")

    def _check_origin(self, request: Request) -> None:
        """A browser names the site a request comes from; another site may not act with the cookie of this one."""
        origin = request.header("origin")
        if not origin or origin == "null" or request.method in ("GET", "HEAD", "OPTIONS"):
            return
        host = urlsplit(origin).hostname or ""
        own = request.header("host").rsplit(":", 1)[0].strip("[]")
        if host != own and host not in self._trusted_origins:
            raise classic(403, "origin not allowed")
