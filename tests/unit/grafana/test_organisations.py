"""Which organisations there are, whatever the numbers of the pages."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from ansible_collections.monitoring.ha.plugins.module_utils import https
from ansible_collections.monitoring.ha.plugins.module_utils.grafana import organisations, paging
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.client import Client, Connection
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.errors import GrafanaError, Incomplete
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.kinds import KINDS
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.organisation import Org
from ansible_collections.monitoring.ha.plugins.modules import grafana_organisations

from tests.unit.servers import Answer, Request, serve, texts

#: Where the page of a number begins, in pages.
FIRST: dict[str, Callable[[int], int]] = {
    "numbered from 0, as Grafana does": lambda number: number,
    "from 1, and 0 counts as 1": lambda number: max(number, 1) - 1,
    "from 1, and nothing is at 0": lambda number: number - 1 if number else 1 << 20,
}


@pytest.mark.parametrize("first", FIRST)
@pytest.mark.parametrize("total", [1, paging.ORGANISATIONS, paging.ORGANISATIONS + 1, 2 * paging.ORGANISATIONS])
def test_all_of_them(first: str, total: int) -> None:
    all_of_them = [{"id": number, "name": f"o{number}"} for number in range(1, total + 1)]

    def page(number: int) -> list[dict[str, Any]]:
        start = FIRST[first](number) * paging.ORGANISATIONS
        return all_of_them[start : start + paging.ORGANISATIONS]

    assert paging.organisations(page) == {f"o{number}": number for number in range(1, total + 1)}


def test_over_http() -> None:
    def answer(request: Request) -> Answer:
        if request.path == "/api/org":
            return Answer(b'{"id": 7, "name": "own"}')
        number = int(parse_qs(urlsplit(request.path).query)["page"][0])
        return Answer(json.dumps([{"id": 7, "name": "own"}, {"id": 8, "name": "other"}] if number == 0 else []).encode())

    with serve(answer) as server, Client(Connection(server.url, "admin", "pw")) as client:
        assert organisations.every(client) == {"own": 7, "other": 8}
        assert grafana_organisations.existing(https.Client("127.0.0.1", server.port, tls=False)) == {"own": 7, "other": 8}


@pytest.mark.parametrize("listed", ["[]", '[{"id": 8, "name": "other"}]'])
def test_a_list_without_the_own_organisation_is_not_believed(listed: str) -> None:
    def answer(request: Request) -> Answer:
        return Answer(b'{"id": 7, "name": "own"}' if request.path == "/api/org" else listed.encode())

    lacking = pytest.raises(GrafanaError, match="the list of organisations lacks 'own'")
    with serve(answer) as server, Client(Connection(server.url, "admin", "pw")) as client, lacking:
        list(organisations.listed(client, ["all"], "", {}))


@pytest.mark.parametrize("status", [403, 404])
@pytest.mark.parametrize(("health", "fails"), [("12.4.0", True), ("13.0.1", True), ("13.1.0-pre", True), ("11.6.0", False), ("", False)])
def test_a_proxy_that_keeps_the_resource_api_back(health: str, fails: bool, status: int) -> None:
    """Without it, dashboards would come in a schema that they are not stored in."""
    answers: dict[str, str | Answer] = {"/api/health": json.dumps({"version": health} if health else {}), "/apis": Answer(b"{}", status)}
    with serve(texts(answers)) as server, Client(Connection(server.url, "admin", "pw")) as client:
        if fails:
            with pytest.raises(GrafanaError, match=f"GET /apis: {status}.*Grafana {health} has /apis"):
                organisations.instance(client)
        else:
            assert organisations.instance(client) == (health, {})


def test_a_dashboard_of_the_new_schema_is_not_taken_in_the_old_one() -> None:
    """As Grafana 13 with a hidden version gives it behind such a proxy."""
    meta = {"apiVersion": "v2beta1", "folderUid": ""}
    answers = {
        "/api/search": json.dumps([{"uid": "new", "title": "New"}]),
        "/api/dashboards/uid/new": json.dumps({"dashboard": {"uid": "new", "title": "New", "version": 1}, "meta": meta}),
    }
    unreadable = pytest.raises(Incomplete, match=r"dashboards new .*it is stored as v2beta1")
    with serve(texts(answers)) as server, Client(Connection(server.url, "admin", "pw")) as client, unreadable:
        list(KINDS["dashboards"].read_all(Org(client, 1, "Main Org.", True)))
