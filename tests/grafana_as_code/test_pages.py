"""The commands of the documentation, run in the order in which they stand there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import git_servers
from tests.stand_in.databases import DatabaseServer
from tests.stand_in.instances import ADMIN, Instance, Make, database_section

from .content import Filler, fill, rule
from .test_backup import Host

ROOT = Path(__file__).parents[2]
Start = Callable[[], Instance]


@pytest.fixture
def start(make: Make, postgres: DatabaseServer) -> Start:
    """Makes empty Grafanas."""
    return lambda: make("13.0.1", {"database": database_section(postgres, postgres.new_database())}).start()


def follow(page: str, directory: Path, **variables: str) -> str:
    """Does what a page says: files are written under their names, commands run. What they print."""
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT / "build" / "collections"),
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "build" / "collections"),
        "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
        "GRAFANA_PASSWORD": ADMIN[1],
        "GIT_AUTHOR_NAME": "x",
        "GIT_AUTHOR_EMAIL": "x@example.org",
        "GIT_COMMITTER_NAME": "x",
        "GIT_COMMITTER_EMAIL": "x@example.org",
        **variables,
    }
    text = (ROOT / "docs" / page).read_text()
    commands = ["set -e"]
    for language, block in re.findall(r"^```(sh|yaml)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        if language == "sh":
            commands.append(block)
        else:
            (directory / block.splitlines()[0].removeprefix("# ")).write_text(block)
    done = subprocess.run(
        ["bash", "-c", "\n".join(commands)], cwd=directory, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def test_version_control(start: Start, tmp_path: Path) -> None:
    instance = start()
    fill(instance)
    said = follow("grafana-version-control.md", tmp_path, GRAFANA_URL=instance.url)
    assert "0 files added, 0 changed, 0 removed" in said and "no difference" in said
    log = subprocess.run(["git", "log", "--stat"], cwd=tmp_path / "repository", capture_output=True, text=True, check=True).stdout
    assert "manifest.json" in log and "the-same-title.same1.json" in log


def test_promotion(start: Start, tmp_path: Path) -> None:
    staging, production = start(), start()
    to = Filler(staging)
    to.send("POST", "/api/datasources", {"uid": "metrics", "name": "Metrics", "type": "prometheus", "access": "proxy"})
    to.folder("shop", "Shop")
    to.dashboard("orders", "Orders", "shop")
    to.send("PUT", "/api/v1/provisioning/folder/shop/rule-groups/g", {"interval": 60, "rules": [rule("r", "r")]})
    there = Filler(production)
    source = {"uid": "metrics-production", "name": "Production", "type": "prometheus", "access": "proxy"}
    there.send("POST", "/api/datasources", source)
    there.dashboard("old", "old")
    shared = '{"__inputs": [{"name": "DS_PROMETHEUS", "type": "datasource", "pluginId": "prometheus"}], "title": "Downloaded"}'
    (tmp_path / "downloaded.json").write_text(shared)
    said = follow("grafana-promotion.md", tmp_path, GRAFANA_URL=production.url, STAGING_URL=staging.url)
    assert "created   dashboards Downloaded/Downloaded" in said
    assert [hit["uid"] for hit in production.get("/api/search?type=dash-db").json()] == ["orders"]
    panels = production.get("/api/dashboards/uid/orders").json()["dashboard"]["panels"]
    assert panels[0]["datasource"]["uid"] == "metrics-production"
    (found,) = production.get("/api/v1/provisioning/alert-rules").json()
    assert (found["provenance"], found["data"][0]["datasourceUid"]) == ("api", "metrics-production")


def test_migration(start: Start, tmp_path: Path) -> None:
    old, new = start(), start()
    fill(old)
    old.post("/api/orgs", {"name": "Second"}).raise_for_status()
    Filler(new).user("someone")
    said = follow("grafana-migration.md", tmp_path, GRAFANA_URL=new.url, OLD_URL=old.url)
    assert "secrets.data_sources.Metrics.basicAuthPassword is missing" in said and said.rstrip().endswith("equal")


def test_backup(start: Start, tmp_path: Path) -> None:
    """The part for when nothing is left but a remote."""
    old, new = start(), start()
    fill(old)
    Filler(new).user("someone")
    host = Host.make(tmp_path / "host", old, {"remote": git_servers.bare(tmp_path / "remote")})
    host.run("run")
    (tmp_path / "my-site").write_text("[all]\ngone ansible_host=192.0.2.1\n")
    said = follow("backup.md", tmp_path, GRAFANA_URL=new.url, REMOTE=str(tmp_path / "remote"))
    assert "25 dashboards added" in said and "Nothing was written" in said
    assert len(new.get("/api/search?type=dash-db").json()) == 25
