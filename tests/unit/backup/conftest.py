from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.monitoring.ha.plugins.module_utils.backup import job

from tests.unit.backup.site import FOLDER, HOSTS, RULES, World


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A Grafana with a dashboard, a rule group and a folder."""
    found = World(tmp_path, {HOSTS: "hosts", RULES: "disks", FOLDER: "linux"})
    monkeypatch.setattr(job.Work, "export", lambda work: found.export(work))
    return found
