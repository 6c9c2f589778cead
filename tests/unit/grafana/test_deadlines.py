"""A request has an end, however its answer comes, and what cannot succeed is not tried again."""

from __future__ import annotations

import contextlib
import gzip
import itertools
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.client import Client, Connection
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.errors import GrafanaError, TimeLimit, Uncertain, Unreachable, Untrusted

from tests.unit import identities
from tests.unit.servers import Answer, Request, serve

#: Pieces of an answer, one after the other.
Pieces = Callable[[], Iterator[bytes]]
_CONTENT = b'{"version": "12.4.0", "x": "%s"}' % (b"x" * 200)
_PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(_CONTENT)
_PACKED = gzip.compress(_CONTENT * 9)


def _single(content: bytes) -> Iterator[bytes]:
    return (bytes([one]) for one in content)


ANSWERS: dict[str, Pieces] = {
    "nothing": lambda: iter(itertools.repeat(b"")),
    "the header": lambda: _single(_PLAIN + _CONTENT),
    "the content": lambda: itertools.chain([_PLAIN], _single(_CONTENT)),
    "to the end of the connection": lambda: itertools.chain([b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"], _single(_CONTENT)),
    "compressed": lambda: itertools.chain(
        [b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(_PACKED)], _single(_PACKED)
    ),
    "in chunks": lambda: itertools.chain(
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"], (b"1\r\n%c\r\n" % one for one in _CONTENT)
    ),
    "of an error": lambda: itertools.chain([_PLAIN.replace(b"200 OK", b"400 Bad")], _single(_CONTENT)),
}


@contextlib.contextmanager
def trickling(pieces: Pieces, context: ssl.SSLContext | None = None) -> Iterator[str]:
    """A server that gives a piece every 50 ms; its address. Whoever waits for the last one has no deadline."""
    over, all_of_it = threading.Event(), threading.Event()
    listening = socket.create_server(("127.0.0.1", 0))

    def answer(connection: socket.socket) -> None:
        with contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True) if context else connection as one:
            one.recv(65536)
            for piece in pieces():
                one.sendall(piece)
                if over.wait(0.05):
                    return
            all_of_it.set()

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=answer, args=(listening.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"{'https' if context else 'http'}://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        over.set()
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
    assert not all_of_it.is_set()


def _ends(url: str, call: Callable[[Client], object], kind: type[GrafanaError], said: str, **options: object) -> None:
    """The call ends with that error, and no other of its kind."""
    given: dict[str, object] = {"token": "token", "retries": 0, **options}
    with Client(Connection(url, **given)) as one, pytest.raises(GrafanaError, match=said) as caught:  # type: ignore[arg-type]
        call(one)
    assert caught.type is kind


@pytest.mark.parametrize("how", ANSWERS)
def test_an_answer_that_trickles_ends(how: str) -> None:
    with trickling(ANSWERS[how]) as url:
        _ends(url, lambda one: one.get("/x"), Unreachable, r"GET /x: no answer within 0\.5 s", timeout=0.5)
        writing = lambda one: one.write("POST", "/x", {})  # noqa: E731
        _ends(url, writing, Uncertain, "no answer within", timeout=0.5)
        _ends(url, lambda one: one.get("/x"), TimeLimit, r"not done after 0\.5 s; last: GET /x", time_limit=0.5, retries=5)


def test_over_tls(tmp_path: Path) -> None:
    site = identities.make(tmp_path / "pki")
    with trickling(ANSWERS["the content"], site.context()) as url:
        certificate, key = site.files("controller")
        given = {"ca": site.ca, "certificate": certificate, "key": key, "timeout": 2.0}
        _ends(url, lambda one: one.get("/x"), Unreachable, "no answer within", **given)


def test_others_go_on(tmp_path: Path) -> None:
    """Connections are used again, and a deadline concerns the request that it belongs to."""

    def answer(request: Request) -> Answer:
        return Answer(b"[1]", wait=5.0 if request.path == "/slow" else 0.02)

    with serve(answer) as server, Client(Connection(server.url, token="token", retries=0, timeout=2.0, max_connections=3)) as one:

        def ask(path: str) -> str:
            try:
                return str(one.get(path))
            except Unreachable:
                return "late"

        found = list(one.map(ask, ["/slow", *["/quick"] * 60, "/slow", *["/quick"] * 60]))
    assert found == ["late", *["[1]"] * 60, "late", *["[1]"] * 60]


# --- what does not pass by itself ------------------------------------------------------------------------------------


@pytest.fixture
def ends_at_once(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """As ``_ends``, and nothing is tried again, although it might be."""
    monkeypatch.setattr(Client, "wait", lambda _self, _attempt, error: pytest.fail(f"tries again after: {error}"))
    return partial(_ends, retries=8)


def test_a_certificate_that_is_not_believed_is_no_failover(tmp_path: Path, ends_at_once: Callable[..., None]) -> None:
    site = identities.make(tmp_path / "pki")
    other = identities.make(tmp_path / "other")
    certificate, key = site.files("controller")
    with serve(lambda _request: Answer(b"{}"), site.context()) as server:
        theirs = {"ca": other.ca, "certificate": certificate, "key": key}
        ends_at_once(server.url, lambda one: one.get("/x"), Untrusted, "GET /x", **theirs)
    context = site.context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with serve(lambda _request: Answer(b"{}"), context) as server:
        ends_at_once(server.url, lambda one: one.get("/x"), Untrusted, "GET /x", ca=site.ca)


def test_a_certificate_that_is_missing_is_no_failover_once_it_is_told(tmp_path: Path) -> None:
    """With TLS 1.3 a client learns of it only after its request, or but that the connection is gone, and tries again."""
    site = identities.make(tmp_path / "pki")
    ended: list[type[GrafanaError]] = []
    with serve(lambda _request: Answer(b"{}"), site.context()) as server:
        # Whether it is told is a race between two processes, which has to be won once.
        while Untrusted not in ended and len(ended) < 50:
            one = Client(Connection(server.url, token="token", ca=site.ca, retries=8, pause=0.001))
            with one, pytest.raises(GrafanaError, match="GET /x") as caught:
                one.get("/x")
            ended.append(caught.type)
    assert ended[-1] is Untrusted and set(ended[:-1]) <= {Unreachable}


@pytest.mark.parametrize("option", ["ca", "certificate", "key"])
def test_a_file_that_is_missing_or_something_else(option: str, tmp_path: Path) -> None:
    site = identities.make(tmp_path / "pki")
    certificate, key = site.files("controller")
    given = {"ca": str(site.ca), "certificate": str(certificate), "key": str(key)}

    def build(**more: str) -> None:
        Client(Connection("https://localhost", token="t", **{**given, **more})).close()  # type: ignore[arg-type]

    build()
    Client(Connection("http://localhost", token="t", ca="/no/such.pem")).close()
    with pytest.raises(GrafanaError, match=f"{option}: /no/such.pem: No such file"):
        build(**{option: "/no/such.pem"})
    (tmp_path / "text").write_text("text")
    with pytest.raises(GrafanaError, match=f"{'ca' if option == 'ca' else 'certificate'}: .*: no certificate"):
        build(**{option: str(tmp_path / "text")})


@pytest.mark.parametrize(
    "url", ["grafana:3000", "ftp://x", "http://", "http://:3000", "http://x:port", "http://[::1", "http://a b", "http://a..b"]
)
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(GrafanaError, match=r"url: .* is no address"):
        Client(Connection(url, token="t"))


def test_an_address_that_the_library_refuses(ends_at_once: Callable[..., None]) -> None:
    ends_at_once("http://*.x", lambda one: one.get("/x"), GrafanaError, "url: ")


def test_a_token_with_a_line_break(ends_at_once: Callable[..., None]) -> None:
    for_good = "cannot be sent"
    with serve(lambda _request: Answer(b"{}")) as server:
        ends_at_once(server.url, lambda one: one.get("/x"), GrafanaError, for_good, token="secret\nend")
