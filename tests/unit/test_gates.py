"""Gates ask daemons over TLS, and say in words what is missing. The servers are real, their answers as the daemons give them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.monitoring.ha.plugins.module_utils import gates
from ansible_collections.monitoring.ha.plugins.module_utils.catalogue import COMPONENTS
from ansible_collections.monitoring.ha.plugins.module_utils.gates import Question, Verdict
from ansible_collections.monitoring.ha.plugins.module_utils.https import Client, Unanswered, connects, metric

from tests.unit import identities
from tests.unit.identities import Site
from tests.unit.plays import Play
from tests.unit.servers import Answer, Answerer, Request, free_port, serve, texts

# --- one question --------------------------------------------------------------------------------------------------


def said(client: Client, path: str = "/") -> str:
    """Why there was no answer."""
    with pytest.raises(Unanswered) as error:
        client.text(path)
    return str(error.value)


def test_an_answer_with_client_certificate(pki: Site) -> None:
    with serve(texts({"/": "well"}), pki.context()) as server:
        assert pki.client(server.port).text("/") == "well"


def test_without_a_client_certificate_there_is_no_answer(pki: Site) -> None:
    with serve(texts({"/": "well"}), pki.context()) as server:
        message = said(Client("127.0.0.1", server.port, pki.ca))
    assert f"127.0.0.1:{server.port}" in message and server.asked == []


def test_another_authority_is_named_in_clear_words(pki: Site, tmp_path: Path) -> None:
    other = identities.make(tmp_path / "other")
    with serve(texts({"/": "well"}), other.context(asks=False)) as server:
        message = said(pki.client(server.port))
    assert "its certificate is not believed" in message and pki.ca in message and f"127.0.0.1:{server.port}" in message


def test_a_certificate_for_somebody_else_is_named_in_clear_words(tmp_path: Path) -> None:
    other = identities.make(tmp_path / "other", "elsewhere.example.org")
    with serve(texts({"/": "well"}), other.context()) as server:
        message = said(other.client(server.port))
    assert "not valid for '127.0.0.1'" in message


def test_a_missing_file_is_named(pki: Site, tmp_path: Path) -> None:
    client, gone = pki.client(1), str(tmp_path / "gone.pem")
    for lacking in (replace(client, ca=gone), replace(client, certificate=gone), replace(client, key=gone)):
        assert f"{gone}: no such file" in said(lacking)


def test_a_server_that_refuses_connections(pki: Site) -> None:
    port = free_port()
    message = said(pki.client(port), "/-/ready")
    assert f"127.0.0.1:{port}/-/ready" in message and "refused" in message


def test_a_server_that_says_nothing(pki: Site) -> None:
    with serve(lambda _request: Answer(wait=30), pki.context()) as server:
        assert "timed out" in said(pki.client(server.port, timeout=0.3))


def test_a_server_that_speaks_something_else(pki: Site) -> None:
    with serve(texts({"/": "well"})) as server:
        assert f"127.0.0.1:{server.port}" in said(pki.client(server.port))


def test_a_server_that_breaks_off(pki: Site) -> None:
    with serve(lambda _request: Answer(b"half", promised=100), pki.context()) as server:
        assert f"127.0.0.1:{server.port}" in said(pki.client(server.port, timeout=1))


def test_another_status_comes_with_the_first_line(pki: Site) -> None:
    with serve(lambda _request: Answer(b"Service Unavailable\nstack trace", 503), pki.context()) as server:
        assert said(pki.client(server.port)).endswith("503 Service Unavailable")


def test_a_password_is_sent_and_shown_nowhere(pki: Site) -> None:
    with serve(lambda _request: Answer(b"no", 401), pki.context(asks=False)) as server:
        message = said(Client("127.0.0.1", server.port, pki.ca, user="admin", password="open-sesame"))
        assert server.asked[0].headers["Authorization"] == "Basic YWRtaW46b3Blbi1zZXNhbWU="
    assert "open-sesame" not in message and "YWRtaW46" not in message


def test_what_is_not_json_is_said(pki: Site) -> None:
    with serve(texts({"/x": "<html>"}), pki.context()) as server, pytest.raises(Unanswered, match="/x: not JSON"):
        pki.client(server.port).json("/x")


def test_connects() -> None:
    with serve(texts({})) as server:
        assert connects(f"127.0.0.1:{server.port}")
    assert not connects(f"127.0.0.1:{server.port}")


@pytest.mark.parametrize(
    ("name", "labels", "values"),
    [
        ("up", {}, [1.0]),
        ("state", {"state": "ok"}, [3.0]),
        ("state", {}, [3.0, 0.0]),
        ("up_total", {}, []),
        ("big", {}, [1.5e9]),
    ],
)
def test_metrics_of_the_text_format(name: str, labels: dict[str, str], values: list[float]) -> None:
    text = '# HELP up x\n# TYPE up gauge\nup 1\nstate{a="b c",state="ok"} 3\nstate{state="bad"} 0\nbig{x="1"} 1.5e+09\n'
    assert metric(text, name, **labels) == values


# --- components ----------------------------------------------------------------------------------------------------


def data(value: Any) -> str:
    return json.dumps({"status": "success", "data": value})


def target(instance: str, health: str = "up", scraped: str = "2026-01-01T00:00:00Z", error: str = "") -> dict[str, Any]:
    where = {"scrapePool": "p", "scrapeUrl": f"https://{instance}/metrics", "labels": {"host": instance}}
    return {**where, "lastScrape": scraped, "health": health, "lastError": error}


def prometheus(*targets: dict[str, Any], accepted: bool = True) -> dict[str, str]:
    answers = {"reloadConfigSuccess": accepted}
    return {"/-/ready": "ok", "/api/v1/status/runtimeinfo": data(answers), "/api/v1/targets": data({"activeTargets": list(targets)})}


def alertmanager(*peers: str, status: str = "ready", accepted: int = 1) -> dict[str, str]:
    cluster = {"status": status, "peers": [{"name": peer, "address": peer} for peer in peers]}
    metrics = f"alertmanager_config_last_reload_successful {accepted}\n"
    return {"/-/ready": "ok", "/api/v2/status": json.dumps({"cluster": cluster}), "/metrics": metrics}


def stores(**errors: str) -> dict[str, str]:
    found = [{"name": name, "lastError": error or None} for name, error in errors.items()]
    return {"/-/ready": "ok", "/api/v1/stores": data({"sidecar": found, "store": None})}


def haproxy(down: int, **checks: str) -> str:
    members = [f'haproxy_server_status{{proxy="b",server="m{n}",state="UP"}} {int(n >= down)}\n' for n in range(3)]
    for name, check in checks.items():
        status = 'haproxy_server_check_status{proxy="b",server="%s",state="%s"} %d\n'
        members += [status % (name, state, state == check) for state in ("L7OK", "L7TOUT")]
    return "haproxy_process_start_time_seconds 1\n" + "".join(members)


NEVER = "0001-01-01T00:00:00Z"
#: component, answers, what is expected → what is missing ("" for a pass)
CASES: list[tuple[str, dict[str, str], dict[str, Any], str]] = [
    ("node_exporter", {"/metrics": 'node_exporter_build_info{version="1"} 1\n'}, {}, ""),
    ("node_exporter", {"/metrics": "other 1\n"}, {}, "without metrics"),
    ("prometheus", prometheus(target("a"), target("b")), {"targets_up": True}, ""),
    ("prometheus", prometheus(), {}, ""),
    ("prometheus", prometheus(target("a"), accepted=False), {}, "refused its configuration"),
    ("prometheus", prometheus(target("a"), target("b", scraped=NEVER)), {}, "1 of 2 targets have not been scraped yet: https://b/metrics"),
    ("prometheus", prometheus(target("a", "down", error="refused")), {"targets_up": True}, "https://a/metrics (refused)"),
    ("prometheus", prometheus(), {"targets_up": True}, "0 of 0 targets"),
    ("prometheus", prometheus(target("a"), target("b", "down")), {"targets_up": ["a"]}, ""),
    ("prometheus", prometheus(target("a", "down"), target("b")), {"targets_up": ["a"]}, "1 of 1 targets are not up: https://a/metrics"),
    ("prometheus", prometheus(target("b")), {"targets_up": ["a"]}, "0 of 0 targets"),
    ("alertmanager", alertmanager("a", "b"), {"peers": 2}, ""),
    ("alertmanager", alertmanager("a"), {"peers": 2}, "1 of 2 members"),
    ("alertmanager", alertmanager("a", status="settling"), {}, "mesh is settling"),
    ("alertmanager", alertmanager("a", accepted=0), {}, "refused its configuration"),
    ("thanos_sidecar", {"/-/ready": "ok", "/metrics": "thanos_sidecar_prometheus_up 1\n"}, {}, ""),
    ("thanos_sidecar", {"/-/ready": "ok", "/metrics": "thanos_sidecar_prometheus_up 0\n"}, {}, "does not reach its Prometheus"),
    ("thanos_query", stores(a="", b=""), {"stores": 2}, ""),
    ("thanos_query", stores(a="", b="deadline"), {"stores": 2}, "1 of 2 stores: b (deadline)"),
    ("thanos_query_frontend", {"/-/ready": "ok", "/api/v1/query": data({})}, {}, ""),
    ("thanos_query_frontend", {"/-/ready": "ok", "/api/v1/query": '{"status": "error"}'}, {}, "ended in error"),
    ("thanos_store", {"/-/ready": "ok"}, {}, ""),
    ("thanos_store", {}, {}, "404"),
    ("thanos_compact", {"/-/ready": "ok", "/metrics": "thanos_compact_halted 0\n"}, {}, ""),
    ("thanos_compact", {"/-/ready": "ok", "/metrics": "thanos_compact_halted 1\n"}, {}, "halted"),
    ("object_store", {"/health": "ok", "/metrics": "cluster_storage_nodes_ok 3\n"}, {"nodes": 3}, ""),
    ("object_store", {"/health": "ok", "/metrics": "cluster_storage_nodes_ok 2\n"}, {"nodes": 3}, "2 of 3 hosts"),
    ("object_store", {"/metrics": ""}, {}, "404"),
    ("load_balancer", {"/metrics": haproxy(0)}, {"backends": True}, ""),
    ("load_balancer", {"/metrics": haproxy(2)}, {"backends": True}, "2 members are out of rotation: m0 of b; m1 of b"),
    ("load_balancer", {"/metrics": haproxy(2, m0="L7TOUT", m1="L7OK", m2="L7OK")}, {"backends": True}, "m0 of b (L7TOUT); m1 of b (L7OK)"),
    ("load_balancer", {"/metrics": haproxy(2)}, {}, ""),
    ("load_balancer", {"/metrics": "x 1\n"}, {}, "without metrics"),
    ("proxy", {"/metrics": haproxy(0)}, {}, ""),
]


@pytest.mark.parametrize(("component", "answers", "expect", "missing"), CASES, ids=[f"{c[0]}: {c[3] or 'well'}" for c in CASES])
def test_what_a_component_lacks(pki: Site, component: str, answers: dict[str, Any], expect: dict[str, Any], missing: str) -> None:
    with serve(texts(answers), pki.context()) as server:
        verdict = gates.wait(component, Question(pki.client(server.port), expect), 0)
    assert verdict.passed is (not missing)
    assert missing in "; ".join(verdict.missing)


def test_every_component_that_has_metrics_has_a_gate() -> None:
    assert {c.name for c in COMPONENTS.values() if c.metrics} <= set(gates.GATES)


def test_a_member_that_is_down_is_not_waited_for_but_one_that_answers_is(pki: Site) -> None:
    with serve(texts(alertmanager("a")), pki.context()) as server, serve(texts({})) as other:
        up, down = f"127.0.0.1:{other.port}", f"127.0.0.1:{free_port()}"
        client = pki.client(server.port)
        assert gates.wait("alertmanager", Question(client, {"members": {"a": up, "b": down}}), 0).passed
        verdict = gates.wait("alertmanager", Question(client, {"members": {"a": up, "c": up}}), 0)
    assert not verdict.passed and up in verdict.missing[0]


def test_the_virtual_address_has_a_holder(pki: Site) -> None:
    with serve(texts({})) as server:
        question = Question(pki.client(1), {"holder": f"127.0.0.1:{server.port}"})
        assert gates.wait("keepalived", question, 0).passed
    assert "nobody answers" in gates.wait("keepalived", question, 0).missing[0]


@pytest.mark.parametrize("answer", ["[]", "{}", '{"data": null}', '{"data": {"activeTargets": [{}]}}', '"text"', "null", "not json"])
@pytest.mark.parametrize("component", ["prometheus", "alertmanager", "thanos_query", "thanos_query_frontend", "load_balancer"])
def test_an_answer_of_another_shape_is_no_traceback(pki: Site, component: str, answer: str) -> None:
    with serve(lambda _request: Answer(answer.encode()), pki.context()) as server:
        verdict = gates.wait(component, Question(pki.client(server.port), {"stores": 1, "peers": 1}), 0)
    assert not verdict.passed and verdict.missing


def test_metrics_that_are_none_are_no_traceback(pki: Site) -> None:
    with serve(texts({"/metrics": "node_exporter_build_info nonsense\n"}), pki.context()) as server:
        assert not gates.wait("node_exporter", Question(pki.client(server.port)), 0).passed


# --- waiting -------------------------------------------------------------------------------------------------------


class After:
    """Answers that get better with every look at ``path``."""

    def __init__(self, path: str, *answers: dict[str, str | Answer]) -> None:
        self.path, self.answers, self.looks = path, answers, 0

    def __call__(self, request: Request) -> Answer:
        if request.path.startswith(self.path):
            self.looks += 1
        now = self.answers[min(self.looks, len(self.answers)) - 1]
        return texts(now)(request)


def wait(pki: Site, component: str, answerer: Answerer, timeout: float = 5, *, restarted: bool = False) -> Verdict:
    with serve(answerer, pki.context()) as server:
        return gates.wait(component, Question(pki.client(server.port), {}, restarted), timeout, sleep=lambda _seconds: time.sleep(0.01))


def test_a_daemon_that_takes_its_time_is_waited_for(pki: Site) -> None:
    busy: dict[str, str | Answer] = {"/-/ready": Answer(b"Service Unavailable", 503)}
    answers = After("/-/ready", busy, busy, {"/-/ready": "ok"})
    assert wait(pki, "thanos_store", answers).passed and answers.looks == 3


def test_patience_has_an_end_and_the_last_that_was_seen_is_told(pki: Site) -> None:
    naps: list[float] = []
    with serve(lambda _request: Answer(b"starting", 503), pki.context()) as server:
        verdict = gates.wait("thanos_store", Question(pki.client(server.port)), 60, clock=lambda: sum(naps), sleep=naps.append)
    assert not verdict.passed and "503 starting" in verdict.missing[0] and 60 <= verdict.seconds < 60 + gates.PAUSE


def test_after_a_restart_every_target_is_scraped_twice(pki: Site) -> None:
    """Rates exist again only then."""
    looks: list[dict[str, str | Answer]] = [dict(prometheus(target("a", scraped=f"2026-01-01T00:00:0{n}Z"))) for n in (1, 1, 2)]
    looks.insert(0, dict(prometheus(target("a", scraped=NEVER))))
    answers = After("/-/ready", *looks)
    assert wait(pki, "prometheus", answers, restarted=True).passed and answers.looks == 4


def slowly(health: str, interval: str, scraped: str = NEVER) -> dict[str, Any]:
    return {**target("slow", health, scraped), "scrapeInterval": interval}


@pytest.mark.parametrize(
    ("slow", "timeout", "restarted", "passes"),
    [
        (slowly("unknown", "1h"), 100, True, True),
        (slowly("unknown", "1h"), 100, False, True),
        (slowly("unknown", "1m20s"), 100, False, False),
        (slowly("unknown", "1m20s"), 100, True, True),
        # However little is left: what is scraped this often has to come.
        (slowly("unknown", "15s"), 0, False, False),
        (slowly("down", "1h", "2026-01-01T00:00:00Z"), 100, True, False),
    ],
)
def test_a_target_whose_turn_comes_too_seldom_is_not_waited_for(
    pki: Site, slow: dict[str, Any], timeout: float, restarted: bool, passes: bool
) -> None:
    looks: list[dict[str, str | Answer]] = [dict(prometheus(target("a", scraped=f"2026-01-01T00:00:0{n}Z"), slow)) for n in (1, 2)]
    now = iter(range(0, 10_000, 10))
    with serve(After("/-/ready", *looks), pki.context()) as server:
        question = Question(pki.client(server.port), {"targets_up": True}, restarted)
        verdict = gates.wait("prometheus", question, timeout, clock=lambda: float(next(now)), sleep=lambda _seconds: None)
    assert verdict.passed is passes, verdict.missing


def test_waiting_ends_when_it_is_hopeless(pki: Site) -> None:
    with serve(texts({}), pki.context()) as server:
        question = Question(pki.client(server.port))
        verdict = gates.wait("thanos_store", question, 60, hopeless=lambda: "its unit is failed", sleep=lambda _: pytest.fail("waits"))
    assert not verdict.passed and verdict.missing[-1] == "its unit is failed"


@pytest.fixture
def store(pki: Site) -> Iterator[int]:
    with serve(texts({"/-/ready": "ok"}), pki.context()) as server:
        yield server.port


def test_the_module(pki: Site, play: Play, store: int) -> None:
    """As a role calls it."""
    certificate, key = pki.files("controller")
    common = {"component": "thanos_store", "address": "127.0.0.1", "ca": pki.ca, "certificate": certificate, "key": key, "timeout": 0}
    played = play.run(
        [
            {"name": "Well", "monitoring.ha.gate": {**common, "port": store}},
            {"name": "Down", "monitoring.ha.gate": {**common, "port": free_port()}, "ignore_errors": True},
            {"name": "Unknown", "monitoring.ha.gate": {**common, "port": 1, "component": "nothing"}, "ignore_errors": True},
            {"name": "Check mode", "monitoring.ha.gate": {**common, "port": 1}, "check_mode": True},
        ]
    )
    assert not played.result("Well")["changed"]
    assert "thanos_store does not behave" in played.message("Down") and "refused" in played.message("Down")
    assert "no gate for 'nothing'" in played.message("Unknown") and "prometheus" in played.message("Unknown")
    assert not played.results["Check mode"].get("failed")
