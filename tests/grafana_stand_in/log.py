"""Log lines in logfmt, as Grafana writes them."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from pathlib import Path
from typing import Any, TextIO

LEVELS = {"debug": 0, "info": 1, "warn": 2, "error": 3, "critical": 4}


def _value(value: Any) -> str:
    text = str(value)
    if text and not any(c in ' "=\n\t\\' for c in text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t") + '"'


class Sink:
    """Where lines go. One for a process; the level comes from [log] once the configuration is read."""

    def __init__(self) -> None:
        self.level = LEVELS["info"]
        self.streams: list[TextIO] = [sys.stdout]
        self._lock = threading.Lock()

    def configure(self, level: str, mode: str, directory: Path) -> None:
        self.level = LEVELS.get(level, LEVELS["info"])
        modes = mode.replace(",", " ").split()
        self.streams = [sys.stdout] if "console" in modes else []
        if "file" in modes:
            directory.mkdir(parents=True, exist_ok=True)
            self.streams.append((directory / "grafana.log").open("a", encoding="utf-8", buffering=1))

    def write(self, line: str) -> None:
        with self._lock:
            for stream in self.streams:
                # A full disk or a closed pipe is no reason to stop serving.
                with contextlib.suppress(OSError):
                    stream.write(line)
                    stream.flush()


SINK = Sink()


class Logger:
    def __init__(self, name: str) -> None:
        self.name = name

    def _log(self, level: str, message: str, fields: dict[str, Any]) -> None:
        if LEVELS[level] < SINK.level:
            return
        now = time.time_ns()
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now // 1_000_000_000)) + f".{now % 1_000_000_000:09d}Z"
        rest = "".join(f" {key.rstrip('_')}={_value(value)}" for key, value in fields.items())
        SINK.write(f"logger={self.name} t={stamp} level={level} msg={_value(message)}{rest}\n")

    def debug(self, message: str, **fields: Any) -> None:
        self._log("debug", message, fields)

    def info(self, message: str, **fields: Any) -> None:
        self._log("info", message, fields)

    def warn(self, message: str, **fields: Any) -> None:
        self._log("warn", message, fields)

    def error(self, message: str, **fields: Any) -> None:
        self._log("error", message, fields)
