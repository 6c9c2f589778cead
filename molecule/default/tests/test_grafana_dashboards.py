"""The stack's dashboards and data sources, on the running stack."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

from tests.scenario import dashboards
from tests.scenario.grafana import Visitor
from tests.scenario.stack import Stack, wait_for


@pytest.fixture(scope="module")
def visitor(stack: Stack) -> Visitor:
    return Visitor(stack).administrator()


def test_data_sources_answer_through_grafana(stack: Stack, visitor: Visitor) -> None:
    sources = {its["uid"]: its for its in visitor.get("/api/datasources")}
    assert set(sources) == {"thanos", *(f"prometheus-{its['host']}" for its in stack.endpoints["prometheus"])}
    assert [uid for uid, its in sources.items() if its["isDefault"]] == ["thanos"]
    for uid in sources:
        assert wait_for(uid, partial(visitor.query, uid, 'count(up{job="node_exporter"} == 1)'), 60)[0]["value"][1] == "3"


@pytest.fixture
def without_thanos(stack: Stack) -> Iterator[None]:
    units = "thanos-query-frontend thanos-query"
    for host in stack.hosts:
        stack.run(host, f"systemctl stop {units}")
    yield
    for host in stack.hosts:
        stack.run(host, f"systemctl start {units}")


def test_replicas_answer_without_thanos(stack: Stack, visitor: Visitor, without_thanos: None) -> None:
    for its in stack.endpoints["prometheus"]:
        assert visitor.query(f"prometheus-{its['host']}", "count(up)")


def test_every_dashboard_is_there(visitor: Visitor) -> None:
    found = {its["uid"]: its.get("folderTitle") for its in visitor.get("/api/search", type="dash-db", limit=5000)}
    for file in dashboards.DEMO:
        assert found.get(f"monitoring-ha-{file.stem}") == "Monitoring stack"


@pytest.mark.parametrize("name", [file.stem for file in dashboards.DEMO])
def test_every_panel_shows_something(visitor: Visitor, name: str) -> None:
    mine = [(panel, letter, text) for panel in dashboards.PANELS if panel.dashboard == name for letter, text in panel.expressions.items()]

    def filled() -> bool:
        empty = [f"{panel.title} ({letter}): {text}" for panel, letter, text in mine if not visitor.query("thanos", text)]
        assert not empty, empty
        return True

    assert wait_for("data in every panel", filled, 120, 5)
