"""What people do, while instances die under them."""

from __future__ import annotations

import re
import uuid
from collections import Counter
from functools import partial

import pytest
import requests
from ansible_collections.monitoring.ha.plugins.module_utils.grafana import RUN_HEADER

from tests.scenario.grafana import Reader, Visitor
from tests.scenario.stack import Stack, wait_for

HOSTS = ("mon1", "mon2", "mon3")
#: Seconds for which reads may fail when an instance dies.
OBJECTIVE = 3.0


def killed(stack: Stack, visitor: Visitor, host: str) -> Reader:
    """What a reader saw while the instance on a host died, stayed away for 40 answers, and came back."""
    with Reader(visitor) as reader:
        wait_for("reads", lambda: reader.count > 5, 30)
        stack.run(host, "systemctl kill --signal=KILL grafana && systemctl stop grafana")
        before = reader.count
        try:
            wait_for("reads without it", lambda: reader.count > before + 40, 60)
        finally:
            stack.run(host, "systemctl start grafana")
        wait_for(f"the instance on {host}", partial(Visitor(stack, host).get, "/api/health"), 90)
    return reader


def test_a_session_and_its_reads_survive_each_instance(stack: Stack) -> None:
    # Whoever issued the session is among those that die.
    visitor = Visitor(stack).log_in()
    assert visitor.get("/api/user")["login"] == stack.endpoints["grafana"]["user"]
    seen = {host: killed(stack, visitor, host) for host in HOSTS}
    print("longest times without an answer:", {host: f"{reader.longest:.1f} s" for host, reader in seen.items()})
    for reader in seen.values():
        assert reader.longest <= OBJECTIVE, reader.errors


@pytest.mark.parametrize("host", HOSTS)
def test_what_is_saved_at_one_is_read_at_every_other(stack: Stack, host: str) -> None:
    version = Visitor(stack, host).administrator().save(f"scenario-{host}", f"Saved on {host}")
    for other in HOSTS:
        found = Visitor(stack, other).administrator().get(f"/api/dashboards/uid/scenario-{host}")
        assert found["dashboard"]["version"] == version and found["dashboard"]["title"] == f"Saved on {host}"


def test_nobody_comes_in_without_a_login(stack: Stack) -> None:
    stranger = Visitor(stack)
    for path in ("/api/org", "/api/search", "/api/datasources", "/api/dashboards/uid/monitoring-ha-stack"):
        assert stranger.session.get(stranger.url + path, timeout=5).status_code == 401
    stranger.session.auth = (stack.endpoints["grafana"]["user"], "wrong password")
    assert stranger.session.get(f"{stranger.url}/api/org", timeout=5).status_code == 401
    for host in HOSTS:
        direct = Visitor(stack, host)
        direct.session.cert = None
        with pytest.raises(requests.exceptions.ConnectionError):
            direct.session.get(f"{direct.url}/api/health", timeout=5)


def test_the_cookie_is_for_encrypted_connections_only(stack: Stack) -> None:
    cookies = [cookie for cookie in Visitor(stack).log_in().session.cookies if cookie.name == "grafana_session"]
    assert cookies and all(cookie.secure for cookie in cookies)


def test_organisations_have_what_was_declared_for_them(stack: Stack) -> None:
    visitor = Visitor(stack).administrator()
    numbers = {its["name"]: its["id"] for its in visitor.get("/api/orgs")}
    visitor.session.headers["X-Grafana-Org-Id"] = str(numbers["Network"])
    assert [its["uid"] for its in visitor.get("/api/datasources")] == ["copy"]


def answered(stack: Stack) -> Counter[str]:
    """Instance → requests that the holder of the address has handed to it."""
    url = f"https://{stack.hosts[stack.holder()]}:8404/metrics"
    lines = stack.member.get(url, timeout=10).text.splitlines()
    found = (re.match(r'haproxy_server_sessions_total\{proxy="grafana",server="([^"]+)"\} (\d+)', line) for line in lines)
    return Counter({match[1]: int(match[2]) for match in found if match})


def asked(stack: Stack) -> list[int]:
    """A run of 30 requests on connections of their own: how many each instance was handed meanwhile, the most first."""
    before, run = answered(stack), {RUN_HEADER: uuid.uuid4().hex}
    for _ in range(30):
        visitor = Visitor(stack).administrator()
        visitor.session.headers.update(run)
        visitor.get("/api/org")
        visitor.session.close()
    return sorted((answered(stack) - before).values(), reverse=True)


def test_what_one_run_asks_is_answered_by_one_instance(stack: Stack) -> None:
    runs = [asked(stack) for _ in range(9)]
    # A backup may have asked for something meanwhile, too: nothing can be told by that.
    quiet = [counts for counts in runs if sum(counts) < 35]
    assert len(quiet) >= 3 and all(counts[0] >= 30 for counts in quiet), runs
