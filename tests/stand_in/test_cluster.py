"""Several instances on one database: what they share, what they do not, and what happens when something dies."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from .databases import DatabaseServer, MariaDB, Postgres, free_port
from .instances import ADMIN, Instance, Make, Refused, database_section, until

VERSION = "13.0.1"
Start = Callable[..., list[Instance]]


@pytest.fixture(scope="module", params=["postgres", "mysql"])
def server(request: pytest.FixtureRequest) -> Iterator[DatabaseServer]:
    """Servers of this module alone, since tests stop them."""
    made = Postgres() if request.param == "postgres" else MariaDB()
    yield made
    made.close()


@pytest.fixture
def start(make: Make, server: DatabaseServer) -> Start:
    def several(count: int, **sections: dict[str, str]) -> list[Instance]:
        database = database_section(server, server.new_database())
        instances = [make(VERSION, {"database": database, **sections}) for _ in range(count)]
        for instance in instances:
            instance.start()
        return instances

    return several


def test_what_is_shared(start: Start) -> None:
    one, two = start(2)
    one.post("/api/dashboards/db", {"dashboard": {"uid": "x", "title": "x"}}).raise_for_status()
    assert two.get("/api/dashboards/uid/x").status_code == 200
    assert [hit["uid"] for hit in two.get("/api/search").json()] == ["x"], "without the fault at once"
    account = one.post("/api/serviceaccounts", {"name": "x", "role": "Viewer"}).json()["id"]
    key = one.post(f"/api/serviceaccounts/{account}/tokens", {"name": "x"}).json()["key"]
    assert requests.get(f"{two.url}/api/org", headers={"Authorization": f"Bearer {key}"}, timeout=5).status_code == 200


def test_session_survives_the_instance_that_issued_it(start: Start) -> None:
    one, two = start(2)
    browser = requests.Session()
    browser.post(f"{one.url}/login", json={"user": ADMIN[0], "password": ADMIN[1]}).raise_for_status()
    one.stop(signal.SIGKILL)
    assert browser.get(f"{two.url}/api/login/ping").status_code == 200
    browser.get(f"{two.url}/logout")
    one.start()
    assert browser.get(f"{one.url}/api/login/ping").status_code == 401


def test_writers_side_by_side(start: Start) -> None:
    """Nothing is lost and nothing doubled when two instances write at once."""
    one, two = start(2)
    statuses: list[int] = []

    def work(instance: Instance, offset: int) -> None:
        client = requests.Session()
        client.auth = ADMIN
        for number in range(12):
            for uid in (f"own-{offset}-{number}", f"shared-{number}"):
                body: dict[str, Any] = {"dashboard": {"uid": uid, "title": uid}, "overwrite": True}
                statuses.append(client.post(f"{instance.url}/api/dashboards/db", json=body, timeout=30).status_code)

    threads = [threading.Thread(target=work, args=(instance, offset)) for offset, instance in enumerate((one, two, one, two))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(statuses) == {200}
    hits = [hit["uid"] for hit in one.get("/api/search?limit=5000").json()]
    assert len(hits) == len(set(hits)) == 4 * 12 + 12
    assert one.get("/api/dashboards/uid/shared-0").json()["dashboard"]["version"] == 4


def test_migration_race(make: Make, server: DatabaseServer) -> None:
    sections = {"database": database_section(server, server.new_database())}
    slow = make(VERSION, sections, {"GRAFANA_STAND_IN_FAULTS": '{"migration_seconds": 3}'})
    loser = make(VERSION, sections)
    patient = make(VERSION, {"database": {**sections["database"], "locking_attempt_timeout_sec": "20"}})
    slow.spawn()
    until(lambda: "Starting DB migrations" in slow.log)
    with pytest.raises(Refused) as caught:
        loser.start()
    assert "Failed to lock database" in str(caught.value) and "failed to obtain lock" in str(caught.value)
    patient.start()
    assert "Unlocking database" in slow.log
    until(lambda: "HTTP Server Listen" in slow.log)
    loser.start()
    for instance in (slow, loser, patient):
        assert [org["id"] for org in instance.get("/api/orgs").json()] == [1]


def test_without_the_lock(make: Make, postgres: DatabaseServer) -> None:
    database = {**database_section(postgres, postgres.new_database()), "migration_locking": "false"}
    instance = make(VERSION, {"database": database}).start()
    assert "Locking database" not in instance.log


def test_lists_lag_behind_the_writes_of_others(start: Start) -> None:
    one, two = start(2)
    one.post("/api/dashboards/db", {"dashboard": {"uid": "kept", "title": "old"}}).raise_for_status()
    one.post("/api/dashboards/db", {"dashboard": {"uid": "gone", "title": "gone"}}).raise_for_status()
    two.faults(list_lag_seconds=6)

    def listed(instance: Instance) -> dict[str, str]:
        return {hit["uid"]: hit["title"] for hit in instance.get("/api/search?type=dash-db").json()}

    one.post("/api/dashboards/db", {"dashboard": {"uid": "new", "title": "new"}}).raise_for_status()
    one.post("/api/dashboards/db", {"dashboard": {"uid": "kept", "title": "changed"}, "overwrite": True}).raise_for_status()
    one.post("/api/folders", {"uid": "folder", "title": "folder"}).raise_for_status()
    one.delete("/api/dashboards/uid/gone").raise_for_status()
    two.post("/api/dashboards/db", {"dashboard": {"uid": "own", "title": "own"}}).raise_for_status()
    assert listed(one) == {"new": "new", "kept": "changed", "own": "own"}
    assert listed(two) == {"kept": "old", "gone": "gone", "own": "own"}, "its own write it has at once"
    assert two.get("/api/folders").json() == [] and two.get("/api/dashboards/uid/new").status_code == 200
    until(lambda: listed(two) == listed(one))
    assert [folder["uid"] for folder in two.get("/api/folders").json()] == ["folder"]
    two.delete("/-/stand-in/faults").raise_for_status()


def test_alertmanagers_poll(make: Make, postgres: DatabaseServer) -> None:
    polling = {"alertmanager_config_poll_interval": "3s"}
    sections = {"database": database_section(postgres, postgres.new_database()), "unified_alerting": polling}
    one, two = make(VERSION, sections).start(), make(VERSION, sections).start()
    path, status = "/api/v1/provisioning/contact-points", "/api/alertmanager/grafana/api/v2/status"

    def add(name: str) -> None:
        body = {"uid": name, "name": name, "type": "webhook", "settings": {"url": "http://127.0.0.1:9"}}
        one.post(path, body).raise_for_status()

    def known(instance: Instance, name: str) -> bool:
        return name in instance.get(status).json()["config"]["original"]

    add("first")
    assert known(one, "first"), "at once where it was changed"
    until(lambda: known(two, "first"))
    add("second")
    assert any(point["uid"] == "second" for point in two.get(path).json()), "the API reads the database"
    assert not known(two, "second"), "it has just polled"
    until(lambda: known(two, "second"))


def test_gossip(make: Make, postgres: DatabaseServer) -> None:
    ports = [free_port() for _ in range(3)]
    peers = ",".join(f"127.0.0.1:{port}" for port in ports)
    sections = {"database": database_section(postgres, postgres.new_database())}
    instances = [
        make(VERSION, {**sections, "unified_alerting": {"ha_peers": peers, "ha_listen_address": f"127.0.0.1:{port}"}}).start()
        for port in ports
    ]
    for instance in instances:
        until(lambda instance=instance: instance.metric("alertmanager_cluster_members") == 3)  # type: ignore[misc]
    assert sorted(instance.metric("alertmanager_peer_position") for instance in instances) == [0, 1, 2]
    until(lambda: "gossip settled; proceeding" in instances[0].log)
    instances[2].stop(signal.SIGKILL)
    until(lambda: instances[0].metric("alertmanager_cluster_members") == 2)
    assert instances[0].metric("alertmanager_cluster_failed_peers") == 1


def test_database_restart(start: Start, server: DatabaseServer) -> None:
    (instance,) = start(1)
    health = f"{instance.url}/api/health"
    assert requests.get(health, timeout=5).status_code == 200
    server.stop()
    assert requests.get(health, timeout=5).status_code == 200, "the answer of the last five seconds"
    assert instance.get("/api/org").status_code == 500
    until(lambda: requests.get(health, timeout=15).status_code == 503)
    assert requests.get(health, timeout=5).json()["database"] == "failing"
    assert requests.get(f"{instance.url}/healthz", timeout=5).status_code == 200
    server.start()
    assert instance.get("/api/org").status_code == 200, "no stale connection is in the way"
    assert instance.post("/api/folders", {"title": "x"}).status_code == 200
    if server.kind == "postgres":
        until(lambda: requests.get(health, timeout=5).status_code == 200)
    server.restart()
    assert instance.post("/api/folders", {"title": "y"}).status_code == 200, "a write neither, right after a restart"


def test_leader_that_became_read_only(make: Make, postgres: DatabaseServer) -> None:
    name = postgres.new_database()
    instance = make(VERSION, {"database": database_section(postgres, name)}).start()
    postgres.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    postgres.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
    assert instance.get("/api/org").status_code == 200
    refused = instance.post("/api/folders", {"title": "x"})
    assert refused.status_code == 500
    assert "cannot execute INSERT in a read-only transaction" in instance.log
    postgres.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = off")
    # One that was opened meanwhile may be refused once more; after that they are all gone.
    until(lambda: instance.post("/api/folders", {"title": "x"}).status_code == 200)


def test_provisioning_on_every_node(make: Make, server: DatabaseServer) -> None:
    # Started at once, the nodes have to wait for each other's migrations.
    sections = {"database": {**database_section(server, server.new_database()), "locking_attempt_timeout_sec": "60"}}
    instances = [make(VERSION, sections) for _ in range(3)]
    files = {
        "datasources/a.yaml": "datasources: [{name: a, type: prometheus}]\n",
        "dashboards/a.yaml": "providers: [{name: a, folder: F, updateIntervalSeconds: 1, options: {path: %s}}]\n",
        "alerting/a.yaml": "contactPoints: [{name: p, receivers: [{uid: p, type: webhook, settings: {url: 'http://x'}}]}]\n",
    }
    make(VERSION, sections).start().stop()
    for instance in instances:
        (instance.directory / "boards").mkdir()
        (instance.directory / "boards" / "one.json").write_text('{"title": "One"}')
        for path, text in files.items():
            (instance.provisioning / path).write_text(text.replace("%s", str(instance.directory / "boards")))
        instance.spawn()
    for instance in instances:
        until(lambda instance=instance: "HTTP Server Listen" in instance.log, *instances)  # type: ignore[misc]
    time.sleep(1.5)
    one = instances[1]
    assert len(one.get("/api/datasources").json()) == 1 and len(one.get("/api/folders").json()) == 1
    (hit,) = one.get("/api/search?type=dash-db").json()
    assert one.get(f"/api/dashboards/uid/{hit['uid']}").json()["dashboard"]["version"] == 1, "no version for each node"


def test_shutdown_lets_requests_end(make: Make, postgres: DatabaseServer) -> None:
    instance = make(VERSION, {"database": database_section(postgres, postgres.new_database())}).start()
    instance.faults(latency_ms=700, paths="^/api/org$")
    answers: list[int] = []
    thread = threading.Thread(target=lambda: answers.append(instance.get("/api/org").status_code))
    thread.start()
    time.sleep(0.2)
    instance.stop()
    thread.join()
    assert answers == [200] and "Shutdown started" in instance.log
