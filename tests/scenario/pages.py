"""Alerts that a test pulls, and the notifications that arrive for them."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.scenario.stack import Stack

WEBHOOK_PORT = 9099
ALERT = "ScenarioAlarm"


@dataclass
class Pager:
    """A webhook receiver on this machine; every notification that arrived, in order, with its time and sender."""

    address: str
    received: list[dict[str, Any]] = field(default_factory=list)

    def __enter__(self) -> Pager:
        received = self.received

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                received.append({**message, "at": time.time(), "from": self.client_address[0]})
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                del format, args

        self.server = ThreadingHTTPServer((self.address, WEBHOOK_PORT), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def alerts(self, name: str, status: str) -> list[dict[str, Any]]:
        """The alarms called ``name`` in notifications with ``status``, one a notification."""
        found = []
        for message in self.received:
            mine = [a for a in message["alerts"] if a["labels"].get("alertname") == ALERT and a["labels"].get("name") == name]
            if message["status"] == status and mine:
                found.append(mine[0])
        return found

    def history(self, name: str) -> list[str]:
        """What arrived for one alarm, for messages of failed assertions."""
        mine = [m for m in self.received if any(a["labels"].get("name") == name for a in m["alerts"])]
        return [f"{m['at'] - mine[0]['at']:.1f} s: {m['status']} from {m['from']}" for m in mine]

    def count(self, name: str, status: str) -> int:
        """How many notifications of one alarm arrived."""
        return len(self.alerts(name, status))


@dataclass
class Alarm:
    """An alert that fires while a metric, written into a textfile by hand, is 1."""

    stack: Stack
    path: str = "/var/lib/node_exporter/textfile/scenario_alarm.prom"
    set_on: set[str] = field(default_factory=set)

    def set(self, host: str, name: str, firing: bool) -> None:
        self.set_on.add(host)
        line = f'scenario_alarm{{name=\\"{name}\\"}} {int(firing)}'
        self.stack.run(host, f'printf "{line}\\n" > {self.path}.new && chmod 0644 {self.path}.new && mv {self.path}.new {self.path}')

    def clear(self) -> None:
        for host in self.set_on:
            self.stack.run(host, f"rm -f {self.path}", check=False)
