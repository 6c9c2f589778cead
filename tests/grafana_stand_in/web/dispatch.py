"""What happens to every request: route, caller, transaction, and the answer when something goes wrong."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

from ..database.errors import Conflict, ConnectionLost, InvalidValue, UniqueViolation
from ..identity.authentication import org_of_namespace
from ..log import Logger
from . import deprecation, errors
from .context import Context
from .errors import ApiError
from .message import Request, Response
from .routing import Route, Router

if TYPE_CHECKING:
    from ..application import Application

_SAFE = {"GET", "HEAD", "OPTIONS"}
_ATTEMPTS = 8
_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "deny",
    "X-Xss-Protection": "1; mode=block",
}


class Dispatcher:
    def __init__(self, app: Application, router: Router) -> None:
        self._app = app
        self._router = router
        self._log = Logger("context")
        self._log_requests = app.settings.flag("server", "router_logging")
        self._prefix = app.path_of_root

    def __call__(self, request: Request) -> Response:
        started = time.monotonic()
        if self._prefix and request.target.startswith(self._prefix):
            request.target = request.target.removeprefix(self._prefix) or "/"
        pattern = "notfound"
        found = self._router.match(request.method, request.segments)
        if found is None:
            response = self._unknown(request)
        else:
            pattern = found[0].pattern
            route, params = found
            response = self._app.faults.around(request, lambda asked: self._guarded(asked, route, params))
            deprecation.announce(self._app.release, pattern, response)
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        elapsed = time.monotonic() - started
        self._app.metrics.request(request.method, pattern, response.status, elapsed)
        if self._log_requests:
            self._log.info(
                "Request Completed",
                method=request.method,
                path=request.raw_path,
                status=response.status,
                duration=f"{elapsed * 1000:.3f}ms",
            )
        return response

    @staticmethod
    def _unknown(request: Request) -> Response:
        if request.segments[:1] == ["apis"]:
            return Response.text("404 page not found\n", 404)
        return errors.classic(404, "Not found").response()

    def _guarded(self, request: Request, route: Route, params: dict[str, str]) -> Response:
        try:
            return self._attempts(request, route, params)
        except ApiError as error:
            return error.response()
        except ConnectionLost as error:
            self._log.error("Request failed", path=request.raw_path, error=error)
        except Exception as error:
            self._log.error("Request failed", path=request.raw_path, error=f"{type(error).__name__}: {error}")
            self._app.report(error)
        if request.segments[0] == "apis":
            return errors.kubernetes(500, "InternalError", "Internal error occurred").response()
        return errors.classic(500, "Internal server error", traceID="").response()

    def _attempts(self, request: Request, route: Route, params: dict[str, str]) -> Response:
        """A write that lost a race is done again from the start: now it sees what the winner wrote."""
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                with self._app.database(write=request.method not in _SAFE) as session:
                    return self._handle(Context(self._app, request, session, params), route)
            except (UniqueViolation, Conflict):
                if attempt == _ATTEMPTS:
                    raise
                time.sleep(random.uniform(0, 0.01 * attempt))
            except InvalidValue as error:
                self._log.warn("Value refused by the database", path=request.raw_path, error=error)
                raise errors.bad_request() from error
        raise AssertionError

    def _handle(self, context: Context, route: Route) -> Response:
        need = route.need
        if not need.public:
            caller = self._app.authenticator.authenticate(context.request, context.session)
            refusal = need.refusal(caller)
            if refusal is not None:
                raise refusal
            assert caller is not None
            context.identity = caller
            namespace = context.params.get("namespace")
            if namespace is not None and org_of_namespace(namespace) != caller.org_id:
                raise errors.kubernetes(403, "Forbidden", f"invalid namespace {namespace!r}")
        result = route.call(context)
        return result if isinstance(result, Response) else Response.json(result)
