"""What was done when a run ends before its time, and what it leaves behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from ansible_collections.monitoring.ha.plugins.module_utils.grafana import importer, options
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.client import Client, Connection
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.errors import GrafanaError, Interrupted, TimeLimit
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.signals import interruptible

from tests.unit.servers import Answer, Request, eventually

from .small import DEFAULTS, Grafana, running

PROGRAM = [sys.executable, "-m", "ansible_collections.monitoring.ha.plugins.module_utils.grafana"]


@dataclass
class Slow(Grafana):
    """A Grafana that takes its time to write and read dashboards, and asks for more than there is at the first one."""

    pause: float = 0.0
    reading: float = 0.0
    asks: bool = False
    begun: threading.Event = field(default_factory=threading.Event)

    def __call__(self, request: Request) -> Answer:
        if (request.method, request.path) == ("POST", "/api/dashboards/db"):
            if self.asks and json.loads(request.body)["dashboard"]["uid"] == "d0":
                self.begun.wait(5)
                return Answer(b"{}", 429, {"Retry-After": "60"})
            self.begun.set()
            time.sleep(self.pause)
        if self.reading and request.path.startswith("/api/dashboards/uid/"):
            self.begun.set()
            time.sleep(self.reading)
        return super().__call__(request)


@pytest.fixture
def grafana() -> Iterator[Slow]:
    with running(Slow()) as small:
        assert isinstance(small, Slow)
        yield small


@pytest.fixture
def tree(grafana: Slow, tmp_path: Path) -> Path:
    """Twenty dashboards that Grafana does not have any more."""
    for number in range(20):
        grafana.main.dashboard(f"d{number}", f"D{number}")
    grafana.export(tmp_path / "tree", {"kinds": ["dashboards"]})
    grafana.main.dashboards.clear()
    return tmp_path / "tree"


def test_what_is_under_way_ends_before_an_error_leaves() -> None:
    ended: list[int] = []

    def work(number: int) -> int:
        if number == 0:
            raise GrafanaError("first")
        time.sleep(0.3)
        ended.append(number)
        return number

    with Client(Connection("http://127.0.0.1:1", token="t", max_connections=3)) as one:
        with pytest.raises(GrafanaError, match="first"):
            list(one.map(work, range(50)))
        after = list(ended)
        time.sleep(0.5)
        assert ended == after and 1 <= len(after) < 10


def test_writes_that_are_under_way_when_another_one_fails_are_told(grafana: Slow, tree: Path) -> None:
    grafana.pause, grafana.asks = 0.3, True
    connection = Connection(grafana.url, "admin", "secret", retries=3, time_limit=30, max_connections=4)
    with Client(connection) as client, pytest.raises(TimeLimit) as caught:
        importer.carry_out(client, tree, options.request(DEFAULTS))
    assert grafana.main.dashboards
    assert {one.key for one in caught.value.done.plans[0].changes} == grafana.main.dashboards.keys()


def _begin(grafana: Grafana, *words: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "GRAFANA_URL": grafana.url, "GRAFANA_USER": "admin", "GRAFANA_PASSWORD": "secret"}
    return subprocess.Popen([*PROGRAM, *words], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_import_that_is_told_to_end_says_what_it_did(grafana: Slow, tree: Path, number: signal.Signals) -> None:
    grafana.pause = 0.5
    process = _begin(grafana, "import", str(tree), "--json", "--max-connections", "2")
    assert eventually(lambda: len(grafana.main.dashboards) >= 2)
    process.send_signal(number)
    out, err = process.communicate(timeout=120)
    told = json.loads(out)
    assert process.returncode == 128 + number and err == f"import: ended by {number.name}\n"
    assert (told["failed"], told["msg"], told["error"]) == (True, f"ended by {number.name}", "Interrupted")
    assert {one["key"] for one in told["changes"]} == grafana.main.dashboards.keys() and len(told["changes"]) < 20


def test_people_are_told_too(grafana: Slow, tree: Path) -> None:
    grafana.pause = 0.5
    process = _begin(grafana, "import", str(tree), "--max-connections", "2")
    assert eventually(lambda: len(grafana.main.dashboards) >= 2)
    process.send_signal(signal.SIGINT)
    out, _err = process.communicate(timeout=120)
    assert process.returncode == 130 and f"main: dashboards {len(grafana.main.dashboards)} created" in out.splitlines()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_an_export_that_is_told_to_end_leaves_nothing(grafana: Slow, tmp_path: Path, number: signal.Signals) -> None:
    grafana.main.dashboard("d", "D")
    grafana.reading = 1.0
    process = _begin(grafana, "export", str(tmp_path / "above" / "tree"), "--kind", "dashboards", "--json")
    assert grafana.begun.wait(20)
    assert [one.name.startswith(".tree.new-") for one in (tmp_path / "above").iterdir()] == [True]
    process.send_signal(number)
    out, _err = process.communicate(timeout=120)
    assert process.returncode == 128 + number and json.loads(out)["msg"] == f"ended by {number.name}"
    assert os.listdir(tmp_path) == []


def test_the_next_export_removes_what_a_lost_one_has_left(grafana: Slow, tmp_path: Path) -> None:
    grafana.main.dashboard("d", "D")
    grafana.reading = 1.0
    process = _begin(grafana, "export", str(tmp_path / "tree"), "--kind", "dashboards")
    assert grafana.begun.wait(20)
    process.kill()
    process.communicate(timeout=120)
    assert len(os.listdir(tmp_path)) == 1
    grafana.reading = 0.0
    grafana.export(tmp_path / "tree", {"kinds": ["dashboards"]})
    assert os.listdir(tmp_path) == ["tree"]


def test_signals_are_as_before_afterwards() -> None:
    before = signal.getsignal(signal.SIGTERM)
    ignored = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with pytest.raises(Interrupted, match="SIGTERM"), interruptible(Interrupted, signal.SIGTERM, signal.SIGHUP):
            signal.raise_signal(signal.SIGHUP)
            signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGHUP, ignored)
    assert signal.getsignal(signal.SIGTERM) is before
