"""Resources in the shape of the Kubernetes API: metadata, errors, lists."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Callable
from typing import Any

from ..database.dialect import Row
from ..times import rfc3339
from ..web.context import Context
from ..web.errors import ApiError, kubernetes
from ..web.message import Response
from ..web.routing import Call, Result

Json = dict[str, Any]
_REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    412: "Conflict",
    413: "RequestEntityTooLarge",
    422: "Invalid",
}


def version_of(row: Row) -> str:
    """Grows with every write."""
    return f"{row['written_at']}{row['version'] % 1000:03}"


def metadata(context: Context, row: Row, *, folder: str = "", message: str = "") -> Json:
    annotations = {
        "grafana.app/createdBy": f"user:{row['creator_uid'] or row['created_by']}",
        "grafana.app/updatedBy": f"user:{row['updater_uid'] or row['updated_by']}",
        "grafana.app/updatedTimestamp": rfc3339(row["updated"]),
    }
    if folder:
        annotations["grafana.app/folder"] = folder
    if message:
        annotations["grafana.app/message"] = message
    return {
        "name": row["uid"],
        "namespace": context.params["namespace"],
        "uid": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{row['org_id']}/{row['uid']}/{row['created']}")),
        "resourceVersion": version_of(row),
        "generation": row["version"],
        "creationTimestamp": rfc3339(row["created"]),
        "labels": {"grafana.app/deprecatedInternalID": str(row["id"])},
        "annotations": annotations,
    }


def not_found(group: str, resource: str, name: str) -> ApiError:
    details = {"name": name, "group": group, "kind": resource}
    return kubernetes(404, "NotFound", f'{resource}.{group} "{name}" not found', details)


def already_exists(group: str, resource: str, name: str) -> ApiError:
    details = {"name": name, "group": group, "kind": resource}
    return kubernetes(409, "AlreadyExists", f'{resource}.{group} "{name}" already exists', details)


def conflict(group: str, resource: str, name: str) -> ApiError:
    text = "the object has been modified; please apply your changes to the latest version and try again"
    details = {"name": name, "group": group, "kind": resource}
    return kubernetes(409, "Conflict", f'Operation cannot be fulfilled on {resource}.{group} "{name}": {text}', details)


def unknown_version() -> Response:
    return Response.text("404 page not found\n", 404)


def with_status(call: Call) -> Call:
    """Errors of the classic shapes leave as a Status."""

    def wrapped(context: Context) -> Result:
        try:
            return call(context)
        except ApiError as error:
            if error.body is None or error.body.get("kind") == "Status":
                raise
            raise kubernetes(error.status, _REASONS.get(error.status, "InternalError"), str(error.body.get("message", ""))) from error

    return wrapped


def page(context: Context, rows: Callable[[int, int], list[Row]]) -> tuple[list[Row], str]:
    """`rows` gives so many rows behind an id; the token for the next page is that id."""
    limit = context.query_int("limit")
    token, after = context.query("continue"), 0
    if token:
        try:
            after = int(base64.urlsafe_b64decode(token.encode()).decode())
        except (ValueError, UnicodeDecodeError):
            raise kubernetes(400, "BadRequest", "invalid continue token") from None
    if limit <= 0:
        return rows(after, 1 << 40), ""
    found = rows(after, min(limit, 1 << 30) + 1)
    if len(found) <= limit:
        return found, ""
    return found[:limit], base64.urlsafe_b64encode(str(found[limit - 1]["id"]).encode()).decode()


def listing(kind: str, api_version: str, rows: list[Row], token: str, items: list[Json]) -> Json:
    newest = max((version_of(row) for row in rows), default="1")
    head: Json = {"resourceVersion": newest}
    if token:
        head["continue"] = token
    return {"kind": f"{kind}List", "apiVersion": api_version, "metadata": head, "items": items}
