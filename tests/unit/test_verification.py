"""The stack seen from outside: real listeners, as a stranger, as a person and as a member."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.monitoring.ha.plugins.module_utils import verification
from ansible_collections.monitoring.ha.plugins.module_utils.https import Client

from tests.unit.identities import Site
from tests.unit.plays import Play
from tests.unit.servers import Answer, Answerer, Request, Server, free_port, serve, texts

LOGIN = "Basic YWRtaW46b3Blbi1zZXNhbWU="
JOBS = {"node_exporter": ["mon1", "mon2"]}


def series(*found: tuple[str, str, str]) -> str:
    result = [{"metric": {"job": job, "host": host}, "value": [0, value]} for job, host, value in found]
    return json.dumps({"status": "success", "data": {"result": result}})


UP = series(("node_exporter", "mon1", "1"), ("node_exporter", "mon2", "1"))


def front_end(up: str = UP, *, open_to_all: bool = False, ready: int = 200) -> Answerer:
    """HAProxy's query front end: 401 without the password."""

    def answer(request: Request) -> Answer:
        if request.headers.get("Authorization") != LOGIN and not open_to_all:
            return Answer(status=401)
        return Answer(up.encode()) if request.path.startswith("/api") else Answer(status=ready)

    return answer


def front(server: Server, **its: Any) -> dict[str, Any]:
    place = {"address": "127.0.0.1", "port": server.port}
    common = {
        "name": "query",
        "title": "Queries",
        "mode": "http",
        "users": True,
        "check": "/-/ready",
        "check_status": "200",
        "own_login": False,
    }
    return {**common, "guarded": "", "endpoints": [place], **its}


def look(pki: Site, answerer: Answerer, jobs: dict[str, list[str]] | None = None, password: str = "open-sesame") -> list[str]:
    """The lines of the report that are not well."""
    with serve(answerer, pki.context(asks=False)) as server:
        found = verification.verify([], [front(server)], JOBS if jobs is None else jobs, pki.client(0), "admin", password, 0)
    return [observation.line for observation in found if observation.missing]


def test_all_is_well(pki: Site) -> None:
    assert look(pki, front_end()) == []


def test_a_front_end_that_lets_strangers_in(pki: Site) -> None:
    assert "it answers a stranger with 200" in look(pki, front_end(open_to_all=True))[0]


def test_a_front_end_that_is_not_ready(pki: Site) -> None:
    assert "503" in look(pki, front_end(ready=503))[0]


def test_a_wrong_password_is_not_shown(pki: Site) -> None:
    found = look(pki, front_end(), password="wrong-password")
    assert len(found) == 2 and all("401" in line and "wrong-password" not in line for line in found)


def test_targets_that_are_missing_down_or_there_twice(pki: Site) -> None:
    up = series(("node_exporter", "mon1", "0"), ("prometheus", "mon3", "1"), ("prometheus", "mon3", "1"))
    lines = look(pki, front_end(up), {**JOBS, "prometheus": ["mon3"]})
    assert lines[0].startswith("FAIL") and "no data of mon2; mon1 is down" in lines[0]
    assert "mon3 is there 2 times" in lines[1]


def test_targets_get_the_time_to_be_scraped(pki: Site) -> None:
    known, slept = [UP, series(("node_exporter", "mon1", "1")), series()], list[float]()

    def answer(request: Request) -> Answer:
        return front_end(known.pop() if len(known) > 1 else known[0])(request) if request.path.startswith("/api") else front_end()(request)

    def verify(jobs: dict[str, list[str]]) -> list[str]:
        ticks = iter(range(0, 1000, 10))
        with serve(answer, pki.context(asks=False)) as server:
            fronts, client = [front(server)], pki.client(0)
            found = verification.verify([], fronts, jobs, client, "admin", "open-sesame", 60, clock=lambda: next(ticks), sleep=slept.append)
        return [observation.line for observation in found if observation.missing]

    assert verify(JOBS) == [] and slept == [1, 1]
    assert "no data of mon3" in verify({"prometheus": ["mon3"]})[0], "not for ever"
    assert len(slept) == 2 + 5


def test_an_answer_of_another_shape_is_no_traceback(pki: Site) -> None:
    for answer in ("[]", "{}", "null", "<html>", '{"data": {"result": [{}]}}', '{"data": {"result": [{"metric": {}, "value": []}]}}'):
        assert "Targets" in look(pki, front_end(answer))[0], answer


def test_a_front_end_for_certificates_alone(pki: Site) -> None:
    with serve(texts({"/health": "ok"}), pki.context()) as server:
        its = front(server, name="s3", title="Object store", users=False, check="/health")
        (found,) = verification.verify([], [its], {}, pki.client(0), "admin", "open-sesame", 0)
        assert found.missing == []
        nobody = Client("", 0, pki.ca)
        (found,) = verification.verify([], [its], {}, nobody, "", "", 0)
        assert found.missing


def test_members_and_what_is_not_published_over_http(pki: Site) -> None:
    with serve(texts({"/-/ready": "ok"}), pki.context()) as server:
        member = {"component": "thanos_store", "title": "Store", "host": "mon1", "address": "127.0.0.1", "port": server.port}
        gone = {**member, "host": "mon2", "port": free_port()}
        tcp = front(server, name="tcp", mode="tcp")
        first, second = verification.verify([member, gone], [tcp], {}, pki.client(0), "", "", 0)
    assert (first.where, first.missing) == ("mon1", []) and first.line.startswith("ok")
    assert second.where == "mon2" and "refused" in second.line


def test_the_module(play: Play, pki: Site) -> None:
    certificate, key = pki.files("controller")
    common = {"ca": pki.ca, "certificate": certificate, "key": key, "user": "admin", "password": "open-sesame", "timeout": 0}
    with serve(front_end(), pki.context(asks=False)) as server:
        fronts = [front(server)]
        played = play.run(
            [
                {"name": "Well", "monitoring.ha.verify": {**common, "frontends": fronts, "jobs": JOBS}},
                {
                    "name": "Not well",
                    "monitoring.ha.verify": {**common, "frontends": fronts, "jobs": {"prometheus": ["mon3"]}},
                    "ignore_errors": True,
                },
            ],
            "-vvv",
        )
    assert [line.split()[0] for line in played.result("Well")["lines"]] == ["ok", "ok"]
    assert played.message("Not well").startswith("1 of 2 things are not as they should be:\nFAIL")
    assert played.results["Not well"]["failures"] == 1
    assert "open-sesame" not in played.said
