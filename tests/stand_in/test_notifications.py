"""Alert rules are evaluated on every node, and the cluster notifies once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from .databases import DatabaseServer, free_port
from .instances import Instance, Make, database_section, until
from .upstream import Upstream

ROOT = "/api/v1/provisioning"
FAST = {"feature_toggles": {"enable": "configurableSchedulerTick"}}


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    server = Upstream()
    yield server
    server.close()


def alerting(port: int = 0, peers: str = "", **more: str) -> dict[str, str]:
    ha = {"ha_peers": peers, "ha_listen_address": f"127.0.0.1:{port}", "ha_peer_timeout": "1s"} if peers else {}
    return {"scheduler_tick_interval": "1s", "alertmanager_config_poll_interval": "1s", **ha, **more}


def configure(grafana: Instance, upstream: Upstream, **rule: Any) -> None:
    source = {"uid": "prom", "name": "prom", "type": "prometheus", "access": "proxy", "url": upstream.url}
    grafana.post("/api/datasources", source).raise_for_status()
    grafana.post("/api/folders", {"uid": "f", "title": "F"}).raise_for_status()
    point = {"uid": "p", "name": "hook", "type": "webhook", "settings": {"url": f"{upstream.url}/hook", "username": "u", "password": "s"}}
    grafana.post(f"{ROOT}/contact-points", point).raise_for_status()
    tree = {"receiver": "hook", "group_by": ["alertname"], "group_wait": "1s", "group_interval": "1s", "repeat_interval": "1h"}
    grafana.put(f"{ROOT}/policies", tree).raise_for_status()
    expression = {"datasourceUid": "__expr__", "relativeTimeRange": {"from": 0, "to": 0}}
    condition = [{"evaluator": {"type": "gt", "params": [5]}}]
    data = [
        {"refId": "A", "datasourceUid": "prom", "model": {"expr": "x", "range": True}, "relativeTimeRange": {"from": 60, "to": 0}},
        {"refId": "B", **expression, "model": {"type": "reduce", "expression": "A", "reducer": "last"}},
        {"refId": "C", **expression, "model": {"type": "threshold", "expression": "B", "conditions": condition}},
    ]
    body = {"uid": "r", "title": "High", "folderUID": "f", "ruleGroup": "g", "condition": "C", "data": data, "for": "0s", "orgID": 1}
    body |= {"noDataState": "OK", "execErrState": "OK", "annotations": {"summary": "{{ $labels.job }}"}, "labels": {"severity": "page"}}
    grafana.post(f"{ROOT}/alert-rules", {**body, **rule}).raise_for_status()
    # Every tick, which is a second here.
    grafana.put(f"{ROOT}/folder/f/rule-groups/g", {"interval": 10}).raise_for_status()


def state(grafana: Instance) -> str:
    groups = grafana.get("/api/prometheus/grafana/api/v1/rules").json()["data"]["groups"]
    return str(groups[0]["rules"][0]["state"])


def test_one_notification_of_a_cluster(make: Make, postgres: DatabaseServer, upstream: Upstream) -> None:
    ports = [free_port() for _ in range(2)]
    peers = ",".join(f"127.0.0.1:{port}" for port in ports)
    shared = {"database": database_section(postgres, postgres.new_database()), **FAST}
    nodes = [make("13.0.1", {**shared, "unified_alerting": alerting(port, peers)}).start() for port in ports]
    for node in nodes:
        until(lambda node=node: node.metric("alertmanager_cluster_members") == 2)  # type: ignore[misc]
    upstream.values = [({"job": "a"}, 9.0), ({"job": "b"}, 1.0)]
    configure(nodes[0], upstream)
    until(lambda: bool(upstream.notifications))
    until(lambda: [state(node) for node in nodes] == ["firing", "firing"])
    time.sleep(2.5)
    (first,) = upstream.notifications
    assert (first["status"], first["receiver"], len(first["alerts"])) == ("firing", "hook", 1)
    alert = first["alerts"][0]
    assert alert["labels"] == {"alertname": "High", "grafana_folder": "F", "severity": "page", "job": "a"}
    assert alert["annotations"] == {"summary": "a"}
    headers = next(headers for _, path, headers, _ in upstream.requests if path == "/hook")
    assert headers["authorization"] == "Basic dTpz"
    assert nodes[1].get("/api/alertmanager/grafana/api/v2/alerts").json()[0]["labels"]["job"] == "a"
    upstream.values = [({"job": "a"}, 1.0), ({"job": "b"}, 1.0)]
    until(lambda: len(upstream.notifications) == 2)
    time.sleep(2.5)
    assert [one["status"] for one in upstream.notifications] == ["firing", "resolved"]
    text = nodes[0].get("/metrics").text
    assert 'grafana_alerting_rule_evaluations_total{org="1"}' in text and 'grafana_alerting_alerts{state="normal"} 2' in text


def test_nodes_without_peers_notify_twice(make: Make, postgres: DatabaseServer, upstream: Upstream) -> None:
    shared = {"database": database_section(postgres, postgres.new_database()), "unified_alerting": alerting(), **FAST}
    nodes = [make("12.4.0", shared).start() for _ in range(2)]
    upstream.values = [({"job": "a"}, 9.0)]
    configure(nodes[0], upstream)
    until(lambda: len(upstream.notifications) == 2)


def test_single_node_evaluation(make: Make, postgres: DatabaseServer, upstream: Upstream) -> None:
    ports = [free_port() for _ in range(2)]
    peers = ",".join(f"127.0.0.1:{port}" for port in ports)
    shared = {"database": database_section(postgres, postgres.new_database()), **FAST}
    options = {"ha_single_node_evaluation": "true"}
    nodes = [make("13.0.1", {**shared, "unified_alerting": alerting(port, peers, **options)}).start() for port in ports]
    for node in nodes:
        until(lambda node=node: node.metric("alertmanager_cluster_members") == 2)  # type: ignore[misc]
    upstream.values = [({"job": "a"}, 9.0)]
    configure(nodes[0], upstream)
    until(lambda: "firing" in [state(node) for node in nodes])
    time.sleep(1)
    assert sorted(state(node) for node in nodes) == ["firing", "inactive"]


def test_pending_silences_and_errors(make: Make, postgres: DatabaseServer, upstream: Upstream) -> None:
    shared = {"database": database_section(postgres, postgres.new_database()), "unified_alerting": alerting(), **FAST}
    node = make("12.4.0", shared).start()
    upstream.values = [({"job": "a"}, 9.0)]
    matchers = [{"name": "job", "value": "a", "isRegex": False}]
    silence = {"matchers": matchers, "startsAt": "2020-01-01T00:00:00Z", "endsAt": "2099-01-01T00:00:00Z", "createdBy": "x", "comment": "x"}
    node.post("/api/alertmanager/grafana/api/v2/silences", silence).raise_for_status()
    configure(node, upstream, **{"for": "3s"}, execErrState="Error")
    until(lambda: state(node) == "pending")
    until(lambda: state(node) == "firing")
    time.sleep(2)
    assert upstream.notifications == [], "silenced"
    shown = node.get("/api/alertmanager/grafana/api/v2/alerts").json()[0]
    assert shown["status"]["state"] == "suppressed"
    node.put(
        "/api/datasources/uid/prom", {"name": "prom", "type": "prometheus", "access": "proxy", "url": "http://127.0.0.1:9"}
    ).raise_for_status()
    until(
        lambda: any(one["labels"]["alertname"] == "DatasourceError" for one in node.get("/api/alertmanager/grafana/api/v2/alerts").json()),
    )
    until(lambda: any("DatasourceError" in str(one) for one in upstream.notifications))
    rule = node.get("/api/prometheus/grafana/api/v1/rules").json()["data"]["groups"][0]["rules"][0]
    assert rule["health"] == "error" and "refused" in rule["lastError"]
