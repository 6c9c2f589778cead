"""What an export does where Grafana does not give everything."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.errors import Blocked, Incomplete
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.kinds import DEFAULT

from .small import running

#: What lists the objects of each kind. Permissions have no list of their own.
LISTS = {
    "service_accounts": "/api/serviceaccounts/search",
    "teams": "/api/teams/search",
    "data_sources": "/api/datasources",
    "folders": "/api/search",
    "library_panels": "/api/library-elements",
    "dashboards": "/api/search",
    "templates": "/api/v1/provisioning/templates",
    "mute_timings": "/api/v1/provisioning/mute-timings",
    "contact_points": "/api/v1/provisioning/contact-points",
    "notification_policies": "/api/v1/provisioning/policies",
    "alert_rules": "/api/v1/provisioning/alert-rules",
    "playlists": "/api/playlists",
    "preferences": "/api/teams/search",
}


def test_all_kinds_with_lists() -> None:
    assert set(DEFAULT) - LISTS.keys() == {"folder_permissions", "dashboard_permissions"}


@pytest.mark.parametrize("kind", LISTS)
def test_a_list_that_is_refused(kind: str, tmp_path: Path) -> None:
    """It is named, and the rest is written on demand."""
    with running() as grafana:
        grafana.main.folder("f", "F")
        grafana.main.dashboard("d", "D", "f")
        grafana.main.source("s", "S")
        grafana.refused["GET", LISTS[kind]] = 403
        with pytest.raises(Incomplete, match=f"main: {'folders' if kind == 'dashboards' else kind} .*403") as caught:
            grafana.export(tmp_path / "tree", {"kinds": [kind]})
        assert [one.key for one in caught.value.failures] == ["*"] and not (tmp_path / "tree").exists()
        done = grafana.export(tmp_path / "tree", keep_going=True)
        failed = {one.kind for one in done.failures}
        assert failed == {name for name, path in LISTS.items() if path == LISTS[kind]} | (
            {"dashboard_permissions"} if kind in ("folders", "dashboards") else set()
        )
        manifest = json.loads((tmp_path / "tree" / "manifest.json").read_text())
        assert {(one["kind"], one["key"], one["status"]) for one in manifest["failures"]} == {(one, "*", 403) for one in failed}
        written = {path.parts[-2] for path in (tmp_path / "tree").rglob("*.json")}
        assert written >= {"data_sources", "notification_policies"} - failed
        grafana.refused.clear()
        with pytest.raises(Blocked, match=f"the tree lacks {len(failed)} objects"):
            grafana.bring(tmp_path / "tree", prune=True)
