"""Instances of the stand-in, each in a process of its own, started with nothing but a grafana.ini."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests

from .databases import DatabaseServer, free_port

PACKAGE = Path(__file__).parents[1] / "grafana_stand_in"
ADMIN = ("admin", "correct horse")
#: Seconds for what has to come about: many times of what it takes, since other work may share the machine.
PATIENCE = 60.0


class Refused(AssertionError):
    """The instance ended instead of serving."""


def until(condition: Callable[[], bool], *instances: Instance) -> None:
    """Waits for it; where it does not come about, tells what the instances wrote."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "\n\n".join([f"not within {PATIENCE:g} s", *(instance.log for instance in instances)])
        time.sleep(0.05)


def make_home(directory: Path, version: str) -> Path:
    """A home directory as the archive has it."""
    home = directory / f"grafana-{version}"
    (home / "conf" / "provisioning").mkdir(parents=True)
    shutil.copy(PACKAGE / "defaults.ini", home / "conf" / "defaults.ini")
    (home / "VERSION").write_text(f"{version}\n")
    return home


def database_section(server: DatabaseServer, name: str) -> dict[str, str]:
    user = "grafana" if server.kind == "postgres" else "root"
    return {"type": server.kind, "host": f"127.0.0.1:{server.port}", "name": name, "user": user}


class Instance:
    def __init__(self, version: str, sections: dict[str, dict[str, str]], environment: dict[str, str] | None = None) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="stand-in-"))
        self.provisioning = self.directory / "provisioning"
        for kind in ("datasources", "dashboards", "alerting"):
            (self.provisioning / kind).mkdir(parents=True)
        self.home = make_home(self.directory, version)
        self.sections: dict[str, dict[str, str]] = {
            "server": {"http_addr": "127.0.0.1", "http_port": str(free_port())},
            "security": {"admin_password": ADMIN[1]},
            "paths": {"provisioning": str(self.provisioning), "data": str(self.directory / "data"), "logs": str(self.directory / "log")},
            "log": {"mode": "console"},
        }
        for section, keys in sections.items():
            self.sections.setdefault(section, {}).update(keys)
        self.environment = environment or {}
        self._process: subprocess.Popen[bytes] | None = None
        self.session = requests.Session()
        self.session.auth = ADMIN

    @property
    def url(self) -> str:
        server = self.sections["server"]
        return f"{'https' if server.get('protocol') == 'https' else 'http'}://127.0.0.1:{server['http_port']}"

    @property
    def log(self) -> str:
        path = self.directory / "output"
        return path.read_text() if path.exists() else ""

    def write_configuration(self) -> Path:
        lines = []
        for section, keys in self.sections.items():
            lines += [f"[{section}]", *(f'{key} = """{value}"""' for key, value in keys.items())]
        path = self.directory / "grafana.ini"
        path.write_text("\n".join(lines) + "\n")
        return path

    def spawn(self) -> subprocess.Popen[bytes]:
        """Starts without waiting."""
        config = self.write_configuration()
        environment = {**os.environ, "PYTHONPATH": str(PACKAGE.parent), **self.environment}
        words = [sys.executable, "-m", PACKAGE.name, "server", f"--config={config}", f"--homepath={self.home}"]
        with (self.directory / "output").open("ab") as output:
            self._process = subprocess.Popen(words, env=environment, cwd=self.directory, stdout=output, stderr=output)
        return self._process

    def start(self, timeout: float = PATIENCE) -> Instance:
        process, until = self.spawn(), time.monotonic() + timeout
        while time.monotonic() < until:
            if process.poll() is not None:
                self._process = None
                raise Refused(self.log)
            try:
                with socket.create_connection(("127.0.0.1", int(self.sections["server"]["http_port"])), 2):
                    return self
            except OSError:
                time.sleep(0.05)
        raise AssertionError(f"not up after {timeout} s: {self.log}")

    def stop(self, number: int = signal.SIGTERM) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(20)
            self._process = None

    def close(self) -> None:
        self.stop(signal.SIGKILL)
        self.session.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def call(self, method: str, path: str, body: Any = None, **options: Any) -> requests.Response:
        if body is not None:
            options["json"] = body
        return self.session.request(method, f"{self.url}{path}", timeout=30, **options)

    def get(self, path: str, **options: Any) -> requests.Response:
        return self.call("GET", path, **options)

    def post(self, path: str, body: Any = None, **options: Any) -> requests.Response:
        return self.call("POST", path, body, **options)

    def put(self, path: str, body: Any = None, **options: Any) -> requests.Response:
        return self.call("PUT", path, body, **options)

    def delete(self, path: str, **options: Any) -> requests.Response:
        return self.call("DELETE", path, **options)

    def faults(self, **plan: Any) -> None:
        self.put("/-/stand-in/faults", plan).raise_for_status()

    def metric(self, name: str) -> float:
        for line in self.get("/metrics").text.splitlines():
            if line.startswith(f"{name} "):
                return float(line.split(" ")[-1])
        raise KeyError(name)


Make = Callable[..., Instance]
