# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The stack seen from outside: every member by its gate, every front end as a person meets it."""

from __future__ import annotations

import json
import time
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.monitoring.ha.plugins.module_utils import gates
from ansible_collections.monitoring.ha.plugins.module_utils.https import Client, Unanswered

#: Looks at once.
WORKERS = 8


@dataclass(frozen=True)
class Observation:
    """One line of the report. missing: what was not as it should be; empty when all is well."""

    title: str
    where: str
    missing: list[str]
    seen: str = ""

    @property
    def line(self) -> str:
        state = "; ".join(self.missing) if self.missing else self.seen or "ok"
        return f"{'FAIL' if self.missing else 'ok':4}  {self.title:32} {self.where:26} {state if state != 'ok' else ''}".rstrip()


def member(target: Mapping[str, Any], identity: Client, timeout: float) -> Observation:
    """A member behaves, asked with a client certificate."""
    client = replace(identity, address=target["address"], port=target["port"])
    verdict = gates.wait(target["component"], gates.Question(client, target.get("expect") or {}), timeout)
    return Observation(target["title"], target["host"], verdict.missing)


def frontend(front: Mapping[str, Any], identity: Client, user: str, password: str) -> Observation:
    """A front end answers those it knows, and nobody else."""
    place = front["endpoints"][0]
    where, missing = f"{place['address']}:{place['port']}", []
    stranger = Client(place["address"], place["port"], identity.ca)
    known = stranger if front["own_login"] or (front["users"] and user) else replace(identity, address=place["address"], port=place["port"])
    if known is stranger and not front["own_login"]:
        known = replace(stranger, user=user, password=password)
    try:
        known.text(front["check"], (int(front["check_status"]),))
    except Unanswered as error:
        missing.append(str(error))
    try:
        status, _body = stranger.request("GET", front["guarded"] or front["check"])
        if status not in (401, 403):
            missing.append(f"it answers a stranger with {status}")
    except Unanswered:
        pass
    return Observation(front["title"], where, missing)


def queries(
    front: Mapping[str, Any], expected: Mapping[str, Sequence[str]], identity: Client, user: str, password: str
) -> list[Observation]:
    """Through the query front end: every target is up, and each is seen once. expected: job → hosts."""
    place = front["endpoints"][0]
    client = Client(place["address"], place["port"], identity.ca, user=user, password=password, timeout=30)
    if not user:
        client = replace(identity, address=place["address"], port=place["port"], timeout=30)
    try:
        answer = json.loads(client.text("/api/v1/query?" + urllib.parse.urlencode({"query": "up"})))
        series = [(s["metric"].get("job", ""), s["metric"].get("host", ""), s["value"][1]) for s in answer["data"]["result"]]
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        return [Observation("Targets", "queries", [f"an answer of another shape than expected ({error!r})"])]
    except (Unanswered, ValueError) as error:
        return [Observation("Targets", "queries", [str(error)])]
    found = []
    for job, hosts in sorted(expected.items()):
        mine = [(host, value) for name, host, value in series if name == job]
        missing = [f"no data of {host}" for host in hosts if host not in {h for h, _value in mine}]
        missing += [f"{host} is down" for host, value in mine if value != "1" and host in hosts]
        missing += [f"{host} is there {n} times" for host in hosts if (n := sum(h == host for h, _value in mine)) > 1]
        found.append(Observation(f"Targets of {job}", "queries", missing, f"{len(mine)} up"))
    return found


def grafana(fronts: Sequence[Mapping[str, Any]], ca: str, user: str, password: str) -> list[Observation]:
    """Through its front end: people can log in, and every Prometheus data source answers a query."""
    found = []
    for front in (front for front in fronts if front["name"] == "grafana"):
        place = front["endpoints"][0]
        client, where = Client(place["address"], place["port"], ca, user=user, password=password, timeout=30), "grafana"
        try:
            sources = client.json("/api/datasources")
        except Unanswered as error:
            return [Observation("Login to Grafana", where, [str(error)])]
        found.append(Observation("Login to Grafana", where, []))
        for source in sources:
            if source["type"] != "prometheus":
                continue
            try:
                answer = client.json(f"/api/datasources/proxy/uid/{source['uid']}/api/v1/query", query="count(up)")
                missing = [] if answer["data"]["result"] else ["it knows no target"]
            except (Unanswered, KeyError, TypeError) as error:
                missing = [str(error)]
            found.append(Observation(f"Data source {source['name']}", where, missing))
    return found


def verify(
    targets: Sequence[Mapping[str, Any]],
    fronts: Sequence[Mapping[str, Any]],
    expected: Mapping[str, Sequence[str]],
    identity: Client,
    user: str,
    password: str,
    timeout: float,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> list[Observation]:
    """Everything, side by side; in the order in which it was asked for. timeout: seconds for what takes its time, members and targets."""
    end = clock() + timeout
    with ThreadPoolExecutor(WORKERS) as pool:
        members = [pool.submit(member, target, identity, timeout) for target in targets]
        published = [pool.submit(frontend, front, identity, user, password) for front in fronts if front["mode"] == "http"]
        found = [future.result() for future in [*members, *published]]
    query = next((front for front in fronts if front["name"] == "query"), None)
    if not query:
        return found
    # A target that is new has to be found and scraped first.
    seen = queries(query, expected, identity, user, password)
    while any(its.missing for its in seen) and clock() < end:
        sleep(1)
        seen = queries(query, expected, identity, user, password)
    return found + seen
