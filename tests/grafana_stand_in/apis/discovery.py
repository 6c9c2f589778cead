"""Which groups, versions and resources there are."""

from __future__ import annotations

from typing import Any

from ..identity.access import SIGNED_IN
from ..release import Release
from ..web.context import Context
from ..web.routing import Result, route
from . import dashboards, folders, notifications, objects

_ALL = ["create", "delete", "get", "list", "update"]
_READ = ["get", "list"]
_RESOURCES = {
    dashboards.GROUP: [("dashboards", "dashboard", "Dashboard", _ALL)],
    folders.FOLDER_GROUP: [("folders", "folder", "Folder", _READ)],
    folders.PLAYLIST_GROUP: [("playlists", "playlist", "Playlist", _READ)],
    notifications.GROUP: [(plural, kind.lower(), kind, ["create", "list"]) for plural, kind in notifications.KINDS.items()],
}


def _versions(release: Release) -> dict[str, tuple[str, ...]]:
    found = {
        dashboards.GROUP: release.dashboard_api_versions,
        folders.FOLDER_GROUP: release.folder_api_versions,
        folders.PLAYLIST_GROUP: release.playlist_api_versions,
        notifications.GROUP: release.notification_api_versions,
    }
    return {name: versions for name, versions in found.items() if versions}


def _group(name: str, versions: tuple[str, ...]) -> dict[str, Any]:
    listed = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": listed, "preferredVersion": listed[0]}


@route("GET", "/apis", SIGNED_IN)
def groups(context: Context) -> dict[str, Any]:
    found = [_group(name, versions) for name, versions in _versions(context.app.release).items()]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": found}


@route("GET", "/apis/:group", SIGNED_IN)
def group(context: Context) -> Result:
    name = context.params["group"]
    versions = _versions(context.app.release).get(name)
    if versions is None:
        return objects.unknown_version()
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(name, versions)}


@route("GET", "/apis/:group/:version", SIGNED_IN)
def resources(context: Context) -> Result:
    name, version = context.params["group"], context.params["version"]
    if version not in _versions(context.app.release).get(name, ()):
        return objects.unknown_version()
    entries = [
        {"name": plural, "singularName": singular, "namespaced": True, "kind": kind, "verbs": verbs}
        for plural, singular, kind, verbs in _RESOURCES[name]
    ]
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": f"{name}/{version}", "resources": entries}
