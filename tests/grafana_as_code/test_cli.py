"""The command line, on a host that has Python and requests and nothing else."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path
from typing import Any

import pytest

from tests.stand_in.instances import ADMIN

from .content import SECRETS, fill
from .site import Site, objects

MODULE = "ansible_collections.monitoring.ha.plugins.module_utils.grafana"
#: As ``python3 -m``, where nothing of Ansible can be imported.
START = f"""
import runpy, sys
sys.modules["ansible"] = None
sys.argv[0] = "grafana"
runpy.run_module("{MODULE}", run_name="__main__", alter_sys=False)
"""


def environment(site: Site, **more: str) -> dict[str, str]:
    return {**os.environ, "GRAFANA_URL": site.instance.url, "GRAFANA_USER": ADMIN[0], "GRAFANA_PASSWORD": ADMIN[1], **more}


def run(site: Site, *words: str | Path, code: int = 0, **variables: str) -> str:
    command = [sys.executable, "-c", START, *map(str, words)]
    done = subprocess.run(command, env=environment(site, **variables), capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    assert ADMIN[1] not in done.stdout + done.stderr
    return done.stdout + done.stderr


def test_there_and_back(site: Site, other: Site, tmp_path: Path) -> None:
    fill(site.instance, site.number)
    other.fill.user("someone")
    tree = tmp_path / "tree"
    said = run(site, "export", tree, "--organisation", site.name)
    assert f"{site.name}: dashboards 25" in said and "files added, 0 changed, 0 removed" in said
    assert "0 files added, 0 changed, 0 removed" in run(site, "export", tree, "--organisation", site.name, "--check")
    target = ["--organisation-map", f"{site.name}={other.name}"]
    secrets = tmp_path / "secrets.json"
    secrets.write_text(json.dumps(SECRETS))
    said = run(site, "import", tree, *target, "--check", code=1)
    assert "PROBLEM" in said and "secrets.data_sources.Metrics.basicAuthPassword is missing" in said
    said = run(site, "import", tree, *target, "--check", "--diff", "--secrets", secrets, code=3)
    assert "created   dashboards Level 0/the same title" in said and '+  "title": "the same title"' in said
    assert f"{other.name}: dashboards 25 created" in run(site, "import", tree, *target, "--secrets", secrets)
    assert f"{other.name}: dashboards 25 unchanged" in run(site, "import", tree, *target)
    assert "no difference" in run(site, "diff", tree, *target)
    other.fill.dashboard("same1", "drifted", "level0")
    said = run(site, "diff", tree, *target, "--diff", code=3)
    assert "changed  dashboards Level 0/the same title" in said and '+  "title": "drifted",' in said
    found: dict[str, Any] = json.loads(run(site, "diff", tree, *target, "--json", code=3))
    differences = {word: [one["key"] for one in objects] for word, objects in found["differences"].items()}
    assert differences == {"added": [], "changed": ["same1"], "removed": []}
    run(site, "import", tree, *target)
    assert objects(other.export("copy")) == objects(tree)


def test_failures(site: Site, tmp_path: Path) -> None:
    assert "no address" in run(site, "export", tmp_path / "tree", code=1, GRAFANA_URL="")
    assert "no organisation 'Nobody'" in run(site, "export", tmp_path / "tree", "--organisation", "Nobody", code=1)
    assert "no such directory" in run(site, "import", tmp_path / "missing", code=1)
    wrong = run(site, "export", tmp_path / "tree", "--json", code=1, GRAFANA_PASSWORD="wrong")
    assert '"error": "Denied"' in wrong
    site.fill.send("PUT", "/api/org/preferences", {"theme": "dark"})
    assert "usage" in run(site, "export", code=2)


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_only_on_a_terminal(terminal: bool, site: Site, tmp_path: Path) -> None:
    fill(site.instance, site.number)
    command = [sys.executable, "-c", START, "export", str(tmp_path / "tree"), "--organisation", site.name]
    if not terminal:
        done = subprocess.run(command, env=environment(site), capture_output=True, check=True, timeout=120)
        assert done.stderr == b""
        return
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 120, 0, 0))
    process = subprocess.Popen(command, env=environment(site), stdout=subprocess.PIPE, stderr=follower)
    os.close(follower)
    shown = b""
    while True:
        try:
            data = os.read(leader, 4096)
        except OSError:
            break
        if not data:
            break
        shown += data
    assert process.wait(60) == 0
    assert b"dashboard_permissions" in shown or b"folder_permissions" in shown
    assert b" of " in shown and shown.rstrip(b"\r\n").endswith(b"\r\x1b[K"), "the line is gone at the end"
