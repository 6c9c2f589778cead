# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The daemon beside a member of a Galera cluster, and the commands around it. Runs on the member, without Ansible.

``serve`` answers load balancers (``/writer``), other members (``/state``) and Prometheus (``/metrics``), and sees to it
that exactly one member writes. ``start`` comes before every start of the server and decides how it starts.
"""

from __future__ import annotations

import contextlib
import json
import os
import ssl
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AF_INET, AF_INET6, socket
from typing import Any, cast

from ansible_collections.monitoring.ha.plugins.module_utils import galera, galera_disk, galera_sql
from ansible_collections.monitoring.ha.plugins.module_utils.galera import Look, Member, Position
from ansible_collections.monitoring.ha.plugins.module_utils.https import Client, Unanswered, split

#: Seconds between two looks, and after which a look counts no more.
LOOK, STALE = 0.5, 3.0
#: Seconds between two questions to other members, and for one answer.
ASK, ANSWER = 1.0, 2.0
#: Seconds that the database may take to say how far its data reach; it replays its log first.
RECOVERY = 3600.0


def say(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


@dataclass(frozen=True)
class Config:
    """The file that the role writes.

    members: name → ``address:port`` of the daemon. clients: ``address:port`` at which clients come → name.
    server: command of the server. user: as whom the daemon comes to it.
    """

    name: str
    members: Mapping[str, str]
    clients: Mapping[str, str]
    identity: Client
    socket: str
    places: galera_disk.Places
    server: Sequence[str]
    user: str
    donor_writes: bool

    @classmethod
    def of(cls, path: str) -> Config:
        with open(path, encoding="utf-8") as file:
            its = json.load(file)
        identity = Client("", 0, its["ca"], its["certificate"], its["key"], timeout=ANSWER)
        places = galera_disk.Places(its["data"], its["run"])
        return cls(
            its["name"], its["members"], its["clients"], identity, its["socket"], places, its["server"], its["user"], its["donor_writes"]
        )

    def client(self, name: str) -> Client:
        return self.identity.at(self.members[name])

    def ask(self, name: str) -> Member:
        """What a member's daemon tells."""
        try:
            return Member.of(name, self.client(name).json("/state"))
        except (Unanswered, KeyError, TypeError, ValueError):
            return Member.of(name, None)

    def writes(self, name: str) -> bool:
        """Whether a member says that it takes traffic."""
        try:
            return self.client(name).request("HEAD", "/writer")[0] == 200
        except Unanswered:
            return False

    def hears(self, name: str) -> bool:
        """Whether a member says that the recorded writer answers it."""
        try:
            return bool(self.client(name).json("/state")["hears"])
        except (Unanswered, KeyError, TypeError, ValueError):
            return False

    def ask_all(self, own: Member | None = None) -> list[Member]:
        """All members, in their order; with ``own``, this one need not be asked."""
        with ThreadPoolExecutor(len(self.members)) as pool:
            asked = {name: pool.submit(self.ask, name) for name in self.members if own is None or name != self.name}
            return [asked[name].result() if name in asked else own or self.ask(name) for name in self.members]

    def sql(self, user: str) -> galera_sql.Server:
        return galera_sql.Server(self.clients, partial(galera_sql.connection, self.socket, user))


@dataclass(frozen=True)
class Seen:
    """The last look. look: None when the server does not answer. why: it takes no traffic; empty when it does."""

    member: Member
    look: Look | None
    why: str
    at: float

    @property
    def fresh(self) -> bool:
        return time.monotonic() - self.at < STALE


class Watch:
    """Looks at the own server again and again, and sees to the writer's place."""

    def __init__(self, config: Config, server: galera_sql.Server) -> None:
        self.config, self.server = config, server
        self.seen = Seen(Member(config.name, "silent"), None, "nothing seen yet", 0.0)
        self.deaf = 0
        self._stranded = 0.0

    def step(self) -> None:
        """One look, and what follows from it."""
        before, name = self.seen, self.config.name
        try:
            look, position = self.server.look()
        except galera_sql.SqlError:
            self._stranded = 0.0
            member = galera_disk.stopped(name, self.config.places)
            self.seen = Seen(member, None, "its server does not answer", time.monotonic())
        else:
            self.seen = self._judged(look, position)
        if (before.why, before.member.state) != (self.seen.why, self.seen.member.state):
            say(f"{self.seen.member}: {self.seen.why or 'it writes'}")

    def _judged(self, look: Look, position: Position) -> Seen:
        name = self.config.name
        deed, why = galera.seat(name, look, deaf=self.deaf, donor_writes=self.config.donor_writes)
        if deed in ("claim", "resign"):
            with contextlib.suppress(galera_sql.SqlError):
                self.server.seat(name if deed == "claim" else "", look.writer)
            self.deaf = 0
        state: galera.State = "primary" if look.primary else "stranded"
        member = Member(name, state, position, synced=look.synced, writer=deed == "write")
        if state == "primary":
            self._stranded = 0.0
        else:
            self._stranded = self._stranded or time.monotonic()
        return Seen(member, look, why, time.monotonic())

    def listen(self) -> None:
        """Does the recorded writer answer as such? And, without a majority: does anybody else have one?"""
        seen = self.seen
        if seen.look and seen.look.primary:
            self.deaf = self._deaf(seen.look)
        elif self._stranded and (seconds := time.monotonic() - self._stranded) >= galera.STRANDED:
            members = self.config.ask_all(seen.member)
            if galera.rescue(self.config.name, members, seconds):
                say(f"nobody has a majority, and nobody's data reach further: {galera.listed(members)}")
                with contextlib.suppress(galera_sql.SqlError):
                    # A connection of its own: the other one is in use.
                    self.config.sql(self.config.user).make_majority()
            elif galera.left_out(self.config.name, members, seconds):
                say(f"its server begins anew, without a majority for {seconds:.0f} s where others have one: {galera.listed(members)}")
                # Asked to end, it would wait for the group that it has lost. It has taken no write since.
                galera_sql.kill(self.config.socket)

    def _deaf(self, look: Look) -> int:
        """How often in a row the writer did not answer as such. As long as somebody else hears it, it is not taken for lost."""
        if look.writer == self.config.name or look.writer not in self.config.members or look.writer not in look.component:
            return 0
        if self.config.writes(look.writer):
            return 0
        if self.deaf + 1 < galera.DEAF:
            return self.deaf + 1
        witnesses = [name for name in look.component if name not in (self.config.name, look.writer)]
        heard = any(self.config.hears(name) for name in witnesses)
        return galera.DEAF - 1 if heard else self.deaf + 1

    def forever(self, deed: str, pause: float) -> None:
        while True:
            begun = time.monotonic()
            try:
                getattr(self, deed)()
            except Exception as error:  # Whatever it is, the next look may go well; until then nothing is claimed.
                say(f"{deed}: {type(error).__name__}: {error}")
            time.sleep(max(0.05, pause - (time.monotonic() - begun)))


def state(seen: Seen, deaf: int) -> dict[str, Any]:
    """What other members and the playbooks read."""
    look = seen.look if seen.look and seen.look.primary else None
    component, writer = (sorted(look.component), look.writer) if look else ([], "")
    hears = bool(writer) and not deaf
    return {**seen.member.as_dict(), "why": seen.why, "component": component, "recorded_writer": writer, "hears": hears}


def metrics(seen: Seen) -> str:
    """The same for Prometheus."""
    look = seen.look if seen.fresh else None
    values = {
        "primary": ("Whether this member has the majority and takes questions.", bool(look and look.primary)),
        "synced": ("Whether it has everything that the others have.", bool(look and look.synced)),
        "writer": ("Whether it is the one that takes traffic.", seen.fresh and seen.member.writer),
        "component_size": ("How many members are with it, itself included.", len(look.component) if look and look.primary else 0),
    }
    lines = []
    for name, (words, value) in values.items():
        lines += [f"# HELP galera_member_{name} {words}", f"# TYPE galera_member_{name} gauge", f"galera_member_{name} {int(value)}"]
    return "\n".join(lines) + "\n"


def answer(seen: Seen, path: str, deaf: int = 0) -> tuple[int, str, str]:
    """(status, type, body) of a page."""
    if path == "/state":
        return 200, "application/json", json.dumps(state(seen, deaf)) + "\n"
    if path == "/metrics":
        return 200, "text/plain; version=0.0.4", metrics(seen)
    if path not in ("/writer", "/synced"):
        return 404, "text/plain", "pages: /writer /synced /state /metrics\n"
    if not seen.fresh:
        return 503, "text/plain", "no look for a while\n"
    well = seen.member.writer if path == "/writer" else seen.member.synced
    return (200, "text/plain", "ok\n") if well else (503, "text/plain", f"{seen.why or 'not in step'}\n")


class Service(ThreadingHTTPServer):
    """HTTPS for holders of the stack's certificates. Files that have been renewed count from the next connection on."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], config: Config, watch: Watch) -> None:
        self.address_family = AF_INET6 if ":" in address[0] else AF_INET
        self.config, self.watch = config, watch
        self._context: tuple[list[int], ssl.SSLContext] | None = None
        super().__init__(address, Handler)

    def context(self) -> ssl.SSLContext:
        its = self.config.identity
        stamp = [os.stat(path).st_mtime_ns for path in (its.ca, its.certificate, its.key)]
        if self._context is None or self._context[0] != stamp:
            made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            made.minimum_version = ssl.TLSVersion.TLSv1_2
            made.verify_mode = ssl.CERT_REQUIRED
            made.load_verify_locations(its.ca)
            made.load_cert_chain(its.certificate, its.key)
            self._context = (stamp, made)
        return self._context[1]

    def get_request(self) -> tuple[socket, Any]:
        connection, address = super().get_request()
        connection.settimeout(5)
        # The handshake is the connection's own thread's, so that a slow one holds up nobody.
        return self.context().wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Somebody without a certificate, or who hung up: not worth a word."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "galera-member", ""

    def do_GET(self) -> None:
        watch = cast(Service, self.server).watch
        status, kind, body = answer(watch.seen, self.path.partition("?")[0], watch.deaf)
        content = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_HEAD = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Checks come several times a second."""


def serve(config: Config) -> int:
    """Until the end."""
    watch = Watch(config, config.sql(config.user))
    with Service(split(config.members[config.name]), config, watch) as service:
        for deed, pause in (("step", LOOK), ("listen", ASK)):
            threading.Thread(target=watch.forever, args=(deed, pause), daemon=True).start()
        service.serve_forever()
    return 0


def start(config: Config) -> int:
    """Before the server starts: wait until it is clear how, and leave the words for its command line."""
    places = config.places
    with contextlib.suppress(FileNotFoundError):
        os.unlink(places.words)
    try:
        position = galera_disk.position(places, list(config.server), RECOVERY)
    except galera_disk.DiskError as error:
        say(f"it is not known how far the data reach, so that nobody may begin or overwrite them: {error}")
        return 1
    own = Member(config.name, "waiting", position, galera_disk.foreign(places))
    reason = ""
    with galera_disk.told(places, own):
        while True:
            members = config.ask_all(own)
            decision = galera.start(config.name, members, forced=os.path.exists(places.order))
            if decision.reason != reason:
                say(f"{decision.action}: {decision.reason}")
                reason = decision.reason
            if decision.action != "wait":
                break
            time.sleep(ASK)
    if decision.action == "refuse":
        return 1
    words = [] if position.empty else [f"--wsrep-start-position={position.uuid}:{position.number}"]
    if decision.action == "begin":
        galera_disk.permit(places)
        words.append("--wsrep-new-cluster")
    else:
        # Whoever gives a copy takes no traffic: the writer only when there is nobody else.
        donors = [member.name for member in members if member.synced and not member.writer]
        words.append(f"--wsrep-sst-donor={','.join([*donors, ''])}")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(places.order)
    with open(places.words, "w", encoding="utf-8") as file:
        file.write(f'GALERA_START="{" ".join(words)}"\n')
    return 0


def status(config: Config) -> int:
    """Everybody, a line each. 1 when nobody writes."""
    members = config.ask_all()
    for member in members:
        where = "" if member.position is None else str(member.position)
        doing = "writes" if member.writer else "synced" if member.synced else ""
        say(f"{member!s:34} {where:28} {doing}".rstrip())
    return 0 if any(member.writer for member in members) else 1


def begin(config: Config) -> int:
    """This member begins, whatever the others hold. Only when nobody has a majority."""
    members = config.ask_all()
    running = [member for member in members if member.state == "primary"]
    if running:
        say(f"{galera.listed(running)}: nothing is to be begun")
        return 1
    if any(member.name == config.name and member.state == "stranded" for member in members):
        config.sql("root").make_majority()
        say("its server has the majority now")
        return 0
    os.makedirs(config.places.run, exist_ok=True)
    with open(config.places.order, "w", encoding="utf-8"):
        pass
    say("it begins within seconds if its server waits, and else at its next start: systemctl start mariadb")
    return 0


def hand_over(config: Config, name: str) -> int:
    """Another writer: for maintenance."""
    if name not in config.members:
        say(f"no member {name}; there are: {', '.join(config.members)}")
        return 1
    if not config.ask(name).synced:
        say(f"{name} is not in step")
        return 1
    server = config.sql("root")
    before = server.writer()
    done = before == name or server.seat(name, before)
    say(f"{name} writes" if done else "somebody else was quicker: try again")
    return 0 if done else 1


def leave(config: Config) -> int:
    """Somebody else than this member writes: before it is stopped, so that clients wait for no more than a change of the writer."""
    members = config.ask_all()
    if not any(member.writer and member.name == config.name for member in members):
        say("it does not write")
        return 0
    fit = [member.name for member in members if member.synced and member.name != config.name]
    if not fit:
        say("nobody else is in step")
        return 1
    return hand_over(config, fit[0])


def main_of(config: Config, words: Sequence[str]) -> int:
    """``serve|start|status|begin|leave|writer NAME``; 0 when all is well."""
    match list(words):
        case ["serve"]:
            return serve(config)
        case ["start"]:
            return start(config)
        case ["status"]:
            return status(config)
        case ["begin"]:
            return begin(config)
        case ["leave"]:
            return leave(config)
        case ["writer", name]:
            return hand_over(config, name)
    say("usage: galera status | begin | leave | writer NAME")
    return 2


if __name__ == "__main__":
    raise SystemExit(main_of(Config.of(sys.argv[1]), sys.argv[2:]))
