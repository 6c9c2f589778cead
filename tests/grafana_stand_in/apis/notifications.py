"""notifications.alerting.grafana.app, as far as the classic API has nothing of it: further routing trees, and inhibition rules."""

from __future__ import annotations

from ..alerting.configuration import Configuration
from ..identity.access import editor, viewer
from ..web.binding import Body
from ..web.context import Context
from ..web.errors import kubernetes
from ..web.message import Response
from ..web.routing import Result, route
from . import objects
from .objects import Json

GROUP = "notifications.alerting.grafana.app"
KINDS = {"routingtrees": "RoutingTree", "inhibitionrules": "InhibitionRule"}
#: The tree that the classic API has.
DEFAULT_TREE = "user-defined"
_COLLECTION = f"/apis/{GROUP}/:version/namespaces/:namespace/:resource"


def _served(context: Context) -> bool:
    return context.params["version"] in context.app.release.notification_api_versions and context.params["resource"] in KINDS


def _known(configuration: Configuration, resource: str) -> dict[str, Json]:
    """Name to what it is to do."""
    own = configuration.resources.get(resource, {})
    return {DEFAULT_TREE: {"defaults": configuration.policy}, **own} if resource == "routingtrees" else own


def _object(context: Context, name: str, spec: Json) -> Json:
    kind, version = KINDS[context.params["resource"]], context.params["version"]
    metadata = {"name": name, "namespace": context.params["namespace"], "resourceVersion": "1"}
    return {"kind": kind, "apiVersion": f"{GROUP}/{version}", "metadata": metadata, "spec": spec}


@route("GET", _COLLECTION, viewer("alert.provisioning:read"))
@objects.with_status
def list_resources(context: Context) -> Result:
    if not _served(context):
        return objects.unknown_version()
    resource = context.params["resource"]
    known = _known(Configuration.load(context.session, context.org), resource)
    items = [_object(context, name, spec) for name, spec in sorted(known.items())]
    return objects.listing(KINDS[resource], f"{GROUP}/{context.params['version']}", [], "", items)


@route("POST", _COLLECTION, editor("alert.provisioning:write"))
@objects.with_status
def create_resource(context: Context) -> Result:
    if not _served(context):
        return objects.unknown_version()
    resource, configuration = context.params["resource"], Configuration.load(context.session, context.org, lock=True)
    name, spec = Body(context.body.object("metadata") or {}).text("name"), context.body.object("spec")
    if not name or spec is None:
        raise kubernetes(422, "Invalid", "metadata.name and spec: Required value")
    if name in _known(configuration, resource):
        raise objects.already_exists(GROUP, resource, name)
    configuration.resources.setdefault(resource, {})[name] = spec
    configuration.save(context.session, context.app)
    return Response.json(_object(context, name, spec), 201)
