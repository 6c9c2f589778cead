# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Numbered alerts, and the pages that arrive for them.

Some are posted to every Alertmanager, as a Prometheus does it, five a second;
and one each period is fired by a rule of every Prometheus, so that the whole
way from a scrape to the receiver is gone.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from ansible_collections.monitoring.ha.plugins.module_utils.https import Unanswered, split
from ansible_collections.monitoring.ha.plugins.plugin_utils.drill.rule import ALERT

from .common import Outcome, Probe

UTC = timezone.utc  # noqa: UP017
#: Seconds between two posts of what has not been paged, and between two looks at each Alertmanager.
AGAIN = 5.0
LOOK = 1.0
#: Alerts that may be on their way to members at once.
SENDERS = 64
#: Seconds that a posted alert fires: longer than a member's turn takes to come, and over before its route repeats a page.
FIRES = 180


def stamp(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat().replace("+00:00", "Z")


def arrivals(message: Mapping[str, Any], run: str, at: float, sender: str) -> list[list[Any]]:
    """[source, number, moment, sender, replica] for each alert of ours that fires in a notification."""
    found = []
    for alert in message.get("alerts", []):
        labels = alert.get("labels", {})
        if labels.get("alertname") != ALERT or alert.get("status") != "firing":
            continue
        if labels.get("source") == "posted" and labels.get("drill") != run:
            continue
        found.append([labels.get("source", ""), int(labels["number"]), at, sender, labels.get("replica", "")])
    return found


class Receiver(ThreadingHTTPServer):
    """Listens at every address of the controller, of either family."""

    address_family = socket.AF_INET6 if socket.has_dualstack_ipv6() else socket.AF_INET

    def server_bind(self) -> None:
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()


class Pages(Probe):
    name = "pages"

    def __init__(self, *given: object) -> None:
        super().__init__(*given)  # type: ignore[arg-type]
        self.members: Mapping[str, str] = self.settings.values["alertmanagers"]
        self.rule: Mapping[str, float] = self.settings.values.get("rule") or {}
        self._arrived: list[list[Any]] = []
        self._posted: dict[int, float] = {}
        self._seen: dict[str, set[int]] = {member: set() for member in self.members}
        self._answered: dict[str, list[float]] = {member: [] for member in self.members}
        self._silent: dict[str, list[float]] = {member: [] for member in self.members}
        self._pool = ThreadPoolExecutor(SENDERS)
        self._session = self.settings.session(SENDERS)

    # --- the receiver

    def prepare(self) -> None:
        arrived, run, now = self._arrived, self.settings.run, self.now
        # Addresses of the stack's hosts are told by their names.
        names = {address: host for host, address in self.settings.values["addresses"].items()}

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                # How a socket of both families writes an address of the older one.
                sender = str(self.client_address[0]).removeprefix("::ffff:")
                arrived.extend(arrivals(message, run, now(), names.get(sender, sender)))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                del format, args

        self._server = Receiver(("", int(self.settings.values["pager_port"])), Handler)
        self._begun = time.time()
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        for work, pause in ((self._again, AGAIN), *((lambda member=member: self._look(member), LOOK) for member in self.members)):
            threading.Thread(target=self._repeat, args=(work, pause), daemon=True).start()

    def _repeat(self, work: Callable[[], None], pause: float) -> None:
        while not self._ended.wait(pause):
            # A member that does not answer is what is being drilled.
            try:
                work()
            except Exception:
                continue

    def warm(self) -> bool:
        sources = {entry[0] for entry in self._arrived}
        return "posted" in sources and ("rule" in sources or not self.rule)

    # --- alerts

    def tries(self) -> Mapping[str, Callable[[int], Outcome]]:
        return {"post": self.post}

    def alert(self, number: int, ends: float) -> dict[str, Any]:
        labels = {"alertname": ALERT, "source": "posted", "drill": self.settings.run, "number": str(number), "severity": "none"}
        return {"labels": labels, "startsAt": stamp(self._posted[number]), "endsAt": stamp(ends)}

    def send(self, member: str, alerts: list[dict[str, Any]]) -> None:
        """Over connections that are kept, as a Prometheus keeps them; one that has broken is made anew for the next alerts."""
        answer = self._session.post(f"https://{self.members[member]}/api/v2/alerts", json=alerts, timeout=self.patience)
        if answer.status_code != 200:
            raise Unanswered(f"{member}: {answer.status_code} {answer.content[:200]!r}")

    def post(self, number: int) -> Outcome:
        """Taken by one member is taken."""
        self._posted[number] = self.now()
        alerts = [self.alert(number, time.time() + FIRES)]
        pending: set[Future[None]] = {self._pool.submit(self.send, member, alerts) for member in self.members}
        errors: list[str] = []
        while pending:
            done, pending = wait(pending, timeout=self.patience, return_when=FIRST_COMPLETED)
            if not done:
                break
            for future in done:
                if (error := future.exception()) is None:
                    return "ok", ""
                errors.append(str(error))
        del self._posted[number]
        return "error", "; ".join(errors) or "no Alertmanager answered"

    def _again(self) -> None:
        paged = {entry[1] for entry in list(self._arrived) if entry[0] == "posted"}
        waiting = [number for number in list(self._posted) if number not in paged]
        alerts = [self.alert(number, time.time() + FIRES) for number in waiting]
        if alerts:
            wait([self._pool.submit(self.send, member, alerts) for member in self.members], timeout=AGAIN)

    def _look(self, member: str) -> None:
        path = f"/api/v2/alerts?filter=alertname%3D%22{ALERT}%22&filter=source%3D%22rule%22"
        begun = time.time()
        try:
            answer = json.loads(self.settings.member(*split(self.members[member])).text(path))
        except (Unanswered, ValueError):
            self._silent[member].append(begun)
            return
        self._seen[member] |= {int(alert["labels"]["number"]) for alert in answer}
        self._answered[member].append(time.time())

    # --- the end

    def finish(self) -> None:
        stopped, ended = self.now(), time.time()
        # The last member's turn comes after all others', and what a dead one did not send is sent by the next.
        turns, patience = (float(self.settings.values[name]) for name in ("page_turns", "page_patience"))
        while self.now() - stopped < patience:
            paged = {entry[1] for entry in list(self._arrived) if entry[0] == "posted"}
            if set(self._posted) <= paged and self.now() - stopped > turns:
                break
            time.sleep(0.5)
        self.ledger.fact(
            "arrived", [[source, number, round(at, 3), sender, replica] for source, number, at, sender, replica in self._arrived]
        )
        if self.rule:
            period = float(self.rule["period"])
            first = min((entry[1] * period for entry in self._arrived if entry[0] == "rule"), default=self._begun + 3 * period)
            # A member that paged before anybody was there to take it tries again, and does not ask whether others have paged since.
            since = max(first, self._begun)
            self.ledger.fact("rule", {"period": period, "life": self.rule["life"], "since": since, "until": ended - period})
            moments = {"answered": self._answered, "silent": self._silent}
            reach = {m: {name: [round(at, 1) for at in those[m]] for name, those in moments.items()} for m in self.members}
            self.ledger.fact("reach", {m: {"seen": sorted(self._seen[m]), **its} for m, its in reach.items()})
        over = [self.alert(number, time.time()) for number in self._posted]
        for member in self.members:
            try:
                self.send(member, over)
            except (Unanswered, OSError):
                continue
        self._server.shutdown()
