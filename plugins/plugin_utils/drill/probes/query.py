# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Queries through the virtual address: the right answer is one fresh sample of each host."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .common import Outcome, Probe

#: Scrape intervals that a sample may be old: deduplication stays with a replica that has died for two.
FRESH = 3
#: Seconds for a scrape of a host that is gone, and whose sample is there only afterwards: Prometheus' own limit (``scrape_timeout``).
GIVEN_UP = 10.0


def expression(job: str, hosts: Sequence[str]) -> str:
    """When each host was scraped last. The answer's value is known: a moment ago, once for each host."""
    return f'timestamp(up{{job="{job}",host=~"{"|".join(hosts)}"}})'


def judged(result: Sequence[Mapping[str, Any]], hosts: Sequence[str], moment: float, oldest: float, warning: str = "") -> Outcome:
    """What an answer is worth. oldest: seconds that a sample may be old. warning: what the answer says of itself."""
    seen = [str(series["metric"].get("host", "")) for series in result]
    if missing := sorted(set(hosts) - set(seen)):
        detail = f"nothing of {', '.join(missing)}"
        # Who is told that something is missing is not deceived.
        return ("error", f"{detail}: {warning}") if warning else ("wrong", detail)
    if twice := sorted({host for host in seen if seen.count(host) > 1}):
        return "wrong", f"{', '.join(twice)} more than once"
    ages = {str(series["metric"]["host"]): moment - float(series["value"][1]) for series in result}
    host, age = max(ages.items(), key=lambda pair: pair[1])
    if min(ages.values()) < -oldest:
        return "wrong", f"a sample of the future: {-min(ages.values()):.0f} s"
    return ("stale", f"{host} as it was {age:.1f} s ago") if age > oldest else ("ok", "")


def oldest(interval: float, patience: float) -> float:
    """Seconds that a sample may be old. interval: between two scrapes. patience: that a client waits for its answer."""
    return FRESH * interval + min(GIVEN_UP, interval) + patience


class Query(Probe):
    name = "query"

    def tries(self) -> Mapping[str, Callable[[int], Outcome]]:
        return {"": self.ask}

    def ask(self, number: int) -> Outcome:
        del number
        its = self.settings.endpoints["query"]
        hosts = self.settings.values["scraped"]
        answer = self.settings.person(its["url"], its).json("/api/v1/query", query=expression(self.settings.values["job"], hosts))
        if answer.get("status") != "success":
            return "error", str(answer.get("error", answer.get("status")))
        warning = "; ".join(answer.get("warnings") or ())
        return judged(answer["data"]["result"], hosts, time.time(), oldest(self.settings.interval, self.patience), warning)
