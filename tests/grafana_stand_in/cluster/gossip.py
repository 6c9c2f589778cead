"""The embedded Alertmanagers of a cluster: who is there, in which order, and what was already notified.

Members say hello to each other over TCP about once a second, and tell what they notified. A node that cannot be reached
drops out; the ones it cannot talk to notify on their own then, as they do with Grafana.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from dataclasses import dataclass
from typing import Any

from ..log import Logger
from ..metrics import Metrics
from ..settings.settings import Settings, SettingsError

_EVERY = 1.0
_GONE_AFTER = 3.5
_TIMEOUT = 2.0
_KEEP_ENTRIES = 7 * 86400.0


@dataclass(frozen=True)
class Entry:
    """That a group was notified to a receiver, in which state, when, and with which alerts resolved or firing."""

    key: str
    sent_at: float
    state: str


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.strip().rpartition(":")
    if not host or not port.isdecimal():
        raise SettingsError(f"[unified_alerting] peer {text!r} is not host:port")
    return host.strip("[]"), int(port)


class Gossip:
    def __init__(self, settings: Settings, metrics: Metrics, node: str) -> None:
        def option(key: str) -> str:
            return settings.text("unified_alerting", key)

        if option("ha_redis_address"):
            raise SettingsError("[unified_alerting] ha_redis_address is not supported here: use ha_peers")
        self._metrics = metrics
        self._log = Logger("ngalert.multiorg.alertmanager")
        self.node = node
        self.enabled = bool(option("ha_peers"))
        self.peer_timeout = settings.duration("unified_alerting", "ha_peer_timeout", 15.0)
        self._label = option("ha_label")
        self._configured = [_address(text) for text in option("ha_peers").split(",") if text.strip()]
        self._listen = _address(option("ha_listen_address") or "0.0.0.0:9094")
        self._advertise = option("ha_advertise_address")
        self._lock = threading.Lock()
        self._seen: dict[str, float] = {}
        self._learned: set[tuple[str, int]] = set()
        self._entries: dict[str, Entry] = {}
        self._stop = threading.Event()
        self._settled = not self.enabled
        self._listener: socket.socket | None = None
        self._publish()

    def start(self) -> None:
        if not self.enabled:
            return
        family = socket.AF_INET6 if ":" in self._listen[0] else socket.AF_INET
        self._listener = socket.create_server(self._listen, family=family, backlog=64)
        for target in (self._accept, self._greet):
            threading.Thread(target=target, daemon=True).start()

    def stop(self) -> None:
        self._stop.set()
        if self._listener is not None:
            self._listener.close()

    @property
    def members(self) -> list[str]:
        with self._lock:
            return sorted([self.node, *self._seen])

    @property
    def position(self) -> int:
        return self.members.index(self.node)

    def entry(self, key: str) -> Entry | None:
        with self._lock:
            return self._entries.get(key)

    def record(self, entry: Entry) -> None:
        with self._lock:
            self._entries[entry.key] = entry
        if self.enabled:
            self._round()

    def _hello(self) -> bytes:
        with self._lock:
            entries = [[entry.key, entry.sent_at, entry.state] for entry in self._entries.values()]
        address = self._advertise or f":{self._listen[1]}"
        return json.dumps({"name": self.node, "label": self._label, "address": address, "entries": entries}).encode() + b"\n"

    def _heard(self, message: dict[str, Any], host: str) -> None:
        name = str(message.get("name", ""))
        if name == self.node or message.get("label", "") != self._label:
            return
        address = str(message.get("address", ""))
        where = _address(f"{host}{address}" if address.startswith(":") else address)
        with self._lock:
            self._seen[name] = time.monotonic()
            if where not in self._configured:
                self._learned.add(where)
            for key, sent_at, state in message.get("entries", []):
                known = self._entries.get(key)
                if known is None or known.sent_at < sent_at:
                    self._entries[key] = Entry(key, sent_at, state)

    def _accept(self) -> None:
        assert self._listener is not None
        while not self._stop.is_set():
            try:
                link, remote = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(link, remote[0]), daemon=True).start()

    def _answer(self, link: socket.socket, host: str) -> None:
        with contextlib.suppress(OSError, ValueError), link:
            link.settimeout(_TIMEOUT)
            with link.makefile("rb") as stream:
                message = json.loads(stream.readline())
                link.sendall(self._hello())
            self._heard(message, f"[{host}]" if ":" in host else host)
            self._publish()

    def _greet(self) -> None:
        started = time.monotonic()
        while not self._stop.is_set():
            self._round()
            if not self._settled and time.monotonic() - started > 3 * _EVERY:
                self._settled = True
                self._log.info("gossip settled; proceeding", component="cluster", members=len(self.members))
            self._stop.wait(_EVERY)

    def _round(self) -> None:
        with self._lock:
            targets = [*self._configured, *self._learned]
        for host, port in targets:
            with contextlib.suppress(OSError, ValueError), socket.create_connection((host, port), _TIMEOUT) as link:
                link.sendall(self._hello())
                with link.makefile("rb") as stream:
                    self._heard(json.loads(stream.readline()), f"[{host}]" if ":" in host else host)
        now = time.monotonic()
        with self._lock:
            self._seen = {name: seen for name, seen in self._seen.items() if now - seen < _GONE_AFTER}
            old = time.time() - _KEEP_ENTRIES
            self._entries = {key: entry for key, entry in self._entries.items() if entry.sent_at > old}
        self._publish()

    def _publish(self) -> None:
        if not self.enabled:
            return
        self._metrics.set("alertmanager_cluster_members", len(self.members))
        self._metrics.set("alertmanager_peer_position", self.position)
        self._metrics.set("alertmanager_cluster_health_score", 0)
        missing = max(0, len(self._configured) - len(self.members))
        self._metrics.set("alertmanager_cluster_failed_peers", missing)
