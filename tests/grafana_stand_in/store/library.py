"""Library elements: panels that dashboards share."""

from __future__ import annotations

import json
from typing import Any

from ..database.dialect import Row
from ..database.session import Session
from ..release import Release
from ..security.tokens import new_uid, valid_uid
from ..times import now_ms
from ..web.errors import ApiError, bad_request, classic
from ..web.message import dumps
from . import folders
from .folders import Author

PANEL = 1
_FULL = (
    'SELECT e.*, f."id" AS "folder_id", f."title" AS "folder_title", c."login" AS "creator", u."login" AS "updater", '
    '(SELECT count(*) FROM "library_element_connection" x WHERE x."element_id" = e."id") AS "connections" FROM "library_element" e '
    'LEFT JOIN "folder" f ON f."org_id" = e."org_id" AND f."uid" = e."folder_uid" '
    'LEFT JOIN "user" c ON c."id" = e."created_by" LEFT JOIN "user" u ON u."id" = e."updated_by" WHERE e."org_id" = ? '
)


def already_exists() -> ApiError:
    return classic(400, "library element with that name or UID already exists")


def rows(session: Session, org_id: int) -> list[Row]:
    return session.rows(_FULL + 'ORDER BY e."name", e."id"', org_id)


def find(session: Session, org_id: int, uid: str) -> Row | None:
    return session.row(_FULL + 'AND e."uid" = ?', org_id, uid)


def get(session: Session, org_id: int, uid: str) -> Row:
    row = find(session, org_id, uid)
    if row is None:
        raise classic(404, "library element could not be found")
    return row


def _check_name(session: Session, release: Release, org_id: int, folder_uid: str, name: str, own: int = 0) -> None:
    if not name:
        raise bad_request("library element name cannot be empty")
    if len(name) > 100:
        raise bad_request("library element name is too long")
    sql = 'SELECT count(*) FROM "library_element" WHERE "org_id" = ? AND "folder_uid" = ? AND "name" = ? AND "kind" = ? AND "id" <> ?'
    if release.library_names_unique and session.value(sql, org_id, folder_uid, name, PANEL, own):
        raise already_exists()


def _check_folder(session: Session, org_id: int, folder_uid: str) -> None:
    if folder_uid and not folders.exists(session, org_id, folder_uid):
        raise bad_request("failed to get folder")


def create(
    session: Session,
    release: Release,
    org_id: int,
    author: Author,
    *,
    name: str,
    model: dict[str, Any],
    uid: str = "",
    folder_uid: str = "",
) -> Row:
    if uid and (not valid_uid(uid) or len(uid) > 40):
        raise bad_request("uid contains illegal characters" if not valid_uid(uid) else "uid too long, max 40 characters")
    _check_folder(session, org_id, folder_uid)
    _check_name(session, release, org_id, folder_uid, name)
    if uid and find(session, org_id, uid) is not None:
        raise already_exists()
    uid, now = uid or new_uid(), now_ms()
    session.insert(
        "library_element",
        org_id=org_id,
        folder_uid=folder_uid,
        uid=uid,
        name=name,
        kind=PANEL,
        **_of_model(model, uid, name),
        version=1,
        created_by=author.user_id,
        updated_by=author.user_id,
        created=now,
        updated=now,
    )
    return get(session, org_id, uid)


def _of_model(model: dict[str, Any], uid: str, name: str, before: Row | None = None) -> Row:
    """The model carries the element's own uid and name; type and description are read from it, and put there where it has none."""
    known = before or {"type": "", "description": ""}
    own = {member: known[member] if model.get(member) is None else model[member] for member in ("type", "description")}
    texts = {member: value if isinstance(value, str) else "" for member, value in own.items()}
    return {"model": dumps({**model, **own, "libraryPanel": {"uid": uid, "name": name}}), **texts}


def update(
    session: Session,
    release: Release,
    row: Row,
    author: Author,
    *,
    version: int,
    name: str,
    model: dict[str, Any] | None,
    uid: str,
    folder_uid: str | None,
) -> Row:
    if version != row["version"]:
        raise classic(412, "the library element has been changed by someone else")
    org_id = row["org_id"]
    name, uid = name or row["name"], uid or row["uid"]
    folder_uid = row["folder_uid"] if folder_uid is None else folder_uid
    if uid != row["uid"]:
        if not valid_uid(uid) or len(uid) > 40:
            raise bad_request("uid contains illegal characters")
        if find(session, org_id, uid) is not None:
            raise already_exists()
    _check_folder(session, org_id, folder_uid)
    _check_name(session, release, org_id, folder_uid, name, row["id"])
    content = _of_model(json.loads(row["model"]) if model is None else model, uid, name, row)
    values = {"name": name, "uid": uid, "folder_uid": folder_uid, **content}
    session.update("library_element", {"id": row["id"]}, **values, version=row["version"] + 1, updated=now_ms(), updated_by=author.user_id)
    return get(session, org_id, uid)


def delete(session: Session, row: Row) -> None:
    if row["connections"]:
        raise classic(403, "the library element has connections")
    session.delete("library_element", id=row["id"])
