"""Whoever interrupts a drill leaves nothing broken behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.monitoring.ha.plugins.plugin_utils.drill import guardian, record, watch

from tests.unit.identities import Site
from tests.unit.servers import eventually, serve, texts


@pytest.fixture
def playbook() -> Iterator[subprocess.Popen[bytes]]:
    """A process that a drill belongs to."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def directory(tmp_path: Path, pki: Site) -> Iterator[Path]:
    """Of a drill whose probe looks at an address."""
    work = tmp_path / "drill"
    work.mkdir()
    certificate, key = pki.files("controller")
    endpoints = {"ca": pki.ca, "client": {"certificate": certificate, "key": key}}
    with serve(texts({}), pki.context(asks=False)) as server:
        settings = {"directory": str(work), "run": "t1", "interval": 5, "address": server.url, "endpoints": endpoints}
        record.secret(work / guardian.SETTINGS, settings)
        yield work


def start(directory: Path, parent: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", f"{guardian.PACKAGE}.guardian", str(directory), str(parent), "address"]
    return subprocess.Popen(command, start_new_session=True)


def test_a_drill_that_is_told_to_stop_ends_with_its_ledger(directory: Path, playbook: subprocess.Popen[bytes]) -> None:
    process = start(directory, playbook.pid)
    assert watch.await_ready(directory, ["address"], 20) == []
    watch.stop(directory)
    assert process.wait(timeout=20) == 0
    (ledger,) = watch.ledgers(directory)
    assert ledger.attempts and ledger.cost and not (directory / guardian.SETTINGS).exists()
    assert record.events(directory) == []


def test_what_was_broken_is_mended_when_the_playbook_is_gone(directory: Path, playbook: subprocess.Popen[bytes]) -> None:
    # The first one does not work at once.
    trial = f"mkdir {directory}/tried 2>/dev/null && exit 1; touch {directory}/first"
    record.promise_to_mend(directory, 0, ["/bin/sh", "-c", trial], {})
    record.promise_to_mend(directory, 1, ["/bin/sh", "-c", f'echo "$WORD" >{directory}/second'], {"WORD": "mended"})
    process = start(directory, playbook.pid)
    assert watch.await_ready(directory, ["address"], 20) == []
    # An interrupt of the terminal is the playbook's alone.
    os.kill(process.pid, signal.SIGINT)
    playbook.kill()
    playbook.wait()
    assert process.wait(timeout=40) == 0
    assert (directory / "first").exists() and (directory / "second").read_text() == "mended\n"
    assert [one.what for one in record.events(directory)] == ["mended by the guardian"]
    assert record.mends(directory) == [] and not (directory / guardian.SETTINGS).exists()


def test_what_was_mended_is_not_mended_again(directory: Path, playbook: subprocess.Popen[bytes]) -> None:
    record.promise_to_mend(directory, 0, ["/bin/sh", "-c", f"touch {directory}/again"], {})
    process = start(directory, playbook.pid)
    assert watch.await_ready(directory, ["address"], 20) == []
    record.mended(directory)
    playbook.kill()
    playbook.wait()
    process.wait(timeout=40)
    assert not (directory / "again").exists()


def test_a_probe_that_never_sees_anything_good_is_named(directory: Path, playbook: subprocess.Popen[bytes]) -> None:
    settings = json.loads((directory / guardian.SETTINGS).read_text())
    record.secret(directory / guardian.SETTINGS, {**settings, "address": "https://127.0.0.1:9"})
    process = start(directory, playbook.pid)
    assert eventually(lambda: (directory / "address.jsonl").exists(), 20)
    (words,) = watch.await_ready(directory, ["address"], 2)
    assert "the probe address sees nothing good before the drill" in words and "refused" in words
    watch.stop(directory)
    process.wait(timeout=20)


def test_what_is_secret_is_for_its_owner_alone(directory: Path) -> None:
    record.promise_to_mend(directory, 0, ["true"], {})
    for path in (directory / guardian.SETTINGS, directory / record.MENDS / "0.json"):
        assert path.stat().st_mode & 0o777 == 0o600
