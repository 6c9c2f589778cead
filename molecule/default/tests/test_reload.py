"""A reload costs nothing, now or when what it has replaced ends; nor does a query engine that goes. Grafana's restart costs no save."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Callable
from functools import partial

import requests
from ansible_collections.monitoring.ha.plugins.module_utils.catalogue import COMPONENTS
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

from tests.scenario.grafana import Visitor
from tests.scenario.numbered import Writer, writing
from tests.scenario.stack import Stack, wait_for

#: As many at a time that there is one at every moment.
ASKING = 4
ENGINE = COMPONENTS["thanos_query"].ports["http"].number
STORES = ("thanos_sidecar", "thanos_store")
#: Connections to stores are let go at least so many seconds apart, with all others that a proxy has.
APART = 0.4


def test_queries_have_an_answer_while_the_proxy_that_a_reload_has_replaced_ends(stack: Stack) -> None:
    """It has the connections of the query engine on its host to every store."""
    host, address = next(iter(stack.hosts.items()))
    url = f"https://{address}:{ENGINE}/api/v1/query"

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

    ports = " or ".join(f"dport = :{COMPONENTS[store].ports['grpc'].number}" for store in STORES)

    def connections() -> set[tuple[str, str]]:
        """The proxy's to stores: its own end → the store's."""
        lines = stack.run(host, f"ss -Htn state established '( {ports} )'").splitlines()
        ends = [(line.split()[2], line.split()[3]) for line in lines]
        return {(own, store) for own, store in ends if not own.startswith("127.")}

    with contextlib.ExitStack() as all_of_them:
        sessions = [all_of_them.enter_context(requests.Session()) for _ in range(ASKING)]
        clients = [Writer(asking(session), (requests.RequestException, AssertionError), pause=0) for session in sessions]
        for client in clients:
            all_of_them.enter_context(writing(client, lead=0.5))
        old = processes()
        had = connections()
        stack.run(host, "systemctl reload monitoring-ha-proxy.service")
        looks: list[tuple[float, set[str]]] = []

        def ended() -> bool:
            looks.append((time.monotonic(), {store for _own, store in had & connections()}))
            return not old & processes()

        wait_for("the old process has ended", ended, 60, interval=0.1)
        for client in clients:
            client.until_written(20)
    assert len(looks[0][1]) > 1, looks[0]
    for (then, before), (now, after) in itertools.pairwise(looks):
        assert len(before - after) <= 1 + (now - then) / APART, (now - then, before, after)
    print(f"\n{sum(len(client.acknowledged) for client in clients)} queries while a proxy was replaced")
    assert [client.errors for client in clients] == [[]] * ASKING


def test_engines_start_anew_or_die_one_after_the_other_and_no_query_fails(stack: Stack) -> None:
    """The frontend beside one answers what it had under way there with an error, and the load balancer asks another.

    Only that is asked for: an engine that is back before a check has missed it may take queries before it knows its stores.
    """

    def ask(_number: int) -> None:
        stack.query('up{job="node_exporter"}', timeout=10)

    clients = [Writer(ask, (requests.RequestException,), pause=0) for _ in range(ASKING)]
    with contextlib.ExitStack() as all_of_them:
        for client in clients:
            all_of_them.enter_context(writing(client, lead=0.5))
        for how, (host, address) in zip(itertools.cycle(("restart", "kill --signal=KILL")), stack.hosts.items(), strict=False):
            stack.run(host, f"systemctl {how} thanos-query.service")
            wait_for(f"the engine on {host}", partial(stack.member.get, f"https://{address}:{ENGINE}/-/ready", timeout=5), 60)
            # Until the load balancers have its frontend again.
            for client in clients:
                client.until_written(60, least=3)
    print(f"\n{sum(len(client.acknowledged) for client in clients)} queries while every engine started anew or died")
    assert [client.errors for client in clients] == [[]] * ASKING


def test_instances_of_grafana_start_anew_one_after_the_other_and_every_save_is_taken(stack: Stack) -> None:
    visitors = {f"restarts-{n}": Visitor(stack).administrator() for n in range(ASKING)}

    # On a kept connection whose server has gone HAProxy says nothing and closes it, for clients to ask again, as browsers do.
    again = Retry(read=1, connect=0, status=0, other=0, redirect=0, allowed_methods=None)

    def saving(uid: str, visitor: Visitor) -> Writer:
        visitor.session.mount("https://", HTTPAdapter(max_retries=again))
        return Writer(lambda number: visitor.save(uid, f"Restarts {number}"), (requests.RequestException,), pause=0.05)

    clients = {uid: saving(uid, visitor) for uid, visitor in visitors.items()}
    with contextlib.ExitStack() as all_of_them:
        for client in clients.values():
            all_of_them.enter_context(writing(client, lead=0.5))
        for host in stack.hosts:
            stack.run(host, "systemctl restart grafana.service")
            wait_for(f"Grafana on {host}", partial(Visitor(stack, host).get, "/api/health"), 60)
            # Until the load balancers have it again.
            for client in clients.values():
                client.until_written(60, least=2)
    print(f"\n{sum(len(client.acknowledged) for client in clients.values())} saves while every instance started anew")
    assert {uid: client.errors for uid, client in clients.items()} == {uid: [] for uid in clients}
    for uid, visitor in visitors.items():
        assert visitor.get(f"/api/dashboards/uid/{uid}")["dashboard"]["title"] == f"Restarts {clients[uid].acknowledged[-1]}"
        visitor.session.delete(f"{visitor.url}/api/dashboards/uid/{uid}", timeout=10).raise_for_status()
