"""What an import does about the wrong organisation, about others who write at the same time, and about answers that get lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.canonical import Json
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.errors import Incomplete, TreeError

from tests.unit.servers import Answer, Request

from .small import Grafana, Org, changed, running

PERMISSIONS = "/api/folders/f/permissions"


class Meddled(Grafana):
    """meddle: what happens to a request before it is answered; an answer of its own is given instead."""

    meddle: Callable[[Request], Answer | None] = staticmethod(lambda _request: None)

    def __call__(self, request: Request) -> Answer:
        return self.meddle(request) or super().__call__(request)


@pytest.fixture
def grafana() -> Iterator[Meddled]:
    small = Meddled()
    with running(small):
        yield small


# --- organisations ---------------------------------------------------------------------------------------------------


@pytest.fixture
def two(grafana: Meddled, tmp_path: Path) -> Grafana:
    """Two organisations, and their tree."""
    grafana.main.dashboard("a", "A of main")
    grafana.orgs[2] = Org("second")
    grafana.orgs[2].dashboard("b", "B of second")
    grafana.export(tmp_path / "tree", {}, "all")
    return grafana


WRONG = {
    "two to one": ({"main": "second"}, "'main' and 'second' would both go to 'second'"),
    "two to a new one": ({"main": "new", "second": "new"}, "'main' and 'second' would both go to 'new'"),
    "a misspelt one": ({"Main": "second"}, "the tree has no organisation 'Main', but 'main', 'second': correct the name"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_map(case: str, two: Grafana, tmp_path: Path) -> None:
    mapped, said = WRONG[case]
    for attempt in (two.bring, two.plan, two.drift):
        with pytest.raises(TreeError, match=f"organisation_map: {said}"):
            attempt(tmp_path / "tree", organisation_map=mapped)
    with pytest.raises(TreeError):
        two.bring(tmp_path / "tree", organisation_map=mapped, prune=True)
    assert {org.name: [*org.dashboards] for org in two.orgs.values()} == {"main": ["a"], "second": ["b"]}


def test_one_of_two(two: Grafana, tmp_path: Path) -> None:
    """What is not chosen goes nowhere; names may be swapped."""
    two.bring(tmp_path / "tree", organisation_map={"main": "second"}, organisations=["main"])
    assert [*two.orgs[2].dashboards] == ["b", "a"]
    two.bring(tmp_path / "tree", organisation_map={"main": "second", "second": "main"}, prune=True)
    assert {org.name: [*org.dashboards] for org in two.orgs.values()} == {"main": ["b"], "second": ["a"]}


# --- somebody else ---------------------------------------------------------------------------------------------------


def test_a_rule_group_that_somebody_has_made(grafana: Meddled, tmp_path: Path) -> None:
    grafana.main.folder("f", "F")
    grafana.main.group("f", "g", "r1")
    grafana.export(tmp_path / "tree")
    grafana.main.groups.clear()
    planned = grafana.plan(tmp_path / "tree")

    def make(request: Request) -> None:
        if request.path.endswith("/rule-groups/g") and not grafana.main.groups:
            grafana.main.group("f", "g", "theirs")

    grafana.meddle = make
    with pytest.raises(Incomplete, match="somebody else has changed it since it was read"):
        grafana.bring(tmp_path / "tree")
    assert changed(planned) == {("created", "alert_rules", "f/g")}
    assert [rule["uid"] for rule in grafana.main.groups["f", "g"]["rules"]] == ["theirs"]


# --- lost answers ----------------------------------------------------------------------------------------------------


class Guarded(Org):
    """An organisation whose new folder has permissions of Grafana's own."""

    def change(self, method: str, path: str, body: Any) -> Any:
        if path == PERMISSIONS:
            self.answers[path] = [{"permission": one["permission"], "role": one["role"]} for one in body["items"]]
            return {}
        if path == "/api/folders":
            self.answers[PERMISSIONS] = [{"permission": 1, "role": "Viewer"}]
        return super().change(method, path, body)


EDITORS: list[Json] = [{"permission": 2, "role": "Editor"}]


@pytest.fixture
def new(grafana: Meddled, tmp_path: Path) -> Meddled:
    """A folder with permissions of its own is in the tree, and no longer in Grafana."""
    grafana.orgs[1] = Guarded("main")
    grafana.main.folder("f", "F")
    grafana.main.answers[PERMISSIONS] = EDITORS
    grafana.export(tmp_path / "tree")
    grafana.main.folders.clear()
    del grafana.main.answers[PERMISSIONS]
    return grafana


@pytest.mark.parametrize("status", [500, 503, 409])
@pytest.mark.parametrize("done", [False, True])
def test_permissions_of_a_new_folder(done: bool, status: int, new: Meddled, tmp_path: Path) -> None:
    """The first request fails, or its answer is lost."""
    asked = []

    def fail(request: Request) -> Answer | None:
        if (request.method, request.path) != ("POST", PERMISSIONS):
            return None
        asked.append(request)
        if done:
            new.main.answers[PERMISSIONS] = EDITORS
        return Answer(b'{"message": "failing over"}', status) if len(asked) == 1 else None

    new.meddle = fail
    new.bring(tmp_path / "tree")
    assert new.main.answers[PERMISSIONS] == EDITORS and len(asked) == (1 if done else 2)
    assert not new.bring(tmp_path / "tree").changed


def test_permissions_that_somebody_has_changed(new: Meddled, tmp_path: Path) -> None:
    def fail(request: Request) -> Answer | None:
        if (request.method, request.path) != ("POST", PERMISSIONS):
            return None
        new.main.answers[PERMISSIONS] = [{"permission": 4, "role": "Viewer"}]
        return Answer(b'{"message": "failing over"}', 503)

    new.meddle = fail
    with pytest.raises(Incomplete, match="somebody else has changed it"):
        new.bring(tmp_path / "tree")
