"""Hosts are monitored by both replicas and queried, once each, through the virtual address."""

from __future__ import annotations

import socket
import ssl
import time

from ansible_collections.monitoring.ha.plugins.module_utils.catalogue import COMPONENTS
from ansible_collections.monitoring.ha.plugins.module_utils.https import metric

from tests.scenario.stack import SCRAPE_INTERVAL, Stack, wait_for


def test_every_target_of_every_replica_is_up(stack: Stack) -> None:
    def all_up() -> bool:
        for replica in stack.endpoints["prometheus"]:
            targets = stack.replica(replica["url"], "/api/v1/targets")["activeTargets"]
            down = [f"{t['scrapeUrl']}: {t['lastError']}" for t in targets if t["health"] != "up"]
            assert len(targets) >= len(stack.hosts) * 5, f"{replica['host']} has only {len(targets)} targets"
            assert not down, f"{replica['host']}: {down}"
        return True

    assert wait_for("all targets up", all_up, 60)


def test_each_series_once_through_the_virtual_address(stack: Stack) -> None:
    deduplicated = stack.query('up{job="node_exporter"}')
    assert len(deduplicated) == len(stack.hosts)
    assert all("replica" not in series["metric"] for series in deduplicated)
    assert {series["value"][1] for series in deduplicated} == {"1"}


def test_both_replicas_are_there_without_deduplication(stack: Stack) -> None:
    raw = stack.query('up{job="node_exporter"}', dedup="false")
    assert len(raw) == len(stack.hosts) * 2
    assert {series["metric"]["replica"] for series in raw} == {p["host"] for p in stack.endpoints["prometheus"]}


def test_data_are_fresh(stack: Stack) -> None:
    newest = stack.query('max(timestamp(up{job="node_exporter"}))')
    age = time.time() - float(newest[0]["value"][1])
    assert age < 2 * SCRAPE_INTERVAL


def test_the_checks_of_a_query_frontend_leave_it_the_connections_to_its_engine(stack: Stack) -> None:
    """A check that asks for the end of its connection would end one that queries share, several times a second, and fail some."""

    def opened(address: str) -> float:
        answer = stack.member.get(f"https://{address}:{COMPONENTS['proxy'].ports['http'].number}/metrics", timeout=5)
        (count,) = metric(answer.text, "haproxy_frontend_connections_total", proxy="query_engine")
        return count

    before = {host: opened(address) for host, address in stack.hosts.items()}
    # Each is asked by every load balancer and every proxy once a second.
    time.sleep(10)
    more = {host: opened(address) - before[host] for host, address in stack.hosts.items()}
    assert all(count <= 3 for count in more.values()), more


def test_queries_of_a_frontend_do_not_all_share_one_connection(stack: Stack) -> None:
    """A client that asks for the end of its own would end it for all."""
    context = ssl.create_default_context(cafile=stack.endpoints["ca"])
    context.load_cert_chain(stack.endpoints["client"]["certificate"], stack.endpoints["client"]["key"])
    context.check_hostname = False
    context.set_alpn_protocols(["h2", "http/1.1"])
    spoken = {}
    for host, address in stack.hosts.items():
        authority = (address, COMPONENTS["thanos_query"].ports["http"].number)
        with socket.create_connection(authority, timeout=5) as plain, context.wrap_socket(plain) as made:
            spoken[host] = made.selected_alpn_protocol()
    assert "h2" not in spoken.values(), spoken
