"""folder.grafana.app and playlist.grafana.app, for reading."""

from __future__ import annotations

from ..api import playlists
from ..database.dialect import Row
from ..identity.access import viewer
from ..store.permissions import VIEW, Rights
from ..web.context import Context
from ..web.errors import denied
from ..web.routing import Result, route
from . import objects
from .objects import Json

FOLDER_GROUP, PLAYLIST_GROUP = "folder.grafana.app", "playlist.grafana.app"
_FOLDERS = f"/apis/{FOLDER_GROUP}/:version/namespaces/:namespace/folders"
_PLAYLISTS = f"/apis/{PLAYLIST_GROUP}/:version/namespaces/:namespace/playlists"
_FULL = (
    'SELECT f.*, c."uid" AS "creator_uid", u."uid" AS "updater_uid" FROM "folder" f LEFT JOIN "user" c ON c."id" = f."created_by" '
    'LEFT JOIN "user" u ON u."id" = f."updated_by" WHERE f."org_id" = ? '
)


def _folder(context: Context, row: Row) -> Json:
    spec = {"title": row["title"], **({"description": row["description"]} if row["description"] else {})}
    meta = objects.metadata(context, row, folder=row["parent_uid"])
    return {"kind": "Folder", "apiVersion": f"{FOLDER_GROUP}/{context.params['version']}", "metadata": meta, "spec": spec, "status": {}}


@route("GET", _FOLDERS, viewer("folders:read"))
@objects.with_status
def list_folders(context: Context) -> Result:
    version = context.params["version"]
    if version not in context.app.release.folder_api_versions:
        return objects.unknown_version()
    rights = Rights.of(context.session, context.identity)

    def after(number: int, limit: int) -> list[Row]:
        return context.session.rows(_FULL + 'AND f."id" > ? ORDER BY f."id" LIMIT ?', context.org, number, limit)

    rows, token = objects.page(context, after)
    items = [_folder(context, row) for row in rows if rights.level("folder", row["uid"]) >= VIEW]
    return objects.listing("Folder", f"{FOLDER_GROUP}/{version}", rows, token, items)


@route("GET", f"{_FOLDERS}/:name", viewer("folders:read"))
@objects.with_status
def get_folder(context: Context) -> Result:
    if context.params["version"] not in context.app.release.folder_api_versions:
        return objects.unknown_version()
    row = context.session.row(_FULL + 'AND f."uid" = ?', context.org, context.params["name"])
    if row is None:
        raise objects.not_found(FOLDER_GROUP, "folders", context.params["name"])
    if Rights.of(context.session, context.identity).level("folder", row["uid"]) < VIEW:
        raise denied("folders:read")
    return _folder(context, row)


def _playlist(context: Context, row: Row) -> Json:
    items = [{"type": item["type"], "value": item["value"]} for item in playlists.items_of(row)]
    spec = {"title": row["name"], "interval": row["interval_text"], "items": items}
    known = {**row, "written_at": row["updated"], "version": 1, "created_by": 0, "updated_by": 0, "creator_uid": "", "updater_uid": ""}
    meta = objects.metadata(context, known)
    return {"kind": "Playlist", "apiVersion": f"{PLAYLIST_GROUP}/{context.params['version']}", "metadata": meta, "spec": spec}


@route("GET", _PLAYLISTS, viewer("playlists:read"))
@objects.with_status
def list_playlists(context: Context) -> Result:
    version = context.params["version"]
    if version not in context.app.release.playlist_api_versions:
        return objects.unknown_version()

    def after(number: int, limit: int) -> list[Row]:
        return context.session.rows(
            'SELECT * FROM "playlist" WHERE "org_id" = ? AND "id" > ? ORDER BY "id" LIMIT ?', context.org, number, limit
        )

    rows, token = objects.page(context, after)
    return objects.listing("Playlist", f"{PLAYLIST_GROUP}/{version}", [], token, [_playlist(context, row) for row in rows])


@route("GET", f"{_PLAYLISTS}/:name", viewer("playlists:read"))
@objects.with_status
def get_playlist(context: Context) -> Result:
    if context.params["version"] not in context.app.release.playlist_api_versions:
        return objects.unknown_version()
    row = context.session.row('SELECT * FROM "playlist" WHERE "org_id" = ? AND "uid" = ?', context.org, context.params["name"])
    if row is None:
        raise objects.not_found(PLAYLIST_GROUP, "playlists", context.params["name"])
    return _playlist(context, row)
