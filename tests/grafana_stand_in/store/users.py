"""Users and organisations."""

from __future__ import annotations

from typing import Any

from ..database.dialect import Row
from ..database.session import Session
from ..identity.identity import ROLES
from ..security import passwords
from ..security.tokens import new_uid
from ..settings.settings import Settings
from ..times import now_ms
from ..web.errors import bad_request, classic

# Everything that belongs to an organisation by its column org_id.
_OF_ORG = (
    "org_user",
    "api_key",
    "temp_user",
    "team",
    "team_member",
    "preferences",
    "quota",
    "folder",
    "dashboard",
    "dashboard_provisioning",
    "star",
    "permission",
    "library_element",
    "data_source",
    "correlation",
    "annotation",
    "dashboard_snapshot",
    "playlist",
    "alert_rule",
    "alert_configuration",
    "alert_silence",
)


def ensure_org_and_admin(session: Session, settings: Settings) -> None:
    """The first organisation always has id 1, also where a Galera cluster hands out every third number."""
    if not settings.flag("database", "ensure_default_org_and_user", True):
        return
    now = now_ms()
    if session.value('SELECT count(*) FROM "org"') == 0:
        session.with_explicit_id("org", id=1, name="Main Org.", address="{}", created=now, updated=now)
    if settings.flag("security", "disable_initial_admin_creation"):
        return
    if session.value('SELECT count(*) FROM "user"') == 0:
        salt = passwords.new_salt()
        session.with_explicit_id(
            "user",
            id=1,
            **_new_user(settings.text("security", "admin_user"), settings.text("security", "admin_email"), ""),
            org_id=1,
            is_admin=True,
            password=passwords.encode(settings.text("security", "admin_password"), salt),
            salt=salt,
            is_service_account=False,
        )
        add_to_org(session, 1, 1, "Admin")


def _new_user(login: str, email: str, name: str) -> Row:
    now = now_ms()
    return {
        "uid": new_uid(),
        "login": login.lower(),
        "email": email.lower(),
        "name": name,
        "theme": "",
        "is_disabled": False,
        "last_seen_at": 0,
        "created": now,
        "updated": now,
    }


def create_user(
    session: Session,
    *,
    login: str,
    email: str,
    name: str,
    password: str = "",
    org_id: int,
    role: str,
    service_account: bool = False,
) -> Row:
    login, email = (login or email).lower(), (email or login).lower()
    taken = session.value('SELECT count(*) FROM "user" WHERE "login" IN (?, ?) OR "email" IN (?, ?)', login, email, login, email)
    if taken:
        raise classic(412, f"User with email '{email}' or username '{login}' already exists")
    salt = passwords.new_salt()
    row = {
        **_new_user(login, email, name),
        "org_id": org_id,
        "is_admin": False,
        "password": passwords.encode(password, salt) if password else "",
        "salt": salt,
        "is_service_account": service_account,
    }
    user_id = session.insert("user", **row)
    add_to_org(session, org_id, user_id, role)
    return {**row, "id": user_id}


def set_password(session: Session, user_id: int, password: str) -> int:
    salt = passwords.new_salt()
    return session.update("user", {"id": user_id}, password=passwords.encode(password, salt), salt=salt, updated=now_ms())


def delete_user(session: Session, user_id: int) -> None:
    for table in ("user_auth_token", "org_user", "team_member", "star", "permission", "preferences", "quota"):
        session.delete(table, user_id=user_id)
    session.delete("api_key", service_account_id=user_id)
    session.delete("user", id=user_id)


def add_to_org(session: Session, org_id: int, user_id: int, role: str) -> None:
    now = now_ms()
    session.insert("org_user", org_id=org_id, user_id=user_id, role=role, created=now, updated=now)


def find_user(session: Session, **where: Any) -> Row | None:
    conditions = " AND ".join(f'"{name}" = ?' for name in where)
    return session.row(f'SELECT * FROM "user" WHERE {conditions} AND "is_service_account" = 0', *where.values())


def find_by_login(session: Session, name: str) -> Row | None:
    name = name.lower()
    return session.row('SELECT * FROM "user" WHERE ("login" = ? OR "email" = ?) AND "is_service_account" = 0', name, name)


def user_or_404(session: Session, user_id: int) -> Row:
    row = find_user(session, id=user_id)
    if row is None:
        raise classic(404, "user not found")
    return row


def checked_role(text: str, default: str = "") -> str:
    role = text or default
    if role not in ROLES:
        raise bad_request("Invalid role specified")
    return role


def create_org(session: Session, name: str, creator: int | None) -> int:
    if not name:
        raise bad_request("Organization name is required")
    if session.value('SELECT count(*) FROM "org" WHERE "name" = ?', name):
        raise classic(409, "Organization name taken")
    now = now_ms()
    org_id = session.insert("org", name=name, address="{}", created=now, updated=now)
    if creator is not None:
        add_to_org(session, org_id, creator, "Admin")
    return org_id


def delete_org(session: Session, org_id: int) -> None:
    session.execute('DELETE FROM "dashboard_version" WHERE "dashboard_id" IN (SELECT "id" FROM "dashboard" WHERE "org_id" = ?)', org_id)
    session.execute(
        'DELETE FROM "library_element_connection" WHERE "element_id" IN (SELECT "id" FROM "library_element" WHERE "org_id" = ?)', org_id
    )
    for table in _OF_ORG:
        session.delete(table, org_id=org_id)
    session.execute('DELETE FROM "user" WHERE "org_id" = ? AND "is_service_account" = 1', org_id)
    session.delete("org", id=org_id)


def last_admin(session: Session, org_id: int, user_id: int) -> bool:
    """Whether nobody else administers the organisation."""
    return not session.value(
        'SELECT count(*) FROM "org_user" WHERE "org_id" = ? AND "role" = ? AND "user_id" <> ?', org_id, "Admin", user_id
    )
