"""Every failure that three hosts bear, and some that nobody does, measured from outside and held to its promise."""

from __future__ import annotations

import pytest
from ansible_collections.monitoring.ha.plugins.plugin_utils.drill import failures

from tests.scenario import drills

#: All but those of the other database, which this stack has not.
DATA = {name: its for name, its in failures.load().items() if its.daemon not in drills.MARIADB}
#: What containers cannot have, and how that is said.
IMPOSSIBLE = {"clock_stepped": "a container has the clock of its machine"}
#: What they can have where their machine's kernel can do it, and where their data have a disk of their own.
SOMEWHERE = {"network_slow": "its kernel cannot delay packets", "leader_disk_full": "is not a file system of its own"}


@pytest.fixture(scope="session")
def run() -> drills.Drilled:
    """All of them, one after the other."""
    found = drills.drill("all", count=(len(DATA) + 2) * drills.REPEAT, drill_repeat=drills.REPEAT, drill_go_on=True)
    print(drills.account(found.results))
    return found


@pytest.mark.parametrize("name", DATA)
def test_a_promise_is_kept(run: drills.Drilled, name: str) -> None:
    found = run.of(name)
    assert len(found) >= drills.REPEAT, run.played.output[-4000:]
    for its in found:
        if its["state"] == "not run":
            expected = {**IMPOSSIBLE, **SOMEWHERE}.get(name)
            assert expected and expected in its["reasons"][0], its["reasons"]
        else:
            assert its["state"] == "passed" and name not in IMPOSSIBLE, drills.account([its])


def test_the_report_is_there_for_programs_and_people(run: drills.Drilled) -> None:
    assert {path.name for path in run.directory.iterdir()} >= {"report.json", "junit.xml", "report.html", "history.jsonl", "ledgers"}
    page = (run.directory / "report.html").read_text(encoding="utf-8")
    assert "http://" not in page.partition("<body>")[0] and "<script" not in page


def test_probes_look_often_enough_and_say_what_they_cost(run: drills.Drilled) -> None:
    for its in run.results:
        if its["state"] == "passed":
            assert set(its["cost"]) == {"address", "database", "grafana", "metrics", "objects", "pages", "query"}
            assert all(cost["attempts a second"] >= 5 for probe, cost in its["cost"].items() if probe in ("address", "query", "pages"))
