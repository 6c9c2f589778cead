"""The scenario's site, played again from within a test with other variables."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
#: Hosts that come and go, in no group of the stack; and what names the containers of all that were read before.
FURTHER_HOSTS = (f"--inventory={ROOT}/molecule/shared/further.yml", f"--inventory={ROOT}/inventories/demo/names.yml")
#: A controller is a machine of its own elsewhere. Here it shares its processors with all hosts, which the kernel counts as one group
#: among sessions: its own session stands back, where the kernel groups by sessions. Tests may interrupt it, though whoever started them
#: in the background may have had them ignore that.
STAND_BACK = ["sh", "-c", 'echo 5 2>/dev/null >/proc/self/autogroup; exec env --default-signal=INT "$@"', "sh"]


@dataclass(frozen=True)
class Played:
    """What a run of the site came to.

    changed: host → titles of the tasks that changed it. failures: messages of the tasks that failed.
    """

    code: int
    changed: dict[str, list[str]]
    failures: list[str]
    output: str

    @property
    def hosts(self) -> set[str]:
        return set(self.changed)


def player(
    name: str,
    *arguments: str,
    variables: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
    strategy: str = "mitogen_linear",
) -> tuple[list[str], dict[str, str]]:
    """(command, environment) that run a playbook from ``ROOT`` on the scenario's hosts, with further variables on top of its own."""
    scenario = Path(os.environ["MONITORING_HA_STATE"]).name
    command = [*STAND_BACK, str(Path(sys.executable).with_name("ansible-playbook"))]
    command += [f"--inventory={path}" for path in os.environ["MONITORING_HA_INVENTORY"].split()]
    command += ["-e", f"@molecule/{scenario}/vars.yml", "-e", json.dumps(dict(variables or {})), f"playbooks/{name}.yml", *arguments]
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "MOLECULE_"))}
    own = {"ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json", "ANSIBLE_STRATEGY": strategy, "NO_COLOR": "1"}
    return command, {**clean, **own, **(environment or {})}


def play(name: str = "site", *arguments: str, timeout: float = 900, **options: Any) -> Played:
    """Run a playbook. options: as for ``player``."""
    command, environment = player(name, *arguments, **options)
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=timeout, start_new_session=True)
    start = done.stdout.find("{\n")
    assert start >= 0, done.stdout + done.stderr
    report, _ = json.JSONDecoder().raw_decode(done.stdout, start)
    changed: dict[str, list[str]] = {}
    failures: list[str] = []
    for part in report["plays"]:
        for task in part["tasks"]:
            for host, result in task["hosts"].items():
                if result.get("changed"):
                    changed.setdefault(host, []).append(task["task"]["name"].rpartition(" : ")[2])
                if result.get("failed") or result.get("unreachable"):
                    failures.append(str(result.get("msg", result)))
    return Played(done.returncode, changed, failures, done.stdout + done.stderr)


def ran(name: str = "site", *arguments: str, **options: Any) -> Played:
    """Like ``play``, of a run that has to come to a good end; AssertionError with what failed otherwise."""
    done = play(name, *arguments, **options)
    assert done.code == 0, "\n".join(done.failures) or done.output[-4000:]
    return done
