"""PostgreSQL and etcd: what is decided before anything is asked."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.monitoring.ha.plugins.filter.postgresql_password import postgresql_password
from ansible_collections.monitoring.ha.plugins.module_utils import (
    etcd,
    gates,
    patroni,
    preflight,
    preflight_databases,
    preflight_secrets,
    units,
)
from ansible_collections.monitoring.ha.plugins.module_utils.https import Client, Unanswered

from tests.unit.plays import Play
from tools.steps import ROOT

HOSTS = ["a", "b", "c"]
SECRETS = {"etcd_root_password", "postgresql_etcd_password", "postgresql_replication_password", "postgresql_rest_password"}


# --- passwords -----------------------------------------------------------------------------------------------------


def accepts(verifier: str, password: bytes) -> bool:
    """What PostgreSQL does with a password that a client proves to know."""
    head, keys = verifier.split("$", 1)[1].split("$")
    rounds, salt = head.split(":")
    salted = hashlib.pbkdf2_hmac("sha256", password, base64.b64decode(salt), int(rounds))
    stored = hashlib.sha256(hmac.new(salted, b"Client Key", hashlib.sha256).digest()).digest()
    return base64.b64decode(keys.split(":")[0]) == stored


@pytest.mark.parametrize("password", ["plain", "#;\"'\\$%{} and a blank", "é", "{{ not a template }}"])
def test_a_verifier_accepts_its_password_alone(password: str) -> None:
    verifier = postgresql_password(password, "user", "main")
    assert verifier.startswith("SCRAM-SHA-256$4096:") and password not in verifier
    assert accepts(verifier, password.encode()) and not accepts(verifier, b"another")
    assert verifier == postgresql_password(password, "user", "main")


def test_equal_passwords_of_two_users_look_different() -> None:
    assert len({postgresql_password("equal", user, cluster) for user in ("a", "b") for cluster in ("one", "two")}) == 4


# --- packages ------------------------------------------------------------------------------------------------------


def test_another_postgresql_of_the_package_is_a_restart_of_patroni(tmp_path: Path) -> None:
    """Whose own program stays the same."""
    role = ROOT / "roles" / "postgresql"
    tasks, own = (yaml.safe_load((role / name / "main.yml").read_text(encoding="utf-8")) for name in ("tasks", "vars"))
    (service,) = (its for task in tasks if (its := task.get("monitoring.ha.service", {})).get("unit") == "patroni.service")
    given = {"postgresql_version": "17", "postgresql_binaries": own["postgresql_binaries"]}
    told = Play(tmp_path).run([{"name": "Files", "ansible.builtin.debug": {"msg": service["restart_files"]}}], variables=given)
    (binary,) = told.result("Files")["msg"]
    assert binary == "/usr/lib/postgresql/17/bin/postgres"
    files = tmp_path / "postgres", tmp_path / "another"
    for number, file in enumerate(files):
        file.write_text(str(number), encoding="utf-8")
    first, again, another = (
        units.identity_of(units.Wanted("patroni.service", restart_files=(str(file),)), {}) for file in (files[0], files[0], files[1])
    )
    assert first == again and first["restart"] != another["restart"] and first["reload"] == another["reload"]


# --- preflight -----------------------------------------------------------------------------------------------------


def findings(groups: dict[str, list[str]] | None = None, **variables: Any) -> list[str]:
    groups = {"etcd": HOSTS, "postgresql": HOSTS, **(groups or {})}
    secrets = {name: f"{name} 0123456789" for name in SECRETS}
    hostvars = {host: {"ha_address": f"192.0.2.{n}", **secrets, **variables} for n, host in enumerate(HOSTS, 1)}
    site = preflight.Site({"all": HOSTS, **groups}, hostvars)
    checks = (*preflight.CHECKS, *preflight_secrets.CHECKS, preflight_databases.etcd, preflight_databases.postgresql)
    return [str(finding) for finding in preflight.inspect(site, checks)]


def test_a_complete_inventory_has_no_findings() -> None:
    users = {"grafana": {"password": "0123456789abcdef"}}
    assert findings(postgresql_users=users, postgresql_databases={"grafana": {"owner": "grafana"}}) == []
    going = {
        "postgresql_users": {"passing": {"state": "absent"}},
        "postgresql_databases": {"passing": {"owner": "passing", "state": "absent"}},
    }
    assert findings({}, **going) == []


@pytest.mark.parametrize(
    ("groups", "variables", "words"),
    [
        ({"etcd": ["a", "b"]}, {}, ["group etcd has 2 hosts", "odd number from 3"]),
        ({"etcd": []}, {}, ["group etcd is empty", "postgresql_etcd"]),
        ({"postgresql": ["a"]}, {}, ["group postgresql has 1 host", "make it 2"]),
        ({}, {"postgresql_rest_password": ""}, ["postgresql_rest_password is missing"]),
        ({}, {"postgresql_ttl": 20, "postgresql_retry_timeout": 10}, ["postgresql_ttl is 20", "retry_timeout"]),
        ({}, {"etcd_election_timeout": 400}, ["etcd_election_timeout is 400, and etcd_heartbeat_interval 100", "five times"]),
        ({}, {"postgresql_ttl": "x"}, ["postgresql_ttl", "not a number"]),
        ({}, {"postgresql_users": {"grafana": {"password": "short"}}}, ["password of 'grafana'", "too short"]),
        ({}, {"postgresql_users": {"postgres": {"password": "0123456789abcdef"}}}, ["postgresql_users.postgres", "another name"]),
        ({}, {"postgresql_databases": {"grafana": {}}}, ["postgresql_databases.grafana.owner is missing"]),
        ({}, {"postgresql_databases": {"grafana": {"owner": "nobody"}}}, ["postgresql_databases.grafana.owner is 'nobody'"]),
        (
            {},
            {"postgresql_users": {"gone": {"state": "absent"}}, "postgresql_databases": {"grafana": {"owner": "gone"}}},
            ["postgresql_databases.grafana.owner is 'gone'"],
        ),
    ],
)
def test_findings_name_the_variable_and_the_remedy(groups: dict[str, list[str]], variables: dict[str, Any], words: list[str]) -> None:
    found = findings(groups, **variables)
    assert any(all(word in line for word in words) for line in found), found


# --- the configuration that members share --------------------------------------------------------------------------


def test_a_patch_takes_away_settings_and_leaves_what_operators_added() -> None:
    present = {"ttl": 30, "pause": True, "postgresql": {"use_slots": True, "parameters": {"a": 1, "b": 2}}}
    wanted = {"ttl": 20, "postgresql": {"use_slots": True, "parameters": {"a": 1, "c": 3}}}
    change = patroni.patch(wanted, present)
    assert change == {"ttl": 20, "postgresql": {"parameters": {"b": None, "c": 3}}}
    assert patroni.lines(change, present) == [
        "ttl: 30 → 20",
        "postgresql.parameters.c: None → 3",
        "postgresql.parameters.b: 2 → None",
    ]
    assert patroni.patch(wanted, wanted) == {}


@dataclass(frozen=True)
class Members(patroni.Cluster):
    """Three members whose restarts take settings in."""

    waiting: set[str] = field(default_factory=set)
    calls: list[str] = field(default_factory=list)

    def any(self, path: str) -> Any:
        if path == "/config":
            return {"ttl": 30}
        found = [{"name": "a", "role": "leader", "state": "running"}]
        found += [{"name": name, "role": "quorum_standby", "state": "streaming"} for name in "bc"]
        return {"members": [{**member, "pending_restart": member["name"] in self.waiting} for member in found]}

    def change(self, name: str, method: str, path: str, body: Any, timeout: float = 10) -> None:
        self.calls.append(f"{method} {path} {name}")
        if path == "/config":
            self.waiting.update("abc")
        else:
            self.waiting.discard(name)


def cluster() -> Members:
    return Members({"a": "192.0.2.1:8008", "b": "192.0.2.2:8008", "c": "192.0.2.3:8008"}, Client("", 0), "patroni", "secret")


def test_members_restart_one_after_the_other_the_leader_last() -> None:
    members = cluster()
    patroni.ensure(members, {"ttl": 20}, check=False, wait=0, sleep=lambda _seconds: None)
    assert members.calls == ["PATCH /config a", "POST /restart b", "POST /restart c", "POST /restart a"]


def test_check_mode_changes_nothing() -> None:
    members = cluster()
    assert patroni.ensure(members, {"ttl": 20}, check=True, wait=0) == ["ttl: 30 → 20"]
    assert members.calls == []


# --- users of etcd -------------------------------------------------------------------------------------------------


class Store(etcd.Api):
    """The user store of an etcd, as far as users and roles go."""

    def __init__(self) -> None:
        super().__init__(Client("", 0))
        self.asks = False
        self.passwords: dict[str, str] = {}
        self.roles: dict[str, list[dict[str, str]]] = {}
        self.grants: dict[str, list[str]] = {}

    def call(self, path: str, area: str = "auth", **body: Any) -> dict[str, Any]:
        name = body.get("name", "")
        if path == "authenticate":
            if not self.asks:
                raise etcd.EtcdError("authenticate: etcdserver: authentication is not enabled")
            if self.passwords.get(name) != body["password"]:
                raise etcd.EtcdError("authenticate: etcdserver: authentication failed, invalid user ID or password")
            return {"token": name}
        if self.asks and self.token != etcd.ROOT:
            raise etcd.EtcdError(f"{path}: etcdserver: user name is empty")
        match path:
            case "role/list":
                return {"roles": list(self.roles)} if self.roles else {}
            case "user/list":
                return {"users": list(self.passwords)} if self.passwords else {}
            case "role/get":
                return {"perm": self.roles[body["role"]]}
            case "user/get":
                return {"roles": self.grants.get(name, [])}
            case "role/add":
                self.roles[name] = []
            case "role/grant":
                self.roles[name].append(body["perm"])
            case "role/revoke":
                self.roles[body["role"]] = [p for p in self.roles[body["role"]] if p["key"] != body["key"]]
            case "user/add" | "user/changepw":
                self.passwords[name] = body["password"]
            case "user/grant":
                self.grants.setdefault(body["user"], []).append(body["role"])
            case "enable":
                self.asks = True
        return {}


def test_users_of_a_new_cluster_and_of_one_that_is_right_already() -> None:
    store = Store()
    assert "ask for passwords" in etcd.ensure(store, "root's", {"patroni": "/patroni/"}, {"patroni": "its"}, check=False)
    assert store.asks and store.passwords == {"root": "root's", "patroni": "its"}
    granted = store.roles["patroni"][0]
    assert [base64.b64decode(granted[key]) for key in ("key", "range_end")] == [b"/patroni/", b"/patroni0"]
    assert etcd.ensure(store, "root's", {"patroni": "/patroni/"}, {"patroni": "its"}, check=False) == []


def test_another_password_or_prefix_is_all_that_changes() -> None:
    store = Store()
    etcd.ensure(store, "root's", {"patroni": "/patroni/"}, {"patroni": "its"}, check=False)
    assert etcd.ensure(store, "root's", {"patroni": "/other/"}, {"patroni": "new"}, check=True) == [
        "let role patroni use /other/",
        "set the password of patroni",
    ]
    assert store.passwords["patroni"] == "its"
    etcd.ensure(store, "root's", {"patroni": "/other/"}, {"patroni": "new"}, check=False)
    assert store.passwords["patroni"] == "new" and len(store.roles["patroni"]) == 1


def test_a_wrong_root_password_is_named() -> None:
    store = Store()
    etcd.ensure(store, "root's", {}, {}, check=False)
    with pytest.raises(etcd.EtcdError, match="etcd_root_password"):
        etcd.ensure(store, "wrong", {}, {}, check=False)


# --- members of etcd -----------------------------------------------------------------------------------------------

PEERS = {name: f"https://192.0.2.{n}:2380" for n, name in enumerate(HOSTS, 1)}


class Cluster(etcd.Api):
    """An etcd that nobody is asked for a password by, as far as its members go. present: name → URL; nobody answers without any."""

    def __init__(self, present: dict[str, str], started: bool = True) -> None:
        super().__init__(Client("", 0))
        ids = enumerate(present.items())
        self.members = [{"ID": str(n), "name": name, "peerURLs": [url], "clientURLs": ["x"] * started} for n, (name, url) in ids]
        self.refusals: list[str] = []

    def call(self, path: str, area: str = "auth", **body: Any) -> dict[str, Any]:
        if not self.members:
            raise Unanswered("nobody")
        match path:
            case "authenticate":
                raise etcd.EtcdError("authenticate: etcdserver: authentication is not enabled")
            case "add" if self.refusals:
                raise etcd.EtcdError(f"add: etcdserver: {self.refusals.pop(0)}")
            case "add":
                self.members.append({"ID": "9", "peerURLs": body["peerURLs"]})
            case "remove":
                self.members = [member for member in self.members if member["ID"] != body["ID"]]
        return {"members": list(self.members)}


def joined(*others: etcd.Api, **more: bool) -> tuple[str, str, list[str]]:
    initial, changes = etcd.join(others, "c", PEERS, "root's", **{"replaces": False, "check": False, **more})
    return initial["initial-cluster-state"], initial["initial-cluster"], changes


def told(*names: str) -> str:
    return ",".join(f"{name}={PEERS[name]}" for name in names)


def test_members_without_data_found_a_cluster_or_are_taken_in() -> None:
    nobody, two = Cluster({}), {name: PEERS[name] for name in "ab"}
    assert joined(nobody, nobody) == ("new", told("a", "b", "c"), [])
    assert joined(nobody, Cluster(two)) == ("existing", told("a", "b", "c"), ["add member c"])
    # Of a run that broke off: it is known, and has never been there.
    assert joined(Cluster(PEERS, started=False)) == ("existing", told("a", "b", "c"), [])


def test_a_cluster_that_has_just_taken_one_in_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)
    cluster = Cluster({name: PEERS[name] for name in "ab"})
    cluster.refusals = ["unhealthy cluster", "re-configuration failed due to not enough started members"]
    assert joined(cluster)[2] == ["add member c"] and len(waited) == 2
    cluster = Cluster({name: PEERS[name] for name in "ab"})
    cluster.refusals = ["unhealthy cluster"] * 9
    with pytest.raises(etcd.EtcdError, match=r"c is not taken in \(add: .*unhealthy cluster\): all others have to be up"):
        etcd.add(cluster, "c", PEERS["c"], patience=0)
    cluster.refusals = ["permission denied"]
    waited.clear()
    with pytest.raises(etcd.EtcdError, match="permission denied"):
        joined(cluster)
    assert not waited


def test_a_lost_member_is_replaced_only_when_somebody_says_so() -> None:
    cluster = Cluster(PEERS)
    with pytest.raises(etcd.EtcdError, match=r"mount its disk; or, .* ha_removed_hosts: .c.$"):
        joined(cluster)
    assert joined(cluster, replaces=True, check=True)[2] == ["remove the lost member c", "add member c"]
    assert len(cluster.members) == 3 and {member["ID"] for member in cluster.members} == {"0", "1", "2"}
    assert joined(cluster, replaces=True) == ("existing", told("a", "b", "c"), ["remove the lost member c", "add member c"])
    assert {member["ID"] for member in cluster.members} == {"0", "1", "9"}


def test_what_a_member_began_with_stays(tmp_path: Path) -> None:
    config = tmp_path / "etcd.yml"
    assert etcd.began_with(str(tmp_path), str(config), PEERS) == {}
    (tmp_path / "member").mkdir()
    assert etcd.began_with(str(tmp_path), str(config), PEERS) == etcd.founding(PEERS)
    config.write_text("name: c\ninitial-cluster: c=https://x:1\ninitial-cluster-state: existing\n")
    assert etcd.began_with(str(tmp_path), str(config), PEERS) == etcd.founding({"c": "https://x:1"}, "existing")


def test_a_member_leaves_once() -> None:
    cluster = Cluster(PEERS)
    stay = {name: PEERS[name] for name in "ab"}
    assert etcd.leave([cluster], "c", "root's", stay, check=True) == ["remove member c"] and len(cluster.members) == 3
    assert etcd.leave([cluster], "c", "root's", stay, check=False) == ["remove member c"] and len(cluster.members) == 2
    assert etcd.leave([cluster], "c", "root's", stay, check=False) == []


def test_a_member_that_never_started_leaves_too() -> None:
    cluster = Cluster(PEERS)
    cluster.members[-1] |= {"name": "", "clientURLs": []}
    assert etcd.leave([cluster], "c", "root's", PEERS, check=False) == [], "it may be about to start"
    assert etcd.leave([cluster], "c", "root's", {name: PEERS[name] for name in "ab"}, check=False) == ["remove member c"]
    assert len(cluster.members) == 2


# --- gates ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Answering(Client):
    """A daemon whose answer is known."""

    answer: str = ""

    def text(self, path: str, statuses: tuple[int, ...] = (200,)) -> str:
        return self.answer


def missing(members: list[tuple[str, str, str]], mode: object = "quorum", **expect: Any) -> list[str]:
    """mode: what the cluster's own configuration says of synchronous standbys."""
    known = [{"name": name, "role": role, "state": state} for name, role, state in members]
    answer = json.dumps({"members": known, "synchronous_mode": mode})
    return gates.postgresql(gates.Question(Answering("", 0, answer=answer), expect))


def test_a_database_behaves_when_it_is_led_followed_and_confirmed() -> None:
    leader, standby = ("a", "leader", "running"), ("b", "quorum_standby", "streaming")
    assert missing([leader, standby], standbys=1) == []
    # The first member of a new cluster.
    assert missing([leader]) == []
    assert missing([("a", "replica", "running")]) == ["it has no leader"]
    assert missing([leader, ("b", "replica", "streaming")]) == ["no standby confirms writes"]
    # Neither where nobody has to, nor on the way there.
    assert missing([leader, ("b", "replica", "streaming")], mode=False) == missing([leader, ("b", "replica", "streaming")], mode=None) == []
    assert missing([leader, ("b", "replica", "streaming")], synchronous=False) == []
    assert missing([leader, ("b", "replica", "streaming")], mode=False, synchronous=True) == ["no standby confirms writes"]
    assert missing([leader, standby], standbys=2) == ["1 of 2 standbys follow the leader"]


def status(**up: int) -> str:
    lines = ["haproxy_process_start_time_seconds 1"]
    for name, state in up.items():
        proxy, _, server = name.rpartition("_")
        lines.append(f'haproxy_server_status{{proxy="{proxy}",server="{server}",state="UP"}} {state}')
    return "\n".join(lines)


def test_a_load_balancer_wants_every_member_but_of_a_database_one() -> None:
    def ask(**up: int) -> list[str]:
        return gates.load_balancer(gates.Question(Answering("", 0, answer=status(**up)), {"backends": True}))

    assert ask(query_a=1, query_b=1, postgresql_a=1, postgresql_b=0, postgresql_read_a=0, postgresql_read_b=1) == []
    assert ask(query_a=1, query_b=0) == ["1 members are out of rotation: b of query"]
    assert ask(postgresql_a=0, postgresql_b=0) == ["2 members are out of rotation: a of postgresql; b of postgresql"]


def test_the_rule_about_members_leaves_out_the_same() -> None:
    rule = (ROOT / "roles/prometheus/files/rules/haproxy.yml").read_text(encoding="utf-8")
    assert f'proxy!~"{"|".join(sorted(gates.PARTIAL))}"' in rule
