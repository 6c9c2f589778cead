"""Whoever types passwords in has hosts mended when the run is gone, and is not shut out of them."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from ansible import context
from ansible.cli.adhoc import AdHocCLI
from ansible.cli.playbook import PlaybookCLI
from ansible_collections.monitoring.ha.plugins.plugin_utils.drill import guardian, record, watch

from tests.unit.drill.test_guardian import parsed, until_done
from tests.unit.plays import BIN, environment
from tools.steps import ROOT

#: A step of the drill that leaves what mends, as the real one does with a stack that is whole.
LEAVE = """
from ansible_collections.monitoring.ha.plugins.action import drill
from ansible_collections.monitoring.ha.plugins.plugin_utils.drill import conduct, watch

def begin(stack, options, say):
    watch.promise(options.directory, [], ["mon1", "mon2"], options.typed, 160)
    return {}

conduct.STEPS["begin"] = begin

class ActionModule(drill.ActionModule):
    pass
"""

QUESTION = re.compile(rb"password(\[[^]]*\])?: $")


def at_a_terminal(answers: list[str], *command: str, env: dict[str, str]) -> str:
    """What a command says to somebody who answers each of its questions for a password."""
    process, terminal = pty.fork()
    if not process:
        os.chdir(ROOT)
        os.execve(command[0], command, env)
    said, asked = b"", 0
    while True:
        try:
            piece = os.read(terminal, 4096) if select.select([terminal], [], [], 60)[0] else b""
        except OSError:
            break
        if not piece:
            os.kill(process, signal.SIGKILL)
            break
        said += piece
        if asked < len(answers) and QUESTION.search(said):
            os.write(terminal, answers[asked].encode() + b"\n")
            asked += 1
    os.close(terminal)
    assert os.waitpid(process, 0)[1] == 0 and asked == len(answers), said.decode()
    return said.decode()


def typed_in(home: Path, answers: list[str], *words: str, of_mon1: dict[str, str] | None = None) -> tuple[dict[str, Any], str]:
    """What is left by a run that asks for passwords, and what that said."""
    (home / "action").mkdir()
    (home / "action" / "leave.py").write_text(LEAVE, encoding="utf-8")
    inventory = {"all": {"hosts": {"mon1": {"ansible_host": "192.0.2.1", **(of_mon1 or {})}, "mon2": {"ansible_host": "192.0.2.2"}}}}
    (home / "hosts.yml").write_text(yaml.safe_dump(inventory), encoding="utf-8")
    task = {"leave": {"step": "begin", "options": {"directory": str(home), "pki_directory": str(home)}}}
    (home / "play.yml").write_text(yaml.safe_dump([{"hosts": "mon1", "gather_facts": False, "tasks": [task]}]), encoding="utf-8")
    env = {**environment(home), "ANSIBLE_ACTION_PLUGINS": str(home / "action")}
    command = [str(BIN / "ansible-playbook"), "-vvvv", "-i", str(home / "hosts.yml"), *words, str(home / "play.yml")]
    said = at_a_terminal(answers, *command, env=env)
    (its,) = record.mends(home).values()
    return its, said


def given(monkeypatch: pytest.MonkeyPatch, command: list[str]) -> tuple[str | None, str | None]:
    """The passwords that a command of Ansible's goes with; it asks nobody."""
    told = parsed(AdHocCLI(command))
    assert not told["ask_pass"] and not told["become_ask_pass"]
    monkeypatch.setattr(context, "CLIARGS", told)
    found: tuple[str | None, str | None] = AdHocCLI.ask_passwords()
    return found


@pytest.mark.parametrize(
    ("words", "answers", "passwords"),
    [
        (["-k", "-K", "-b"], ["first one", "{{ 6 * 7 }}ü"], ("first one", "{{ 6 * 7 }}ü")),
        (["-k", "-K"], ["both-of-them", ""], ("both-of-them", "both-of-them")),
        (["-K"], ["of-sudo"], (None, "of-sudo")),
        # No password is wanted.
        (["-K"], [""], (None, None)),
    ],
)
def test_passwords_that_were_typed_in_are_handed_on_to_what_mends(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: list[str], answers: list[str], passwords: tuple[str | None, str | None]
) -> None:
    its, said = typed_in(tmp_path, answers, *words)
    assert given(monkeypatch, its["command"]) == passwords and its["itself"] == 0
    # What the configuration asks for would go before a file.
    assert (its["environment"]["ANSIBLE_ASK_PASS"], its["environment"]["ANSIBLE_BECOME_ASK_PASS"]) == ("false", "false")
    files = list((tmp_path / record.MENDS).glob("*_file"))
    assert len(files) == sum(map(bool, passwords)) and {path.stat().st_mode & 0o777 for path in files} <= {0o600}
    for password in filter(None, passwords):
        assert password not in said and password not in json.dumps(its, ensure_ascii=False)
    record.mended(tmp_path)
    assert list((tmp_path / record.MENDS).iterdir()) == []


def test_what_hosts_have_instead_of_a_typed_password_is_not_taken_for_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    its, _said = typed_in(tmp_path, ["of-ssh", "of-sudo"], "-k", "-K", of_mon1={"ansible_become_password": "of-mon1"})
    assert given(monkeypatch, its["command"]) == ("of-ssh", None) and its["itself"] == 160


@pytest.mark.parametrize(
    ("words", "password", "variables", "known"),
    [
        ([], "x", [], {}),
        (["-k"], "x", ["ansible_user", "ansible_become_pass"], {"connection_password_file": "x"}),
        (["-k"], "x", ["ansible_ssh_pass"], {"connection_password_file": None}),
        (["-k"], None, [], {"connection_password_file": ""}),
        # It would come out of a file as another one.
        (["-k"], "x ", [], {"connection_password_file": None}),
        (["-K"], "x", ["ansible_password", "ansible_ssh_pass"], {"become_password_file": "x"}),
        (["-K"], "x", ["ansible_sudo_pass"], {"become_password_file": None}),
        (["--connection-password-file", "-"], "x", [], {"connection_password_file": "x"}),
        (["--connection-password-file", "a.file"], "x", [], {}),
        (["-J"], None, [], {"vault_password_files": None}),
        (["--vault-id", "site@prompt"], None, [], {"vault_password_files": None}),
        (["--vault-id", "site@a.file"], None, [], {}),
    ],
)
def test_what_was_typed_in_is_known_or_not(
    monkeypatch: pytest.MonkeyPatch, words: list[str], password: str | None, variables: list[str], known: dict[str, str | None]
) -> None:
    monkeypatch.setattr(context, "CLIARGS", parsed(PlaybookCLI(["ansible-playbook", *words, "site.yml"])))
    assert watch.typed(SimpleNamespace(password=password, become_pass=password), variables) == known
    assert set(watch.typed(object(), variables).values()) <= {None}


def test_what_was_read_from_the_input_is_not_read_from_there_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    words = ["--connection-password-file", "-", "--become-password-file", "-"]
    monkeypatch.setattr(context, "CLIARGS", parsed(PlaybookCLI(["ansible-playbook", *words, "site.yml"])))
    command = watch.ansible_command(["mon1"], {"become_password_file": tmp_path / "its"})
    assert [word for word in command if "password" in word] == [f"--become-password-file={tmp_path / 'its'}"]


def test_a_login_that_cannot_work_is_tried_once_and_left_to_the_hosts(tmp_path: Path, clock: list[float]) -> None:
    record.event(tmp_path, 990, "injected", "mon1")
    record.promise_to_mend(tmp_path, 0, ["/bin/sh", "-c", f"echo >>{tmp_path}/login; exit 4"], {}, 160)
    took = until_done(guardian.Mender(tmp_path), clock)
    assert 150 < took <= 150 + guardian.LONGEST_PAUSE and (tmp_path / "login").read_text() == "\n"
    assert [one.what for one in record.events(tmp_path)] == ["injected", "left to the hosts"] and record.mends(tmp_path) == {}


def test_power_is_tried_on_whatever_becomes_of_a_login(tmp_path: Path, clock: list[float]) -> None:
    trial = f"echo >>{tmp_path}/power; test $(wc -l <{tmp_path}/power) -ge 12"
    record.promise_to_mend(tmp_path, 0, ["/bin/sh", "-c", trial], {}, power=True)
    record.promise_to_mend(tmp_path, 1, ["/bin/sh", "-c", f"echo >>{tmp_path}/login; exit 4"], {}, 160)
    assert until_done(guardian.Mender(tmp_path), clock) > 300
    assert ((tmp_path / "power").read_text(), (tmp_path / "login").read_text()) == ("\n" * 12, "\n")


def test_a_login_that_works_all_the_same_mends(tmp_path: Path, clock: list[float]) -> None:
    record.password(tmp_path, "become_password_file", "of-sudo")
    record.promise_to_mend(tmp_path, 0, ["true"], {}, 160)
    assert until_done(guardian.Mender(tmp_path), clock) == 0 and list((tmp_path / record.MENDS).iterdir()) == []
    assert [one.what for one in record.events(tmp_path)] == ["mended by the guardian"]
