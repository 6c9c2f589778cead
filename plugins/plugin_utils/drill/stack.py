# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The stack that is drilled, by its inventory: what it has, whether it is whole, and who does what."""

from __future__ import annotations

import importlib.util
import json
import time
import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ansible_collections.monitoring.ha.plugins.module_utils import durations, gates, topology, verification
from ansible_collections.monitoring.ha.plugins.module_utils.catalogue import COMPONENTS
from ansible_collections.monitoring.ha.plugins.module_utils.https import Client, Unanswered, metric
from ansible_collections.monitoring.ha.plugins.plugin_utils import summary
from ansible_collections.monitoring.ha.plugins.plugin_utils.drill import failures, rule

#: Seconds that each member gets to behave, in one look at all of them.
LOOK = 10.0
#: Seconds between two looks whether the stack is whole.
PAUSE = 3.0
#: Library that the probe of a database needs on the controller.
LIBRARIES = {"postgresql": "pg8000", "mariadb": "pymysql"}
#: Probe → front ends that it needs one of.
FRONTS = {
    "query": ("query",),
    "grafana": ("grafana",),
    "database": ("postgresql", "mariadb"),
    "objects": ("s3",),
    "pages": ("alertmanager",),
}


@dataclass(frozen=True)
class Stack:
    """groups, hostvars: the inventory's. pki: directory of the authority."""

    groups: Mapping[str, Sequence[str]]
    hostvars: Mapping[str, Mapping[str, Any]] = field(repr=False)
    pki: str

    @property
    def endpoints(self) -> dict[str, Any]:
        """Addresses and credentials."""
        return summary.endpoints(self.groups, self.hostvars, self.pki)

    @property
    def identity(self) -> Client:
        """The controller's, for members."""
        its = self.endpoints["client"]
        return Client("", 0, self.endpoints["ca"], its["certificate"], its["key"])

    @property
    def virtual(self) -> str:
        return topology.canonical(self.of_member("load_balancer", "ha_virtual_address", ""))

    def members(self, component: str) -> list[str]:
        return topology.members(COMPONENTS[component], self.groups)

    def of_member(self, component: str, variable: str, default: object) -> Any:
        """A variable of the first member of a component."""
        return topology.of_member(component, variable, self.groups, self.hostvars, default)

    @property
    def interval(self) -> float:
        """Seconds between two scrapes."""
        return durations.seconds(self.of_member("prometheus", "prometheus_scrape_interval", "15s"))

    def targets(self) -> list[dict[str, Any]]:
        """Members that have to be whole; of a fleet, the stack's own hosts. A proxy beside clients has to know its members again, too."""
        own = topology.targets(self.groups, self.hostvars, topology.stack_hosts(self.groups))
        return [{**its, "expect": {"backends": True}} if its["component"] == "proxy" else its for its in own]

    def missing(self) -> list[str]:
        """What keeps the stack from being whole, a line each; empty when it is."""
        fronts = topology.frontends(self.groups, self.hostvars)
        login = self.endpoints.get("query", {})
        seen = verification.verify(self.targets(), fronts, {}, self.identity, login.get("user", ""), login.get("password", ""), LOOK)
        found = [f"{one.title} ({one.where}): {'; '.join(one.missing)}" for one in seen if one.missing]
        return found or self.turns()

    def turns(self) -> list[str]:
        """Why Alertmanagers would notify at the same time: two have the same turn for a while after one has come back."""
        taken: dict[float, list[str]] = {}
        for its in topology.endpoints("alertmanager", self.groups, self.hostvars):
            try:
                text = replace(self.identity, address=its.address, port=its.port).text("/metrics")
            except Unanswered as error:
                return [f"Alertmanager ({its.host}): {error}"]
            for turn in metric(text, "alertmanager_peer_position"):
                taken.setdefault(turn, []).append(its.host)
        return [f"Alertmanager ({', '.join(hosts)}): they have the same turn" for hosts in taken.values() if len(hosts) > 1]

    def whole(self, timeout: float) -> list[str]:
        """Wait until the stack is whole. What is missing when time is up; empty when nothing is.

        A look asks every member for all that it knows, and a stack needs its processors most while it comes back.
        """
        end = time.monotonic() + timeout
        while True:
            missing = self.missing()
            if not missing or time.monotonic() > end:
                return missing
            time.sleep(PAUSE)

    def shipped(self) -> dict[str, tuple[float, float, float] | str]:
        """Host of a sidecar → (rounds through all blocks on its disk, uploads that failed, that worked), or why that is not known."""
        found: dict[str, tuple[float, float, float] | str] = {}
        for its in topology.endpoints("thanos_sidecar", self.groups, self.hostvars):
            try:
                text = replace(self.identity, address=its.address, port=its.port).text("/metrics")
            except Unanswered as error:
                found[its.host] = str(error)
                continue
            rounds, failed = metric(text, "thanos_shipper_dir_syncs_total"), metric(text, "thanos_shipper_upload_failures_total")
            sent = sum(metric(text, "thanos_shipper_uploads_total"))
            found[its.host] = (rounds[0], failed[0], sent) if rounds and failed else "it says nothing of uploads"
        return found

    def sent(self) -> float:
        """Blocks that sidecars have brought to the object store since they began."""
        return sum(its[2] for its in self.shipped().values() if not isinstance(its, str))

    def uploaded(self, timeout: float) -> list[str]:
        """Wait until nothing is left to be uploaded: every sidecar has gone through all of its blocks, and no upload failed meanwhile.

        A sidecar counts a round only when it has come to its end, and stops at the first block that the store does not take. So how
        many blocks there are need not be known. Who does not get there when time is up, a line each.
        """
        end = time.monotonic() + timeout
        since: dict[str, tuple[float, float, float]] = {}
        while True:
            missing = []
            for host, its in self.shipped().items():
                if isinstance(its, str):
                    missing.append(f"Thanos sidecar ({host}): {its}")
                    continue
                first = since.setdefault(host, its)
                if its[0] > first[0] and its[1] == first[1]:
                    continue
                if its[0] < first[0] or its[1] != first[1]:
                    since[host] = its
                missing.append(f"Thanos sidecar ({host}): it does not get its blocks to the object store ({its[1]:.0f} uploads failed)")
            if not missing or time.monotonic() > end:
                return missing
            time.sleep(1)

    def situation(self, addresses: Mapping[str, str]) -> failures.Situation:
        """Who holds the virtual address and who leads the database. addresses: host → what ``ip -o address`` says there."""
        balancers = self.members("load_balancer")
        holders = [host for host, text in addresses.items() if self.virtual and f" {self.virtual}/" in text]
        writer = self.only("mariadb", "health", "/writer")
        leader = self.only("postgresql", "rest", "/primary") if self.members("postgresql") else writer
        # Clients may have a list of all of them; probes know the first one.
        entrance = balancers[0] if len(balancers) > 1 and not self.virtual else ""
        return failures.Situation(holders[0] if len(holders) == 1 else "", leader, writer, entrance)

    def idle(self, addresses: Mapping[str, str]) -> list[str]:
        """Load balancers that could not take the address, a line each. addresses: as for ``situation``, after keepalived's state."""
        silent = [host for host, text in addresses.items() if self.virtual and "active" not in text.splitlines()]
        return [f"{COMPONENTS['keepalived'].title} ({host}) does not run" for host in silent]

    def only(self, component: str, port: str, path: str) -> str:
        """The one member that says yes to what load balancers ask it; empty for none, or several."""
        found = [
            its.host
            for its in topology.endpoints(component, self.groups, self.hostvars, port)
            if gates.answers(self.identity, its.authority, path, (200,))
        ]
        return found[0] if len(found) == 1 else ""

    def left_out(self) -> list[str]:
        """Members that another one should know and does not: the next failure would show it. A line each."""
        found = []
        wanted = {e.authority: e.host for e in topology.endpoints("alertmanager", self.groups, self.hostvars)}
        for replica in topology.endpoints("prometheus", self.groups, self.hostvars) if wanted else []:
            client = replace(self.identity, address=replica.address, port=replica.port)
            try:
                known = {
                    urllib.parse.urlsplit(its["url"]).netloc for its in client.json("/api/v1/alertmanagers")["data"]["activeAlertmanagers"]
                }
            except (Unanswered, KeyError, TypeError):
                continue
            found += [f"Prometheus ({replica.host}) sends nothing to the Alertmanager of {h}" for a, h in wanted.items() if a not in known]
        for front in topology.frontends(self.groups, self.hostvars):
            for balancer in topology.endpoints("load_balancer", self.groups, self.hostvars, "stats"):
                client = replace(self.identity, address=balancer.address, port=balancer.port)
                try:
                    text = client.text("/metrics")
                except Unanswered:
                    continue
                hosts = [member["host"] for member in front["members"]]
                here = [h for h in hosts if f'haproxy_server_status{{proxy="{front["name"]}",server="{h}"' in text]
                found += [f"HAProxy ({balancer.host}) has nothing of {h} behind {front['name']}" for h in hosts if h not in here]
        return found

    # --- probes

    def scraped(self) -> tuple[str, list[str]]:
        """(job, hosts) whose scrapes are queried: the stack's own hosts."""
        hosts = topology.stack_hosts(self.groups)
        for name in ("node_exporter", "prometheus"):
            if mine := [host for host in self.members(name) if host in hosts]:
                return name, mine
        return "", []

    def probes(self, pager: str, wanted: Sequence[str]) -> tuple[list[str], list[str]]:
        """(names of the probes that this stack has, why others are missing)."""
        its, lacking = self.endpoints, self.lacking(pager)
        store = its.get("object_store", {})
        possible = {
            "address": bool(self.front()),
            "query": "query" in its and bool(self.scraped()[1]),
            "metrics": "query" in its and bool(self.scraped()[1]),
            "grafana": "grafana" in its,
            "database": bool(self.database) and "database" not in lacking,
            "objects": bool(store.get("access_key")),
            "pages": bool(self.members("alertmanager") and pager),
        }
        if unknown := sorted(set(wanted) - set(possible)):
            raise failures.DrillError(f"drill_probes: no probe is called {', '.join(unknown)}; there are {', '.join(sorted(possible))}")
        found = [name for name, there in possible.items() if there and (not wanted or name in wanted)]
        return found, list(lacking.values())

    @property
    def database(self) -> str:
        """Component of the database that is written to; empty for none."""
        return next((name for name in LIBRARIES if name in self.endpoints), "")

    def lacking(self, pager: str) -> dict[str, str]:
        """Probe → why it is missing although the stack has something for it."""
        found = {}
        library = LIBRARIES.get(self.database, "")
        if library and importlib.util.find_spec(library) is None:
            found["database"] = f"no writes to the database: the controller has no library {library} (pip install {library})"
        if self.members("alertmanager") and not pager:
            found["pages"] = "no pages: drill_pager is not set"
        return found

    def unmeasured(self, failure: failures.Failure, pager: str, wanted: Sequence[str]) -> list[str]:
        """Why nobody would see whether a promise is kept. What the inventory lacks needs no probe, as long as something is left."""
        about, offered, found = failures.about(failure), topology.offers(self.groups), self.probes(pager, wanted)[0]
        has = {"address": bool(self.virtual), **{name: any(front in offered for front in fronts) for name, fronts in FRONTS.items()}}
        lacking = self.lacking(pager)
        reasons = []
        for name in [name for name in about if has[name]] or about:
            if wanted and name not in wanted:
                reasons.append(f"its promise is about {name}, which drill_probes leaves out")
            elif name not in found:
                reasons.append(f"its promise is about {name}: {lacking.get(name, 'the inventory has nothing to measure it with')}")
            elif name == "database" and self.database != (its := failures.database(failure, self.groups)).name:
                reasons.append(f"its promise is about {its.title}, and what is written to is {COMPONENTS[self.database].title}")
        return reasons

    def front(self) -> str:
        """A URL at the virtual address that speaks TLS; empty without one."""
        fronts = [f for f in topology.frontends(self.groups, self.hostvars) if f["mode"] == "http"]
        fronts.sort(key=lambda front: front["name"] != "query")
        return str(fronts[0]["url"]) if fronts else ""

    def settings(self, directory: Path, run: str, pager: str) -> dict[str, Any]:
        """What the probes are told. It holds passwords."""
        job, hosts = self.scraped()
        members = topology.endpoints("alertmanager", self.groups, self.hostvars)
        turns = durations.seconds(self.of_member("alertmanager", "alertmanager_peer_timeout", "15s")) * max(0, len(members) - 1)
        evaluation = self.of_member("prometheus", "prometheus_evaluation_interval", "15s")
        fires = {"period": rule.period(evaluation), "life": rule.life(evaluation)} if self.members("prometheus") else {}
        return {
            "directory": str(directory),
            "run": run,
            "endpoints": self.endpoints,
            "interval": self.interval,
            "job": job,
            "scraped": hosts,
            "address": self.front(),
            "alertmanagers": {its.host: its.authority for its in members},
            "addresses": {h: topology.host_address(h, self.hostvars[h]) for h in topology.stack_hosts(self.groups)},
            "rule": fires,
            "pager_port": urllib.parse.urlsplit(pager).port or 80 if pager else 0,
            "page_turns": turns + 5,
            "page_patience": turns + 2 * self.interval + 10,
        }

    # --- for the report

    def versions(self) -> dict[str, str]:
        """Component → versions that run, as the stack itself measures them; empty where it does not answer."""
        its = self.endpoints.get("query")
        if not its:
            return {}
        url = urllib.parse.urlsplit(its["url"])
        client = Client(
            str(url.hostname), url.port or 443, self.endpoints["ca"], user=its.get("user", ""), password=its.get("password", "")
        )
        if not its.get("user"):
            client = replace(self.identity, address=str(url.hostname), port=url.port or 443)
        expression = 'group by (job, version, short_version) ({__name__=~".+_build_info|pg_static|haproxy_process_build_info"})'
        try:
            result = client.json("/api/v1/query", query=expression)["data"]["result"]
        except (Unanswered, KeyError, TypeError, json.JSONDecodeError):
            return {}
        found: dict[str, set[str]] = {}
        for series in result:
            version = series["metric"].get("short_version") or series["metric"].get("version")
            if version:
                found.setdefault(series["metric"].get("job", ""), set()).add(version)
        return {job: ", ".join(sorted(versions)) for job, versions in sorted(found.items())}

    def topology(self) -> dict[str, list[str]]:
        """Title of a component → its hosts, the fleet apart."""
        hosts = topology.stack_hosts(self.groups)
        found = {c.title: [h for h in topology.members(c, self.groups) if h in hosts] for c in COMPONENTS.values()}
        return {title: members for title, members in found.items() if members}
