# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Git, run so that nothing but the settings decides what it does, and no secret is on its command line."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .errors import GitError
from .settings import Remote

#: Whatever the host's and the user's configuration say. Power may be cut at any time; nothing runs on behind a run's back.
CONFIGURATION = {
    "core.fsync": "committed",
    "core.hooksPath": "/dev/null",
    "core.attributesFile": "/dev/null",
    "core.excludesFile": "/dev/null",
    "core.autocrlf": "false",
    "core.fileMode": "false",
    "core.quotePath": "false",
    "gc.autoDetach": "false",
    "maintenance.autoDetach": "false",
    # The repository is the backup's own; root looks into it too.
    "safe.directory": "*",
    "gpg.format": "ssh",
    "http.lowSpeedLimit": "1",
    "http.lowSpeedTime": "60",
}
#: Gives a token to Git from its file. The shell's own printf is no process.
HELPER = """!f() {
  test "$1" = get || exit 0
  printf 'username=%s\\npassword=%s\\n' "$MONITORING_HA_USER" "$(cat "$MONITORING_HA_TOKEN")"
}; f"""
#: How long a command without a network may take, in seconds.
PATIENCE = 600.0


@dataclass(frozen=True)
class Git:
    """Git on one bare repository. environment: further variables."""

    directory: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    def run(
        self,
        *words: str,
        data: bytes | None = None,
        timeout: float = PATIENCE,
        environment: Mapping[str, str] | None = None,
        configuration: Mapping[str, str] | None = None,
        allowed: Collection[int] = (0,),
    ) -> str:
        """What a command prints, without the last line's end. allowed: exit codes of a command that has not failed.

        GitError with Git's own words when it fails or takes longer than timeout.
        """
        own = {
            "GIT_DIR": str(self.directory),
            "GIT_INDEX_FILE": str(self.directory / "backup.index"),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASKPASS": "/bin/false",
            "LC_ALL": "C.UTF-8",
        }
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "SSH_"))}
        variables = {**inherited, **own, **settings({**CONFIGURATION, **(configuration or {})}), **self.environment, **(environment or {})}
        try:
            process = subprocess.Popen(
                ["git", *words],
                cwd=self.directory.parent,
                env=variables,
                stdin=subprocess.PIPE if data is not None else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                # It may have to be ended together with the programs that it started.
                start_new_session=True,
            )
        except OSError as error:
            raise GitError(f"git: {error.strerror}") from error
        try:
            output, said = process.communicate(data, timeout)
        except subprocess.TimeoutExpired:
            end(process)
            raise GitError(f"git {words[0]}: not done after {timeout:g} s") from None
        except BaseException:
            end(process)
            raise
        if process.returncode not in allowed:
            raise GitError(f"git {words[0]}: {words_of(output + said) or f'exit code {process.returncode}'}")
        return output.decode(errors="surrogateescape").removesuffix("\n")

    def lines(self, *words: str) -> list[str]:
        """Lines that a command prints."""
        return self.run(*words).splitlines()


def end(process: subprocess.Popen[bytes]) -> None:
    """Ends a command and whatever it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def settings(configuration: Mapping[str, str]) -> dict[str, str]:
    """Variables that hold configuration, so that it is neither in a file nor on the command line."""
    found = {"GIT_CONFIG_COUNT": str(len(configuration))}
    for number, (name, value) in enumerate(configuration.items()):
        found |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    return found


def words_of(said: bytes) -> str:
    """What Git said, in one line and without its advice."""
    lines = [line.strip() for line in said.decode(errors="replace").splitlines()]
    return " | ".join(line for line in lines if line and not line.startswith("hint:"))[-500:]


def access(remote: Remote) -> tuple[dict[str, str], dict[str, str]]:
    """(environment, configuration) by which Git reaches a remote. Of secrets they hold the names of files only."""
    configuration = {"credential.helper": ""}
    environment = {"GIT_SSH_COMMAND": shlex.join(ssh(remote)), "GIT_SSH_VARIANT": "ssh"}
    if remote.token:
        # The empty one above forgets all other helpers. This server alone is told, also where it sends elsewhere.
        configuration[f"credential.{server(remote.url)}.helper"] = HELPER
        environment |= {"MONITORING_HA_USER": remote.user, "MONITORING_HA_TOKEN": remote.token}
    if remote.ca:
        configuration["http.sslCAInfo"] = remote.ca
    return environment, configuration


def server(url: str) -> str:
    """A URL without its path."""
    scheme, slashes, rest = url.partition("://")
    return f"{scheme}{slashes}{rest.partition('/')[0]}"


def ssh(remote: Remote) -> Sequence[str]:
    """The command that reaches a remote over SSH: this key and no other, known hosts and no others."""
    options = {
        "BatchMode": "yes",
        "IdentitiesOnly": "yes",
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": remote.known_hosts or "/dev/null",
        "GlobalKnownHostsFile": "/dev/null",
        "UpdateHostKeys": "no",
        "ConnectTimeout": "15",
        "ServerAliveInterval": "10",
        "ServerAliveCountMax": "3",
    }
    words = ["ssh", "-F", "none"]
    for name, value in options.items():
        words += ["-o", f"{name}={value}"]
    return [*words, "-i", remote.key] if remote.key else words
