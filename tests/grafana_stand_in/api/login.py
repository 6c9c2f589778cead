"""Logging in and out with a cookie."""

from __future__ import annotations

from urllib.parse import parse_qs

from ..identity import sessions
from ..identity.access import PUBLIC, SIGNED_IN
from ..web.binding import Body
from ..web.context import Context
from ..web.errors import unauthorized
from ..web.message import Response
from ..web.routing import route

_PAGE = (
    '<!DOCTYPE html><html><head><title>Grafana</title></head><body><form method="post" action="login">'
    '<input name="user"><input name="password" type="password"><button>Log in</button></form></body></html>\n'
)


def _redirect(context: Context, path: str) -> Response:
    response = Response(302, b"", "")
    response.headers["Location"] = context.app.path_of_root + path
    return response


@route("GET", "/login", PUBLIC)
def page(context: Context) -> Response:
    return Response.text(_PAGE, content_type="text/html; charset=UTF-8")


@route("POST", "/login", PUBLIC)
def login(context: Context) -> Response:
    context.app.metrics.add("grafana_api_login_post_total")
    if "form-urlencoded" in context.request.header("content-type"):
        form = parse_qs(context.request.body.decode("utf-8", "replace"))
        body = Body({name: values[0] for name, values in form.items()})
    else:
        body = context.body
    caller = context.app.authenticator.login(context.session, body.text("user"), body.text("password"), None)
    token, rotated = sessions.create(context.session, caller.user_id, context.request)
    response = Response.json({"message": "Logged in", "redirectUrl": context.app.path_of_root + "/"})
    context.app.session_rules.write(response, token, rotated)
    return response


@route("GET", "/logout", PUBLIC)
def logout(context: Context) -> Response:
    rules = context.app.session_rules
    token = context.request.cookies.get(rules.cookie, "")
    found = sessions.find(context.session, rules, token) if token else None
    if found is not None:
        context.session.delete("user_auth_token", id=found["id"])
    response = _redirect(context, "/login")
    rules.clear(response)
    return response


@route("GET", "/api/login/ping", SIGNED_IN)
def ping(context: Context) -> Response:
    return Response.json({"message": "Logged in"})


def _rotate(context: Context, response: Response) -> Response:
    rules = context.app.session_rules
    rotated = sessions.rotate(context, context.request.cookies.get(rules.cookie, ""))
    if rotated is None:
        refused = unauthorized().response()
        rules.clear(refused)
        return refused
    rules.write(response, *rotated)
    return response


@route("POST", "/api/user/auth-tokens/rotate", PUBLIC)
def rotate(context: Context) -> Response:
    return _rotate(context, Response.json({}))


@route("GET", "/user/auth-tokens/rotate", PUBLIC)
def rotate_and_return(context: Context) -> Response:
    target = context.query("redirectTo", "/")
    return _rotate(context, _redirect(context, target if target.startswith("/") and not target.startswith("//") else "/"))
