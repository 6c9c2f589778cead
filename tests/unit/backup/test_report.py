"""What is told about runs."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.monitoring.ha.plugins.module_utils.backup import cli, job, report
from ansible_collections.monitoring.ha.plugins.module_utils.backup.errors import BackupError, Stopped
from ansible_collections.monitoring.ha.plugins.module_utils.backup.repository import Repository
from ansible_collections.monitoring.ha.plugins.module_utils.backup.settings import Settings
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.errors import Unreachable
from ansible_collections.monitoring.ha.plugins.module_utils.https import metric

from tests.unit.backup.site import HOSTS, World, bare, log, subjects, unreachable


def shown(member: Settings) -> str:
    return Path(member.textfile).read_text()


def value(member: Settings, name: str, **labels: str) -> float | None:
    found = metric(shown(member), f"monitoring_ha_backup_{name}", what="grafana", **labels)
    return found[0] if found else None


def test_metrics_of_a_run(world: World, tmp_path: Path) -> None:
    member = world.member(remotes={"one": bare(tmp_path / "one"), "two": tmp_path / "missing"}, max_age="2h")
    world.run(member)
    text = shown(member)
    assert stat.S_IMODE(Path(member.textfile).stat().st_mode) == 0o644
    for name, wanted in {"last_run_success": 1, "working": 1, "max_age_seconds": 7200, "unreadable_objects": 0}.items():
        assert value(member, name) == wanted, text
    assert value(member, "last_success_timestamp_seconds") == pytest.approx(world.now, abs=60)
    assert value(member, "last_success_timestamp_seconds") == value(member, "last_run_timestamp_seconds")
    assert (value(member, "remote_success", remote="one"), value(member, "remote_success", remote="two")) == (1, 0)
    assert value(member, "remote_last_success_timestamp_seconds", remote="two") == 0
    assert value(member, "objects", organisation="Main Org.", kind="dashboards") == 1
    assert 0 < (value(member, "duration_seconds") or 0) < 60


def test_what_stays_after_a_failure(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    member = world.member()
    world.run(member)
    success = value(member, "last_success_timestamp_seconds")
    world.now += 900

    def broken(_work: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(world, "export", broken)
    outcome = world.run(member)
    assert outcome.state == "failed" and "No space left" in outcome.why
    assert value(member, "last_run_success") == 0 and value(member, "objects") is None
    assert value(member, "last_success_timestamp_seconds") == success != value(member, "last_run_timestamp_seconds")


def test_a_bug_is_a_failure_that_is_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    member = world.member()

    def bug(_work: Any) -> None:
        raise KeyError("x")

    monkeypatch.setattr(world, "export", bug)
    with pytest.raises(KeyError):
        world.run(member)
    assert value(member, "last_run_success") == 0 and report.status(member)["why"] == "KeyError: 'x'"


def test_no_success_while_no_remote_has_it(world: World, tmp_path: Path) -> None:
    member = world.member(remotes={"one": bare(tmp_path / "one")})
    world.run(unreachable(member, "one"))
    assert value(member, "last_run_success") == 0 and value(member, "last_success_timestamp_seconds") == 0


def broken(_work: Any) -> None:
    raise Unreachable("no answer")


def test_a_remote_that_lacks_a_commit_has_not_everything_whatever_else_fails(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    member = world.member(remotes={"one": bare(tmp_path / "one"), "two": bare(tmp_path / "two")})
    world.run(member)
    monkeypatch.setattr(world, "export", broken)
    outcome = world.run(member)
    assert outcome.state == "failed" and outcome.remotes == {"one": "", "two": ""}, "nothing is missing there"
    # Before Grafana was asked nothing can be said of what was to come.
    other = world.member("mon2", remotes={"three": bare(tmp_path / "three")})
    outcome = world.run(other)
    assert outcome.remotes == {"three": "the run ended before it was given everything"}
    assert value(other, "remote_success", remote="three") == 0 == value(other, "remote_last_success_timestamp_seconds", remote="three")
    assert "remote three: the run ended before it was given everything" in outcome.lines()


def test_a_commit_that_waits_is_pushed_although_grafana_is_down(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    one, two = bare(tmp_path / "one"), bare(tmp_path / "two")
    member = world.member(remotes={"one": one, "two": two})
    world.run(member)
    world.content[HOSTS] = "changed"
    world.run(unreachable(member, "one"))
    assert len(subjects(one)) == 1 and value(member, "remote_success", remote="one") == 0
    monkeypatch.setattr(world, "export", broken)
    world.now += 900
    outcome = world.run(unreachable(member, "one"))
    assert outcome.behind == ["one"] and value(member, "remote_success", remote="two") == 1
    outcome = world.run(member)
    assert outcome.state == "failed" and outcome.remotes == {"one": "", "two": ""}
    assert subjects(one) == subjects(two) == log(member) and len(log(member)) == 2
    assert value(member, "remote_success", remote="one") == 1 and value(member, "last_run_success") == 0


def test_a_run_that_ends_between_commit_and_push_has_pushed_nothing(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    member = world.member(remotes={"one": bare(tmp_path / "one")})
    world.run(member)
    world.content[HOSTS] = "changed"

    def ended(*_words: Any, **_options: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Repository, "push", ended)
    outcome = world.run(member)
    assert outcome.state == "failed" and outcome.behind == ["one"] and len(log(member)) == 2
    assert value(member, "remote_success", remote="one") == 0


def test_names_of_organisations_are_escaped(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    member = world.member()
    name = 'a "b" \\ c\nd'
    export = world.export

    def awkward(work: Any) -> None:
        export(work)
        work.outcome.counts = {name: {"dashboards": 1}}

    monkeypatch.setattr(world, "export", awkward)
    world.run(member)
    assert 'organisation="a \\"b\\" \\\\ c\\nd"' in shown(member)
    assert all(line.startswith(("#", "monitoring_ha_backup_")) for line in shown(member).splitlines())


def test_metrics_that_cannot_be_written_are_told(world: World, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    member = replace(world.member(), textfile=str(tmp_path / "file" / "backup.prom"))
    outcome = world.run(member)
    assert outcome.state == "worked" and outcome.committed and not outcome.ok
    assert "backup.prom could not be written: " in outcome.lines()[-1] and not report.status(member)["ok"]


def test_an_unreadable_status_is_no_obstacle(world: World) -> None:
    member = world.member()
    world.run(member)
    (member.directory / report.STATUS).write_text("{")
    assert world.run(member).ok and report.status(member)["ok"]


def test_a_run_that_takes_too_long_is_told(world: World, tmp_path: Path) -> None:
    """As systemd ends it: SIGTERM to a process that waits for Grafana."""
    settings = tmp_path / "settings.json"
    prom = tmp_path / "x.prom"
    given = {
        "member": "mon1",
        "directory": str(tmp_path / "state"),
        "grafana": {"url": "http://127.0.0.1:9", "user": "a", "password": "b", "retries": 100, "pause": 5.0},
        "textfile": str(prom),
    }
    settings.write_text(json.dumps(given))
    command = [sys.executable, "-m", "ansible_collections.monitoring.ha.plugins.module_utils.backup", "--settings", str(settings), "run"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    until = time.monotonic() + 30
    while not (tmp_path / "state" / "repository.git" / "HEAD").exists() and time.monotonic() < until:
        time.sleep(0.1)
    time.sleep(0.5)
    process.terminate()
    said, _ = process.communicate(timeout=30)
    assert process.returncode == 1 and "failed: the run was told to end" in said
    assert 'monitoring_ha_backup_last_run_success{what="grafana"} 0' in prom.read_text()


def test_signals_are_as_before_afterwards(world: World) -> None:
    import signal

    before = signal.getsignal(signal.SIGTERM)
    world.run(world.member())
    assert signal.getsignal(signal.SIGTERM) is before
    with pytest.raises(Stopped), job.interruptible():
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(1)


@pytest.fixture
def program(world: World, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Any:
    """Runs the command line in this process; (exit code, what it printed)."""
    settings = tmp_path / "settings.json"
    member = world.member(remotes={"one": bare(tmp_path / "one")})
    given = {
        "member": "mon1",
        "directory": str(member.directory),
        "grafana": {"url": "http://localhost:1"},
        "remotes": [{"name": "one", "url": str(tmp_path / "one")}],
    }
    settings.write_text(json.dumps(given))

    def run(*words: str) -> tuple[int, str]:
        code = cli.main(["--settings", str(settings), *words])
        found = capfd.readouterr()
        return code, found.out + found.err

    return run


@pytest.mark.parametrize("kinds", ["dashboards", ["dashboard"]])
def test_an_export_of_nothing_is_refused(kinds: Any, program: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the check of the settings, before they are put in place, and by a run that finds them there."""
    settings = tmp_path / "settings.json"
    given = json.loads(settings.read_text())
    settings.write_text(json.dumps({**given, "grafana": {**given["grafana"], "user": "a", "password_file": "/later", "kinds": kinds}}))
    code, said = program("check")
    assert code == 1 and said.startswith("check: backup_grafana_options.kinds ") and len(said.splitlines()) == 1
    monkeypatch.undo()
    code, said = program("run", "--force")
    assert code == 1 and "failed: backup_grafana_options.kinds " in said


def test_the_program(program: Any, world: World, tmp_path: Path) -> None:
    assert program("check") == (0, "")
    code, said = program("status")
    assert code == 1 and "no run yet" in said
    code, said = program("history")
    assert (code, said) == (0, "")
    assert program("checkout", str(tmp_path / "out"))[1] == "checkout: there is no backup yet\n"
    code, said = program("run")
    assert code == 0 and "worked" in said and "remote one: has everything" in said and "1 dashboard added" in said
    world.content[HOSTS] = "later"
    world.now += 60
    assert json.loads(program("run", "--json")[1])["committed"]
    commits = json.loads(program("history", "--json")[1])["commits"]
    assert [one["message"].splitlines()[0] for one in commits] == log(world.member()) and len(commits) == 2
    code, said = program("checkout", str(tmp_path / "out"), "--at", commits[1]["commit"][:10])
    assert code == 0 and (tmp_path / "out" / HOSTS).read_text() == "hosts"
    assert json.loads(program("checkout", str(tmp_path / "out"), "--json")[1])["commit"] == commits[0]["commit"]
    assert (tmp_path / "out" / HOSTS).read_text() == "later"
    for words, error in {"yesterday": "no commit 'yesterday'", "1999-01-01T00:00": "no backup from 1999", "abcdef1": "no commit"}.items():
        code, said = program("checkout", str(tmp_path / "out"), "--at", words)
        assert code == 1 and error in said
    assert (tmp_path / "out" / HOSTS).read_text() == "later", "what was there stays"


def test_a_run_by_a_timer_waits_for_its_turn_and_one_by_hand_does_not(
    program: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tmp_path / "settings.json"
    settings.write_text(json.dumps({**json.loads(settings.read_text()), "wait": 1}))
    # As systemd does for what a timer starts.
    monkeypatch.setenv(cli.TRIGGER, "monitoring-ha-backup.timer")
    begun = time.monotonic()
    assert program("run")[0] == 0
    assert time.monotonic() - begun >= 1
    monkeypatch.delenv(cli.TRIGGER)
    settings.write_text(json.dumps({**json.loads(settings.read_text()), "wait": 10**6}))
    assert program("run")[0] == 0


def test_checkout_of_another_members_work_and_without_the_remote(program: Any, world: World, tmp_path: Path) -> None:
    other = world.member("mon2", {"one": tmp_path / "one"})
    world.run(other)
    code, said = program("checkout", str(tmp_path / "out"))
    assert code == 0 and (tmp_path / "out" / HOSTS).read_text() == "hosts"
    (tmp_path / "one").rename(tmp_path / "elsewhere")
    code, said = program("checkout", str(tmp_path / "out"))
    assert code == 0 and "remote one:" in said, "what is known already is enough"


def test_a_moment_between_two_commits(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.unit.backup.site import repository

    member = world.member()
    for number, date in enumerate(("2026-11-01T12:00:00+00:00", "2026-11-02T12:00:00+00:00", "2026-11-03T12:00:00+00:00")):
        world.content[HOSTS] = str(number)
        monkeypatch.setenv("TZ", "UTC")
        found = repository(member)
        directory = member.work / "grafana"
        (directory / HOSTS).parent.mkdir(parents=True, exist_ok=True)
        (directory / HOSTS).write_text(str(number))
        head = found.find("main")
        found.move(found.commit(found.stage(head), [head] if head else [], f"commit {number}\n", date))
    found = repository(member)
    for wanted, subject in {
        "2026-11-02T13:00+00:00": "commit 1",
        "2026-11-02T12:30+01:00": "commit 0",
        "2026-11-03T12:00:00+00:00": "commit 2",
        "": "commit 2",
        "main~2": "commit 0",
    }.items():
        assert found.show(found.resolve(wanted)).subject == subject, wanted


def test_threads_that_cannot_have_signals_work_too(world: World) -> None:
    outcomes: list[Any] = []
    thread = threading.Thread(target=lambda: outcomes.append(world.run(world.member())))
    thread.start()
    thread.join()
    assert outcomes[0].ok


def test_the_password_is_read_from_its_file(world: World, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("p w\n")
    given = {"url": "http://x", "user": "a", "password_file": str(tmp_path / "password")}
    found = job.connection(replace(world.member(), grafana=given))
    assert found["password"] == "p w" and found["on_error"] == "fail" and found["organisations"] == []
    with pytest.raises(BackupError, match="missing"):
        job.connection(replace(world.member(), grafana={"url": "http://x", "token_file": str(tmp_path / "missing")}))
