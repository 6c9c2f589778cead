"""Notification policies: what of Grafana 13 is beyond the provisioning API."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.monitoring.ha.plugins.module_utils.grafana import exporter
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.client import Client, Connection
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.errors import Incomplete
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.selection import Selection

from tests.unit.servers import Answer, serve, texts

GROUP = "notifications.alerting.grafana.app"
PATH = f"/apis/{GROUP}/v1beta1/namespaces/default"
Export = Callable[..., exporter.Exported]


def names(*found: str) -> str:
    return json.dumps({"items": [{"metadata": {"name": name}} for name in found]})


@pytest.fixture
def export(tmp_path: Path) -> Export:
    """Exports the policies of a Grafana that lists these resources."""

    def run(resources: dict[str, str | Answer], *, served: str = "v1beta1", chosen: tuple[str, ...] = (), **options: Any) -> Any:
        groups = [{"name": GROUP, "versions": [{"version": served}]}] if served else []
        answers: dict[str, str | Answer] = {
            "/api/health": '{"version": "13.0.1"}',
            "/apis": json.dumps({"groups": groups}),
            "/api/org": '{"id": 1, "name": "Main Org."}',
            "/api/search": "[]",
            "/api/v1/provisioning/policies": '{"receiver": "mail"}',
            **{f"{PATH}/{resource}": answer for resource, answer in resources.items()},
        }
        selection = Selection(kinds=("notification_policies",), names=chosen)
        with serve(texts(answers)) as server, Client(Connection(server.url, "admin", "pw", retries=0)) as client:
            return exporter.export(client, tmp_path / "tree", selection=selection, **options)

    return run


@pytest.mark.parametrize(
    "resources",
    [
        {"routingtrees": names("user-defined"), "inhibitionrules": names()},
        {"routingtrees": names("called otherwise"), "inhibitionrules": names()},
        {"routingtrees": names("user-defined")},
        {},
    ],
)
@pytest.mark.parametrize("served", ["v1beta1", ""])
def test_nothing_is_beyond(served: str, resources: dict[str, str], export: Export) -> None:
    done = export(resources, served=served)
    assert done.counts["Main Org."] == {"notification_policies": 1} and not done.failures


def test_a_further_tree_fails_the_export(export: Export, tmp_path: Path) -> None:
    with pytest.raises(Incomplete, match="routing_trees night: it is of no kind that can be exported"):
        export({"routingtrees": names("night", "user-defined")})
    assert not (tmp_path / "tree").exists()


def test_an_inhibition_rule_fails_the_export(export: Export) -> None:
    with pytest.raises(Incomplete, match="inhibition_rules quiet"):
        export({"routingtrees": names("user-defined"), "inhibitionrules": names("quiet")})


def test_each_is_named_where_the_export_goes_on(export: Export, tmp_path: Path) -> None:
    found = {"routingtrees": names("day", "night", "user-defined"), "inhibitionrules": names("quiet")}
    done = export(found, keep_going=True)
    wanted = [("routing_trees", "day"), ("routing_trees", "night"), ("inhibition_rules", "quiet")]
    assert [(one.kind, one.key) for one in done.failures] == wanted
    manifest = json.loads((tmp_path / "tree" / "manifest.json").read_text())
    assert [(one["kind"], one["key"]) for one in manifest["failures"]] == wanted
    assert done.counts["Main Org."] == {"notification_policies": 1}
    # What was not asked for is not missing.
    assert not export(found, chosen=("policies",)).failures


def test_a_list_that_is_refused_is_not_an_empty_one(export: Export) -> None:
    with pytest.raises(Incomplete, match=r"notification_policies .*routingtrees: 403"):
        export({"routingtrees": Answer(b"{}", 403)})
