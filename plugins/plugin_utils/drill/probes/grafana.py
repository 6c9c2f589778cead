# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Dashboards: one after the other is saved, each under a number, and the last one that was saved is read."""

from __future__ import annotations

import http.cookies
import json
import threading
from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.monitoring.ha.plugins.module_utils.https import Unanswered, split

from .common import Caller, Outcome, Probe

#: Most results of one search.
PAGE = 1000


class Grafana(Probe):
    name = "grafana"
    _cookie = ""
    _saved = 0
    _rotating = threading.Lock()

    @property
    def folder(self) -> str:
        return f"monitoring-ha-drill-{self.settings.run}"

    def uid(self, number: int) -> str:
        return f"drill-{self.settings.run}-{number}"

    def client(self, timeout: float = 0.0) -> Caller:
        address, port = split(self.settings.endpoints["grafana"]["url"])
        return Caller(address, port, self.settings.endpoints["ca"], timeout=timeout or self.patience)

    def request(self, method: str, path: str, body: Any = None, timeout: float = 0.0) -> tuple[int, Any]:
        """(status, content), with the session of somebody who has logged in once."""
        due = self._cookie
        status, answer = self.send(method, path, body, timeout)
        if status == 401 and self.rotate(due):
            status, answer = self.send(method, path, body, timeout)
        return status, answer

    def send(self, method: str, path: str, body: Any, timeout: float) -> tuple[int, Any]:
        """(status, content)."""
        headers = {"Content-Type": "application/json", "Cookie": self._cookie}
        text = json.dumps(body).encode() if body is not None else None
        status, answer = self.client(timeout).request(method, path, text, headers)
        try:
            return status, json.loads(answer)
        except ValueError:
            return status, {}

    def rotate(self, due: str) -> bool:
        """Whether there is another token for the session than the one that is due: Grafana wants one every ten minutes, of browsers too."""
        with self._rotating:
            if self._cookie != due:
                return True
            _status, cookies = self.client().cookies("/api/user/auth-tokens/rotate", b"", {"Cookie": due})
            return self.take(cookies)

    def take(self, cookies: list[str]) -> bool:
        """Whether a session is among some cookies, which is the probe's from now on."""
        found = http.cookies.SimpleCookie("; ".join(cookies))
        if "grafana_session" in found:
            self._cookie = f"grafana_session={found['grafana_session'].value}"
        return "grafana_session" in found

    def log_in(self) -> None:
        its = self.settings.endpoints["grafana"]
        headers, body = {"Content-Type": "application/json"}, json.dumps({"user": its["user"], "password": its["password"]})
        status, cookies = self.client().cookies("/login", body.encode(), headers)
        if status != 200 or not self.take(cookies):
            raise Unanswered(f"login to Grafana as {its['user']}: {status}")

    def prepare(self) -> None:
        self.log_in()
        status, answer = self.request("POST", "/api/folders", {"uid": self.folder, "title": f"Drill {self.settings.run}"})
        if status not in (200, 409, 412):
            raise Unanswered(f"a folder: {status} {answer}")

    def tries(self) -> Mapping[str, Callable[[int], Outcome]]:
        return {"save": self.save, "read": self.read}

    def save(self, number: int) -> Outcome:
        dashboard = {"uid": self.uid(number), "title": f"Drill {self.settings.run} {number}", "panels": []}
        status, answer = self.request("POST", "/api/dashboards/db", {"dashboard": dashboard, "folderUid": self.folder, "overwrite": True})
        if status != 200:
            return "error", f"{status} {answer.get('message', '')}"
        self._saved = max(self._saved, number)
        return "ok", ""

    def read(self, number: int) -> Outcome:
        del number
        saved = self._saved
        if not saved:
            status, _answer = self.request("GET", "/api/user")
            return ("ok", "") if status == 200 else ("error", str(status))
        status, answer = self.request("GET", f"/api/dashboards/uid/{self.uid(saved)}")
        if status == 404:
            return "wrong", f"dashboard {saved}, which was saved, is not there"
        if status != 200:
            return "error", f"{status} {answer.get('message', '')}"
        title = answer["dashboard"]["title"]
        return ("ok", "") if title.endswith(f" {saved}") else ("wrong", f"dashboard {saved} is {title!r}")

    def finish(self) -> None:
        found: list[int] = []
        for page in range(1, 1000):
            path = f"/api/search?type=dash-db&folderUIDs={self.folder}&limit={PAGE}&page={page}"
            status, answer = self.request("GET", path, timeout=30)
            if status == 401:
                self.log_in()
                status, answer = self.request("GET", path, timeout=30)
            if status != 200:
                raise Unanswered(f"a search: {status}")
            found += [int(hit["uid"].rpartition("-")[2]) for hit in answer]
            if len(answer) < PAGE:
                break
        self.ledger.fact("found", sorted(found))

    def tidy(self) -> None:
        status, answer = self.request("DELETE", f"/api/folders/{self.folder}?forceDeleteRules=true", timeout=30)
        if status not in (200, 404):
            raise Unanswered(f"removal of the folder {self.folder}: {status} {answer}")
