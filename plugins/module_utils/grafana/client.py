# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One client for one Grafana: pooled connections, retries, time limits, typed errors."""

from __future__ import annotations

import json
import random
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import quote

try:
    import requests
except ImportError:
    #: Why ``requests`` is missing; empty when it is there.
    REQUESTS_ERROR = traceback.format_exc()
else:
    REQUESTS_ERROR = ""

from . import session
from .canonical import loads
from .deadlines import Deadlines
from .errors import ApiError, Conflict, Denied, GrafanaError, NotFound, TimeLimit, Uncertain, Unreachable, Untrusted
from .paging import Pass, settled

T = TypeVar("T")
R = TypeVar("R")
Query = Mapping[str, Any]

#: What passes by itself: too many requests, and what a proxy or an instance says while something fails over.
_PASSING = {429, 500, 502, 503, 504}
_LONGEST_PAUSE = 15.0
_ERRORS: dict[int, type[ApiError]] = {401: Denied, 403: Denied, 404: NotFound, 409: Conflict, 412: Conflict}
HIDDEN = "********"
#: Bytes of an answer that are taken at a time. In the pieces of ``Response.content`` a page of dashboards has a hundred, and waits at
#: each for the thread that writes the page before.
_PIECE = 2**20


@dataclass(frozen=True)
class Connection:
    """How to reach Grafana.

    url: with its path, if it is served below one. token, or user and password: credentials. ca: file with the
    authority to trust, empty for the system's. certificate, key: files of the client's own certificate. timeout:
    seconds for one answer, all of it. time_limit: seconds for the whole run, 0 for none. retries: how often a request is
    repeated. pause: seconds before the first repetition, doubled each time. max_connections: requests at a time.
    """

    url: str
    user: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    ca: str = ""
    certificate: str = ""
    key: str = ""
    verify: bool = True
    timeout: float = 30.0
    time_limit: float = 0.0
    retries: int = 8
    pause: float = 0.25
    max_connections: int = 8


def segment(text: str) -> str:
    """A name as one segment of a path. GrafanaError for ``.`` and ``..``, which no HTTP client can send."""
    if text in (".", "..", ""):
        raise GrafanaError(f"the name {text!r} cannot be part of a path")
    return quote(text, safe="", errors="surrogatepass")


class Client:
    """Speaks with one Grafana, from several threads, and with one instance: balancers' cookies are kept, and requests name the run."""

    def __init__(self, connection: Connection, secrets: Iterable[str] = ()) -> None:
        if REQUESTS_ERROR:
            raise GrafanaError("the Python library requests is missing")
        if not connection.token and not (connection.user and connection.password):
            raise GrafanaError("no credentials: give a token, or a user and a password")
        self.connection = connection
        hidden = {form for text in (connection.password, connection.token, *secrets) for form in _forms(text) if len(form) > 3}
        #: Those that hold others come first.
        self._secrets = sorted(hidden, key=lambda form: -len(form))
        session.check(connection)
        self._deadlines = Deadlines()
        self._session = session.session(connection, self._deadlines)
        self._worker = threading.local()
        self._pool = ThreadPoolExecutor(connection.max_connections, thread_name_prefix="grafana", initializer=self._mark)
        self._end = time.monotonic() + connection.time_limit if connection.time_limit else float("inf")
        self._stopped = threading.Event()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends all requests that wait; none is sent afterwards."""
        self._stopped.set()
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._session.close()
        self._deadlines.close()

    # --- requests ------------------------------------------------------------------------------------------------

    def get(self, path: str, query: Query | None = None, headers: Mapping[str, str] | None = None) -> Any:
        """The answer to a GET as JSON; repeated while something passes by itself."""
        for attempt in range(self.connection.retries + 1):
            try:
                return self._once("GET", path, query, None, headers)
            except (Unreachable, ApiError) as error:
                if attempt == self.connection.retries or not _passes(error):
                    raise
                self.wait(attempt, error)
        raise AssertionError

    def write(self, method: str, path: str, body: Any = None, query: Query | None = None, headers: Mapping[str, str] | None = None) -> Any:
        """Sends a change once. Only what Grafana refused to look at (429) is repeated.

        Uncertain: no answer, not all of one, or 5xx; the caller looks whether it happened. ApiError: it did not.
        """
        for attempt in range(self.connection.retries + 1):
            try:
                return self._once(method, path, query, body, headers)
            except Unreachable as error:
                raise Uncertain(error) from error
            except ApiError as error:
                if 200 <= error.status < 300 or (error.status != 429 and _passes(error)):
                    raise Uncertain(error) from error
                if error.status != 429 or attempt == self.connection.retries:
                    raise
                self.wait(attempt, error)
        raise AssertionError

    def _once(self, method: str, path: str, query: Query | None, body: Any, headers: Mapping[str, str] | None) -> Any:
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeLimit(f"not done after {self.connection.time_limit:g} s")
        if self._stopped.is_set():
            raise GrafanaError("stopped")
        timeout = min(self.connection.timeout, left)
        with self._deadlines.within(timeout) as deadline:
            try:
                with self._session.request(
                    method,
                    self.connection.url.rstrip("/") + path,
                    params=query,
                    json=body,
                    headers=headers,
                    timeout=timeout,
                    allow_redirects=False,
                    stream=True,
                ) as answer:
                    content = b"".join(answer.iter_content(_PIECE))
            except (requests.RequestException, OSError) as error:
                raise self._lost(f"{method} {path}", error, late=deadline.passed or isinstance(error, requests.Timeout)) from None
            if deadline.passed:
                raise self._lost(f"{method} {path}", None, late=True)
        if lacking := session.lacking(answer.headers, content):
            self._session.cookies.clear()
            raise Unreachable(f"{method} {path}: the answer was cut off, {lacking} bytes before its end")
        if 200 <= answer.status_code < 300:
            return self._json(method, path, answer, content)
        if answer.status_code in (502, 503, 504):
            self._session.cookies.clear()
        kind = _ERRORS.get(answer.status_code, ApiError)
        raise kind(
            method, path, answer.status_code, self._said(answer.status_code, content), _seconds(answer.headers.get("Retry-After", ""))
        )

    def _json(self, method: str, path: str, answer: requests.Response, content: bytes) -> Any:
        """The content of a success. Unreachable where there has to be one and is none, or not all of it."""
        if not content.strip():
            # Nothing is what Grafana may say to a write, but says so: the end of a connection looks the same.
            if answer.status_code == 204 or (method != "GET" and answer.headers.get("Content-Length") == "0"):
                return None
            raise Unreachable(f"{method} {path}: {answer.status_code} without a content")
        try:
            return loads(content)
        except ValueError:
            if content.lstrip().startswith(b"<"):
                # A page for people is not part of any JSON, and will not become one.
                raise ApiError(method, path, answer.status_code, "the answer is not JSON: is this Grafana's address?") from None
            raise Unreachable(f"{method} {path}: the answer is not JSON, or not all of it") from None

    def _lost(self, request: str, error: Exception | None, *, late: bool) -> GrafanaError:
        """What it means that a request was not answered, or not in time."""
        # The next request may go to another instance.
        self._session.cookies.clear()
        if late and time.monotonic() > self._end - 0.05:
            return TimeLimit(f"not done after {self.connection.time_limit:g} s; last: {request}: no answer until then")
        if late or error is None:
            return Unreachable(f"{request}: no answer within {self.connection.timeout:g} s")
        if isinstance(error, requests.exceptions.InvalidHeader):
            return GrafanaError(f"{request}: user, password or token cannot be sent, as there is a line break or a blank around them")
        if isinstance(error, (requests.exceptions.InvalidURL, requests.exceptions.MissingSchema, requests.exceptions.InvalidSchema)):
            return GrafanaError(f"url: {request}: {self._reason(error)}")
        kind = Untrusted if session.distrusted(error) else Unreachable
        return kind(f"{request}: {self._reason(error)}")

    def _reason(self, error: Exception) -> str:
        """The innermost words of a connection's end, without the address and what stands around."""
        words = str(error.args[0] if error.args else error)
        reason = getattr(error.args[0] if error.args else None, "reason", None)
        return self.masked(str(reason) if reason else words)[:300]

    def _said(self, status: int, content: bytes) -> str:
        """What an error's body says to people."""
        try:
            body = loads(content)
        except ValueError:
            body = None
        if isinstance(body, dict) and body.get("message"):
            return self.masked(str(body["message"]))[:300]
        if 300 <= status < 400:
            return "redirected: is this Grafana's address, with its scheme and path?"
        return self.masked(content.decode(errors="replace")).strip()[:100]

    def wait(self, attempt: int, error: GrafanaError) -> None:
        """Pauses before the next attempt: as long as Grafana asks for, or doubling, spread by chance."""
        asked = error.retry_after if isinstance(error, ApiError) else 0.0
        pause = min(_LONGEST_PAUSE, self.connection.pause * 2**attempt) * random.uniform(0.5, 1.0)
        pause = max(pause, min(asked, 120.0))
        if time.monotonic() + pause > self._end:
            raise TimeLimit(f"not done after {self.connection.time_limit:g} s; last: {error}") from error
        self._stopped.wait(pause)

    def masked(self, text: str) -> str:
        """The text without any secret of this run. It has to be whole: the beginning of a secret is not recognised."""
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return text

    # --- many at a time ------------------------------------------------------------------------------------------

    def _mark(self) -> None:
        """Runs at the start of each thread of the pool."""
        self._worker.here = True

    def begin(self, call: Callable[[], R]) -> Callable[[], R]:
        """Begins ``call``, and gives what waits for its result. A worker makes it then: it must not wait for others."""
        return call if getattr(self._worker, "here", False) else self._pool.submit(call).result

    def map(self, call: Callable[[T], R], items: Iterable[T]) -> Generator[R, None, None]:
        """``call`` for each of the items, several at a time, results in order; no more in memory than are under way.

        After an error none begins any more, and what is under way has ended before the error leaves: it may write.
        """
        if getattr(self._worker, "here", False):
            # A worker that waits for others would wait for ever once all of them do so.
            yield from map(call, items)
            return
        waiting: deque[Future[R]] = deque()
        try:
            for item in items:
                waiting.append(self._pool.submit(call, item))
                if len(waiting) >= 4 * self.connection.max_connections:
                    yield _first(waiting)
            while waiting:
                yield _first(waiting)
        except KeyboardInterrupt:
            # People wait for the end: requests under way are answered, and not repeated.
            self._stopped.set()
            raise
        finally:
            wait([one for one in waiting if not one.cancel()])

    def paged(
        self,
        path: str,
        size: int,
        size_name: str,
        member: str = "",
        query: Query | None = None,
        headers: Mapping[str, str] | None = None,
        key: str = "uid",
    ) -> list[Any]:
        """Items of a list that is numbered in pages, each once, and none missing; GrafanaError when it does not hold still.

        member: path of the list in the answer, ``a.b``. key: member of the items that tells them apart.
        """
        return list(settled(lambda: self._pages(path, size, size_name, member, query, headers, key), path).values())

    def _pages(
        self, path: str, size: int, size_name: str, member: str, query: Query | None, headers: Mapping[str, str] | None, key: str
    ) -> Pass:
        """One pass through the pages, from the first to the last."""
        number = seen = 0
        items: dict[Any, Any] = {}
        while True:
            number += 1
            found = self.get(path, {**(query or {}), size_name: size, "page": number}, headers)
            total = 0
            for name in member.split(".") if member else ():
                total = found.get("totalCount", 0)
                found = found[name]
            items.update((one[key], one) for one in found)
            seen += len(found)
            # A page may be shorter than asked for, where the server has a smaller limit than we: the total tells.
            if not found or (len(found) < size and seen >= total):
                return items, number


def _first(waiting: deque[Future[R]]) -> R:
    """The first result, once it is there. Until then it counts as waiting."""
    result = waiting[0].result()
    waiting.popleft()
    return result


def _passes(error: GrafanaError) -> bool:
    if isinstance(error, ApiError):
        return error.status in _PASSING
    return isinstance(error, Unreachable) and not isinstance(error, Untrusted)


def _seconds(text: str) -> float:
    """Retry-After in seconds; 0 where it is missing or a date, which the usual pause then stands for."""
    try:
        return max(0.0, float(text))
    except ValueError:
        return 0.0


def _forms(secret: str) -> set[str]:
    """How a secret may stand in an answer: as it is, without blanks around it, and within JSON as Grafana and others write it."""
    found = {secret, secret.strip()}
    for text in (*found,):
        plain = json.dumps(text, ensure_ascii=False)[1:-1]
        found |= {json.dumps(text)[1:-1], plain, plain.translate({ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&\u2028\u2029"})}
    return found
