"""A changed variable touches what it is about, and nothing else; a refused one touches nothing."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.scenario.site import play, ran
from tests.scenario.stack import Stack, wait_for

RULE = {"groups": [{"name": "extra", "rules": [{"record": "extra:up:count", "expr": "count(up)"}]}]}
PROMETHEUS = {"mon1", "mon2"}
#: What is refused: variables, tags of the layer, host that says so, and what the message has to name.
REFUSED: dict[str, tuple[dict[str, Any], str, list[str]]] = {
    "a rule that promtool refuses": (
        {"prometheus_rule_files": {"broken.yml": "groups:\n  - name: broken\n    rules:\n      - record: a\n        expr: sum(\n"}},
        "metrics",
        ["/etc/prometheus", "rules/site/broken.yml: 5:15:"],
    ),
    "a key that amtool does not know": (
        {"alertmanager_config": {"route": {"receiver": "nobody"}, "receivers": [{"name": "nobody"}], "nonsense": True}},
        "alerting",
        ["/etc/alertmanager", "alertmanager.yml", "field nonsense"],
    ),
    "a section that haproxy does not know": (
        {"haproxy_sections": "backend spare\n  nonsense on\n"},
        "edge",
        ["/etc/monitoring-ha/haproxy", "haproxy.cfg:", "nonsense"],
    ),
}


def units(stack: Stack) -> dict[tuple[str, str], str]:
    """(host, unit) → its start: another one after a restart, the same after a reload."""
    found = {}
    active = "systemctl list-units --plain --no-legend --state=active '*.service' | cut -d' ' -f1"
    show = f"systemctl show -p Id -p InvocationID --value $({active})"
    for host in stack.hosts:
        words = stack.run(host, show).split()
        found.update({(host, unit): start for unit, start in zip(words[::2], words[1::2], strict=True)})
    return found


def trees(stack: Stack) -> dict[str, str]:
    """Host → checksum over every configuration file."""
    command = "cat $(find -L /etc/prometheus /etc/alertmanager /etc/monitoring-ha -type f 2>/dev/null | sort) | sha256sum"
    return {host: stack.run(host, command) for host in stack.hosts}


def test_a_variable_of_prometheus_reloads_prometheus_alone_and_goes_as_it_came(stack: Stack) -> None:
    before = units(stack)
    started = {key: start for key, start in before.items() if key[1].startswith(("prometheus", "thanos", "alert", "haproxy", "garage"))}
    assert len(started) > 15

    done = ran(variables={"prometheus_retention_time": "16d", "prometheus_rule_files": {"extra.yml": RULE}})
    assert done.changed == {host: ["Configuration", "Service"] for host in PROMETHEUS}
    after = units(stack)
    assert {key: after.get(key) for key in started} == started, "restarted"
    for replica in stack.endpoints["prometheus"]:
        assert stack.replica(replica["url"], "/api/v1/status/runtimeinfo")["storageRetention"].startswith("16d")
        groups = [group["name"] for group in stack.replica(replica["url"], "/api/v1/rules")["groups"]]
        assert "extra" in groups and "scenario" not in groups
    assert wait_for("the new rule's series", lambda: stack.query("extra:up:count"), 60)

    done = play("site", "--tags", "metrics")
    assert done.code == 0 and done.hosts == PROMETHEUS, done.output
    for replica in stack.endpoints["prometheus"]:
        assert stack.run(replica["host"], "ls /etc/prometheus/rules/site").split() == ["scenario.yml"]
        groups = [group["name"] for group in stack.replica(replica["url"], "/api/v1/rules")["groups"]]
        assert "extra" not in groups and "scenario" in groups
        assert stack.replica(replica["url"], "/api/v1/status/runtimeinfo")["storageRetention"].startswith("15d")


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_changes_nothing_and_is_named(stack: Stack, case: str) -> None:
    variables, tag, named = REFUSED[case]
    before = trees(stack), units(stack)
    done = play("site", "--tags", tag, variables=variables)
    assert done.code == 2 and not done.changed, done.output
    for message in done.failures:
        assert all(word in message for word in named), message
    assert done.failures and (trees(stack), units(stack)) == before


def test_a_certificate_of_ones_own_is_for_who_comes_by_its_name(stack: Stack) -> None:
    name, path = "monitoring.example.org", "/etc/haproxy/people.pem"
    make = f"openssl req -x509 -newkey rsa:2048 -nodes -subj /CN={name} -addext subjectAltName=DNS:{name} -keyout {path}.key -out {path}"
    for host in stack.hosts:
        stack.run(host, f"{make} 2>/dev/null && cat {path}.key >> {path} && chgrp haproxy {path} && chmod 640 {path}")
    variables = {"haproxy_certificate": path}
    try:
        done = play("site", "--tags", "edge", variables=variables)
        assert done.code == 0 and done.changed == {host: ["Configuration", "Service"] for host in stack.hosts}, done.output
        front = urlsplit(stack.endpoints["query"]["url"]).netloc
        shown = f"openssl s_client -connect {front} %s </dev/null 2>/dev/null | openssl x509 -noout -subject"
        by_name, by_address = (stack.run("mon1", shown % how) for how in (f"-servername {name}", "-noservername"))
        assert name in by_name and name not in by_address
        # Whoever comes by the address, as everything of the stack does, believes the stack's authority.
        assert stack.query("count(up)")
        ran("verify", variables=variables)
    finally:
        ran("site", "--tags", "edge")
        for host in stack.hosts:
            stack.run(host, f"rm {path} {path}.key")


def test_a_second_run_needs_no_network_and_changes_nothing(stack: Stack, tmp_path: Any) -> None:
    routes = {host: stack.run(host, "ip route show default").strip() for host in stack.hosts}
    nowhere = "http://127.0.0.1:9"
    alone = {
        # Neither a cache nor a compiler nor a way out.
        "XDG_CACHE_HOME": str(tmp_path),
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        **{name: nowhere for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")},
    }
    try:
        for host in routes:
            stack.run(host, "ip route del default")
        done = play(environment=alone)
    finally:
        for host, route in routes.items():
            stack.run(host, f"ip route replace {route}")
    assert done.code == 0, done.output
    assert done.changed == {}
    assert not list(tmp_path.iterdir()), "something was fetched"
