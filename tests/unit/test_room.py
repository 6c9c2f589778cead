"""Who hands PostgreSQL's lead over because its disk is full, and when."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.monitoring.ha.plugins.module_utils import patroni_room
from ansible_collections.monitoring.ha.plugins.module_utils.patroni_room import Watch

from tests.unit import identities
from tests.unit.servers import Answer, Request, Server, serve

MIB = 1024 * 1024
LEAST = 256


class Patroni:
    """leads: what it says of itself. refuses: its words, where it does not switch over."""

    def __init__(self, leads: bool = True, refuses: str = "") -> None:
        self.leads, self.refuses = leads, refuses

    def __call__(self, request: Request) -> Answer:
        if request.path == "/primary":
            return Answer(status=200 if self.leads else 503)
        return Answer(self.refuses.encode() or b'Successfully switched over to "b"', 412 if self.refuses else 200)


@contextmanager
def watching(pki: identities.Site, directory: Path, patroni: Patroni) -> Iterator[tuple[Watch, Server]]:
    """A member's watch, by the file that the role writes, and what its Patroni was asked."""
    certificate, key = pki.files("controller")
    with serve(patroni, pki.context()) as server:
        its = {"name": "a", "members": {"a": f"127.0.0.1:{server.port}"}, "user": "patroni", "password": "söme:thing"}
        its |= {"ca": pki.ca, "certificate": certificate, "key": key, "data": str(directory / "data"), "least_room": str(LEAST)}
        (directory / "room.json").write_text(json.dumps(its), encoding="utf-8")
        yield Watch.of(str(directory / "room.json")), server


def disks(monkeypatch: pytest.MonkeyPatch, **mib: int) -> None:
    """Room by the name of a directory; others do not exist."""

    def statvfs(path: str) -> Any:
        if (name := Path(path).name) not in mib:
            raise FileNotFoundError(path)
        return SimpleNamespace(f_bavail=mib[name] * MIB // 4096, f_frsize=4096)

    monkeypatch.setattr(os, "statvfs", statvfs)


def switched(server: Server) -> list[Any]:
    return [json.loads(request.body) for request in server.asked if request.path == "/switchover"]


def test_a_leader_without_room_hands_over_to_whom_patroni_chooses(
    pki: identities.Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with watching(pki, tmp_path, Patroni()) as (watch, server):
        disks(monkeypatch, data=LEAST)
        assert watch.safely() == patroni_room.LOOK and server.asked == []
        disks(monkeypatch, data=LEAST - 1)
        watch.safely()
        assert switched(server) == [{"leader": "a"}]
        assert server.asked[-1].headers["Authorization"] == "Basic cGF0cm9uaTpzw7ZtZTp0aGluZw=="
    assert capsys.readouterr().out == "no room on the disk of its data: it has handed the lead over\n"


def test_the_log_may_have_a_disk_of_its_own(pki: identities.Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with watching(pki, tmp_path, Patroni()) as (watch, server):
        disks(monkeypatch, data=10 * LEAST, pg_wal=0)
        watch.safely()
        assert len(switched(server)) == 1


def test_a_standby_without_room_asks_for_nothing(pki: identities.Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with watching(pki, tmp_path, Patroni(leads=False)) as (watch, server):
        disks(monkeypatch, data=0)
        assert watch.safely() == patroni_room.LOOK
        assert server.paths == ["/primary"]


def test_the_lead_does_not_go_round_where_nobody_has_room(
    pki: identities.Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A member hands over once, and again only after it has had room: clearly more than too little."""
    with watching(pki, tmp_path, Patroni()) as (watch, server):
        for left, times in ((0, 1), (0, 1), (LEAST + 1, 1), (0, 1), (2 * LEAST, 1), (0, 2)):
            disks(monkeypatch, data=left)
            watch.safely()
            assert len(switched(server)) == times, left
    # Each time is told.
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_one_that_nobody_may_follow_is_asked_again_and_said_once(
    pki: identities.Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    patroni = Patroni(refuses="no good candidates have been found")
    with watching(pki, tmp_path, patroni) as (watch, server):
        disks(monkeypatch, data=0)
        assert watch.safely() == watch.safely() == patroni_room.AGAIN
        patroni.refuses = ""
        assert watch.safely() == patroni_room.LOOK
        assert len(switched(server)) == 3
    refused, done = capsys.readouterr().out.splitlines()
    assert refused.endswith("/switchover: 412 no good candidates have been found") and done.endswith("it has handed the lead over")


def test_one_that_has_no_data_yet_has_room(pki: identities.Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with watching(pki, tmp_path, Patroni()) as (watch, server):
        disks(monkeypatch)
        assert watch.safely() == patroni_room.LOOK
        assert server.asked == []
