"""Faults on request."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import requests

from .instances import ADMIN, Instance


@pytest.fixture(autouse=True)
def cleared(grafana: Instance) -> Iterator[None]:
    yield
    grafana.delete("/-/stand-in/faults").raise_for_status()


def statuses(grafana: Instance, count: int) -> list[int]:
    return [requests.get(f"{grafana.url}/api/org", auth=ADMIN, timeout=5).status_code for _ in range(count)]


def test_errors_at_a_rate(grafana: Instance) -> None:
    grafana.faults(error_rate=0.3, error_status=429, retry_after=2, seed=1)
    seen = [requests.get(f"{grafana.url}/api/org", auth=ADMIN, timeout=5) for _ in range(100)]
    failed = [answer for answer in seen if answer.status_code == 429]
    assert 15 < len(failed) < 45 and {answer.headers["Retry-After"] for answer in failed} == {"2"}
    grafana.faults(error_rate=0.3, error_status=429, seed=1)
    again = [requests.get(f"{grafana.url}/api/org", auth=ADMIN, timeout=5).status_code for _ in range(100)]
    assert again == [answer.status_code for answer in seen], "the same seed, the same faults"


def test_dropped_connections(grafana: Instance, name: str) -> None:
    grafana.faults(drop_requests=[2], methods=["POST"])
    grafana.post("/api/folders", {"uid": f"{name}1", "title": "x"}).raise_for_status()
    with pytest.raises(requests.ConnectionError):
        requests.post(f"{grafana.url}/api/folders", json={"uid": f"{name}2", "title": "x"}, auth=ADMIN, timeout=5)
    assert requests.get(f"{grafana.url}/api/folders/{name}2", auth=ADMIN, timeout=5).status_code == 404, "nothing was done"
    grafana.faults(drop_requests=[1], drop_after=True, methods=["POST"])
    with pytest.raises(requests.ConnectionError):
        requests.post(f"{grafana.url}/api/folders", json={"uid": f"{name}3", "title": "x"}, auth=ADMIN, timeout=5)
    assert grafana.get(f"/api/folders/{name}3").status_code == 200, "only the answer is missing"


def test_latency_and_slow_bodies(grafana: Instance) -> None:
    grafana.faults(latency_ms=3000, paths="^/api/org$")
    started = time.monotonic()
    assert statuses(grafana, 1) == [200]
    assert time.monotonic() - started > 3
    started = time.monotonic()
    assert grafana.get("/api/user").status_code == 200
    assert time.monotonic() - started < 3, "other paths are as fast as ever"
    grafana.faults(body_bytes_per_second=500)
    started = time.monotonic()
    assert statuses(grafana, 1) == [200]
    assert time.monotonic() - started > 0.5


def test_who_may_and_what_is_known(grafana: Instance) -> None:
    assert requests.get(f"{grafana.url}/-/stand-in/faults", timeout=5).status_code == 401
    assert grafana.put("/-/stand-in/faults", {"gremlins": 1}).status_code == 400
    assert grafana.put("/-/stand-in/faults", {"paths": "("}).status_code == 400
    grafana.faults(error_rate=1)
    assert grafana.get("/api/health").status_code == 200, "probes are never meant"
    assert grafana.get("/-/stand-in/faults").json()["error_rate"] == 1
    assert statuses(grafana, 1) == [503]
