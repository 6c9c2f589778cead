"""Folders and their permissions."""

from __future__ import annotations

from typing import Any

from ..database.dialect import Row
from ..identity.access import editor, viewer
from ..security.tokens import slug
from ..store import folders, permissions
from ..store.folders import Author
from ..store.permissions import ADMIN, EDIT, VIEW, Rights
from ..times import rfc3339
from ..web.context import Context
from ..web.errors import classic, denied
from ..web.routing import route


def author(context: Context) -> Author:
    return Author(context.identity.user_id, context.app.node)


def folder_url(uid: str, title: str) -> str:
    return f"/dashboards/f/{uid}/{slug(title)}"


def shape(context: Context, row: Row, rights: Rights, *, parents: bool = True) -> dict[str, Any]:
    """The description is taken, and never given: that is what the resource API is for."""
    level = rights.level("folder", row["uid"])
    body = {
        "id": row["id"],
        "uid": row["uid"],
        "orgId": row["org_id"],
        "title": row["title"],
        "url": folder_url(row["uid"], row["title"]),
        "hasAcl": False,
        "canSave": level >= EDIT,
        "canEdit": level >= EDIT,
        "canAdmin": level >= ADMIN,
        "canDelete": level >= EDIT,
        "createdBy": row["creator"] or "Anonymous",
        "created": rfc3339(row["created"]),
        "updatedBy": row["updater"] or "Anonymous",
        "updated": rfc3339(row["updated"]),
        "version": row["version"],
    }
    if row["parent_uid"]:
        body["parentUid"] = row["parent_uid"]
        if parents:
            above = folders.ancestors(context.session, context.org, row["parent_uid"])
            body["parents"] = [shape(context, parent, rights, parents=False) for parent in reversed(above)]
    return body


def _checked(context: Context, level: int, action: str) -> tuple[Row, Rights]:
    row = folders.get(context.session, context.org, context.params["uid"])
    rights = Rights.of(context.session, context.identity)
    if rights.level("folder", row["uid"]) < level:
        raise denied(action)
    return row, rights


@route("GET", "/api/folders", viewer("folders:read"))
def list_level(context: Context) -> list[Any]:
    page, limit = context.page(1000, "limit")
    parent = context.query("parentUid")
    if parent and not folders.exists(context.session, context.org, parent):
        raise folders.not_found()
    rights = Rights.of(context.session, context.identity)
    wanted = EDIT if context.query("permission").lower() == "edit" else VIEW
    rows = [
        row
        for row in context.app.listing.rows(context.session, context.org, "folder")
        if row["folder_uid"] == parent and rights.level("folder", row["uid"]) >= wanted
    ]
    rows.sort(key=lambda row: (row["title"].casefold(), row["uid"]))
    return [
        {"id": row["id"], "uid": row["uid"], "title": row["title"], **({"parentUid": parent} if parent else {})}
        for row in rows[(page - 1) * limit : page * limit]
    ]


@route("POST", "/api/folders", editor("folders:create"))
def create(context: Context) -> dict[str, Any]:
    body = context.body
    parent, rights = body.text("parentUid"), Rights.of(context.session, context.identity)
    if parent and folders.exists(context.session, context.org, parent) and not rights.may_create_in(parent):
        raise denied("folders:create")
    row = folders.create(
        context.session,
        context.app.release,
        context.org,
        author(context),
        title=body.text("title"),
        uid=body.text("uid"),
        parent_uid=parent,
        description=body.text("description"),
    )
    return shape(context, row, Rights.of(context.session, context.identity))


@route("GET", "/api/folders/:uid", viewer("folders:read"))
def get(context: Context) -> dict[str, Any]:
    if context.params["uid"] == "general":
        return _general()
    row, rights = _checked(context, VIEW, "folders:read")
    return shape(context, row, rights)


def _general() -> dict[str, Any]:
    flags = {key: False for key in ("hasAcl", "canSave", "canEdit", "canAdmin", "canDelete")}
    return {"id": 0, "uid": "general", "title": "Dashboards", "url": "", "version": 0, **flags}


@route("GET", "/api/folders/id/:id", viewer("folders:read"))
def get_by_id(context: Context) -> dict[str, Any]:
    if not context.app.release.numeric_datasource_routes:
        raise classic(404, "Not found")
    uid = context.session.value('SELECT "uid" FROM "folder" WHERE "org_id" = ? AND "id" = ?', context.org, context.id_of_path("id"))
    context.params["uid"] = uid or ""
    row, rights = _checked(context, VIEW, "folders:read")
    return shape(context, row, rights)


@route("PUT", "/api/folders/:uid", viewer("folders:write"))
def update(context: Context) -> dict[str, Any]:
    row, rights = _checked(context, EDIT, "folders:write")
    body = context.body
    changed = folders.rename(
        context.session,
        context.org,
        row["uid"],
        author(context),
        title=body.text("title"),
        description=body.text("description") if "description" in body else None,
        version=body.integer("version"),
        overwrite=body.flag("overwrite"),
    )
    return shape(context, changed, rights)


@route("POST", "/api/folders/:uid/move", viewer("folders:write"))
def move(context: Context) -> dict[str, Any]:
    row, rights = _checked(context, EDIT, "folders:write")
    parent = context.body.text("parentUid")
    if parent and not rights.may_create_in(parent) and folders.exists(context.session, context.org, parent):
        raise denied("folders:create")
    moved = folders.move(context.session, context.org, row["uid"], author(context), parent)
    return shape(context, moved, Rights.of(context.session, context.identity))


@route("DELETE", "/api/folders/:uid", viewer("folders:delete"))
def delete(context: Context) -> dict[str, Any]:
    row, _ = _checked(context, EDIT, "folders:delete")
    with_rules = context.query_flag("forceDeleteRules")
    folders.delete(context.session, context.org, row["uid"], author(context), with_rules=with_rules)
    return {"message": f"Folder {row['title']} deleted", "title": row["title"], "id": row["id"]}


@route("GET", "/api/folders/:uid/counts", viewer("folders:read"))
def counts(context: Context) -> dict[str, Any]:
    row, _ = _checked(context, VIEW, "folders:read")
    return dict(folders.counts(context.session, context.org, row["uid"]))


@route("GET", "/api/folders/:uid/permissions", viewer("folders.permissions:read"))
def get_permissions(context: Context) -> list[Any]:
    row, _ = _checked(context, ADMIN, "folders.permissions:read")
    above = [parent["uid"] for parent in folders.ancestors(context.session, context.org, row["parent_uid"])]
    return permissions.listing(context.session, context.org, "folder", row["uid"], above)


@route("POST", "/api/folders/:uid/permissions", viewer("folders.permissions:write"))
def set_permissions(context: Context) -> dict[str, Any]:
    row, _ = _checked(context, ADMIN, "folders.permissions:write")
    permissions.replace(context.session, context.org, "folder", row["uid"], context.body.objects("items"))
    return {"message": "Folder permissions updated", "id": row["id"], "title": row["title"]}
