"""Grafana as people meet it through the virtual address, and each instance by itself."""

from __future__ import annotations

import threading
import time
from typing import Any

import requests

from tests.scenario.stack import Stack

#: Seconds that an answer may take.
PATIENCE = 3.0


class Visitor:
    """Somebody at one Grafana: the virtual address, or one instance with a member's certificate."""

    def __init__(self, stack: Stack, host: str = "") -> None:
        its = stack.endpoints["grafana"]
        self.url = f"https://{stack.hosts[host]}:{its['url'].rpartition(':')[2]}" if host else its["url"]
        self.login = (its["user"], its["password"])
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = stack.endpoints["ca"]
        if host:
            self.session.cert = stack.member.cert

    def administrator(self) -> Visitor:
        """With the password in each request."""
        self.session.auth = self.login
        return self

    def log_in(self) -> Visitor:
        """With a cookie, as a browser does it."""
        user, password = self.login
        self.session.post(f"{self.url}/login", json={"user": user, "password": password}, timeout=10).raise_for_status()
        return self

    def get(self, path: str, timeout: float = 10, **params: Any) -> Any:
        answer = self.session.get(self.url + path, params=params, timeout=timeout)
        answer.raise_for_status()
        return answer.json()

    def save(self, uid: str, title: str) -> int:
        """The version of a dashboard that was just saved."""
        body = {"dashboard": {"uid": uid, "title": title, "panels": []}, "overwrite": True}
        answer = self.session.post(f"{self.url}/api/dashboards/db", json=body, timeout=20)
        answer.raise_for_status()
        return int(answer.json()["version"])

    def query(self, uid: str, expression: str) -> list[dict[str, Any]]:
        """What a Prometheus data source answers by way of Grafana."""
        result: list[dict[str, Any]] = self.get(f"/api/datasources/proxy/uid/{uid}/api/v1/query", 30, query=expression)["data"]["result"]
        return result


class Reader:
    """Reads through the virtual address again and again. gaps: seconds between two answers with an error between them."""

    def __init__(self, visitor: Visitor) -> None:
        self.visitor, self.count = visitor, 0
        self.errors: list[str] = []
        self.gaps: list[float] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Reader:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        answered, failed = time.monotonic(), False
        while not self._stop.is_set():
            begun = time.monotonic()
            try:
                self.visitor.get("/api/user", timeout=PATIENCE)
            except requests.RequestException as error:
                failed = True
                self.errors.append(f"{type(error).__name__} after {time.monotonic() - begun:.1f} s: {str(error)[:120]}")
            else:
                self.count += 1
                if failed:
                    self.gaps.append(time.monotonic() - answered)
                answered, failed = time.monotonic(), False
            time.sleep(0.05)

    @property
    def longest(self) -> float:
        return max(self.gaps, default=0.0)
