"""Whoever interrupts a drill leaves nothing broken behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible import context
from ansible.cli.adhoc import AdHocCLI
from ansible.cli.playbook import PlaybookCLI
from ansible_collections.monitoring.ha.plugins.action import drill_fault
from ansible_collections.monitoring.ha.plugins.plugin_utils.drill import guardian, record, watch
from ansible_collections.monitoring.ha.plugins.plugin_utils.drill.clock import FILE

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


def start(directory: Path, parent: int, power: float = 300) -> subprocess.Popen[bytes]:
    main = f"from pathlib import Path; from {guardian.PACKAGE} import guardian; guardian.POWER = {power}; "
    main += f"guardian.main(Path({str(directory)!r}), {parent}, ['address'])"
    command = [sys.executable, "-c", main]
    return subprocess.Popen(command, start_new_session=True)


def test_a_drill_that_is_told_to_stop_ends_with_its_ledger(directory: Path, playbook: subprocess.Popen[bytes]) -> None:
    process = start(directory, playbook.pid)
    assert watch.await_ready(directory, ["address"], 20) == []
    watch.stop(directory)
    assert process.wait(timeout=120) == 0
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
    assert process.wait(timeout=120) == 0
    assert (directory / "first").exists() and (directory / "second").read_text() == "mended\n"
    assert [one.what for one in record.events(directory)] == ["mended by the guardian"]
    assert record.mends(directory) == {} and not (directory / guardian.SETTINGS).exists()


def test_what_gives_a_host_its_power_is_tried_until_it_works(directory: Path, playbook: subprocess.Popen[bytes]) -> None:
    attempts = directory / "attempts"
    trial = f"echo >>{attempts}; test $(wc -l <{attempts}) -ge 4"
    record.promise_to_mend(directory, 0, ["/bin/sh", "-c", f"echo >>{directory}/power"], {}, power=True)
    record.promise_to_mend(directory, 1, ["/bin/sh", "-c", trial], {})
    process = start(directory, playbook.pid, power=1)
    assert watch.await_ready(directory, ["address"], 20) == []
    # The playbook need not wait for it.
    watch.stop(directory)
    assert len(record.mends(directory)) == 2 and guardian.alive(process.pid)
    assert process.wait(timeout=120) == 0 and len(attempts.read_text().splitlines()) == 4
    # What cut the power may still have been at work when power was given.
    assert (directory / "power").read_text() == "\n" * 4 and record.mends(directory) == {}
    assert [one.what for one in record.events(directory)] == ["mended by the guardian"]


def test_what_the_playbook_could_not_mend_is_mended_when_the_probes_end(directory: Path, playbook: subprocess.Popen[bytes]) -> None:
    record.promise_to_mend(directory, 0, ["/bin/sh", "-c", f"touch {directory}/done"], {})
    process = start(directory, playbook.pid)
    assert watch.await_ready(directory, ["address"], 20) == []
    assert not (directory / "done").exists()
    watch.stop(directory)
    assert process.wait(timeout=120) == 0 and playbook.poll() is None and (directory / "done").exists()
    assert [one.what for one in record.events(directory)] == ["mended by the guardian"]


def test_without_probes_it_looks_after_what_is_left_on_hosts(directory: Path, playbook: subprocess.Popen[bytes]) -> None:
    record.promise_to_mend(directory, 0, ["/bin/sh", "-c", f"touch {directory}/mended"], {})
    process = subprocess.Popen([sys.executable, "-m", f"{guardian.PACKAGE}.guardian", str(directory), str(playbook.pid)])
    time.sleep(1)
    assert process.poll() is None and not (directory / "mended").exists()
    playbook.kill()
    playbook.wait()
    assert process.wait(timeout=120) == 0 and (directory / "mended").exists()


def test_without_probes_it_ends_when_nothing_is_left(directory: Path) -> None:
    record.promise_to_mend(directory, 0, ["/bin/sh", "-c", f"touch {directory}/mended"], {})
    watch.start(directory, [])
    assert guardian.noted(directory / guardian.PROCESS)
    watch.leave(directory)
    assert not guardian.noted(directory / guardian.PROCESS) and not (directory / "mended").exists()


def test_what_was_mended_is_not_mended_again(directory: Path, playbook: subprocess.Popen[bytes]) -> None:
    record.promise_to_mend(directory, 0, ["/bin/sh", "-c", f"touch {directory}/again"], {})
    process = start(directory, playbook.pid)
    assert watch.await_ready(directory, ["address"], 20) == []
    record.mended(directory)
    playbook.kill()
    playbook.wait()
    process.wait(timeout=120)
    assert not (directory / "again").exists()


def test_a_probe_that_never_sees_anything_good_is_named(directory: Path, playbook: subprocess.Popen[bytes]) -> None:
    settings = json.loads((directory / guardian.SETTINGS).read_text())
    record.secret(directory / guardian.SETTINGS, {**settings, "address": "https://127.0.0.1:9"})
    process = start(directory, playbook.pid)
    assert eventually(lambda: (directory / "address.jsonl").exists())
    (words,) = watch.await_ready(directory, ["address"], 2)
    assert "the probe address sees nothing good before the drill" in words and "refused" in words
    watch.stop(directory)
    process.wait(timeout=120)


def test_a_playbook_that_is_left_over_and_its_number_in_other_hands_are_no_playbook() -> None:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    since = guardian.born(process.pid)
    assert since and guardian.alive(process.pid) and guardian.alive(process.pid, since)
    # Another process that has got the same number.
    assert not guardian.alive(process.pid, str(int(since) - 1))
    process.kill()
    # Nobody has waited for it yet.
    assert eventually(lambda: not guardian.alive(process.pid, since))
    assert process.returncode is None and guardian.born(process.pid) == ""
    process.wait()
    assert not guardian.alive(process.pid)


def test_a_playbook_that_nobody_has_waited_for_is_gone(directory: Path, playbook: subprocess.Popen[bytes]) -> None:
    record.promise_to_mend(directory, 0, ["/bin/sh", "-c", f"touch {directory}/done"], {})
    process = start(directory, playbook.pid)
    assert watch.await_ready(directory, ["address"], 20) == []
    playbook.kill()
    assert process.wait(timeout=120) == 0 and (directory / "done").exists()


def test_a_guardian_is_written_down_until_it_has_ended(directory: Path) -> None:
    watch.start(directory, ["address"])
    process = guardian.noted(directory / guardian.PROCESS)
    assert process and watch.await_ready(directory, ["address"], 20) == []
    watch.stop(directory)
    assert eventually(lambda: guardian.noted(directory / guardian.PROCESS) == 0)


class Waits:
    """A probe that ends at some moment, if nobody ends it before."""

    def __init__(self, clock: list[float], end: float) -> None:
        self.clock, self.end, self.killed = clock, end, 0.0

    def poll(self) -> int | None:
        return 0 if self.killed or self.clock[0] >= self.end else None

    def kill(self) -> None:
        self.killed = self.clock[0]


@pytest.mark.parametrize(
    ("settings", "lasts", "kept"),
    [({"page_patience": 160}, 170, True), ({"page_patience": 160}, 400, False), ({"page_patience": 20}, 110, True), ({}, 130, False)],
)
def test_a_probe_may_wait_for_the_last_pages(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, passing: list[float], settings: dict[str, Any], lasts: float, kept: bool
) -> None:
    record.secret(tmp_path / guardian.SETTINGS, settings)
    (tmp_path / record.STOP).touch()
    probe = Waits(passing, passing[0] + lasts)
    monkeypatch.setattr(guardian, "start", lambda *_given: probe)
    monkeypatch.setattr(signal, "signal", lambda *_given: None)
    guardian.main(tmp_path, os.getpid(), ["pages"])
    assert (probe.killed == 0) is kept and not (tmp_path / guardian.SETTINGS).exists()


def test_who_tells_probes_to_stop_waits_for_as_long_as_they_may(tmp_path: Path, passing: list[float]) -> None:
    record.secret(tmp_path / guardian.SETTINGS, {"page_patience": 160})
    begun = passing[0]
    # The guardian has died, and nobody says that they have ended.
    watch.stop(tmp_path)
    assert passing[0] - begun > guardian.AFTER_PAGES + 160 and (tmp_path / record.STOP).exists()


# --- power ----------------------------------------------------------------------------------------------------------


def until_done(mender: guardian.Mender, clock: list[float]) -> float:
    """Seconds until the guardian has ended."""
    began = clock[0]
    while not mender.done():
        clock[0] += 1
    return clock[0] - began


def logs(path: Path, then: str = "true") -> list[str]:
    return ["/bin/sh", "-c", f"echo >>{path}; {then}"]


def times(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def test_power_is_given_until_nothing_cuts_it_any_more_and_everything_else_once(tmp_path: Path, clock: list[float]) -> None:
    """What was to cut it is an order that may be carried out after the playbook has gone, when power has been given already."""
    # As if the clock on the wall had been set since the drill began.
    (tmp_path / FILE).write_text("-900.0", encoding="utf-8")
    record.promise_to_mend(tmp_path, 0, logs(tmp_path / "power"), {}, power=True)
    record.promise_to_mend(tmp_path, 1, logs(tmp_path / "hosts"), {})
    mender = guardian.Mender(tmp_path)
    assert not mender.done() and times(tmp_path / "power") == 1
    took = until_done(mender, clock)
    assert guardian.POWER <= took <= guardian.POWER + guardian.LONGEST_PAUSE
    assert times(tmp_path / "power") >= guardian.POWER / guardian.LONGEST_PAUSE and times(tmp_path / "hosts") == 1
    assert [(one.at, one.what) for one in record.events(tmp_path)] == [(clock[0] - 900, "mended by the guardian")]
    assert record.mends(tmp_path) == {}


def test_power_that_was_given_before_it_was_cut_for_certain_is_given_once_more(tmp_path: Path, clock: list[float]) -> None:
    """A command that takes longer than the order to cut it may was begun too soon."""
    record.promise_to_mend(tmp_path, 0, ["lasts"], {}, power=True)
    mender, begun = guardian.Mender(tmp_path), []

    def lasts(_its: Any) -> bool:
        begun.append(clock[0])
        clock[0] += 200
        return True

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(guardian, "works", lasts)
        until_done(mender, clock)
    assert begun == [1000, 1202, 1406]


def test_what_gives_power_may_take_as_long_as_in_the_playbook(monkeypatch: pytest.MonkeyPatch) -> None:
    assert drill_fault.POWER is guardian.POWER
    monkeypatch.setattr(guardian, "MENDING", 0.1)
    its = {"command": ["sleep", "0.5"], "environment": {}}
    assert guardian.works({**its, "power": True}) and not guardian.works({**its, "power": False})


def parsed(cli: Any) -> dict[str, Any]:
    """What a command of Ansible's makes of its words."""
    cli.init_parser()
    found: dict[str, Any] = vars(cli.parser.parse_args(cli.args[1:]))
    return found


def test_what_mends_reaches_hosts_as_the_run_does(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["-i", "site", "-e", "a=1", "-u", "admin", "--private-key", "key", "-b", "--become-user", "root", "--become-method", "doas"]
    words += ["-c", "ssh", "--ssh-common-args", "-o ProxyJump=gate", "--ssh-extra-args=-v", "--sftp-extra-args=-q"]
    words += ["--connection-password-file", "ssh.password", "--become-password-file", "sudo.password", "-T", "9"]
    told = parsed(PlaybookCLI(["ansible-playbook", *words, "site.yml"]))
    assert told["become"] and told["ssh_common_args"] == "-o ProxyJump=gate" and told["remote_user"] == "admin"
    monkeypatch.setattr(context, "CLIARGS", told)
    asked = parsed(AdHocCLI(watch.ansible_command(["mon1", "mon2"])))
    for name in ("become", "extra_vars", *watch.CONNECTION):
        assert asked[name] == told[name], name
    assert asked["args"] == "mon1,mon2" and asked["module_name"] == "monitoring.ha.drill_fault_host"


def test_what_is_secret_is_for_its_owner_alone(directory: Path) -> None:
    record.promise_to_mend(directory, 0, ["true"], {})
    for path in (directory / guardian.SETTINGS, directory / record.MENDS / "0.json"):
        assert path.stat().st_mode & 0o777 == 0o600
