"""The client: retries, time limits, what it believes, and what it never says."""

from __future__ import annotations

import gzip
import itertools
import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import requests
import requests.adapters
from ansible_collections.monitoring.ha.plugins.module_utils.grafana import RUN_HEADER
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.client import Client, Connection, segment
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.errors import (
    ApiError,
    Conflict,
    Denied,
    GrafanaError,
    NotFound,
    TimeLimit,
    Uncertain,
    Unreachable,
)

from tests.unit import identities
from tests.unit.servers import Answer, Answerer, Request, free_port, serve

SECRET = "s3cret-token-value"


def client(url: str, **more: object) -> Client:
    values: dict[str, object] = {"token": SECRET, "pause": 0.001, "retries": 3, "timeout": 3.0, **more}
    return Client(Connection(url, **values))  # type: ignore[arg-type]


def in_turn(*answers: Answer) -> Answerer:
    """These answers one after the other, the last one for ever."""
    waiting = itertools.chain(answers, itertools.repeat(answers[-1]))
    lock = threading.Lock()

    def answer(_request: Request) -> Answer:
        with lock:
            return next(waiting)

    return answer


OK = Answer(b'{"a": 1.0}')


def test_all_requests_of_a_run_name_it() -> None:
    seen: list[str] = []

    def answer(request: Request) -> Answer:
        seen.append(request.headers[RUN_HEADER])
        return OK

    with serve(answer) as server:
        for _ in range(2):
            with client(server.url) as one:
                one.get("/a")
                one.write("POST", "/b", {})
    assert seen[0] == seen[1] != seen[2] == seen[3]


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_what_passes_is_repeated(status: int) -> None:
    with serve(in_turn(Answer(status=status), Answer(status=status), OK)) as server, client(server.url) as one:
        assert one.get("/x") == {"a": 1} and len(server.asked) == 3


@pytest.mark.parametrize(
    ("status", "kind"), [(400, ApiError), (401, Denied), (403, Denied), (404, NotFound), (409, Conflict), (412, Conflict)]
)
def test_what_does_not_pass_is_not(status: int, kind: type[ApiError]) -> None:
    body = json.dumps({"message": f"because of {SECRET}"}).encode()
    with serve(in_turn(Answer(body, status))) as server, client(server.url) as one:
        with pytest.raises(kind, match=rf"GET /x: {status} because of \*+") as caught:
            one.get("/x")
        assert caught.value.status == status and len(server.asked) == 1 and SECRET not in str(caught.value)


AWKWARD = 'p"\\w <é>&\n'


@pytest.mark.parametrize("secret", [SECRET, AWKWARD])
@pytest.mark.parametrize("form", ["message", "text", "json", "json of Go", "nested"])
def test_no_part_of_a_secret_is_in_an_error(secret: str, form: str) -> None:
    """Wherever it would have been cut."""
    go = json.dumps(secret, ensure_ascii=False).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    bodies = {
        "message": lambda before: json.dumps({"message": f"{before}{secret}"}),
        "text": lambda before: f"{before}{secret}",
        "json": lambda before: json.dumps({"x": before, "settings": secret}),
        "json of Go": lambda before: f'{{"x": "{before}", "settings": {go}}}',
        "nested": lambda before: json.dumps({"message": f"{before}{json.dumps({'settings': secret})}"}),
    }
    for length in (*range(60, 101, 3), *range(270, 301, 3)):
        answer = Answer(bodies[form]("." * length).encode(), 400)
        with (
            serve(in_turn(answer)) as server,
            Client(Connection(server.url, token="another one"), [secret]) as one,
            pytest.raises(ApiError) as caught,
        ):
            one.write("POST", "/x", {})
        said = str(caught.value)
        assert not any(part in said for part in (secret[:4], json.dumps(secret)[1:5], "\\u003c", "\\u00e9")), said


def test_gives_up_with_the_last_word() -> None:
    with serve(in_turn(Answer(b'{"message": "not now"}', 503))) as server, client(server.url) as one:
        with pytest.raises(ApiError, match="503 not now"):
            one.get("/x")
        assert len(server.asked) == 4


def test_retry_after() -> None:
    with serve(in_turn(Answer(status=429, headers={"Retry-After": "0.4"}), OK)) as server, client(server.url) as one:
        started = time.monotonic()
        one.write("POST", "/x", {})
        assert time.monotonic() - started >= 0.4 and len(server.asked) == 2, "429 means that nothing was done"


@pytest.mark.parametrize("answer", [Answer(status=503), Answer(b"{", promised=9)])
def test_a_doubtful_write_is_not_repeated(answer: Answer) -> None:
    with serve(in_turn(answer)) as server, client(server.url) as one:
        with pytest.raises(Uncertain):
            one.write("POST", "/x", {"a": 1})
        assert len(server.asked) == 1


@pytest.fixture(params=["counts", "takes what comes"])
def library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """urllib3 as it is, and as it was in releases that do not compare what has come with what was announced."""
    if request.param == "counts":
        return
    build = requests.adapters.HTTPAdapter.build_response

    def trusting(self: requests.adapters.HTTPAdapter, sent: Any, answer: Any) -> requests.Response:
        answer.enforce_content_length = False
        return build(self, sent, answer)

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "build_response", trusting)


#: Successes that are none. A connection that ends looks like an empty answer, or like the start of one.
CUT = {
    "before the body": Answer(b"", promised=9),
    "within the body": Answer(b"[1", promised=9),
    "where what has come is complete": Answer(b"[1]\n", promised=9),
    "without a length": Answer(b"", promised=-1),
    "within, without a length": Answer(b"[1", promised=-1),
    "within, compressed": Answer(gzip.compress(b"[1]" * 99)[:-20], headers={"Content-Encoding": "gzip"}),
}


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize("cut", CUT)
def test_a_part_of_an_answer_is_none(cut: str) -> None:
    with serve(in_turn(CUT[cut], CUT[cut], OK)) as server, client(server.url) as one:
        assert one.get("/x") == {"a": 1} and len(server.asked) == 3
    with serve(in_turn(CUT[cut])) as server, client(server.url) as one:
        with pytest.raises(Unreachable):
            one.get("/x")
        assert len(server.asked) == 4
        with pytest.raises(Uncertain):
            one.write("POST", "/x", {})
        assert len(server.asked) == 5, "it may have been done"


@pytest.mark.parametrize("nothing", [Answer(), Answer(status=204), Answer(b"null")])
def test_nothing_is_an_answer_to_a_write(nothing: Answer) -> None:
    with serve(in_turn(nothing)) as server, client(server.url) as one:
        assert one.write("DELETE", "/x") is None


def test_null_is_the_only_nothing_that_is_read() -> None:
    with serve(in_turn(Answer(b"null"), Answer())) as server, client(server.url, retries=0) as one:
        assert one.get("/x") is None
        with pytest.raises(Unreachable, match="200 without a content"):
            one.get("/x")


def test_a_page_that_answers_a_write_leaves_it_in_doubt() -> None:
    with (
        serve(in_turn(Answer(b"<html>"))) as server,
        client(server.url) as one,
        pytest.raises(Uncertain, match="is this Grafana's address"),
    ):
        one.write("POST", "/x", {})


def test_nobody_there() -> None:
    with client(f"http://127.0.0.1:{free_port()}") as one, pytest.raises(Unreachable, match="refused"):
        one.get("/x")


def test_time_limit_ends_the_waiting() -> None:
    with serve(in_turn(Answer(status=503))) as server, client(server.url, pause=0.8, retries=50, time_limit=2.0) as one:
        with pytest.raises(TimeLimit, match=r"not done after 2 s; last: GET /x: 503"):
            one.get("/x")
        assert len(server.asked) < 5, "each pause is twice as long as the one before"


def test_a_redirect_does_not_take_the_token_along() -> None:
    with serve(in_turn(OK)) as other, serve(in_turn(Answer(status=302, headers={"Location": f"{other.url}/x"}))) as server:
        with client(server.url) as one, pytest.raises(ApiError, match="redirected"):
            one.get("/x")
        assert other.asked == []


def test_something_else_than_json() -> None:
    with serve(in_turn(Answer(b"<html>"))) as server, client(server.url) as one, pytest.raises(ApiError, match="is this Grafana's address"):
        one.get("/x")


def test_a_cookie_of_the_load_balancer_is_kept_until_something_fails() -> None:
    answers = (Answer(b"{}", headers={"Set-Cookie": "SERVER=one; Path=/"}), OK, Answer(status=503), OK)
    with serve(in_turn(*answers)) as server, client(server.url) as one:
        for _ in range(3):
            one.get("/x")
    assert [request.headers.get("Cookie") for request in server.asked] == [None, "SERVER=one", "SERVER=one", None]


@pytest.mark.parametrize(
    ("credentials", "header"),
    [({"token": "t"}, "Bearer t"), ({"token": "", "user": "ü", "password": "p:ä"}, "Basic w7w6cDrDpA==")],
)
def test_credentials(credentials: dict[str, str], header: str) -> None:
    with serve(in_turn(OK)) as server, client(server.url, **credentials) as one:
        one.get("/x")
    assert server.asked[0].headers["Authorization"] == header


def test_netrc_does_not_replace_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login other password other\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with serve(in_turn(OK)) as server, client(server.url) as one:
        one.get("/x")
    assert server.asked[0].headers["Authorization"] == f"Bearer {SECRET}"


def test_no_credentials() -> None:
    with pytest.raises(GrafanaError, match="no credentials"):
        Client(Connection("http://x", user="only"))


def test_own_authority_and_client_certificate(tmp_path: Path) -> None:
    site = identities.make(tmp_path / "pki")
    certificate, key = site.files("controller")
    with serve(in_turn(OK), site.context()) as server:
        with client(server.url, ca=site.ca, certificate=certificate, key=key) as one:
            assert one.get("/x") == {"a": 1}
        for wrong in ({}, {"ca": site.ca}):
            with client(server.url, retries=0, **wrong) as one, pytest.raises(Unreachable):
                one.get("/x")
        with pytest.warns(match="Unverified"), client(server.url, verify=False, certificate=certificate, key=key) as one:
            assert one.get("/x") == {"a": 1}


@pytest.mark.parametrize("total", [0, 1, 3, 6, 7])
def test_pages_to_the_end(total: int) -> None:
    items = [{"uid": number} for number in range(total)]

    def pages(request: Request) -> Answer:
        number = int(request.path.partition("page=")[2])
        return Answer(json.dumps({"r": {"l": items[(number - 1) * 3 : number * 3], "totalCount": total}}).encode())

    with serve(pages) as server, client(server.url) as one:
        assert list(one.paged("/x", 3, "limit", "r.l")) == items
        # This server gives three at a time, whatever is asked for.
        assert list(one.paged("/x", 100, "limit", "r.l")) == items


@pytest.mark.parametrize("change", ["one goes", "one comes", "one of the last goes"])
def test_pages_that_shift(change: str) -> None:
    """What moves over the border of two pages while they are read is there once."""
    items = [{"uid": number} for number in range(0, 80, 10)]

    def pages(request: Request) -> Answer:
        number = int(request.path.partition("page=")[2])
        said = json.dumps(items[(number - 1) * 3 : number * 3]).encode()
        if len(server.asked) == 1:
            if change == "one comes":
                items.insert(0, {"uid": -1})
            else:
                del items[0 if change == "one goes" else -1]
        return Answer(said)

    with serve(pages) as server, client(server.url) as one:
        assert one.paged("/x", 3, "limit") == items


def test_a_single_page_is_read_once() -> None:
    with serve(in_turn(Answer(b'[{"uid": 1}]'))) as server, client(server.url) as one:
        assert one.paged("/x", 3, "limit") == [{"uid": 1}] and len(server.asked) == 1


def test_pages_that_never_hold_still() -> None:
    def pages(request: Request) -> Answer:
        number = int(request.path.partition("page=")[2])
        return Answer(json.dumps([{"uid": len(server.asked)}] if number < 5 else []).encode())

    with serve(pages) as server, client(server.url) as one, pytest.raises(GrafanaError, match="faster than all of them can be listed"):
        one.paged("/x", 1, "limit")


def test_several_at_a_time_in_order() -> None:
    busy, most, lock = [0], [0], threading.Lock()

    def work(number: int) -> int:
        with lock:
            busy[0] += 1
            most[0] = max(most[0], busy[0])
        time.sleep(0.01)
        with lock:
            busy[0] -= 1
        return number

    with client("http://127.0.0.1:1", max_connections=3) as one:
        assert list(one.map(work, range(40))) == list(range(40)) and most[0] == 3


@pytest.mark.parametrize("connections", [1, 3])
def test_a_map_within_a_map(connections: int) -> None:
    """A worker that has many things to do does them itself: all the others may be waiting as well."""
    with client("http://127.0.0.1:1", max_connections=connections) as one:

        def work(number: int) -> list[int]:
            return list(one.map(lambda inner: number * 10 + inner, range(3)))

        found: list[list[int]] = []
        thread = threading.Thread(target=lambda: found.extend(one.map(work, range(8))), daemon=True)
        thread.start()
        thread.join(10)
        # Without an answer by now there will be none: what waits has to end, or the test run would not.
        one._pool.shutdown(wait=False, cancel_futures=True)
    assert found == [[number * 10 + inner for inner in range(3)] for number in range(8)]


def test_the_first_error_ends_a_map() -> None:
    def work(number: int) -> int:
        if number == 3:
            raise GrafanaError("three")
        return number

    done: list[int] = []
    with client("http://127.0.0.1:1") as one, pytest.raises(GrafanaError, match="three"):
        done.extend(one.map(work, itertools.count()))


def test_segments() -> None:
    assert segment("a/b ?#%ä") == "a%2Fb%20%3F%23%25%C3%A4"
    for name in (".", "..", ""):
        with pytest.raises(GrafanaError):
            segment(name)
