"""The stack from outside: queries through the virtual address, members by their certificates, hosts by their containers."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
import requests

#: Seconds between two scrapes in scenarios.
SCRAPE_INTERVAL = 15.0


def wait_for(what: str, probe: Callable[[], Any], timeout: float, interval: float = 0.5) -> Any:
    """The first truthy result of ``probe``; AssertionError with the last answer or error after ``timeout`` seconds."""
    end = time.monotonic() + timeout
    last: Any = None
    while time.monotonic() < end:
        try:
            last = probe()
            if last:
                return last
        except (requests.RequestException, AssertionError) as error:
            last = error
        time.sleep(interval)
    raise AssertionError(f"{what}: not within {timeout:.0f} s; last seen: {last!r}")


@dataclass
class Stack:
    """The stack of a scenario, by the file with its endpoints and the prefix of its containers' names."""

    endpoints: dict[str, Any] = field(repr=False)
    containers: str
    people: requests.Session = field(default_factory=requests.Session, repr=False)
    member: requests.Session = field(default_factory=requests.Session, repr=False)

    def __post_init__(self) -> None:
        for session in (self.people, self.member):
            session.trust_env = False
            session.verify = self.endpoints["ca"]
        if "query" in self.endpoints:
            self.people.auth = (self.endpoints["query"]["user"], self.endpoints["query"]["password"])
        self.member.cert = (self.endpoints["client"]["certificate"], self.endpoints["client"]["key"])

    @classmethod
    def of_environment(cls) -> Stack:
        """The stack that Molecule has converged."""
        state = Path(os.environ["MONITORING_HA_STATE"])
        return cls(json.loads((state / "endpoints.json").read_text(encoding="utf-8")), os.environ["MONITORING_HA_TEST_HOSTS"])

    @property
    def hosts(self) -> dict[str, str]:
        """Host name → address."""
        return {name: host["address"] for name, host in self.endpoints["hosts"].items()}

    @property
    def gateway(self) -> str:
        """This machine's address on the hosts' bridge."""
        return str(self.endpoints["vip"]).rsplit(".", 1)[0] + ".1"

    def container(self, host: str) -> Any:
        return docker.from_env().containers.get(f"{self.containers}-{host}")

    def run(self, host: str, command: str, check: bool = True) -> str:
        """What a shell command on a host writes.

        By Docker's program: its Python library loses what arrives together with the headers (docker/docker-py#3332), as it may when the
        machine is busy.
        """
        words = ["docker", "exec", f"{self.containers}-{host}", "sh", "-c", command]
        done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        text = done.stdout.decode(errors="replace")
        assert done.returncode == 0 or not check, f"{host}: {command}: exit {done.returncode}: {text}"
        return text

    def holder(self) -> str:
        """The host that holds the virtual address; empty when none or several do."""
        found = [host for host in self.hosts if self.endpoints["vip"] + "/" in self.run(host, "ip -o address", check=False)]
        return found[0] if len(found) == 1 else ""

    def api(self, path: str, timeout: float = 5, **params: Any) -> Any:
        """Thanos' API through the virtual address, as a person with a password."""
        answer = self.people.get(self.endpoints["query"]["url"] + path, params=params, timeout=timeout)
        answer.raise_for_status()
        return answer.json()["data"]

    def query(self, expression: str, timeout: float = 5, **params: Any) -> list[dict[str, Any]]:
        result: list[dict[str, Any]] = self.api("/api/v1/query", timeout, query=expression, **params)["result"]
        return result

    def replica(self, url: str, path: str, **params: Any) -> Any:
        """One member's API, with a client certificate."""
        answer = self.member.get(url + path, params=params, timeout=5)
        answer.raise_for_status()
        return answer.json()["data"]
