"""Dashboards: saving under the rules of the release, versions, deletion."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..cluster.listing import mark_deleted
from ..database.dialect import Row
from ..database.session import Session
from ..release import Release
from ..security.tokens import new_uid, slug, valid_uid
from ..settings.settings import Settings
from ..web.errors import ApiError, bad_request, classic
from ..web.message import dumps
from . import folders, permissions, quotas
from .folders import Author

_MAX_UID, _MAX_MESSAGE, _MAX_TITLE = 40, 500, 5000
# The server gives these; what is stored is the dashboard without them.
_GIVEN = ("id", "uid", "version")


@dataclass
class Command:
    spec: dict[str, Any]
    folder_uid: str = ""
    message: str = ""
    overwrite: bool = False
    api_version: str = "v0alpha1"
    # Set where somebody restores an old version, or file provisioning writes.
    restored_from: int = 0
    provisioner: bool = False


def find(session: Session, org_id: int, uid: str) -> Row | None:
    return session.row('SELECT * FROM "dashboard" WHERE "org_id" = ? AND "uid" = ?', org_id, uid)


def get(session: Session, org_id: int, uid: str) -> Row:
    row = find(session, org_id, uid)
    if row is None:
        raise classic(404, "Dashboard not found")
    return row


def url(row: Row) -> str:
    return f"/d/{row['uid']}/{row['slug']}"


def text_of_spec(spec: dict[str, Any]) -> str:
    return dumps({key: value for key, value in spec.items() if key not in _GIVEN})


def with_given(row: Row) -> str:
    """The stored text with what the server gives put in front, without reading it."""
    rest = row["data"][1:]
    return f'{{"id":{row["id"]},"uid":{json.dumps(row["uid"])},"version":{row["version"]}{"," if len(rest) > 1 else ""}{rest}'


def is_v2_spec(spec: dict[str, Any]) -> bool:
    return "elements" in spec and "layout" in spec


def tags_of(spec: dict[str, Any]) -> list[str]:
    tags = spec.get("tags")
    return [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else []


def library_uids(spec: Any) -> Iterator[str]:
    """The library panels a dashboard uses, in either shape."""
    if not isinstance(spec, dict):
        return
    panels = spec.get("panels")
    for panel in panels if isinstance(panels, list) else ():
        if isinstance(panel, dict):
            library = panel.get("libraryPanel")
            if isinstance(library, dict) and isinstance(library.get("uid"), str):
                yield library["uid"]
            yield from library_uids(panel)
    elements = spec.get("elements")
    for element in elements.values() if isinstance(elements, dict) else ():
        if isinstance(element, dict) and element.get("kind") == "LibraryPanel":
            inner = element.get("spec")
            library = inner.get("libraryPanel") if isinstance(inner, dict) else None
            if isinstance(library, dict) and isinstance(library.get("uid"), str):
                yield library["uid"]


def check_spec(release: Release, spec: dict[str, Any], message: str) -> tuple[str, str]:
    """Returns the title and the uid, where they are acceptable."""
    title, uid = spec.get("title"), spec.get("uid")
    if title is not None and not isinstance(title, str):
        raise bad_request()
    if uid is not None and not isinstance(uid, str):
        raise bad_request()
    title, uid = (title or "").strip(), (uid or "").strip()
    if not title:
        if release.save_conflict_is_409:
            raise bad_request("Dashboard spec is missing required title property")
        raise classic(400, "Dashboard title cannot be empty", status="empty-name")
    if len(title) > _MAX_TITLE:
        raise bad_request("Dashboard title cannot contain more than 5000 characters")
    if len(message) > _MAX_MESSAGE:
        raise bad_request("Commit message cannot contain more than 500 characters")
    if uid and not valid_uid(uid):
        raise bad_request("uid contains illegal characters")
    if len(uid) > _MAX_UID:
        raise bad_request("uid too long, max 40 characters")
    return title, uid


def save(session: Session, release: Release, settings: Settings, org_id: int, author: Author, command: Command) -> Row:
    title, uid = check_spec(release, command.spec, command.message)
    command.spec = {**command.spec, "title": title}
    existing = _existing(session, org_id, command.spec.get("id"), uid)
    if existing is not None:
        _check_overwrite(session, release, existing, command)
    if command.folder_uid and not folders.exists(session, org_id, command.folder_uid):
        raise bad_request("folder not found")
    if existing is None:
        quotas.check(session, settings, org_id, "dashboard")
    return write(session, settings, org_id, author, command, existing, title=title, uid=uid)


def _existing(session: Session, org_id: int, number: Any, uid: str) -> Row | None:
    by_id = None
    if number is not None and number != 0:
        if isinstance(number, bool) or not isinstance(number, int) or abs(number) >= 1 << 63:
            raise bad_request()
        by_id = session.row('SELECT "id" FROM "dashboard" WHERE "org_id" = ? AND "id" = ?', org_id, number)
        if by_id is None:
            raise classic(404, "Dashboard not found", status="not-found")
    by_uid = session.row('SELECT "id" FROM "dashboard" WHERE "org_id" = ? AND "uid" = ?', org_id, uid) if uid else None
    if by_id is not None and by_uid is not None and by_id["id"] != by_uid["id"]:
        raise classic(400, "A dashboard with the same uid already exists")
    found = by_id or by_uid
    # Locked only where there is a row: MySQL would lock the gap otherwise, and inserts side by side would wait for each other.
    return session.row('SELECT * FROM "dashboard" WHERE "id" = ? FOR UPDATE', found["id"]) if found else None


def _check_overwrite(session: Session, release: Release, existing: Row, command: Command) -> None:
    if command.provisioner:
        return
    provisioned = session.row('SELECT * FROM "dashboard_provisioning" WHERE "dashboard_id" = ?', existing["id"])
    if provisioned is not None and not provisioned["allow_ui_updates"]:
        raise bad_request("Cannot save provisioned dashboard")
    if command.overwrite:
        return
    if (command.spec.get("version") or 0) != existing["version"]:
        raise conflict(release)
    if existing["plugin_id"]:
        raise classic(412, f"The dashboard belongs to plugin {existing['plugin_id']}.", status="plugin-dashboard")


def conflict(release: Release) -> ApiError:
    if release.save_conflict_is_409:
        return classic(409, "Dashboard already exists. Use overwrite flag to update.")
    return classic(412, "The dashboard has been changed by someone else", status="version-mismatch")


def write(
    session: Session, settings: Settings, org_id: int, author: Author, command: Command, existing: Row | None, *, title: str, uid: str
) -> Row:
    """Stores what was accepted, as the next version."""
    values: Row = {
        "title": title,
        "slug": slug(title),
        "folder_uid": command.folder_uid,
        "tags": dumps(tags_of(command.spec)),
        "api_version": command.api_version,
        "data": text_of_spec(command.spec),
        "message": command.message,
        **author.stamps(created=existing is None),
    }
    if existing is None:
        uid = uid or new_uid()
        values |= {"uid": uid, "version": 1, "plugin_id": ""}
        number = session.insert("dashboard", org_id=org_id, **values)
        permissions.grant_defaults(session, org_id, "dashboard", uid, author.user_id, at_root=not command.folder_uid)
    else:
        number = existing["id"]
        values |= {"uid": uid or existing["uid"], "version": existing["version"] + 1}
        session.update("dashboard", {"id": number}, **values)
        if values["uid"] != existing["uid"]:
            session.update(
                "permission", {"org_id": org_id, "kind": "dashboard", "resource_uid": existing["uid"]}, resource_uid=values["uid"]
            )
            session.update("star", {"org_id": org_id, "dashboard_uid": existing["uid"]}, dashboard_uid=values["uid"])
        if existing["folder_uid"] and not command.folder_uid:
            permissions.grant_at_root(session, org_id, "dashboard", values["uid"])
    row = {**(existing or {}), **values, "id": number, "org_id": org_id}
    _remember_version(session, settings, row, command, existing)
    _connect_library(session, row, command.spec, author)
    return row


def _remember_version(session: Session, settings: Settings, row: Row, command: Command, existing: Row | None) -> None:
    session.insert(
        "dashboard_version",
        dashboard_id=row["id"],
        version=row["version"],
        parent_version=existing["version"] if existing else 0,
        restored_from=command.restored_from,
        api_version=row["api_version"],
        created=row["updated"],
        created_by=row["updated_by"],
        message=command.message,
        data=row["data"],
    )
    keep = max(1, settings.number("dashboards", "versions_to_keep", 20))
    if row["version"] > keep:
        session.execute('DELETE FROM "dashboard_version" WHERE "dashboard_id" = ? AND "version" <= ?', row["id"], row["version"] - keep)


def _connect_library(session: Session, row: Row, spec: dict[str, Any], author: Author) -> None:
    wanted = sorted(set(library_uids(spec)))
    if row["version"] > 1:
        session.delete("library_element_connection", connection_id=row["id"])
    for uid in wanted:
        element = session.value('SELECT "id" FROM "library_element" WHERE "org_id" = ? AND "uid" = ?', row["org_id"], uid)
        if element is not None:
            session.insert(
                "library_element_connection", element_id=element, connection_id=row["id"], created=row["updated"], created_by=author.user_id
            )


def provisioned_by(session: Session, row: Row) -> Row | None:
    return session.row('SELECT * FROM "dashboard_provisioning" WHERE "dashboard_id" = ?', row["id"])


def delete(session: Session, org_id: int, uid: str, author: Author) -> Row:
    row = get(session, org_id, uid)
    if provisioned_by(session, row) is not None:
        raise bad_request("provisioned dashboard cannot be deleted")
    erase(session, row, author)
    return row


def erase(session: Session, row: Row, author: Author) -> None:
    session.delete("dashboard_version", dashboard_id=row["id"])
    session.delete("dashboard_provisioning", dashboard_id=row["id"])
    session.delete("library_element_connection", connection_id=row["id"])
    session.delete("star", org_id=row["org_id"], dashboard_uid=row["uid"])
    permissions.forget(session, row["org_id"], "dashboard", row["uid"])
    session.delete("dashboard", id=row["id"])
    mark_deleted(session, author.node, row["org_id"], "dashboard", row["uid"])
