"""What the user interface asks first, and the pages themselves."""

from __future__ import annotations

from typing import Any

from ..identity.access import PUBLIC, SIGNED_IN
from ..store import datasources
from ..web.context import Context
from ..web.errors import ApiError, classic
from ..web.message import Response
from ..web.routing import route
from .datasources import type_name

_NO_PAGES = ("api", "apis", "public", "metrics", "-")
_PAGE = "<!DOCTYPE html><html><head><title>Grafana</title></head><body></body></html>\n"


@route("GET", "/api/frontend/settings", SIGNED_IN)
def settings(context: Context) -> dict[str, Any]:
    app = context.app
    rows = datasources.rows(context.session, context.org)
    default = next((row["name"] for row in rows if row["is_default"]), "-- Grafana --")
    return {
        "appUrl": app.root_url,
        "appSubUrl": app.path_of_root,
        "buildInfo": {
            "version": app.release.version,
            "commit": app.release.commit,
            "edition": "Open Source",
            "env": app.settings.text("DEFAULT", "app_mode", "production"),
            "hideVersion": app.settings.flag("auth.anonymous", "hide_version"),
        },
        "datasources": {row["name"]: {"id": row["id"], "uid": row["uid"], "type": row["type"], "name": row["name"]} for row in rows},
        "defaultDatasource": default,
        "unifiedAlertingEnabled": app.settings.flag("unified_alerting", "enabled", True),
        "featureToggles": {},
        "namespace": "default" if context.org == 1 else f"org-{context.org}",
    }


@route("GET", "/api/plugins", SIGNED_IN)
def plugins(context: Context) -> list[Any]:
    return [
        {
            "id": kind,
            "type": "datasource",
            "name": type_name(kind),
            "enabled": True,
            "pinned": False,
            "signature": "internal",
            "category": "core",
        }
        for kind in ("alertmanager", "loki", "mysql", "prometheus")
    ]


@route("GET", "/*path", PUBLIC)
def page(context: Context) -> Response:
    """What is no API is a page, which a browser gets after it has logged in."""
    if context.request.segments[0] in _NO_PAGES:
        raise classic(404, "Not found")
    try:
        caller = context.app.authenticator.authenticate(context.request, context.session)
    except ApiError:
        caller = None
    if caller is None:
        response = Response(302, b"", "")
        response.headers["Location"] = context.app.path_of_root + "/login"
        return response
    return Response.text(_PAGE, content_type="text/html; charset=UTF-8")
