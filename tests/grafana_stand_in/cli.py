"""`grafana server` and `grafana cli`."""

from __future__ import annotations

import contextlib
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

from .database import dialect
from .database.pool import Pool
from .database.session import Session
from .log import Logger
from .release import Release
from .server import REFUSALS, serve
from .settings.settings import Settings, SettingsError, load
from .store import users

_OPTIONS = ("config", "homepath", "pidfile", "packaging", "configOverrides", "pluginsDir", "user-id")
_FLAGS = ("password-from-stdin", "insecure", "debug", "profile", "vv", "v", "version")


class UsageError(ValueError):
    """A command line that says nothing useful."""


@dataclass
class Arguments:
    words: list[str] = field(default_factory=list)
    options: dict[str, str] = field(default_factory=dict)
    overrides: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, given: list[str]) -> Arguments:
        found, rest = cls(), iter(given)
        for text in rest:
            if text.startswith("cfg:"):
                found.overrides.append(text.removeprefix("cfg:"))
            elif text.startswith("-"):
                name, equals, value = text.lstrip("-").partition("=")
                if name not in _OPTIONS + _FLAGS:
                    raise UsageError(f"flag provided but not defined: -{name}")
                if not equals and name in _OPTIONS:
                    value = next(rest, "")
                found.options[name] = value
            else:
                found.words.append(text)
        for text in found.options.get("configOverrides", "").split():
            found.overrides.append(text.removeprefix("cfg:"))
        return found


def _home(arguments: Arguments) -> Path:
    named = arguments.options.get("homepath") or os.environ.get("GF_PATHS_HOME")
    home = Path(named) if named else Path.cwd()
    if not (home / "conf" / "defaults.ini").exists():
        raise SettingsError(
            f'could not find config defaults, make sure homepath command line parameter is set or working directory is homepath ("{home}")'
        )
    return home


def _settings(arguments: Arguments) -> Settings:
    config = arguments.options.get("config")
    return load(_home(arguments), Path(config) if config else None, arguments.overrides)


def _server(arguments: Arguments) -> None:
    settings = _settings(arguments)
    if pidfile := arguments.options.get("pidfile"):
        Path(pidfile).parent.mkdir(parents=True, exist_ok=True)
        Path(pidfile).write_text(str(os.getpid()))
    serve(settings, Release.of_home(settings.home))


def _reset_password(arguments: Arguments) -> None:
    password = sys.stdin.readline().rstrip("\n") if "password-from-stdin" in arguments.options else (arguments.words[2:] or [""])[0]
    if len(password) < 4:
        raise UsageError("New password is too short")
    settings = _settings(arguments)
    user_id = int(arguments.options.get("user-id") or 1)
    with Session(Pool(dialect.of(settings), settings), transaction=True) as session:
        if not users.set_password(session, user_id, password):
            raise UsageError(f"Could not read user {user_id} from database")
    print("Admin password changed successfully \N{CHECK MARK}")


def main(given: list[str]) -> int:
    log = Logger("server")
    # So that it is found in the process list under its name.
    with contextlib.suppress(OSError):
        Path("/proc/self/comm").write_text("grafana")
    try:
        arguments = Arguments.of(given)
        if "version" in arguments.options or "v" in arguments.options:
            print(f"grafana version {Release.of_home(_home(arguments)).version}")
            return 0
        if arguments.words[:1] == ["server"]:
            _server(arguments)
            return 0
        if arguments.words[:3] == ["cli", "admin", "reset-admin-password"]:
            arguments.words = arguments.words[1:]
            _reset_password(arguments)
            return 0
        raise UsageError(f"no such command: {' '.join(arguments.words) or '(none)'}")
    except UsageError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    except REFUSALS as error:
        log.error("Failed to start grafana", error=error)
        print(f"Error: \N{MULTIPLICATION X} {error}", file=sys.stderr)
        return 1
