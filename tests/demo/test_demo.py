"""One command brings the stack up on this machine, changes nothing when given again, and another one removes every trace."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator

import docker
import pytest
import requests

from tools.demo import STATE
from tools.steps import LOGS, ROOT


def demo(*arguments: str) -> str:
    """What the command says."""
    done = subprocess.run([sys.executable, "-m", "tools.demo", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=3000)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def changes() -> list[int]:
    """How much the last run of the site changed, host by host."""
    return [int(number) for number in re.findall(r"changed=(\d+)", (LOGS / "demo-site.log").read_text(encoding="utf-8"))]


@pytest.fixture(scope="module")
def said() -> Iterator[str]:
    """The demo, from nothing; gone afterwards."""
    demo("down")
    try:
        yield demo("up")
    finally:
        demo("down")


def test_it_says_what_runs_where_and_how_to_open_it(said: str) -> None:
    assert "What runs where" in said and "How to open it" in said
    assert re.search(r"Prometheus +mon1, mon2", said)
    assert str(STATE / "pki" / "ca.pem") in said
    secrets = [path.read_text(encoding="utf-8").strip() for path in (STATE / "secrets").iterdir()]
    assert secrets and not [secret for secret in secrets if secret in said]


def test_the_file_for_programs_opens_it(said: str) -> None:
    assert (STATE / "endpoints.json").stat().st_mode & 0o077 == 0
    found = json.loads((STATE / "endpoints.json").read_text(encoding="utf-8"))
    assert set(found["hosts"]) == {"mon1", "mon2", "mon3"} and found["vip"]
    login = (found["query"]["user"], found["query"]["password"])
    answer = requests.get(f"{found['query']['url']}/api/v1/query", params={"query": "up"}, auth=login, verify=found["ca"], timeout=10)
    assert {series["metric"]["host"] for series in answer.json()["data"]["result"]} == set(found["hosts"])


def test_a_second_run_changes_nothing(said: str) -> None:
    assert sum(changes()) > 0
    demo("up")
    assert changes() and sum(changes()) == 0


def test_nothing_is_left_of_it(said: str) -> None:
    demo("down")
    engine = docker.from_env()
    assert not [container.name for container in engine.containers.list(all=True) if str(container.name).startswith("ha-demo")]
    assert not engine.networks.list(names=["ha-demo"]) and not STATE.exists()
