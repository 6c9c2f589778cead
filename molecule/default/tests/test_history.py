"""Blocks reach the object store, and the store gateway alone can answer from them."""

from __future__ import annotations

from typing import Any

from tests.scenario.stack import Stack, wait_for


def test_blocks_arrive_in_the_object_store(stack: Stack) -> None:
    uploaded = "sum(thanos_shipper_uploads_total)"
    assert wait_for("an uploaded block", lambda: any(float(s["value"][1]) > 0 for s in stack.query(uploaded)), 420, 5)


def test_the_store_gateway_alone_answers(stack: Stack) -> None:
    def answered() -> bool:
        # No sidecar is asked, and an incomplete answer is an error.
        parameters: dict[str, Any] = {"storeMatch[]": '{__address__=~".*:10905"}', "partial_response": "false"}
        return bool(stack.query('count(count_over_time(up{job="node_exporter"}[30m]))', **parameters))

    assert wait_for("an answer from the store gateway", answered, 300, 5)
