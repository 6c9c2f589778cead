"""A reload costs nothing, now or when what it has replaced comes to its end."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import requests
from ansible_collections.monitoring.ha.plugins.module_utils.catalogue import COMPONENTS

from tests.scenario.numbered import Writer, writing
from tests.scenario.stack import Stack, wait_for

#: As many at a time that there is one at every moment.
ASKING = 4


def test_queries_have_an_answer_while_the_proxy_that_a_reload_has_replaced_ends(stack: Stack) -> None:
    """It has the connections of the query engine on its host to every store."""
    host, address = next(iter(stack.hosts.items()))
    url = f"https://{address}:{COMPONENTS['thanos_query'].ports['http'].number}/api/v1/query"

    def asking(session: requests.Session) -> Callable[[int], None]:
        session.trust_env, session.verify, session.cert = False, stack.member.verify, stack.member.cert

        def ask(_number: int) -> None:
            answer = session.get(url, params={"query": 'up{job="node_exporter"}'}, timeout=10)
            answer.raise_for_status()
            found = [series["metric"]["host"] for series in answer.json()["data"]["result"]]
            assert sorted(found) == sorted(stack.hosts), answer.text

        return ask

    def processes() -> set[str]:
        return set(stack.run(host, "pgrep -P $(systemctl show -P MainPID monitoring-ha-proxy.service)").split())

    with contextlib.ExitStack() as all_of_them:
        sessions = [all_of_them.enter_context(requests.Session()) for _ in range(ASKING)]
        clients = [Writer(asking(session), (requests.RequestException, AssertionError), pause=0) for session in sessions]
        for client in clients:
            all_of_them.enter_context(writing(client, lead=0.5))
        old = processes()
        stack.run(host, "systemctl reload monitoring-ha-proxy.service")
        wait_for("the old process has ended", lambda: old and not old & processes(), 60)
        for client in clients:
            client.until_written(20)
    print(f"\n{sum(len(client.acknowledged) for client in clients)} queries while a proxy was replaced")
    assert [client.errors for client in clients] == [[]] * ASKING
