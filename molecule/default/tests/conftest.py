"""What a user of the stack sees, as fixtures: queries through the virtual address, pages, hosts that lose power."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import docker
import pytest
import requests

STATE = Path(os.environ["MONITORING_HA_STATE"])
CONTAINERS = os.environ["MONITORING_HA_TEST_HOSTS"]
SCRAPE_INTERVAL = float(os.environ.get("MONITORING_HA_SCRAPE_INTERVAL", "5"))
WEBHOOK_PORT = 9099


def wait_for(what: str, probe: Callable[[], Any], timeout: float, interval: float = 0.5) -> Any:
    """The first truthy result of ``probe``; AssertionError with the last answer or error after ``timeout`` seconds."""
    end = time.monotonic() + timeout
    last: Any = None
    while time.monotonic() < end:
        try:
            last = probe()
            if last:
                return last
        except (requests.RequestException, AssertionError) as error:
            last = error
        time.sleep(interval)
    raise AssertionError(f"{what}: not within {timeout:.0f} s; last seen: {last!r}")


@dataclass
class Stack:
    """The stack from outside."""

    endpoints: dict[str, Any]
    people: requests.Session = field(default_factory=requests.Session)
    member: requests.Session = field(default_factory=requests.Session)

    @property
    def hosts(self) -> dict[str, str]:
        """Host name → address."""
        return {name: host["address"] for name, host in self.endpoints["hosts"].items()}

    def container(self, host: str) -> Any:
        return docker.from_env().containers.get(f"{CONTAINERS}-{host}")

    def run(self, host: str, command: str, check: bool = True) -> str:
        """Standard output of a shell command on a host."""
        code, output = self.container(host).exec_run(["sh", "-c", command])
        text: str = output.decode(errors="replace")
        assert code == 0 or not check, f"{host}: {command}: exit {code}: {text}"
        return text

    def api(self, path: str, timeout: float = 5, **params: Any) -> Any:
        """Thanos' API through the virtual address, as a person with a password."""
        answer = self.people.get(self.endpoints["query"]["url"] + path, params=params, timeout=timeout)
        answer.raise_for_status()
        return answer.json()["data"]

    def query(self, expression: str, timeout: float = 5, **params: Any) -> list[dict[str, Any]]:
        result: list[dict[str, Any]] = self.api("/api/v1/query", timeout, query=expression, **params)["result"]
        return result

    def replica(self, url: str, path: str, **params: Any) -> Any:
        """One Prometheus' API, as a member with a client certificate."""
        answer = self.member.get(url + path, params=params, timeout=5)
        answer.raise_for_status()
        return answer.json()["data"]


@pytest.fixture(scope="session")
def stack() -> Stack:
    endpoints = json.loads((STATE / "endpoints.json").read_text())
    found = Stack(endpoints)
    for session in (found.people, found.member):
        session.trust_env = False
        session.verify = endpoints["ca"]
    found.people.auth = (endpoints["query"]["user"], endpoints["query"]["password"])
    found.member.cert = (endpoints["client"]["certificate"], endpoints["client"]["key"])
    return found


@dataclass
class Pager:
    """A webhook receiver; every notification that arrived, in order."""

    received: list[dict[str, Any]] = field(default_factory=list)

    def count(self, alert: str, status: str) -> int:
        """Notifications of one alert in one status."""
        return sum(
            1
            for message in self.received
            if message["status"] == status and any(a["labels"].get("alertname") == alert for a in message["alerts"])
        )


@pytest.fixture(scope="session")
def pager(stack: Stack) -> Iterator[Pager]:
    found = Pager()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            found.received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            del format, args

    gateway = stack.endpoints["vip"].rsplit(".", 1)[0] + ".1"
    server = ThreadingHTTPServer((gateway, WEBHOOK_PORT), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield found
    server.shutdown()
    thread.join()


@dataclass
class Alarm:
    """An alert that fires while a metric, written by hand into a textfile, is 1."""

    stack: Stack
    host: str = "mon3"
    path: str = "/var/lib/node_exporter/textfile/scenario_alarm.prom"

    def set(self, name: str, firing: bool) -> None:
        line = f'scenario_alarm{{name=\\"{name}\\"}} {int(firing)}'
        self.stack.run(self.host, f'printf "{line}\\n" > {self.path}.new && chmod 0644 {self.path}.new && mv {self.path}.new {self.path}')


@pytest.fixture
def alarm(stack: Stack) -> Iterator[Alarm]:
    found = Alarm(stack)
    yield found
    stack.run(found.host, f"rm -f {found.path}")
