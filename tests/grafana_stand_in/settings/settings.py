"""The effective configuration: defaults.ini, then grafana.ini, then GF_ variables, then cfg: arguments; expanded last."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from . import ini

_EXPANSION = re.compile(r"\$(|__\w+)\{([^}]+)\}")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h|d|w|y|M)")
_SECONDS = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
    "d": 86400.0,
    "w": 604800.0,
    "y": 31536000.0,
    "M": 2592000.0,
}


class SettingsError(ValueError):
    """What makes Grafana refuse its configuration."""


def environment_name(section: str, key: str) -> str:
    return "GF_" + re.sub(r"[.-]", "_", f"{section}_{key}").upper()


def expand(value: str, environment: Mapping[str, str]) -> str:
    def replace(found: re.Match[str]) -> str:
        kind, argument = found[1], found[2]
        if kind in ("", "__env"):
            if argument == "HOSTNAME" and not environment.get("HOSTNAME"):
                return os.uname().nodename
            return environment.get(argument, "")
        if kind == "__file":
            try:
                return Path(argument).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                raise SettingsError(f"failed to expand $__file{{{argument}}}: {error}") from error
        return found[0]

    return _EXPANSION.sub(replace, value)


def seconds(text: str) -> float:
    """A duration as Grafana writes them: 90, 30s, 1m30s, 2h, 1d."""
    text = text.strip()
    if not text:
        return 0.0
    if re.fullmatch(r"-?\d+(\.\d+)?", text):
        return float(text)
    if not re.fullmatch(rf"({_DURATION.pattern})+", text):
        raise ValueError(f'time: invalid duration "{text}"')
    return sum(float(number) * _SECONDS[unit] for number, unit in _DURATION.findall(text))


@dataclass(frozen=True)
class Settings:
    sections: ini.Sections
    home: Path

    def text(self, section: str, key: str, default: str = "") -> str:
        return self.sections.get(section, {}).get(key, "") or default

    def flag(self, section: str, key: str, default: bool = False) -> bool:
        value = self.text(section, key).strip().lower()
        return value in ("1", "t", "true", "y", "yes", "on") if value else default

    def number(self, section: str, key: str, default: int = 0) -> int:
        value = self.text(section, key).strip()
        try:
            return int(value) if value else default
        except ValueError:
            return default

    def duration(self, section: str, key: str, default: float) -> float:
        value = self.text(section, key).strip()
        try:
            return seconds(value) if value else default
        except ValueError as error:
            raise SettingsError(f"[{section}] {key}: {error}") from error

    def path(self, section: str, key: str) -> Path:
        path = Path(self.text(section, key))
        return path if path.is_absolute() else self.home / path


def _file(path: Path) -> ini.Sections:
    try:
        return ini.parse(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ini.IniError) as error:
        raise SettingsError(f'failed to parse "{path}": {error}') from error


def _argument(text: str) -> tuple[str, str, str]:
    name, _, value = text.partition("=")
    section, _, key = name.rpartition(".")
    return section or ini.DEFAULT, key, value


def load(home: Path, config: Path | None, arguments: Iterable[str] = (), environment: Mapping[str, str] | None = None) -> Settings:
    """`arguments` are what stands behind `cfg:`; `default.`-prefixed ones give way to the file, the others override it."""
    environment = os.environ if environment is None else environment
    sections = _file(home / "conf" / "defaults.ini")
    arguments = list(arguments)

    def put(section: str, key: str, value: str) -> None:
        sections.setdefault(section, {})[key] = value

    for argument in arguments:
        if argument.startswith("default."):
            put(*_argument(argument.removeprefix("default.")))
    if config is None and (home / "conf" / "custom.ini").exists():
        config = home / "conf" / "custom.ini"
    if config is not None:
        for section, keys in _file(config).items():
            for key, value in keys.items():
                # An empty value does not take the default away.
                if value:
                    put(section, key, value)
    for section, keys in sections.items():
        for key in keys:
            override = environment.get(environment_name(section, key), "")
            if override:
                keys[key] = override
    for argument in arguments:
        if not argument.startswith("default."):
            put(*_argument(argument))
    resolved = {
        section: {key: expand(ini.interpolate(sections, section, value), environment) for key, value in keys.items()}
        for section, keys in sections.items()
    }
    return Settings(resolved, home)
