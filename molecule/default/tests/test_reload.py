"""A reload costs nothing, now or when what it has replaced comes to its end."""

from __future__ import annotations

import threading
import time

import requests
from ansible_collections.monitoring.ha.plugins.module_utils.catalogue import COMPONENTS

from tests.scenario.stack import Stack, wait_for

#: As many at a time that there is one at every moment.
ASKING = 4


def test_queries_have_an_answer_while_the_proxy_that_a_reload_has_replaced_ends(stack: Stack) -> None:
    """It has the connections of the query engine on its host to every store."""
    host, address = next(iter(stack.hosts.items()))
    url = f"https://{address}:{COMPONENTS['thanos_query'].ports['http'].number}/api/v1/query"
    over = threading.Event()
    answers: list[int | str] = []

    def ask() -> None:
        with requests.Session() as session:
            session.trust_env, session.verify, session.cert = False, stack.member.verify, stack.member.cert
            while not over.is_set():
                answer = session.get(url, params={"query": 'up{job="node_exporter"}'}, timeout=10)
                answers.append(len(answer.json()["data"]["result"]) if answer.ok else answer.text)

    def processes() -> set[str]:
        return set(stack.run(host, "pgrep -P $(systemctl show -P MainPID monitoring-ha-proxy.service)").split())

    asking = [threading.Thread(target=ask) for _ in range(ASKING)]
    for thread in asking:
        thread.start()
    try:
        old = processes()
        stack.run(host, "systemctl reload monitoring-ha-proxy.service")
        wait_for("the old process has ended", lambda: old and not old & processes(), 60)
        time.sleep(1)
    finally:
        over.set()
        for thread in asking:
            thread.join()
    print(f"\n{len(answers)} queries while a proxy was replaced")
    assert set(answers) == {len(stack.hosts)}
