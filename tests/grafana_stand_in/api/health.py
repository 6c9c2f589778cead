"""Health, liveness and metrics."""

from __future__ import annotations

import base64
import hmac
import json
import threading
import time

from ..database.errors import DatabaseError
from ..identity.access import PUBLIC
from ..web.context import Context
from ..web.errors import classic
from ..web.message import Response
from ..web.routing import route

_CACHED_SECONDS = 5.0


class Probe:
    """Asks the database whether it is there, at most every five seconds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked = -_CACHED_SECONDS
        self._healthy = False

    def healthy(self, context: Context) -> bool:
        with self._lock:
            if time.monotonic() - self._asked >= _CACHED_SECONDS:
                try:
                    with context.app.database() as session:
                        self._healthy = session.value("SELECT 1") == 1
                except DatabaseError:
                    self._healthy = False
                self._asked = time.monotonic()
            return self._healthy


@route("GET", "/api/health", PUBLIC)
def health(context: Context) -> Response:
    app = context.app
    healthy = app.probe.healthy(context)
    body = {"database": "ok" if healthy else "failing"}
    if not app.settings.flag("auth.anonymous", "hide_version"):
        body |= {"version": app.release.version, "commit": app.release.commit}
    if app.release.health_names_apiserver:
        body["apiserver"] = "ok"
    return Response(200 if healthy else 503, json.dumps(body, indent=2).encode())


@route("GET", "/healthz", PUBLIC)
def alive(context: Context) -> Response:
    return Response.text("Ok")


@route("GET", "/metrics", PUBLIC)
def metrics(context: Context) -> Response:
    settings = context.app.settings
    if not settings.flag("metrics", "enabled", True):
        raise classic(404, "Not found")
    user, password = settings.text("metrics", "basic_auth_username"), settings.text("metrics", "basic_auth_password")
    if user and password:
        wanted = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        if not hmac.compare_digest(wanted.encode(), context.request.header("authorization").encode()):
            return Response.empty(401)
    return Response.text(context.app.metrics.render(), content_type="text/plain; version=0.0.4; charset=utf-8")
