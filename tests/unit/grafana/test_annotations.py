"""Annotations: all of them are found, however many and however long, and those without a text are made."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.canonical import Json
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.client import Client, Connection
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.errors import Incomplete
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.kinds import furnishings

from tests.unit.servers import Answer, Request

from .small import Grafana, Org, changed, running

PATH = "/api/annotations"


class Annotated(Org):
    """An organisation with annotations, as Grafana finds, makes and changes them. lost: writes whose answer gets lost, by method."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.kept: dict[int, Json] = {}
        self.lost: list[str] = []
        self.answers[PATH] = self.found

    def note(self, time: int, end: int = 0, text: str = "", tags: tuple[str, ...] = ()) -> None:
        number = max(self.kept, default=0) + 1
        self.kept[number] = {"id": number, "time": time, "timeEnd": max(time, end), "text": text, "tags": list(tags)}

    def found(self, query: dict[str, list[str]]) -> list[Json]:
        start, end, limit = (int(query[name][0]) for name in ("from", "to", "limit"))
        inside = [one for one in self.kept.values() if one["time"] <= end and one["timeEnd"] >= start]
        return sorted(inside, key=lambda one: (-one["timeEnd"], -one["time"]))[:limit]

    def get(self, path: str, query: dict[str, list[str]]) -> Any:
        return self.kept[int(path.rpartition("/")[2])] if path.startswith(PATH) else super().get(path, query)

    def change(self, method: str, path: str, body: Any) -> Any:
        if not path.startswith(PATH):
            return super().change(method, path, body)
        if method == "POST":
            self.note(body["time"], body.get("timeEnd", 0), body["text"], body["tags"])
            return {"id": max(self.kept)}
        number = int(path.rpartition("/")[2])
        if method == "DELETE":
            return self.kept.pop(number)
        self.kept[number] |= {name: body[name] for name in ("time", "text", "tags")}
        return {}

    @property
    def texts(self) -> list[str]:
        return sorted(one["text"] for one in self.kept.values())


class Faulty(Grafana):
    """A Grafana that refuses annotations without a text, and loses answers."""

    def client(self) -> Client:
        # Two lost answers may be about the same annotation.
        return Client(Connection(self.url, "admin", "secret", retries=2, pause=0.001))

    def __call__(self, request: Request) -> Answer:
        org = self.orgs[1]
        if request.path == PATH and request.method == "POST" and not json.loads(request.body)["text"]:
            return Answer(b'{"message": "text field should not be empty"}', 400)
        answer = super().__call__(request)
        if isinstance(org, Annotated) and request.path.startswith(PATH) and request.method in org.lost:
            org.lost.remove(request.method)
            return Answer(b'{"message": "failing over"}', 503)
        return answer


@pytest.fixture
def main(grafana: Grafana) -> Annotated:
    org = Annotated("main")
    grafana.orgs[1] = org
    return org


@pytest.fixture
def grafana() -> Iterator[Grafana]:
    with running(Faulty()) as small:
        yield small


def exported(grafana: Grafana, tree: Path) -> list[str]:
    """Texts of the annotations in the tree."""
    grafana.export(tree, {"kinds": ["annotations"]})
    return sorted(json.loads(path.read_text()).get("text", "") for path in (tree / "main" / "annotations").glob("*.json"))


@pytest.mark.parametrize("page", [1, 2, 5, 7])
def test_long_regions_do_not_hide_others(
    page: int, main: Annotated, grafana: Grafana, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(furnishings, "_PAGE", page)
    main.note(10, 10**6, "a long region")
    for number in range(20):
        main.note(1000 + number, text=f"{number}")
    assert exported(grafana, tmp_path / "tree") == main.texts


@pytest.mark.parametrize("seed", range(20))
def test_any_mixture(seed: int, main: Annotated, grafana: Grafana, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(seed)
    monkeypatch.setattr(furnishings, "_PAGE", chance.randint(1, 8))
    for number in range(40):
        main.note(chance.randint(1, 12), chance.choice([0, chance.randint(1, 15)]), f"{number}")
    assert exported(grafana, tmp_path / "tree") == main.texts


@pytest.fixture
def tree(main: Annotated, grafana: Grafana, tmp_path: Path) -> Path:
    """Of three annotations, two of which are the same and have no text; Grafana has none of them any more."""
    main.note(1000, tags=("x",))
    main.note(1000, tags=("x",))
    main.note(2000, 3000, "said")
    assert exported(grafana, tmp_path / "tree") == ["", "", "said"]
    main.kept.clear()
    return tmp_path / "tree"


GIVEN: Json = {"kinds": ["annotations"], "prune": True}


def test_without_a_text(tree: Path, main: Annotated, grafana: Grafana) -> None:
    assert {action for action, _kind, _key in changed(grafana.bring(tree, **GIVEN))} == {"created"}
    assert main.texts == ["", "", "said"] and not grafana.bring(tree, **GIVEN).changed


@pytest.mark.parametrize("lost", [["POST"], ["PUT"], ["POST", "PUT"], ["PUT", "PUT"]])
def test_a_lost_answer(lost: list[str], tree: Path, main: Annotated, grafana: Grafana) -> None:
    main.lost = lost
    grafana.bring(tree, **GIVEN)
    assert main.texts == ["", "", "said"] and not grafana.bring(tree, **GIVEN).changed


@pytest.mark.parametrize("prune", [True, False])
def test_the_next_run_finishes_it(prune: bool, tree: Path, main: Annotated, grafana: Grafana) -> None:
    """Somebody may look at it, and export it, in between."""
    grafana.refused[("PUT", f"{PATH}/1")] = 403
    with pytest.raises(Incomplete):
        grafana.bring(tree, on_error="continue", **GIVEN)
    grafana.refused.clear()
    (half,) = [one for one in main.kept.values() if "takes this text away" in one["text"]]
    assert half["tags"] == ["x"]
    done = grafana.bring(tree, **{**GIVEN, "prune": prune})
    assert {action for action, _kind, _key in changed(done)} == {"updated"}
    assert main.texts == ["", "", "said"] and not grafana.bring(tree, **GIVEN).changed
