"""Import: resolves what was left open for sharing, and brings the library panels along."""

from __future__ import annotations

import re
from typing import Any

from ..identity.access import viewer
from ..store import dashboards, library
from ..store.dashboards import Command
from ..web.binding import Body
from ..web.context import Context
from ..web.errors import classic
from ..web.routing import route
from .dashboards import save_checked
from .folders import author

_OPEN = re.compile(r"\$\{[^}]+\}")
_SHARING = ("__inputs", "__requires", "__elements")


def resolve(value: Any, variables: dict[str, str]) -> Any:
    """Puts values where `${NAME}` stands; what has no value is left."""
    if isinstance(value, str):
        return _OPEN.sub(lambda found: variables.get(found[0], found[0]), value) if "${" in value else value
    if isinstance(value, list):
        return [resolve(item, variables) for item in value]
    if isinstance(value, dict):
        return {key: resolve(item, variables) for key, item in value.items()}
    return value


def _variables(sent: Body, inputs: list[Body]) -> dict[str, str]:
    found: dict[str, str] = {}
    for wanted in sent.objects("__inputs"):
        name, kind = wanted.text("name"), wanted.text("type")
        given = next((item for item in inputs if item.text("type") == kind and item.text("name") in (name, "*")), None)
        if given is None:
            raise classic(400, f"Dashboard input {name} missing from import command")
        found[f"${{{name}}}"] = given.text("value")
    return found


@route("POST", "/api/dashboards/import", viewer("dashboards:create"))
def import_dashboard(context: Context) -> dict[str, Any]:
    body = context.body
    raw = body.object("dashboard")
    if raw is None:
        raise classic(422, "Dashboard must be set")
    sent = Body(raw)
    variables = _variables(sent, body.objects("inputs"))
    spec = resolve({key: value for key, value in raw.items() if key not in _SHARING}, variables)
    spec["id"] = None
    command = Command(spec, body.text("folderUid"), "", body.flag("overwrite"))
    dashboards.check_spec(context.app.release, spec, "")
    _create_elements(context, sent, command.folder_uid, variables)
    row = save_checked(context, command)
    return {
        "uid": row["uid"],
        "pluginId": body.text("pluginId"),
        "title": row["title"],
        "imported": True,
        "importedUri": f"db/{row['slug']}",
        "importedUrl": dashboards.url(row),
        "slug": row["slug"],
        "dashboardId": row["id"],
        "folderId": 0,
        "folderUid": row["folder_uid"],
        "importedRevision": 0,
        "revision": 0,
        "description": "",
        "path": body.text("path"),
        "removed": False,
    }


def _create_elements(context: Context, sent: Body, folder_uid: str, variables: dict[str, str]) -> None:
    elements = sent.fields.get("__elements")
    # Older exports have a list here, always empty.
    for key, raw in elements.items() if isinstance(elements, dict) else ():
        element = Body(raw if isinstance(raw, dict) else {})
        uid = element.text("uid") or key
        if library.find(context.session, context.org, uid) is None:
            model = resolve(element.object("model") or {}, variables)
            library.create(
                context.session,
                context.app.release,
                context.org,
                author(context),
                name=element.text("name"),
                model=model,
                uid=uid,
                folder_uid=folder_uid,
            )
