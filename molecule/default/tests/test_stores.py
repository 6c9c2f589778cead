"""Who reaches no store is asked nothing: an answer out of nothing looks like that of a stack where nothing runs."""

from __future__ import annotations

import requests
from ansible_collections.monitoring.ha.plugins.module_utils.catalogue import COMPONENTS

from tests.scenario.stack import Stack, wait_for

STORES = " ".join(COMPONENTS[name].unit for name in ("thanos_sidecar", "thanos_store"))


def everywhere(stack: Stack, what: str) -> None:
    """Starts or stops whatever an engine asks, where it is."""
    for host in stack.hosts:
        stack.run(host, f"systemctl list-unit-files --no-legend {STORES} | cut -d' ' -f1 | xargs systemctl {what}")


def answers(stack: Stack) -> list[list[str]]:
    """The hosts that one query finds up; no answer where it is refused."""
    try:
        return [sorted(series["metric"]["host"] for series in stack.query('up{job="node_exporter"}'))]
    except requests.HTTPError as error:
        assert error.response.status_code == requests.codes.service_unavailable, error.response.text
        return []


def test_without_stores_queries_are_refused_and_the_first_answer_after_that_is_whole(stack: Stack) -> None:
    whole = [sorted(stack.hosts)]
    assert answers(stack) == whole
    try:
        everywhere(stack, "stop")
        wait_for("queries are refused", lambda: not answers(stack), 30)
        assert not any(answers(stack) for _ in range(20))
    finally:
        everywhere(stack, "start")
    assert wait_for("they are answered", lambda: answers(stack), 60, interval=0.05) == whole
