"""Contact points, policies, templates and mute timings below /api/v1/provisioning."""

from __future__ import annotations

from typing import Any

from ..alerting import contact_points, policies, provenance, rules, templates
from ..alerting.configuration import Configuration, reset_policy
from ..identity.access import editor, viewer
from ..web.context import Context
from ..web.message import Response
from ..web.routing import route

_READ = viewer("alert.provisioning:read")
_WRITE = editor("alert.provisioning:write")
_ROOT = "/api/v1/provisioning"


def _load(context: Context, *, lock: bool = False) -> Configuration:
    return Configuration.load(context.session, context.org, lock=lock)


@route("GET", f"{_ROOT}/contact-points", _READ)
def list_contact_points(context: Context) -> list[Any]:
    points = contact_points.sorted_points(_load(context), context.query("name"))
    return [contact_points.shape(point) for point in points]


@route("POST", f"{_ROOT}/contact-points", _WRITE)
def create_contact_point(context: Context) -> Response:
    configuration = _load(context, lock=True)
    point = contact_points.build(context.app.box, context.body, mark=provenance.sent(context))
    contact_points.create(configuration, point)
    configuration.save(context.session, context.app)
    return Response.json(contact_points.shape(point), 202)


@route("PUT", f"{_ROOT}/contact-points/:uid", _WRITE)
def update_contact_point(context: Context) -> Response:
    configuration, uid = _load(context, lock=True), context.params["uid"]
    body = context.body
    before = contact_points.find(configuration, uid)
    if before is None:
        raise contact_points.not_found(uid)
    body.fields["uid"] = uid
    point = contact_points.build(context.app.box, body, mark=provenance.sent(context), before=before)
    if contact_points.update(configuration, context.app.release, before, point):
        rules.rename_receiver(context.session, context.org, before["name"], point["name"])
    configuration.save(context.session, context.app)
    return Response.json({"message": "contactpoint updated"}, 202)


@route("DELETE", f"{_ROOT}/contact-points/:uid", _WRITE)
def delete_contact_point(context: Context) -> Response:
    configuration = _load(context, lock=True)
    point = contact_points.find(configuration, context.params["uid"])
    if point is not None:
        provenance.check(context.app.release, point["provenance"], provenance.sent(context))
        contact_points.delete(configuration, point, rules.count_using(context.session, context.org, receiver=point["name"]))
        configuration.save(context.session, context.app)
    return Response.json({"message": "contactpoint deleted"}, 202)


@route("GET", f"{_ROOT}/policies", _READ)
def get_policies(context: Context) -> dict[str, Any]:
    return policies.shape(_load(context))


@route("PUT", f"{_ROOT}/policies", _WRITE)
def replace_policies(context: Context) -> Response:
    configuration, mark = _load(context, lock=True), provenance.sent(context)
    tree = policies.checked(context.body, configuration)
    provenance.check(context.app.release, configuration.policy_provenance, mark)
    configuration.policy, configuration.policy_provenance = tree, mark
    configuration.save(context.session, context.app)
    return Response.json({"message": "policies updated"}, 202)


@route("DELETE", f"{_ROOT}/policies", _WRITE)
def reset_policies(context: Context) -> Response:
    configuration = _load(context, lock=True)
    if configuration.policy_provenance == provenance.FILE:
        raise provenance.mismatch(context.app.release, provenance.FILE, provenance.sent(context))
    reset_policy(configuration)
    configuration.save(context.session, context.app)
    return Response.json(policies.shape(configuration), 202)


@route("GET", f"{_ROOT}/templates", _READ)
def list_templates(context: Context) -> list[Any]:
    return [templates.shape_template(item) for item in sorted(_load(context).templates, key=lambda item: str(item["name"]))]


@route("GET", f"{_ROOT}/templates/:name", _READ)
def get_template(context: Context) -> dict[str, Any]:
    item = templates.find(_load(context).templates, context.params["name"])
    if item is None:
        raise templates.template_not_found(context.params["name"])
    return templates.shape_template(item)


@route("PUT", f"{_ROOT}/templates/:name", _WRITE)
def put_template(context: Context) -> Response:
    configuration = _load(context, lock=True)
    item = templates.put_template(configuration, context.app.release, context.params["name"], context.body, provenance.sent(context))
    configuration.save(context.session, context.app)
    return Response.json(templates.shape_template(item), 202)


@route("DELETE", f"{_ROOT}/templates/:name", _WRITE)
def delete_template(context: Context) -> Response:
    configuration = _load(context, lock=True)
    templates.delete_template(
        configuration, context.app.release, context.params["name"], provenance.sent(context), context.query("version")
    )
    configuration.save(context.session, context.app)
    return Response.empty(204)


@route("GET", f"{_ROOT}/mute-timings", _READ)
def list_mute_timings(context: Context) -> list[Any]:
    return [templates.shape_timing(item) for item in sorted(_load(context).mute_timings, key=lambda item: str(item["name"]))]


@route("GET", f"{_ROOT}/mute-timings/:name", _READ)
def get_mute_timing(context: Context) -> dict[str, Any]:
    item = templates.find(_load(context).mute_timings, context.params["name"])
    if item is None:
        raise templates.interval_not_found(context.params["name"])
    return templates.shape_timing(item)


@route("POST", f"{_ROOT}/mute-timings", _WRITE)
def create_mute_timing(context: Context) -> Response:
    configuration = _load(context, lock=True)
    item = templates.build_timing(context.body.text("name"), context.body, provenance.sent(context))
    templates.create_timing(configuration, item)
    configuration.save(context.session, context.app)
    return Response.json(templates.shape_timing(item), 201)


@route("PUT", f"{_ROOT}/mute-timings/:name", _WRITE)
def update_mute_timing(context: Context) -> Response:
    configuration, name = _load(context, lock=True), context.params["name"]
    item = templates.build_timing(name, context.body, provenance.sent(context))
    templates.update_timing(configuration, context.app.release, name, item, context.body.text("version"))
    configuration.save(context.session, context.app)
    return Response.json(templates.shape_timing(item), 202)


@route("DELETE", f"{_ROOT}/mute-timings/:name", _WRITE)
def delete_mute_timing(context: Context) -> Response:
    configuration, name = _load(context, lock=True), context.params["name"]
    using = rules.count_using(context.session, context.org, interval=name)
    templates.delete_timing(configuration, context.app.release, name, provenance.sent(context), context.query("version"), using)
    configuration.save(context.session, context.app)
    return Response.empty(204)
