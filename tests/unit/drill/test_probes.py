"""Probes against servers on loopback that answer as a test wants them."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from datetime import datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml
from ansible_collections.monitoring.ha.plugins.module_utils import durations
from ansible_collections.monitoring.ha.plugins.module_utils.certificates import UTC
from ansible_collections.monitoring.ha.plugins.plugin_utils.drill import clock, judge, ledger
from ansible_collections.monitoring.ha.plugins.plugin_utils.drill.ledger import Ledger
from ansible_collections.monitoring.ha.plugins.plugin_utils.drill.probes import (
    address,
    common,
    database,
    grafana,
    metrics,
    objects,
    pages,
    query,
)
from ansible_collections.monitoring.ha.plugins.plugin_utils.drill.rule import ALERT, life
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.unit.identities import Site
from tests.unit.servers import Answer, Answerer, Request, Server, free_port, serve, texts

Start = Callable[..., Ledger]


def said(content: Any, status: int = 200, cookie: str = "") -> Answer:
    return Answer(json.dumps(content).encode(), status, {"Set-Cookie": cookie} if cookie else {})


@pytest.fixture
def start(tmp_path: Path, pki: Site) -> Start:
    """Runs a probe for some seconds, and reads its ledger."""

    def run(probe: type[common.Probe], seconds: float = 1.2, endpoints: dict[str, Any] | None = None, **more: Any) -> Ledger:
        certificate, key = pki.files("controller")
        known = {"ca": pki.ca, "client": {"certificate": certificate, "key": key}, **(endpoints or {})}
        values = {"directory": str(tmp_path), "run": "t1", "interval": 5.0, "job": "node_exporter", "scraped": ["mon1", "mon2"], **more}
        (tmp_path / "stop").unlink(missing_ok=True)
        timer = threading.Timer(seconds, (tmp_path / "stop").touch)
        timer.start()
        probe(common.Settings({"endpoints": known, **values})).run()
        timer.join()
        return ledger.read(tmp_path / f"{probe.name}.jsonl")

    return run


@pytest.fixture
def tls(pki: Site) -> Callable[[Answerer], Any]:
    return lambda answerer: serve(answerer, pki.context(asks=False))


# --- all of them ----------------------------------------------------------------------------------------------------


def test_a_probe_looks_five_times_a_second_even_while_nobody_answers(start: Start, tls: Callable[[Answerer], Any]) -> None:
    with tls(lambda _request: Answer(wait=2)) as server:
        found = start(query.Query, 1.5, {"query": {"url": server.url, "user": "u", "password": "p"}})
    assert judge.rate(found.attempts, found.patience) >= judge.RATE
    assert {one.state for one in found.attempts} == {"error"}


def test_a_probe_says_when_it_is_ready_and_what_it_cost(start: Start, tls: Callable[[Answerer], Any]) -> None:
    with tls(texts({})) as server:
        found = start(address.Address, address=server.url)
    assert found.span[0] <= found.facts["ready"] <= found.span[1]
    assert found.cost["cpu"] > 0 and found.cost["wall"] >= 1


# --- one by one -----------------------------------------------------------------------------------------------------


def test_the_address_is_shaken_hands_with_and_says_whose_it_is(start: Start, tls: Callable[[Answerer], Any]) -> None:
    with tls(texts({})) as server:
        found = start(address.Address, address=server.url)
    assert {(one.state, one.detail) for one in found.attempts} == {("ok", "server")}
    refused = start(address.Address, 0.5, address=f"https://127.0.0.1:{free_port()}")
    assert refused.attempts[-1].state == "error" and "refused" in refused.attempts[-1].detail


@pytest.mark.parametrize(
    ("samples", "outcome"),
    [
        ({"mon1": [99], "mon2": [98]}, ("ok", "")),
        ({"mon1": [99]}, ("wrong", "nothing of mon2")),
        ({"mon1": [99, 99], "mon2": [98]}, ("wrong", "mon1 more than once")),
        ({"mon1": [99], "mon2": [70]}, ("stale", "mon2 as it was 30.0 s ago")),
        ({"mon1": [150], "mon2": [99]}, ("wrong", "a sample of the future: 50 s")),
    ],
)
def test_an_answer_is_right_when_it_has_one_fresh_sample_of_each_host(samples: dict[str, list[float]], outcome: tuple[str, str]) -> None:
    result = [{"metric": {"host": host}, "value": [100, str(value)]} for host, values in samples.items() for value in values]
    assert query.judged(result, ["mon1", "mon2"], 100, 20) == outcome
    # An answer that says that something is missing is no worse than none.
    missing = outcome[1].startswith("nothing of")
    said = query.judged(result, ["mon1", "mon2"], 100, 20, "a store is gone")
    assert said == (("error", f"{outcome[1]}: a store is gone") if missing else outcome)


@pytest.mark.parametrize(("interval", "seconds"), [(15, 45 + 10 + 5), (5, 15 + 5 + 5)])
def test_a_sample_may_be_as_old_as_deduplication_and_a_scrape_that_is_given_up_leave_it(interval: float, seconds: float) -> None:
    assert query.oldest(interval, 5) == seconds


def test_queries_are_asked_as_a_person_and_judged(start: Start, tls: Callable[[Answerer], Any]) -> None:
    def answer(request: Request) -> Answer:
        asked = urllib.parse.parse_qs(urllib.parse.urlsplit(request.path).query)["query"][0]
        assert asked == 'timestamp(up{job="node_exporter",host=~"mon1|mon2"})' and request.headers["Authorization"].startswith("Basic ")
        result = [{"metric": {"host": host}, "value": [0, str(time.time())]} for host in ("mon1", "mon2")]
        return said({"status": "success", "data": {"result": result}})

    with tls(answer) as server:
        found = start(query.Query, endpoints={"query": {"url": server.url, "user": "u", "password": "p"}})
    assert {one.state for one in found.attempts} == {"ok"}


def test_a_query_without_its_stores_that_says_so_is_no_answer(start: Start, tls: Callable[[Answerer], Any]) -> None:
    body = {"status": "success", "data": {"result": []}, "warnings": ["no store matched"]}
    with tls(lambda _request: said(body)) as server:
        found = start(query.Query, 0.5, {"query": {"url": server.url, "user": "u", "password": "p"}})
    assert {(one.state, one.detail) for one in found.attempts} == {("error", "nothing of mon1, mon2: no store matched")}


def test_the_data_are_looked_at_in_the_end(start: Start, tls: Callable[[Answerer], Any]) -> None:
    begun = time.time()

    def answer(request: Request) -> Answer:
        result = [{"metric": {"host": "mon1"}, "values": [[begun + n, "1"] for n in range(3)]}]
        return said({"status": "success", "data": {"result": result}})

    with tls(answer) as server:
        found = start(metrics.Metrics, 1, {"query": {"url": server.url, "user": "u", "password": "p"}})
    assert found.facts["samples"] == {"mon1": [begun, begun + 1, begun + 2], "mon2": []}
    assert found.facts["until"] - found.facts["since"] >= 5


class Dashboards:
    """As much of Grafana as somebody needs who saves dashboards. forgets: numbers that it takes and does not keep.

    due: requests that a token is good for, after which the session has to take another one.
    """

    def __init__(self, forgets: set[int], due: int = 10**6) -> None:
        self.kept: dict[str, dict[str, Any]] = {}
        self.forgets, self.folders = forgets, set[str]()
        self.due, self.used, self.tokens = due, 0, 0

    @property
    def token(self) -> str:
        return f"grafana_session=s3cret{self.tokens}"

    def __call__(self, request: Request) -> Answer:
        body = json.loads(request.body) if request.body else {}
        path = request.path.partition("?")[0]
        if path == "/login":
            return said({}, cookie=f"{self.token}; Path=/; Secure")
        if request.headers.get("Cookie") != self.token:
            return said({"message": "who are you?"}, 401)
        if path == "/api/user/auth-tokens/rotate":
            self.tokens, self.used = self.tokens + 1, 0
            return said({}, cookie=f"{self.token}; Path=/; Secure")
        self.used += 1
        if self.used > self.due:
            return said({"message": "Unauthorized", "messageId": "session.token.rotate"}, 401)
        if path == "/api/folders":
            self.folders.add(body["uid"])
        elif path == "/api/dashboards/db":
            its = body["dashboard"]
            if int(its["uid"].rpartition("-")[2]) not in self.forgets:
                self.kept[its["uid"]] = its
        elif path == "/api/search":
            return said([{"uid": uid} for uid in self.kept])
        elif request.method == "DELETE":
            self.folders.discard(path.rpartition("/")[2])
        elif path.startswith("/api/dashboards/uid/"):
            uid = path.rpartition("/")[2]
            return said({"dashboard": self.kept[uid]}) if uid in self.kept else said({}, 404)
        return said({})


@pytest.mark.parametrize("forgets", [set(), {3}])
def test_dashboards_are_saved_read_found_and_removed(start: Start, tls: Callable[[Answerer], Any], forgets: set[int]) -> None:
    site = Dashboards(forgets)
    with tls(site) as server:
        found = start(grafana.Grafana, endpoints={"grafana": {"url": server.url, "user": "admin", "password": "secret"}})
    assert {one.state for one in found.attempts if one.kind == "save"} == {"ok"}
    assert judge.numbers(found.attempts, "save") - set(found.facts["found"]) == forgets
    assert site.folders == set()
    wrong = [one.detail for one in found.attempts if one.state == "wrong"]
    assert set(wrong) == {f"dashboard {number}, which was saved, is not there" for number in forgets}


def test_a_session_that_lasts_takes_new_tokens(start: Start, tls: Callable[[Answerer], Any]) -> None:
    site = Dashboards(set(), due=5)
    with tls(site) as server:
        found = start(grafana.Grafana, endpoints={"grafana": {"url": server.url, "user": "admin", "password": "secret"}})
    assert site.tokens >= 2 and {one.state for one in found.attempts} == {"ok"}
    assert judge.numbers(found.attempts, "save") == set(found.facts["found"]) and site.folders == set()


class Buckets:
    """As much of S3 as objects need that are put, got, listed and removed; two to a page of a listing."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def __call__(self, request: Request) -> Answer:
        url = urllib.parse.urlsplit(request.path)
        asked = urllib.parse.parse_qs(url.query, keep_blank_values=True)
        assert request.headers["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=GK1/")
        if request.method == "PUT":
            self.kept[url.path] = request.body
            return Answer()
        if "list-type" in asked:
            names = sorted(path.removeprefix("/thanos/") for path in self.kept)
            begin = int(asked.get("continuation-token", ["0"])[0])
            keys = "".join(f"<Contents><Key>{name}</Key></Contents>" for name in names[begin : begin + 2])
            more = f"<NextContinuationToken>{begin + 2}</NextContinuationToken>" if begin + 2 < len(names) else ""
            return Answer(f"<ListBucketResult>{keys}{more}</ListBucketResult>".encode())
        if "delete" in asked:
            for name in re.findall("<Key>(.*?)</Key>", request.body.decode()):
                del self.kept[f"/thanos/{name}"]
            return Answer()
        return Answer(self.kept[url.path]) if url.path in self.kept else Answer(status=404)


def test_objects_are_put_got_found_and_removed(start: Start, tls: Callable[[Answerer], Any]) -> None:
    store = Buckets()
    with tls(store) as server:
        its = {"url": server.url, "bucket": "thanos", "access_key": "GK1", "secret_key": "secret"}
        found = start(objects.Objects, endpoints={"object_store": its})
    assert {one.state for one in found.attempts} == {"ok"}
    assert set(found.facts["found"]) == judge.numbers(found.attempts, "put") and len(found.facts["found"]) >= 5
    assert store.kept == {}


@pytest.mark.parametrize(("method", "path", "parameters"), [("PUT", "/b/a b/1", {}), ("GET", "/b", {"list-type": "2", "prefix": "x/y z"})])
def test_a_signature_is_the_one_that_aws_means(method: str, path: str, parameters: dict[str, str]) -> None:
    request = AWSRequest(method, f"https://192.0.2.1:3900{urllib.parse.quote(path)}", data=b"content", params=parameters)
    signer = S3SigV4Auth(Credentials("GK1", "secret"), "s3", "garage")
    signer.add_auth(request)
    at = datetime.strptime(request.context["timestamp"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    mine = objects.signed(method, "192.0.2.1:3900", path, parameters, b"content", "GK1", "secret", "garage", at)
    assert mine["Authorization"] == request.headers["Authorization"]


class Pagers:
    """An Alertmanager that pages each alert it is sent, but for some. twice: those that it pages twice."""

    def __init__(self, port: int, without: set[int], twice: set[int]) -> None:
        self.port, self.without, self.twice = port, without, twice
        self.paged: set[int] = set()

    def __call__(self, request: Request) -> Answer:
        if request.method == "GET":
            return said([{"labels": {"number": "7", "source": "rule"}}])
        for alert in json.loads(request.body):
            number = int(alert["labels"]["number"])
            if number in self.paged | self.without or alert["endsAt"] < datetime.now(UTC).isoformat():
                continue
            self.paged.add(number)
            for _page in range(2 if number in self.twice else 1):
                self.page(alert["labels"])
        return said({})

    def page(self, labels: dict[str, str]) -> None:
        message = {"alerts": [{"status": "firing", "labels": labels}]}
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        opener.open(f"http://127.0.0.1:{self.port}/", json.dumps(message).encode(), timeout=5).close()


def paged(start: Start, tls: Callable[[Answerer], Any], without: set[int], twice: set[int]) -> tuple[Ledger, Server]:
    port = free_port()
    with tls(Pagers(port, without, twice)) as server:
        found = start(
            pages.Pages,
            1.5,
            alertmanagers={"mon1": f"127.0.0.1:{server.port}", "mon2": f"127.0.0.1:{free_port()}"},
            addresses={"mon1": "127.0.0.1"},
            pager_port=port,
            page_turns=0.5,
            page_patience=1.0,
        )
    return found, server


def test_an_alert_is_over_before_its_route_would_page_it_again() -> None:
    role = Path(__file__).parents[3] / "roles" / "alertmanager" / "vars" / "main.yml"
    again = durations.seconds(yaml.safe_load(role.read_text(encoding="utf-8"))["alertmanager_drill_route"]["repeat_interval"])
    assert max(pages.FIRES, life("60s")) < again


def test_alerts_are_posted_to_every_alertmanager_and_their_pages_counted(start: Start, tls: Callable[[Answerer], Any]) -> None:
    found, _server = paged(start, tls, {3}, {4})
    assert {one.state for one in found.attempts} == {"ok"}
    counted = judge.copies(found.facts["arrived"])
    numbers = judge.numbers(found.attempts, "post")
    assert counted == {("posted", number): 2 if number == 4 else 1 for number in numbers - {3}}
    assert {entry[3] for entry in found.facts["arrived"]} == {"mon1"}


def test_what_hosts_say_is_held_against_the_clock_on_the_wall_and_all_else_against_the_drills(
    start: Start, tls: Callable[[Answerer], Any], tmp_path: Path
) -> None:
    def answer(_request: Request) -> Answer:
        result = [{"metric": {"host": host}, "value": [0, str(time.time())], "values": []} for host in ("mon1", "mon2")]
        return said({"status": "success", "data": {"result": result}})

    # As if somebody had set the clock on the wall forward by an hour since the drill began.
    (tmp_path / clock.FILE).write_text(repr(time.time() - time.monotonic() - 3600), encoding="utf-8")
    begun = time.time()
    with tls(answer) as server:
        endpoints = {"query": {"url": server.url, "user": "u", "password": "p"}}
        asked, data = start(query.Query, endpoints=endpoints), start(metrics.Metrics, 1, endpoints)
    posted, _server = paged(start, tls, set(), set())
    ended = time.time()
    assert begun - 5 <= data.facts["since"] < data.facts["until"] <= ended
    for found in (asked, posted):
        assert begun - 3600 <= found.span[0] < found.span[1] <= ended - 3600 and {one.state for one in found.attempts} == {"ok"}
    # An alert that is over already pages nobody.
    assert {entry[1] for entry in posted.facts["arrived"]} == judge.numbers(posted.attempts, "post")
    assert all(begun - 3600 <= entry[2] <= ended - 3600 for entry in posted.facts["arrived"])


def test_only_alerts_of_this_drill_that_fire_are_counted() -> None:
    def alert(status: str = "firing", **labels: str) -> dict[str, Any]:
        return {"status": status, "labels": {"alertname": ALERT, "source": "posted", "drill": "t1", "number": "5", **labels}}

    mine = {"alertname": ALERT, "source": "rule", "number": "17", "replica": "mon2"}
    message = {"alerts": [alert(), alert("resolved"), alert(drill="t0"), alert(alertname="Other"), {"status": "firing", "labels": mine}]}
    assert pages.arrivals(message, "t1", 9.0, "mon1") == [["posted", 5, 9.0, "mon1", ""], ["rule", 17, 9.0, "mon1", "mon2"]]


class Driver:
    """A database in memory. fails: statements, by their number, that are refused; dies: that end the connection."""

    where = "SELECT"
    rows: ClassVar[list[int]] = []
    opened: ClassVar[int] = 0
    fails: ClassVar[set[int]] = set()
    dies: ClassVar[set[int]] = set()

    def __init__(self, its: dict[str, Any], ca: str) -> None:
        del its, ca
        type(self).opened += 1

    def run(self, statement: str) -> list[tuple[Any, ...]]:
        if statement.startswith("INSERT"):
            number = int(re.findall(r"\((\d+)\)", statement)[0])
            if number in self.fails | self.dies:
                raise (ValueError if number in self.fails else ConnectionError)("no")
            self.rows.append(number)
        return [(row,) for row in self.rows] if statement.startswith("SELECT number") else [("192.0.2.1",)]

    def broken(self, error: Exception) -> bool:
        return isinstance(error, ConnectionError)

    def close(self) -> None:
        pass


def test_a_connection_is_kept_through_refusals_and_made_anew_when_it_is_gone(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Driver, "rows", [])
    monkeypatch.setattr(Driver, "opened", 0)
    monkeypatch.setattr(Driver, "fails", {2})
    monkeypatch.setattr(Driver, "dies", {4})
    monkeypatch.setitem(database.DRIVERS, "postgresql", Driver)
    found = start(database.Database, 1.6, {"postgresql": {}})
    assert [one.number for one in found.attempts if one.state == "error"] == [2, 4]
    assert set(found.facts["found"]) == judge.numbers(found.attempts, "") and found.facts["sequential"]
    # To make the table, to write, to write again, to look, and to tidy up.
    assert Driver.opened == 5
    assert {one.detail for one in found.attempts if one.state == "ok"} == {"192.0.2.1"}


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this kernel has no IPv6")
@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_pages_arrive_over_either_family(address: str) -> None:
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            seen.append(self.client_address[0].removeprefix("::ffff:"))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            del format, args

    with pages.Receiver(("", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        host = f"[{address}]" if ":" in address else address
        with urllib.request.urlopen(urllib.request.Request(f"http://{host}:{server.server_port}/", b"{}"), timeout=5) as answer:
            assert answer.status == 204
        server.shutdown()
    assert seen == [address]
