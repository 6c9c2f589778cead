"""Folders: a tree by parent uid."""

from __future__ import annotations

from dataclasses import dataclass

from ..cluster.listing import mark_deleted
from ..database.dialect import Row
from ..database.session import Session
from ..release import Release
from ..security.tokens import new_uid, valid_uid
from ..times import now_ms
from ..web.errors import ApiError, bad_request, classic, errutil
from . import permissions

MAX_DEPTH = 4
_MAX_UID = 40


@dataclass(frozen=True)
class Author:
    """Who writes, and on which node."""

    user_id: int
    node: str

    def stamps(self, *, created: bool) -> Row:
        now = now_ms()
        values: Row = {"updated": now, "updated_by": self.user_id, "written_by": self.node, "written_at": now}
        if created:
            values |= {"created": now, "created_by": self.user_id}
        return values


def not_found() -> ApiError:
    return classic(404, "folder not found", status="not-found")


def changed_meanwhile() -> ApiError:
    return classic(412, "the folder has been changed by someone else", status="version-mismatch")


def find(session: Session, org_id: int, uid: str) -> Row | None:
    return session.row(
        'SELECT f.*, c."login" AS "creator", u."login" AS "updater" FROM "folder" f LEFT JOIN "user" c ON c."id" = f."created_by" '
        'LEFT JOIN "user" u ON u."id" = f."updated_by" WHERE f."org_id" = ? AND f."uid" = ?',
        org_id,
        uid,
    )


def get(session: Session, org_id: int, uid: str) -> Row:
    row = find(session, org_id, uid)
    if row is None:
        raise not_found()
    return row


def exists(session: Session, org_id: int, uid: str) -> bool:
    return bool(session.value('SELECT count(*) FROM "folder" WHERE "org_id" = ? AND "uid" = ?', org_id, uid))


def ancestors(session: Session, org_id: int, parent_uid: str) -> list[Row]:
    """The folders above, nearest first."""
    found: list[Row] = []
    while parent_uid and len(found) <= MAX_DEPTH + 1:
        row = find(session, org_id, parent_uid)
        if row is None:
            break
        found.append(row)
        parent_uid = row["parent_uid"]
    return found


def descendants(session: Session, org_id: int, uid: str) -> list[str]:
    """The folders below, parents before their children."""
    found, level = [], [uid]
    while level:
        marks = ", ".join("?" * len(level))
        level = session.column(f'SELECT "uid" FROM "folder" WHERE "org_id" = ? AND "parent_uid" IN ({marks})', org_id, *level)
        found.extend(level)
    return found


def _too_deep() -> ApiError:
    return errutil(400, "folder.maximum-depth-reached", "Maximum nested folder depth reached")


def create(
    session: Session,
    release: Release,
    org_id: int,
    author: Author,
    *,
    title: str,
    uid: str = "",
    parent_uid: str = "",
    description: str = "",
) -> Row:
    title = title.strip()
    if not title:
        raise bad_request("folder title cannot be empty")
    if uid and (not valid_uid(uid) or uid == "general"):
        raise bad_request("uid contains illegal characters")
    if len(uid) > _MAX_UID:
        raise bad_request("uid too long, max 40 characters")
    if uid and uid == parent_uid:
        raise errutil(400, "folder.bad-request", "folder cannot be parent of itself")
    if parent_uid:
        above = ancestors(session, org_id, parent_uid)
        if not above:
            raise bad_request("parent folder not found") if not release.since(12) else not_found()
        if len(above) > MAX_DEPTH:
            raise _too_deep()
    taken = uid and exists(session, org_id, uid)
    if taken and release.folder_conflict_is_412:
        raise changed_meanwhile()
    if taken or (
        uid
        and not release.folder_conflict_is_412
        and session.value('SELECT count(*) FROM "dashboard" WHERE "org_id" = ? AND "uid" = ?', org_id, uid)
    ):
        raise classic(409, "a folder/dashboard with the same uid already exists")
    uid = uid or new_uid()
    values = {"uid": uid, "title": title, "description": description, "parent_uid": parent_uid, "version": 1}
    session.insert("folder", org_id=org_id, **values, **author.stamps(created=True))
    permissions.grant_defaults(session, org_id, "folder", uid, author.user_id, at_root=not parent_uid)
    return get(session, org_id, uid)


def rename(
    session: Session, org_id: int, uid: str, author: Author, *, title: str, description: str | None, version: int, overwrite: bool
) -> Row:
    row = get(session, org_id, uid)
    if not title.strip():
        raise bad_request("folder title cannot be empty")
    if version != row["version"] and not overwrite:
        raise changed_meanwhile()
    values = {"title": title.strip(), "description": row["description"] if description is None else description}
    session.update("folder", {"id": row["id"]}, **values, version=row["version"] + 1, **author.stamps(created=False))
    return get(session, org_id, uid)


def move(session: Session, org_id: int, uid: str, author: Author, parent_uid: str) -> Row:
    row = get(session, org_id, uid)
    if parent_uid == uid:
        raise errutil(400, "folder.bad-request", "folder cannot be parent of itself")
    above = ancestors(session, org_id, parent_uid) if parent_uid else []
    if parent_uid and not above:
        raise not_found()
    if any(parent["uid"] == uid for parent in above):
        raise errutil(400, "folder.circular-reference", "Circular reference detected")
    if above and len(above) + _height(session, org_id, uid) > MAX_DEPTH:
        raise _too_deep()
    session.update("folder", {"id": row["id"]}, parent_uid=parent_uid, version=row["version"] + 1, **author.stamps(created=False))
    if row["parent_uid"] and not parent_uid:
        permissions.grant_at_root(session, org_id, "folder", uid)
    return get(session, org_id, uid)


def _height(session: Session, org_id: int, uid: str) -> int:
    """How many levels are below."""
    height, level = 0, [uid]
    while level:
        marks = ", ".join("?" * len(level))
        level = session.column(f'SELECT "uid" FROM "folder" WHERE "org_id" = ? AND "parent_uid" IN ({marks})', org_id, *level)
        height += bool(level)
    return height


def delete(session: Session, org_id: int, uid: str, author: Author, *, with_rules: bool) -> Row:
    from . import dashboards

    row = get(session, org_id, uid)
    doomed = [*reversed(descendants(session, org_id, uid)), uid]
    marks = ", ".join("?" * len(doomed))
    inside = f'"org_id" = ? AND "folder_uid" IN ({marks})'
    if session.value(f'SELECT count(*) FROM "alert_rule" WHERE {inside}', org_id, *doomed):
        if not with_rules:
            raise errutil(400, "folder.contains-alert-rules", "folder contains alert rules. Please delete them first")
        session.execute(f'DELETE FROM "alert_rule" WHERE {inside}', org_id, *doomed)
    in_use = session.value(
        'SELECT count(*) FROM "library_element_connection" c JOIN "library_element" e ON e."id" = c."element_id" JOIN "dashboard" d '
        f'ON d."id" = c."connection_id" WHERE e."org_id" = ? AND e."folder_uid" IN ({marks}) AND d."folder_uid" NOT IN ({marks})',
        org_id,
        *doomed,
        *doomed,
    )
    if in_use:
        raise classic(403, "folder contains library elements in use")
    for dashboard in session.rows(f'SELECT * FROM "dashboard" WHERE {inside}', org_id, *doomed):
        dashboards.erase(session, dashboard, author)
    session.execute(f'DELETE FROM "library_element" WHERE {inside}', org_id, *doomed)
    for folder_uid in doomed:
        permissions.forget(session, org_id, "folder", folder_uid)
        session.delete("folder", org_id=org_id, uid=folder_uid)
        mark_deleted(session, author.node, org_id, "folder", folder_uid)
    return row


def counts(session: Session, org_id: int, uid: str) -> dict[str, int]:
    get(session, org_id, uid)
    below = descendants(session, org_id, uid)
    inside = [uid, *below]
    marks = ", ".join("?" * len(inside))
    found = {"folder": len(below)}
    for name, table in (("dashboard", "dashboard"), ("librarypanel", "library_element"), ("alertrule", "alert_rule")):
        found[name] = session.value(f'SELECT count(*) FROM "{table}" WHERE "org_id" = ? AND "folder_uid" IN ({marks})', org_id, *inside)
    return found
