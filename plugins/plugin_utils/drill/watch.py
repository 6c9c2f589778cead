# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The processes beside a drill: starting the guardian with its probes, waiting for them, and reading what they wrote."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ansible import context
from ansible_collections.monitoring.ha.plugins.module_utils import faults
from ansible_collections.monitoring.ha.plugins.plugin_utils import lock
from ansible_collections.monitoring.ha.plugins.plugin_utils.drill import guardian, ledger, record

SETTINGS = guardian.SETTINGS
#: Seconds that probes get to be ready.
READY = 90.0
#: How a run reaches its hosts: name of what it was told → option of the command.
CONNECTION = {
    "remote_user": "--user",
    "private_key_file": "--private-key",
    "connection": "--connection",
    "timeout": "--timeout",
    "ssh_common_args": "--ssh-common-args",
    "ssh_extra_args": "--ssh-extra-args",
    "sftp_extra_args": "--sftp-extra-args",
    "scp_extra_args": "--scp-extra-args",
    "connection_password_file": "--connection-password-file",
    "become_method": "--become-method",
    "become_user": "--become-user",
    "become_password_file": "--become-password-file",
}
#: What names a file with a password → what asks for the password instead, where Ansible has it, and variables of a host that hide it there.
ASKED = {
    "connection_password_file": ("ask_pass", "password", re.compile(r"ansible_(ssh_pass|password)")),
    "become_password_file": ("become_ask_pass", "become_pass", re.compile(r"ansible_(become_password|(?!ssh_)\w+_pass)")),
}
#: Nobody is there whom the command that mends could ask, whatever the configuration says.
UNASKED = {"ANSIBLE_ASK_PASS": "false", "ANSIBLE_BECOME_ASK_PASS": "false", "ANSIBLE_ASK_VAULT_PASS": "false"}
#: A password file that is read only once: the input.
INPUT = "-"


def typed(its: object, variables: Iterable[str]) -> dict[str, str | None]:
    """Passwords that this run was given by hand: what names a file with one → the password; None where it is not known, or fits in no file.

    its: what Ansible knows of the play's connections. variables: names of those of the play's host.
    """
    found: dict[str, str | None] = {}
    names = list(variables)
    for option, (asks, attribute, hides) in ASKED.items():
        if context.CLIARGS.get(asks) or context.CLIARGS.get(option) == INPUT:
            known = hasattr(its, attribute) and not any(map(hides.fullmatch, names))
            password = str(getattr(its, attribute) or "") if known else None
            # Ansible cuts the ends of a file.
            found[option] = password if password == (password or "").strip() else None
    vaults = [*(context.CLIARGS.get("vault_password_files") or ()), *(context.CLIARGS.get("vault_ids") or ())]
    sources = [str(vault).rpartition("@")[2] for vault in vaults]
    if context.CLIARGS.get("ask_vault_pass") or any(where == INPUT or where.startswith("prompt") for where in sources):
        found["vault_password_files"] = None
    return found


def ansible_command(hosts: Sequence[str], passwords: Mapping[str, Path] = MappingProxyType({})) -> list[str]:
    """Ansible's own command that mends whatever is left on hosts, with what this run was told of inventory, passwords and connections.

    passwords: files with what was typed in, by what names them.
    """
    told = {**context.CLIARGS, **passwords}
    program = Path(sys.argv[0]).with_name("ansible")
    command = [str(program) if program.exists() else "ansible", ",".join(hosts)]
    for name, flag in (
        ("inventory", "-i"),
        ("vault_password_files", "--vault-password-file"),
        ("vault_ids", "--vault-id"),
        ("extra_vars", "-e"),
    ):
        for value in told.get(name) or ():
            command += [flag, str(value)]
    # Joined, as what ssh is told begins like an option of Ansible's.
    command += [f"{flag}={value}" for name, flag in CONNECTION.items() if (value := told.get(name)) and value != INPUT]
    command += ["--become"] if told.get("become") else []
    return [*command, "-m", "monitoring.ha.drill_fault_host", "-a", "state=absent"]


def promise(
    directory: Path, made: Sequence[Mapping[str, Any]], hosts: Sequence[str], passwords: Mapping[str, str | None], deadline: float
) -> None:
    """Leave with the guardian what mends, should the playbook go: power first, then everything that is left on hosts.

    made: what is done to which host. passwords: what was typed in. deadline: seconds after the failure in which hosts mend themselves.
    """
    for number, its in enumerate(made):
        if its["fault"] == "power_cut":
            record.promise_to_mend(directory, number, *faults.hidden(its["given"]["on"]), power=True)
    files = {name: record.password(directory, name, text) for name, text in passwords.items() if text}
    # Who logs in without the password, again and again, is shut out.
    itself = deadline if None in passwords.values() else 0.0
    record.promise_to_mend(directory, len(made), ansible_command(hosts, files), UNASKED, itself)


def start(directory: Path, probes: Sequence[str]) -> None:
    """A guardian with its probes, if any, in a session of its own that the terminal's interrupt does not reach."""
    python = directory / "python"
    (python / "ansible_collections" / "monitoring").mkdir(parents=True)
    (python / "ansible_collections" / "monitoring" / "ha").symlink_to(lock.ROOT)
    path = os.pathsep.join([str(python), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-m", f"{guardian.PACKAGE}.guardian", str(directory), str(os.getppid()), *probes]
    with (directory / "guardian.err").open("wb") as errors:
        process = subprocess.Popen(
            command, env={**os.environ, "PYTHONPATH": path}, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors, start_new_session=True
        )
    guardian.note(directory / guardian.PROCESS, process.pid)


def ledgers(directory: Path) -> list[ledger.Ledger]:
    """Every ledger of a drill, in a stable order."""
    return [ledger.read(path) for path in sorted(directory.glob("*.jsonl")) if path.name != record.EVENTS]


def await_ready(directory: Path, probes: Sequence[str], timeout: float = READY) -> list[str]:
    """Wait until every probe has seen its first good answers. What those say that have not."""
    end = time.monotonic() + timeout
    while True:
        found = [ledger.read(directory / f"{name}.jsonl") for name in probes]
        waiting = [its for its in found if "ready" not in its.facts]
        if not waiting:
            return []
        if time.monotonic() > end:
            return [f"the probe {its.probe} sees nothing good before the drill: {last_words(directory, its)}" for its in waiting]
        time.sleep(0.5)


def last_words(directory: Path, its: ledger.Ledger) -> str:
    """Why a probe is not ready."""
    failed = next((one for one in reversed(its.attempts) if one.state != "ok"), None)
    path = directory / f"{its.probe}.err"
    errors = path.read_text(encoding="utf-8", errors="replace").strip().splitlines() if path.exists() else []
    return (failed.detail if failed else "") or str(its.facts.get("unfound", "")) or (errors[-1] if errors else "no word of it")


def stop(directory: Path) -> None:
    """The probes look at what is there, and end."""
    end = time.monotonic() + guardian.ending(directory) + 30
    (directory / record.STOP).touch()
    while (directory / SETTINGS).exists() and time.monotonic() < end:
        time.sleep(0.2)
    (directory / SETTINGS).unlink(missing_ok=True)


def leave(directory: Path) -> None:
    """A guardian without probes has nothing left to look after, and ends."""
    record.mended(directory)
    (directory / record.STOP).touch()
    end = time.monotonic() + READY
    while guardian.noted(directory / guardian.PROCESS) and time.monotonic() < end:
        time.sleep(0.1)


def keep(directory: Path, to: Path) -> None:
    """The ledgers, beside the report."""
    shutil.rmtree(to, ignore_errors=True)
    to.mkdir(parents=True)
    for path in [*directory.glob("*.jsonl"), *directory.glob("*.err")]:
        if path.stat().st_size:
            shutil.copyfile(path, to / path.name)
