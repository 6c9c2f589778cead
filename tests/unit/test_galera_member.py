"""The daemon beside a member of a Galera cluster: what it answers, and what it does about the writer's place."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.monitoring.ha.plugins.module_utils import galera, galera_disk, galera_member, galera_sql, gates
from ansible_collections.monitoring.ha.plugins.module_utils.galera import Look, Member, Position
from ansible_collections.monitoring.ha.plugins.module_utils.galera_member import Config, Service, Watch
from ansible_collections.monitoring.ha.plugins.module_utils.https import Client, Unanswered

from tests.unit import identities
from tests.unit.servers import free_port

HISTORY = "11111111-0000-0000-0000-000000000001"


class Server(galera_sql.Server):
    """A cluster of one member's view: the row that says who writes is shared by all that are given it."""

    def __init__(self, row: dict[str, str], component: str = "abc") -> None:
        super().__init__({}, lambda: None)
        self.row, self.component = row, component
        self.local, self.primary, self.up = galera.SYNCED, True, True
        self.majorities = 0

    def look(self) -> tuple[Look, Position]:
        if not self.up:
            raise galera_sql.SqlError("down", 2003)
        return Look(self.primary, self.local, False, frozenset(self.component), self.row["writer"]), Position(HISTORY, 5)

    def seat(self, member: str, instead_of: str) -> bool:
        if self.row["writer"] != instead_of:
            return False
        self.row["writer"] = member
        return True

    def make_majority(self) -> None:
        self.majorities += 1


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> identities.Site:
    return identities.make(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def config(tmp_path: Path, site: identities.Site) -> Config:
    """Three members, of whom nobody listens yet."""
    (tmp_path / "data").mkdir()
    (tmp_path / "run").mkdir()
    certificate, key = site.files("server")
    members = {name: f"127.0.0.1:{free_port()}" for name in "abc"}
    places = galera_disk.Places(str(tmp_path / "data"), str(tmp_path / "run"))
    return Config("a", members, {}, Client("", 0, site.ca, certificate, key, timeout=1), "/nonexistent", places, [], "mysql", False)


@pytest.fixture
def watch(config: Config) -> Watch:
    return Watch(config, Server({"writer": ""}))


def server(watch: Watch) -> Server:
    assert isinstance(watch.server, Server)
    return watch.server


@pytest.fixture
def service(config: Config, watch: Watch) -> Iterator[Client]:
    """Somebody of the stack who asks."""
    address, _, port = config.members["a"].rpartition(":")
    with Service((address, int(port)), config, watch) as running:
        threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield config.client("a")
        running.shutdown()


def pages(client: Client) -> dict[str, int]:
    return {path: client.request("HEAD", path)[0] for path in ("/writer", "/synced")}


def test_a_free_place_is_taken_and_traffic_comes_once_that_is_seen(watch: Watch, service: Client) -> None:
    assert pages(service) == {"/writer": 503, "/synced": 503}
    watch.step()
    assert server(watch).row["writer"] == "a"
    assert pages(service) == {"/writer": 503, "/synced": 200}
    watch.step()
    assert pages(service) == {"/writer": 200, "/synced": 200}


def test_a_donor_takes_no_traffic_and_gives_its_place_up(watch: Watch, service: Client) -> None:
    server(watch).row["writer"] = "a"
    server(watch).local = galera.DONOR
    watch.step()
    assert pages(service) == {"/writer": 503, "/synced": 503} and server(watch).row["writer"] == ""
    assert service.request("GET", "/writer")[1].startswith(b"gives a copy")


def test_a_server_that_does_not_answer_takes_no_traffic(watch: Watch, service: Client) -> None:
    server(watch).row["writer"] = "a"
    watch.step()
    assert pages(service)["/writer"] == 200
    server(watch).up = False
    watch.step()
    assert pages(service) == {"/writer": 503, "/synced": 503}


def test_an_old_look_counts_no_more(watch: Watch, service: Client) -> None:
    server(watch).row["writer"] = "a"
    watch.step()
    watch.seen = replace(watch.seen, at=time.monotonic() - galera_member.STALE - 1)
    assert pages(service) == {"/writer": 503, "/synced": 503}
    assert b"galera_member_writer 0" in service.request("GET", "/metrics")[1]


def test_without_a_majority_nothing_is_claimed(watch: Watch) -> None:
    server(watch).primary = False
    for _ in range(3):
        watch.step()
    assert server(watch).row["writer"] == "" and not watch.seen.member.synced


def test_a_stranger_is_told_nothing(watch: Watch, service: Client) -> None:
    with pytest.raises(Unanswered):
        replace(service, certificate="", key="").request("GET", "/state")


def test_what_it_tells_is_what_others_read(config: Config, watch: Watch, service: Client) -> None:
    watch.step()
    watch.step()
    told = json.loads(service.text("/state"))
    assert Member.of("a", told) == watch.seen.member == Member("a", "primary", Position(HISTORY, 5), synced=True, writer=True)
    assert told["component"] == ["a", "b", "c"] and told["recorded_writer"] == "a"
    assert [its.state for its in config.ask_all()] == ["primary", "silent", "silent"]
    assert gates.mariadb(gates.Question(service, {"nodes": 3})) == []
    assert gates.mariadb(gates.Question(service, {"nodes": 4})) == ["3 of 4 members are together"]


def test_the_gate_wants_everybody_that_is_in_step(config: Config, watch: Watch, service: Client) -> None:
    server(watch).row["writer"] = "a"
    server(watch).component = "bc"
    watch.step()
    assert gates.mariadb(gates.Question(service, {"members": {"a": config.members["a"]}})) == ["it is not with a"]
    # Who does not answer is not waited for.
    assert gates.mariadb(gates.Question(service, {"members": {"b": config.members["b"]}})) == []


class Hearing(Config):
    """Who answers as the writer, and who hears it, as a test wants it."""

    answers: bool = False
    witness: bool = False

    def writes(self, name: str) -> bool:
        return self.answers

    def hears(self, name: str) -> bool:
        return self.witness


def hearing(config: Config, *, answers: bool = False, witness: bool = False) -> Config:
    made = Hearing(**vars(config))
    for name, value in (("answers", answers), ("witness", witness)):
        object.__setattr__(made, name, value)
    return made


def listened(watch: Watch, times: int) -> str:
    """Who is recorded after so many looks, each followed by a question to the writer."""
    for _ in range(times):
        watch.step()
        watch.listen()
    watch.step()
    return server(watch).row["writer"]


def test_a_writer_that_nobody_hears_is_replaced(config: Config) -> None:
    watch = Watch(hearing(config), Server({"writer": "b"}))
    assert listened(watch, galera.DEAF - 1) == "b"
    assert listened(watch, 1) == "a"


@pytest.mark.parametrize(("answers", "witness"), [(True, False), (False, True)])
def test_a_writer_that_somebody_hears_stays(config: Config, answers: bool, witness: bool) -> None:
    watch = Watch(hearing(config, answers=answers, witness=witness), Server({"writer": "b"}))
    assert listened(watch, 3 * galera.DEAF) == "b"


@pytest.mark.parametrize(
    ("other", "seconds", "ends"),
    [("primary", galera.LEFT_OUT, True), ("primary", galera.LEFT_OUT - 1, False), ("silent", galera.LEFT_OUT, False)],
)
def test_a_server_that_never_comes_back_to_the_others_begins_anew(
    config: Config, monkeypatch: pytest.MonkeyPatch, other: galera.State, seconds: float, ends: bool
) -> None:
    watch = Watch(replace(config, socket=str(Path(config.places.run) / "sock")), Server({"writer": "b"}))
    server(watch).primary = False
    telling(config, monkeypatch, Member("b", other, None), Member("c", other, None))
    listens = (
        "import socket, sys; s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(); print(1, flush=True); s.accept(); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", listens, watch.config.socket], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout and process.stdout.readline() == "1\n"
        watch.step()
        watch._stranded = time.monotonic() - seconds
        watch.listen()
        try:
            code = process.wait(0.5)
        except subprocess.TimeoutExpired:
            code = 0
        process.kill()
    assert (code == -signal.SIGKILL) is ends


def test_of_two_that_claim_one_gets_the_place(config: Config) -> None:
    row = {"writer": "c"}
    one, other = Watch(config, Server(row, "ab")), Watch(replace(config, name="b"), Server(row, "ab"))
    one.step()
    other.step()
    assert row["writer"] == "a"
    one.step()
    other.step()
    assert [its.seen.member.writer for its in (one, other)] == [True, False]


# --- how the server starts -----------------------------------------------------------------------------------------


def words(config: Config) -> str:
    return Path(config.places.words).read_text(encoding="utf-8").strip()


def telling(config: Config, monkeypatch: pytest.MonkeyPatch, *others: Member) -> None:
    monkeypatch.setattr(Config, "ask_all", lambda self, own=None: [own, *others])


def test_it_joins_those_who_run_and_spares_the_writer(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    Path(config.places.note).write_text(f"uuid: {HISTORY}\nseqno: 3\nsafe_to_bootstrap: 0\n", encoding="utf-8")
    running = Member("b", "primary", Position(HISTORY, 5), synced=True, writer=True)
    telling(config, monkeypatch, running, replace(running, name="c", writer=False))
    assert galera_member.start(config) == 0
    assert words(config) == f'GALERA_START="--wsrep-start-position={HISTORY}:3 --wsrep-sst-donor=c,"'


def test_it_begins_when_it_is_the_one(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    Path(config.places.note).write_text(f"uuid: {HISTORY}\nseqno: 3\nsafe_to_bootstrap: 0\n", encoding="utf-8")
    telling(config, monkeypatch, Member("b", "stopped", Position(HISTORY, 2)), Member("c", "stopped", Position()))
    assert galera_member.start(config) == 0
    assert words(config) == f'GALERA_START="--wsrep-start-position={HISTORY}:3 --wsrep-new-cluster"'
    assert "safe_to_bootstrap: 1" in Path(config.places.note).read_text(encoding="utf-8")


def test_it_waits_for_a_word_and_takes_it_once(config: Config, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    others = [Member("b", "silent"), Member("c", "silent")]
    telling(config, monkeypatch, *others)
    monkeypatch.setattr(galera_member, "ASK", 0.01)
    waiting = threading.Thread(target=galera_member.start, args=(config,), daemon=True)
    waiting.start()
    time.sleep(0.1)
    assert waiting.is_alive() and galera_disk.stopped("a", config.places).state == "waiting"
    monkeypatch.setattr(Config, "ask_all", lambda self, own=None: [own or Member("a", "waiting"), *others])
    assert galera_member.main_of(config, ["begin"]) == 0
    waiting.join(5)
    assert not waiting.is_alive() and "--wsrep-new-cluster" in words(config)
    assert not Path(config.places.order).exists()
    assert "b does not answer" in capsys.readouterr().out


def test_nothing_is_begun_by_word_beside_a_running_cluster(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Config, "ask_all", lambda self, own=None: [Member("a", "stopped"), Member("b", "primary")])
    assert galera_member.main_of(config, ["begin"]) == 1 and not Path(config.places.order).exists()


def test_a_writer_that_is_to_be_stopped_hands_over_to_one_in_step(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    row = {"writer": "a"}
    asked = Server(row)
    monkeypatch.setattr(asked, "writer", lambda: row["writer"])
    monkeypatch.setattr(Config, "sql", lambda self, user: asked)
    members = [Member("a", "primary", synced=True, writer=True), Member("b", "primary"), Member("c", "primary", synced=True)]
    monkeypatch.setattr(Config, "ask_all", lambda self, own=None: members)
    monkeypatch.setattr(Config, "ask", lambda self, name: next(its for its in members if its.name == name))
    assert galera_member.main_of(config, ["writer", "b"]) == 1 and galera_member.main_of(config, ["writer", "x"]) == 1
    assert galera_member.main_of(config, ["leave"]) == 0 and row["writer"] == "c"
    members[0] = replace(members[0], writer=False)
    assert galera_member.main_of(config, ["leave"]) == 0 and row["writer"] == "c"
    members[:] = [replace(members[0], writer=True), members[1], replace(members[2], synced=False)]
    assert galera_member.main_of(config, ["leave"]) == 1


def test_one_that_runs_without_a_majority_makes_one_by_word(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Server({"writer": ""})
    monkeypatch.setattr(Config, "ask_all", lambda self, own=None: [Member("a", "stranded"), Member("b", "silent")])
    monkeypatch.setattr(Config, "sql", lambda self, user: asked)
    assert galera_member.main_of(config, ["begin"]) == 0 and asked.majorities == 1


def test_it_does_not_start_with_data_of_another_cluster(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    Path(config.places.note).write_text(f"uuid: {HISTORY}\nseqno: 3\n", encoding="utf-8")
    telling(config, monkeypatch, Member("b", "primary", Position("2" * 36, 5)))
    assert galera_member.start(config) == 1 and not Path(config.places.words).exists()


def test_the_configuration_that_the_role_writes_is_read(tmp_path: Path) -> None:
    its: dict[str, Any] = {"name": "a", "members": {"a": "[::1]:9105"}, "clients": {"[::1]:3306": "a"}, "socket": "/s", "server": ["x"]}
    its |= {"ca": "ca", "certificate": "c", "key": "k", "data": "/d", "run": "/r", "user": "mysql", "donor_writes": True}
    (tmp_path / "config.json").write_text(json.dumps(its), encoding="utf-8")
    found = Config.of(str(tmp_path / "config.json"))
    assert (found.client("a").address, found.client("a").port, found.donor_writes) == ("::1", 9105, True)
