# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What probes share: when they start and stop, how often they try, and how they ask."""

from __future__ import annotations

import functools
import http.client
import os
import resource
import signal
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ansible_collections.monitoring.ha.plugins.module_utils.https import Client, split
from ansible_collections.monitoring.ha.plugins.plugin_utils.drill.clock import Clock
from ansible_collections.monitoring.ha.plugins.plugin_utils.drill.ledger import Attempt, State, Writer

if TYPE_CHECKING:
    import requests

#: Seconds between two attempts: a little more than five a second, so that it is five when the machine is late.
PERIOD = 1 / 5.5
#: Seconds after which a client counts an answer as none.
PATIENCE = 5.0
#: Attempts that may wait at once: all that begin within the longest wait.
WORKERS = 48
#: Seconds that a probe may take to find out in the end what is there.
FINISH = 60.0
#: Seconds that it may take to remove its traces.
TIDY = 30.0

#: What came of an attempt, and for people.
Outcome = tuple[State, str]


@functools.cache
def _context(ca: str, certificate: str, key: str) -> ssl.SSLContext:
    return Client("", 0, ca, certificate, key).context()


@dataclass(frozen=True)
class Caller(Client):
    """A client that reads its files once."""

    timeout: float = PATIENCE

    def context(self) -> ssl.SSLContext:
        return _context(self.ca, self.certificate, self.key)

    def patient(self, seconds: float) -> Caller:
        """The same, waiting for another time."""
        return replace(self, timeout=seconds)

    def cookies(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, list[str]]:
        """(status, cookies that were set) of a POST."""
        connection = http.client.HTTPSConnection(self.address, self.port, timeout=self.timeout, context=self.context())
        try:
            connection.request("POST", path, body=body, headers=headers)
            answer = connection.getresponse()
            answer.read()
            return answer.status, answer.headers.get_all("Set-Cookie") or []
        finally:
            connection.close()


@dataclass(frozen=True)
class Settings:
    """What a probe is told: the stack's ``endpoints`` with credentials, and where its ledger goes (``directory``)."""

    values: Mapping[str, Any]

    @property
    def directory(self) -> Path:
        return Path(self.values["directory"])

    @property
    def endpoints(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.values["endpoints"]
        return found

    @property
    def run(self) -> str:
        """Tells the traces of one drill from those of another: letters and digits."""
        return str(self.values["run"])

    @property
    def interval(self) -> float:
        """Seconds between two scrapes."""
        return float(self.values["interval"])

    def person(self, url: str, login: Mapping[str, Any]) -> Caller:
        """Somebody with a password at a front end; with the controller's certificate where there is none."""
        address, port = split(url)
        if login.get("user"):
            return Caller(address, port, self.endpoints["ca"], user=login["user"], password=login["password"])
        return self.member(address, port)

    def member(self, address: str, port: int) -> Caller:
        """With the controller's certificate."""
        its = self.endpoints["client"]
        return Caller(address, port, self.endpoints["ca"], its["certificate"], its["key"])

    def session(self, connections: int) -> requests.Session:
        """The same for a client that keeps so many connections to each member."""
        import requests
        import requests.adapters

        its, made = self.endpoints["client"], requests.Session()
        made.trust_env = False
        made.verify, made.cert = self.endpoints["ca"], (its["certificate"], its["key"])
        made.mount("https://", requests.adapters.HTTPAdapter(pool_maxsize=connections))
        return made


class Probe:
    """A client that tries again and again. Each kind of try has its own numbers, from 1."""

    name: ClassVar[str]
    patience: ClassVar[float] = PATIENCE

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.ledger = Writer(settings.directory / f"{self.name}.jsonl", self.patience)
        self.now = Clock.of(settings.directory).now
        self._stop = settings.directory / "stop"
        self._ended = threading.Event()
        self._parent = os.getppid()
        self._ready = False

    # --- what a probe defines

    def tries(self) -> Mapping[str, Callable[[int], Outcome]]:
        """Kind → one attempt with its number; an exception is an error."""
        return {}

    def prepare(self) -> None:
        """Before the first attempt; it is called again until it does not raise."""

    def meanwhile(self) -> None:
        """Between two attempts, in the thread that begins them: it must not wait."""

    def warm(self) -> bool:
        """Whether what the probe needs beside its first good attempts is there."""
        return True

    def finish(self) -> None:
        """After the last attempt: what is there. It is called again until it does not raise."""

    def tidy(self) -> None:
        """After that: no traces left. It is called again until it does not raise."""

    # --- how it runs

    def stopped(self) -> bool:
        """Whether it is over: it was told so, or who started it, and would tell it, is gone."""
        if not self._ended.is_set() and (self._stop.exists() or os.getppid() != self._parent):
            self._ended.set()
        return self._ended.is_set()

    def run(self) -> None:
        """Try until it is over, then say what is there and what it took."""
        signal.signal(signal.SIGTERM, lambda *_: self._ended.set())
        started = time.monotonic()
        with self.ledger:
            try:
                if self._patiently(self.prepare):
                    self._attempts()
                self._ended.set()
                self._patiently(self.finish, FINISH)
                self._patiently(self.tidy, TIDY)
            finally:
                used = resource.getrusage(resource.RUSAGE_SELF)
                self.ledger.cost(used.ru_utime + used.ru_stime, time.monotonic() - started)

    def _patiently(self, what: Callable[[], None], limit: float = 0.0) -> bool:
        """Call until it works, for some seconds, or while it is not over. Whether it did."""
        begun = time.monotonic()
        while time.monotonic() - begun < limit if limit else not self.stopped():
            try:
                what()
                return True
            except Exception as error:
                self.ledger.fact("unfound", f"{what.__name__}: {error}"[:300])
                time.sleep(0.5)
        return False

    def _attempts(self) -> None:
        counts: dict[str, int] = dict.fromkeys(self.tries(), 0)
        with ThreadPoolExecutor(WORKERS) as pool:
            pending: set[Future[None]] = set()
            begin = time.monotonic()
            while not self.stopped():
                for kind, attempt in self.tries().items():
                    counts[kind] += 1
                    pending.add(pool.submit(self._one, kind, counts[kind], attempt))
                self.meanwhile()
                if not self._ready and self._good >= 5 * max(1, len(counts)) and self.warm():
                    self._ready = True
                    self.ledger.fact("ready", self.now())
                pending = {future for future in pending if not future.done()}
                begin += PERIOD
                if (rest := begin - time.monotonic()) > 0:
                    self._ended.wait(rest)
                else:
                    begin = time.monotonic()

    _good = 0

    def _one(self, kind: str, number: int, attempt: Callable[[int], Outcome]) -> None:
        start = self.now()
        try:
            state, detail = attempt(number)
        except Exception as error:
            state, detail = "error", f"{type(error).__name__}: {error}"
        self._good += state == "ok"
        self.ledger.attempt(Attempt(number, start, self.now(), state, kind, detail))
