# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What it means that a component behaves: one function each.

A function asks the daemon and returns what is still missing, in words; an
empty list is a pass. It is called again and again until then.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.monitoring.ha.plugins.module_utils import durations
from ansible_collections.monitoring.ha.plugins.module_utils.catalogue import COMPONENTS
from ansible_collections.monitoring.ha.plugins.module_utils.https import Client, Unanswered, connects, metric

#: Back ends of a load balancer or proxy of which one healthy member is enough.
PARTIAL = {front.name for c in COMPONENTS.values() for front in c.frontends if front.partial}
PARTIAL |= {way.name for c in COMPONENTS.values() for way in c.upstreams if way.one_writer}
#: Seconds between two looks.
PAUSE = 1.0
#: Seconds in which scrapes have to come, however little is left to wait.
SOON = 60.0


@dataclass
class Question:
    """What is asked, and what has been seen so far.

    expect: what the component has to show beyond being ready; keys as in the
    documentation of the module. restarted: it has just been started, so that
    what it takes a while to do counts too. memory: kept from look to look. left: seconds until nobody waits any more.
    """

    client: Client
    expect: Mapping[str, Any] = field(default_factory=dict)
    restarted: bool = False
    memory: dict[str, Any] = field(default_factory=dict)
    left: float = float("inf")


def ready(question: Question) -> list[str]:
    """Prometheus' and Thanos' own readiness: the log is replayed, the stores are loaded."""
    question.client.text("/-/ready")
    return []


def node_exporter(question: Question) -> list[str]:
    """Answers with metrics of its own."""
    text = question.client.text("/metrics")
    return [] if metric(text, "node_exporter_build_info") else ["it answers without metrics of its own"]


def expected(question: Question, target: Mapping[str, Any], scrapes: int) -> bool:
    """Whether that many scrapes of a target were to come in what was left to wait when it was first seen."""
    first: dict[str, float] = question.memory.setdefault("left", {})
    left = first.setdefault(target["scrapePool"] + target["scrapeUrl"], question.left)
    return scrapes * durations.seconds(target.get("scrapeInterval", "0")) <= max(left, SOON)


def prometheus(question: Question) -> list[str]:
    """Ready, the configuration loaded, and every target scraped (twice after a start, so that rates exist again).

    A target whose turn comes too seldom for that is not waited for.
    """
    missing = ready(question)
    if not question.client.json("/api/v1/status/runtimeinfo")["data"]["reloadConfigSuccess"]:
        missing.append("it refused its configuration and goes on with the old one")
    targets = question.client.json("/api/v1/targets", state="active")["data"]["activeTargets"]
    seen: dict[str, set[str]] = question.memory.setdefault("scrapes", {})
    for target in targets:
        # Never scraped: the zero time of Go.
        if not target["lastScrape"].startswith("0001-"):
            seen.setdefault(target["scrapePool"] + target["scrapeUrl"], set()).add(target["lastScrape"])
    wanted = 2 if question.restarted else 1
    unseen = [t for t in targets if len(seen.get(t["scrapePool"] + t["scrapeUrl"], ())) < wanted]
    late = [t["scrapeUrl"] for t in unseen if expected(question, t, wanted)]
    if late:
        missing.append(
            f"{len(late)} of {len(targets)} targets have not been scraped {'twice' if wanted == 2 else 'yet'}: {', '.join(late[:3])}"
        )
    wanted_up = question.expect.get("targets_up")
    if wanted_up:
        looked = targets if wanted_up is True else [t for t in targets if t["labels"].get("host") in wanted_up]
        wrong = [t for t in looked if t["health"] != "up" and (t["health"] == "down" or expected(question, t, wanted))]
        down = [f"{t['scrapeUrl']} ({t['lastError'] or t['health']})" for t in wrong]
        if down or not looked:
            missing.append(f"{len(down)} of {len(looked)} targets are not up: {', '.join(down[:3])}")
    return missing


def absent_members(question: Question, present: Collection[str], where: str) -> list[str]:
    """Those of the expected ``members`` that accept connections and yet are not there; who is down is not waited for.

    members: name in the component's eyes → ``address:port`` at which to see whether it is up.
    """
    members: Mapping[str, str] = question.expect.get("members", {})
    lost = [name for name, authority in members.items() if name not in present and connects(authority)]
    return [f"members that answer are missing in {where}: {', '.join(members[name] for name in lost)}"] if lost else []


def alertmanager(question: Question) -> list[str]:
    """Ready, gossip settled, and every member that answers is in the mesh (``peers``: how many there have to be)."""
    missing = ready(question)
    cluster = question.client.json("/api/v2/status")["cluster"]
    if cluster["status"] not in ("ready", "disabled"):
        missing.append(f"its mesh is {cluster['status']}")
    present = {peer["address"] for peer in cluster.get("peers") or []}
    missing += absent_members(question, present, "its mesh")
    peers = int(question.expect.get("peers", 0))
    if len(present) < peers:
        missing.append(f"its mesh has {len(present)} of {peers} members")
    text = question.client.text("/metrics")
    if metric(text, "alertmanager_config_last_reload_successful") != [1.0]:
        missing.append("it refused its configuration and goes on with the old one")
    return missing


def thanos_sidecar(question: Question) -> list[str]:
    """Ready, and its Prometheus answers."""
    missing = ready(question)
    if metric(question.client.text("/metrics"), "thanos_sidecar_prometheus_up") != [1.0]:
        missing.append("it does not reach its Prometheus")
    return missing


def thanos_query(question: Question) -> list[str]:
    """Ready, and of its stores those that answer are healthy in its eyes (``stores``: how many there have to be)."""
    missing = ready(question)
    kinds = question.client.json("/api/v1/stores")["data"]
    stores = [store for kind in kinds.values() for store in kind or []]
    # A store that has been forgotten keeps its last error for a while.
    healthy = [store for store in stores if not store.get("lastError")]
    missing += absent_members(question, {store["name"] for store in healthy}, "what it sees")
    wanted = int(question.expect.get("stores", 0))
    if len(healthy) < wanted:
        errors = ", ".join(f"{s['name']} ({s['lastError']})" for s in stores if s.get("lastError"))
        missing.append(f"it sees {len(healthy)} of {wanted} stores{': ' + errors if errors else ''}")
    return missing


def thanos_query_frontend(question: Question) -> list[str]:
    """Ready, and a query through it is answered."""
    missing = ready(question)
    answer = question.client.json("/api/v1/query", query="vector(1)")
    if answer.get("status") != "success":
        missing.append(f"a query ended in {answer.get('status')}")
    return missing


def thanos_compact(question: Question) -> list[str]:
    """Ready, and not halted on blocks that it must not touch."""
    missing = ready(question)
    if 1.0 in metric(question.client.text("/metrics"), "thanos_compact_halted"):
        missing.append("it has halted; its log names the blocks")
    return missing


def object_store(question: Question) -> list[str]:
    """A quorum for every object; with ``nodes``, that many hosts, all of them connected."""
    question.client.text("/health")
    nodes = int(question.expect.get("nodes", 0))
    if nodes:
        connected = metric(question.client.text("/metrics"), "cluster_storage_nodes_ok")
        if not connected or connected[0] < nodes:
            return [f"{int(connected[0]) if connected else 0} of {nodes} hosts are connected"]
    return []


def grafana(question: Question) -> list[str]:
    """Its database answers, and its mesh has every member that answers (``members``; ``peers``: how many there have to be)."""
    status, body = question.client.request("GET", "/api/health")
    try:
        state = json.loads(body).get("database")
    except (ValueError, AttributeError):
        raise Unanswered(f"/api/health: {status} instead of a state") from None
    missing = [] if status == 200 and state == "ok" else [f"its database is {state or 'not known'}"]
    members: Mapping[str, str] = question.expect.get("members", {})
    alive = [name for name, authority in members.items() if answers(question.client, authority, "/healthz", (200,))]
    wanted = max(int(question.expect.get("peers", 0)), len(alive))
    found = metric(question.client.text("/metrics"), "alertmanager_cluster_members")
    if wanted > 1 and (not found or found[0] < wanted):
        missing.append(f"its mesh has {int(found[0]) if found else 0} of {wanted} members")
    return missing


def etcd(question: Question) -> list[str]:
    """A majority agrees, asked by this member; with ``members``, unless too few of them are up to make one."""
    try:
        question.client.text("/health")
    except Unanswered:
        members: Mapping[str, str] = question.expect.get("members", {})
        own = f"{question.client.address}:{question.client.port}"
        if not members or not connects(own) or 2 * sum(map(connects, members.values())) > len(members):
            raise
    return []


def answers(client: Client, authority: str, path: str = "/liveness", statuses: Collection[int] = ()) -> bool:
    """Whether something speaks HTTP at ``address:port``, and says one of ``statuses``; asked with the certificate of ``client``."""
    try:
        status, _body = client.at(authority, timeout=2.0).request("HEAD", path)
    except Unanswered:
        return False
    return not statuses or status in statuses


def postgresql(question: Question) -> list[str]:
    """A leader, every member that answers follows it, and one of them confirms its writes (``standbys``: how many follow).

    ``members``: name → ``address:port`` of Patroni; who is down is not waited for. ``synchronous``: whether writes have to be confirmed;
    without it as the cluster's own configuration has it, which is brought to the inventory's only when all members behave.
    """
    known = {member["name"]: member for member in question.client.json("/cluster")["members"]}
    missing = [] if any(member["role"] == "leader" for member in known.values()) else ["it has no leader"]
    members: Mapping[str, str] = question.expect.get("members", {})
    for name in [name for name, authority in members.items() if answers(question.client, authority)]:
        state = known.get(name, {}).get("state", "not a member")
        if state not in ("running", "streaming"):
            missing.append(f"{name} is {state}")
    following = [member for member in known.values() if member["role"] != "leader" and member["state"] == "streaming"]
    synchronous = question.expect.get("synchronous")
    if synchronous is None:
        synchronous = question.client.json("/config").get("synchronous_mode") not in (None, False, "off")
    if synchronous and following and not any(member["role"] in ("sync_standby", "quorum_standby") for member in following):
        missing.append("no standby confirms writes")
    standbys = int(question.expect.get("standbys", 0))
    if len(following) < standbys:
        missing.append(f"{len(following)} of {standbys} standbys follow the leader")
    return missing


def postgres_exporter(question: Question) -> list[str]:
    """It reaches its PostgreSQL."""
    return [] if metric(question.client.text("/metrics"), "pg_up") == [1.0] else ["it does not reach its PostgreSQL"]


def mariadb(question: Question) -> list[str]:
    """In step with the majority, in which every member is that has its own server in step, and one of them writes.

    ``members``: name → ``address:port`` of the daemon; who is down is not waited for. ``nodes``: how many there have to be.
    """
    state = question.client.json("/state")
    missing = [] if state["synced"] else [f"it is not in step: {state['why']}"]
    members: Mapping[str, str] = question.expect.get("members", {})
    others = [name for name, authority in members.items() if answers(question.client, authority, "/synced", (200,))]
    if lost := [name for name in others if name not in state["component"]]:
        missing.append(f"it is not with {', '.join(lost)}")
    nodes = int(question.expect.get("nodes", 0))
    if len(state["component"]) < nodes:
        missing.append(f"{len(state['component'])} of {nodes} members are together")
    if not state["recorded_writer"]:
        missing.append("nobody writes")
    return missing


def mysqld_exporter(question: Question) -> list[str]:
    """It reaches its MariaDB."""
    return [] if metric(question.client.text("/metrics"), "mysql_up") == [1.0] else ["it does not reach its MariaDB"]


def load_balancer(question: Question) -> list[str]:
    """Answers; with ``backends``, every published service has a healthy member, and every member is healthy that is meant to be.

    Beside a member stands what its last check came to, in HAProxy's words; L7OK: it answers again, and has to do so a few times.
    """
    text = question.client.text("/metrics")
    missing = []
    if not metric(text, "haproxy_process_nbproc") and not metric(text, "haproxy_process_start_time_seconds"):
        missing.append("it answers without metrics of its own")
    if question.expect.get("backends"):
        servers = re.findall(r'^haproxy_server_status{proxy="(.*?)",server="(.*?)",state="UP"} ([01])', text, re.MULTILINE)
        up = {backend for backend, _server, state in servers if state == "1"}
        checks = re.findall(r'^haproxy_server_check_status{proxy="(.*?)",server="(.*?)",state="(.*?)"} 1', text, re.MULTILINE)
        came_to = {(backend, server): f" ({state})" for backend, server, state in checks}
        away = [(backend, server) for backend, server, state in servers if state == "0" and backend not in PARTIAL & up]
        down = [f"{server} of {backend}{came_to.get((backend, server), '')}" for backend, server in away]
        if down:
            missing.append(f"{len(down)} members are out of rotation: {'; '.join(sorted(down)[:4])}")
    return missing


def keepalived(question: Question) -> list[str]:
    """Somebody holds the virtual address: a published port of it accepts connections."""
    authority = str(question.expect.get("holder", ""))
    if authority and not connects(authority):
        return [f"nobody answers at the virtual address, {authority}"]
    return []


GATES: dict[str, Callable[[Question], list[str]]] = {
    "node_exporter": node_exporter,
    "prometheus": prometheus,
    "alertmanager": alertmanager,
    "thanos_sidecar": thanos_sidecar,
    "thanos_query": thanos_query,
    "thanos_query_frontend": thanos_query_frontend,
    "thanos_store": ready,
    "thanos_compact": thanos_compact,
    "object_store": object_store,
    "grafana": grafana,
    "etcd": etcd,
    "postgresql": postgresql,
    "postgres_exporter": postgres_exporter,
    "mariadb": mariadb,
    "mysqld_exporter": mysqld_exporter,
    "load_balancer": load_balancer,
    "proxy": load_balancer,
    "keepalived": keepalived,
}


@dataclass
class Verdict:
    """passed: it behaves. missing: what was seen last otherwise. seconds: how long it took."""

    passed: bool
    missing: list[str]
    seconds: float


def wait(
    component: str,
    question: Question,
    timeout: float,
    *,
    hopeless: Callable[[], str] = lambda: "",
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Verdict:
    """Ask until the component behaves, for ``timeout`` seconds, or until ``hopeless`` gives a reason to stop."""
    ask = GATES[component]
    start = clock()
    while True:
        question.left = timeout - (clock() - start)
        try:
            missing = ask(question)
        except Unanswered as error:
            missing = [str(error)]
        except (KeyError, TypeError, IndexError, AttributeError, ValueError) as error:
            missing = [f"an answer of another shape than expected ({error!r})"]
        seconds = clock() - start
        if not missing:
            return Verdict(True, [], seconds)
        reason = hopeless()
        if reason or seconds >= timeout:
            return Verdict(False, [*missing, reason] if reason else missing, seconds)
        sleep(PAUSE)
