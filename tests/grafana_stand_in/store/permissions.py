"""Permissions on folders and dashboards: granted to roles, teams and users, inherited from folders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..database.dialect import Row
from ..database.session import Session
from ..identity.identity import ROLES, Identity
from ..times import now_ms
from ..web.binding import Body
from ..web.errors import bad_request

VIEW, EDIT, ADMIN = 1, 2, 4
NAMES = {VIEW: "View", EDIT: "Edit", ADMIN: "Admin"}


@dataclass
class Rights:
    """What one caller may do with the items of an organisation."""

    everything: bool
    granted: dict[tuple[str, str], int]
    parents: dict[str, str]
    # May create at the root: what the role Editor brings.
    editor: bool

    @classmethod
    def of(cls, session: Session, identity: Identity) -> Rights:
        if identity.rank >= ROLES.index("Admin"):
            return cls(True, {}, {}, True)
        roles = ROLES[1 : identity.rank + 1]
        marks = ", ".join("?" * len(roles)) or "NULL"
        rows = session.rows(
            f'SELECT "kind", "resource_uid", max("level") AS "level" FROM "permission" WHERE "org_id" = ? AND ("role" IN ({marks}) '
            'OR ("user_id" = ? AND "user_id" > 0) OR ("team_id" > 0 AND "team_id" IN (SELECT "team_id" FROM '
            '"team_member" WHERE "user_id" = ?))) '
            'GROUP BY "kind", "resource_uid"',
            identity.org_id,
            *roles,
            identity.user_id,
            identity.user_id,
        )
        parents = session.rows('SELECT "uid", "parent_uid" FROM "folder" WHERE "org_id" = ?', identity.org_id)
        granted = {(row["kind"], row["resource_uid"]): row["level"] for row in rows}
        return cls(False, granted, {row["uid"]: row["parent_uid"] for row in parents}, identity.rank >= ROLES.index("Editor"))

    def level(self, kind: str, uid: str, folder_uid: str = "") -> int:
        if self.everything:
            return ADMIN
        level = self.granted.get((kind, uid), 0)
        above = self.parents.get(uid, "") if kind == "folder" else folder_uid
        for _ in range(len(self.parents)):
            if not above:
                break
            level = max(level, self.granted.get(("folder", above), 0))
            above = self.parents.get(above, "")
        return level

    def may_create_in(self, folder_uid: str) -> bool:
        return self.level("folder", folder_uid) >= EDIT if folder_uid else self.editor


def grant_defaults(session: Session, org_id: int, kind: str, uid: str, creator: int, *, at_root: bool) -> None:
    """Who makes a thing administers it; at the root, editors may edit it and viewers view it."""
    if creator > 0:
        _grant(session, org_id, kind, uid, "", creator, 0, ADMIN)
    if at_root:
        _grant(session, org_id, kind, uid, "Editor", 0, 0, EDIT)
        _grant(session, org_id, kind, uid, "Viewer", 0, 0, VIEW)


def grant_at_root(session: Session, org_id: int, kind: str, uid: str) -> None:
    """What moves to the root has inherited its permissions so far. It gets those of the root, unless roles have some already."""
    sql = 'SELECT count(*) FROM "permission" WHERE "org_id" = ? AND "kind" = ? AND "resource_uid" = ? AND "role" <> ?'
    if not session.value(sql, org_id, kind, uid, ""):
        grant_defaults(session, org_id, kind, uid, 0, at_root=True)


def _grant(session: Session, org_id: int, kind: str, uid: str, role: str, user_id: int, team_id: int, level: int) -> None:
    now = now_ms()
    values = {"role": role, "user_id": user_id, "team_id": team_id, "level": level, "created": now, "updated": now}
    session.insert("permission", org_id=org_id, kind=kind, resource_uid=uid, **values)


def replace(session: Session, org_id: int, kind: str, uid: str, items: list[Body]) -> None:
    wanted: dict[tuple[str, int, int], int] = {}
    for item in items:
        holder = item.text("role"), item.integer("userId"), item.integer("teamId")
        level = item.integer("permission")
        if sum(bool(part) for part in holder) != 1 or level not in NAMES or (holder[0] and holder[0] not in ROLES[1:]):
            raise bad_request("invalid permission")
        if holder in wanted:
            raise bad_request("duplicate permission")
        wanted[holder] = level
    for (_, user_id, team_id), _level in wanted.items():
        if user_id and not session.value('SELECT count(*) FROM "org_user" WHERE "org_id" = ? AND "user_id" = ?', org_id, user_id):
            raise bad_request("user not found")
        if team_id and not session.value('SELECT count(*) FROM "team" WHERE "org_id" = ? AND "id" = ?', org_id, team_id):
            raise bad_request("team not found")
    session.delete("permission", org_id=org_id, kind=kind, resource_uid=uid)
    for (role, user_id, team_id), level in wanted.items():
        _grant(session, org_id, kind, uid, role, user_id, team_id, level)


def listing(session: Session, org_id: int, kind: str, uid: str, folders_above: list[str]) -> list[dict[str, Any]]:
    """The item's own permissions, then those of the folders above it, nearest first."""
    found = [_shape(row, kind, uid, False) for row in _rows(session, org_id, kind, uid)]
    for above in folders_above:
        found.extend(_shape(row, "folder", above, True) for row in _rows(session, org_id, "folder", above))
    return found


def _rows(session: Session, org_id: int, kind: str, uid: str) -> list[Row]:
    return session.rows(
        'SELECT p.*, u."login" AS "user_login", u."email" AS "user_email", u."uid" AS "user_uid", t."name" AS '
        '"team_name", t."email" AS "team_email", '
        't."uid" AS "team_uid" FROM "permission" p LEFT JOIN "user" u ON u."id" = p."user_id" LEFT JOIN "team" t ON t."id" = p."team_id" '
        'WHERE p."org_id" = ? AND p."kind" = ? AND p."resource_uid" = ? ORDER BY p."level" DESC, p."id"',
        org_id,
        kind,
        uid,
    )


def _shape(row: Row, kind: str, uid: str, inherited: bool) -> dict[str, Any]:
    return {
        **({"role": row["role"]} if row["role"] else {}),
        "userId": row["user_id"],
        "userLogin": row["user_login"] or "",
        "userEmail": row["user_email"] or "",
        "userUid": row["user_uid"] or "",
        "teamId": row["team_id"],
        "team": row["team_name"] or "",
        "teamEmail": row["team_email"] or "",
        "teamUid": row["team_uid"] or "",
        "permission": row["level"],
        "permissionName": NAMES[row["level"]],
        "uid": uid,
        "isFolder": kind == "folder",
        "inherited": inherited,
        **({"folderUid": uid} if kind == "folder" else {}),
    }


def forget(session: Session, org_id: int, kind: str, uid: str) -> None:
    session.delete("permission", org_id=org_id, kind=kind, resource_uid=uid)
