"""Requests act in the organisation that they name, or nothing is read and nothing is written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.errors import GrafanaError

from tests.unit.servers import Answer, Request

from .small import EVERYTHING, Grafana, Org, running

#: What a server administrator may ask wherever he is a member.
_SERVER = {"/api/health", "/apis", "/api/orgs"}
LOST = r"organisation 'other': the user is no member of it, or something in front of Grafana drops X-Grafana-Org-Id: add 'admin'"


@dataclass
class Elsewhere(Grafana):
    """A Grafana that an administrator uses who is no member of some organisations, or behind a proxy that drops the header."""

    strange: set[int] = field(default_factory=set)
    dropped: bool = False
    asked: list[tuple[str, str, str]] = field(default_factory=list)

    def __call__(self, request: Request) -> Answer:
        named = request.headers.get("X-Grafana-Org-Id", "")
        path = urlsplit(request.path).path
        self.asked.append((request.method, path, named))
        if self.dropped:
            headers = {name: value for name, value in request.headers.items() if name != "X-Grafana-Org-Id"}
            return super().__call__(Request(request.method, request.path, headers, request.body))
        if named and int(named) in self.strange and path not in _SERVER:
            return Answer(b"[]") if path == "/api/search" else Answer(b'{"message": "You\'ll need additional permissions"}', 403)
        return super().__call__(request)

    def beyond(self) -> list[tuple[str, str, str]]:
        """What was asked in other organisations than the own one, but for who they are, and every change but a new organisation."""
        return [one for one in self.asked if (one[2] not in ("", "1") and one[1] != "/api/org") or one[0] != "GET"]


@pytest.fixture
def grafana() -> Iterator[Elsewhere]:
    with running(Elsewhere({1: Org("main"), 2: Org("other"), 3: Org("third")})) as small:
        assert isinstance(small, Elsewhere)
        small.orgs[1].dashboard("a", "A")
        small.orgs[2].dashboard("b", "B")
        yield small


@pytest.fixture
def tree(grafana: Elsewhere, tmp_path: Path) -> Path:
    """All three organisations as they are."""
    grafana.export(tmp_path / "tree", EVERYTHING, "all")
    grafana.asked.clear()
    return tmp_path / "tree"


def _lost(grafana: Elsewhere, how: str) -> None:
    grafana.strange, grafana.dropped = ({2}, False) if how == "no member" else (set(), True)


@pytest.mark.parametrize("how", ["no member", "dropped"])
@pytest.mark.parametrize("wanted", ["all", "other", "2"])
def test_nothing_is_exported_of_another_one(grafana: Elsewhere, tree: Path, wanted: str, how: str) -> None:
    _lost(grafana, how)
    before = sorted(tree.rglob("*"))
    for keep_going in (False, True):
        with pytest.raises(GrafanaError, match=LOST):
            grafana.export(tree, {"kinds": ["dashboards"]}, wanted, keep_going=keep_going)
    assert sorted(tree.rglob("*")) == before and grafana.beyond() == []


@pytest.mark.parametrize("how", ["no member", "dropped"])
def test_nothing_is_imported_or_compared(grafana: Elsewhere, tree: Path, how: str) -> None:
    _lost(grafana, how)
    for call in (grafana.bring, grafana.plan, grafana.drift):
        with pytest.raises(GrafanaError, match=LOST):
            call(tree)
    assert grafana.beyond() == [] and list(grafana.main.dashboards) == ["a"]


def test_a_new_organisation_is_looked_at_before_anything_is_written_to_it(grafana: Elsewhere, tree: Path) -> None:
    del grafana.orgs[3]
    grafana.orgs[2].name = "elsewhere"
    grafana.strange = {3}
    with pytest.raises(GrafanaError, match=LOST) as caught:
        grafana.bring(tree, organisations=["other"])
    assert caught.value.done.created == ["other"]
    assert grafana.beyond() == [("POST", "/api/orgs", "")] and grafana.orgs[3].dashboards == {}


def test_each_is_asked_once_and_the_own_one_not(grafana: Elsewhere, tree: Path) -> None:
    def asked() -> list[str]:
        return sorted(named for _method, path, named in grafana.asked if path == "/api/org" and named)

    assert not grafana.bring(tree).changed and asked() == ["2", "3"]
    grafana.asked.clear()
    grafana.export(tree, EVERYTHING, "all")
    assert asked() == ["2", "3"]
    for wanted in ("main", "1"):
        grafana.asked.clear()
        grafana.export(tree.parent / "own", {"kinds": ["folders"]}, wanted)
        assert [path for _method, path, _named in grafana.asked] == ["/api/health", "/apis", "/api/org", "/api/search"]
