# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The data themselves, looked at once the drill is over: every raw sample of each host, deduplicated."""

from __future__ import annotations

import time

from .common import Probe


class Metrics(Probe):
    name = "metrics"

    def _attempts(self) -> None:
        self.since = time.time()
        self.ledger.fact("ready", self.since)
        while not self.stopped():
            time.sleep(0.2)
        self.until = time.time()

    def finish(self) -> None:
        # What was scraped last arrives a moment later.
        time.sleep(1)
        its, interval = self.settings.endpoints["query"], self.settings.interval
        # A sample before the beginning and one at the end are there in any case.
        since, until = self.since - interval, self.until
        hosts, job = self.settings.values["scraped"], self.settings.values["job"]
        selector = f'up{{job="{job}",host=~"{"|".join(hosts)}"}}[{int(until - since) + 1}s]'
        answer = self.settings.person(its["url"], its).patient(30).json("/api/v1/query", query=selector, time=f"{until:.3f}")
        samples: dict[str, list[float]] = {host: [] for host in hosts}
        for series in answer["data"]["result"]:
            samples[series["metric"]["host"]] += [float(value[0]) for value in series["values"]]
        for name, value in (("interval", interval), ("since", since), ("until", until), ("samples", samples)):
            self.ledger.fact(name, value)
