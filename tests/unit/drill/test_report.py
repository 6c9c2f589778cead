"""The report as programs read it: JSON, JUnit, history."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from ansible_collections.monitoring.ha.plugins.plugin_utils.drill import judge, page, report
from ansible_collections.monitoring.ha.plugins.plugin_utils.drill.judge import Figure
from ansible_collections.monitoring.ha.plugins.plugin_utils.drill.ledger import Attempt, Ledger

from tests.unit.drill.results import START, result, run


def test_a_missed_promise_is_a_sentence() -> None:
    assert result("haproxy_hung", "x", 9, 5).reasons == ["query: outage 9 s, promised 5 s (first: connection refused <by> somebody)"]
    assert result("haproxy_hung", "x", 3, 5).reasons == []


def test_repetitions_have_a_median_and_a_worst() -> None:
    (its,) = [one for one in report.summary(run().results) if one["figure"] == "query outage"]
    assert (its["name"], its["median"], its["worst"], its["limit"], its["runs"], its["kept"]) == ("haproxy_hung", 2.5, 9, 5, 3, 2)


def repeated(*figures: Figure | None) -> list[dict[str, Any]]:
    """The summary of a drill that had an outage of a second in each of its runs, and these beside; None: nothing beside."""
    outage = Figure("query", "outage", 1, 5, "s")
    runs = [[outage, *([figure] if figure else [])] for figure in figures]
    made = [report.Result("x", "X", "passed", figures=[figure.as_dict() for figure in its]) for its in runs]
    made.append(report.Result("x", "X", "error", figures=[Figure("query", "tail errors", 99, 0).as_dict()]))
    return [its for its in report.summary(made) if its["figure"] != "query outage"]


def told(its: dict[str, Any]) -> tuple[str, float, float, int, int]:
    return its["figure"], its["median"], its["worst"], its["runs"], its["kept"]


def test_repetitions_in_which_all_was_well_count_as_others_do() -> None:
    (its,) = repeated(*(Figure("query", "tail errors", value, 0) for value in (0, 0, 3, 0, 1)))
    assert told(its) == ("query tail errors", 0, 3, 5, 3)
    (its,) = repeated(*(Figure("query", "tail errors", value, 0) for value in (0, 0, 0, 0, 7)))
    assert told(its) == ("query tail errors", 0, 7, 5, 4)
    # What is told only when it is there was 0 in the others.
    (its,) = repeated(None, Figure("query", "errors before", 2, 0), None, None, Figure("query", "errors before", 4, 0))
    assert told(its) == ("query errors before", 0, 4, 5, 3)
    # Nobody knows what a run without data would have had of others.
    (its,) = repeated(None, Figure("metrics", "holes", 2, 0))
    assert told(its) == ("metrics holes", 2, 2, 1, 0)


def test_what_was_never_there_is_not_in_the_summary_unless_it_is_what_drills_are_about() -> None:
    assert repeated(*(Figure("query", "tail errors", 0, 0) for _ in range(3))) == []
    (its,) = repeated(*(Figure("database", "acknowledged writes lost", 0, 0) for _ in range(3)))
    assert told(its) == ("database acknowledged writes lost", 0, 0, 3, 3)


@pytest.mark.parametrize("name", sorted(report.TOLD_WHEN_THERE))
def test_what_is_told_when_it_is_there_is_called_so_by_the_judge(name: str) -> None:
    said = Path(judge.__file__).read_text(encoding="utf-8")
    assert f'"{name}"' in said or f'f"{{state}} {name.removeprefix("wrong ").removeprefix("stale ")}"' in said


def test_the_whole_report_is_json() -> None:
    found = json.loads(json.dumps(run().as_dict()))
    assert found["states"] == {"passed": 2, "failed": 1, "not run": 1, "error": 1}
    assert [its["state"] for its in found["results"]] == ["passed", "passed", "failed", "not run", "error"]
    assert report.Result(**found["results"][0]).name == "haproxy_hung"


def test_junit_has_a_case_for_each_drill_and_never_counts_what_was_not_run_as_passed() -> None:
    suite = ElementTree.fromstring(report.junit(run())).find("testsuite")
    assert suite is not None
    assert [suite.get(name) for name in ("tests", "failures", "errors", "skipped")] == ["5", "1", "1", "1"]
    outcome = {case.get("name"): [child.tag for child in case if child.tag != "system-out"] for case in suite}
    assert outcome == {
        "haproxy_hung": [],
        "haproxy_hung (2)": [],
        "haproxy_hung (3)": ["failure"],
        "clock_stepped": ["skipped"],
        "leader_power_cut": ["error"],
    }
    skipped = suite.find("testcase/skipped")
    assert skipped is not None and skipped.get("message") == "a container has the clock of its machine"


def test_junit_holds_whatever_a_client_saw() -> None:
    its = run()
    its.results[2].reasons = ["\x00\x1b[31mred\ufffe"]
    assert ElementTree.fromstring(report.junit(its)) is not None


def test_the_history_grows_and_outlives_a_broken_line(tmp_path: Path) -> None:
    first = report.remember(tmp_path, run())
    assert [(its["name"], its["state"]) for its in first] == [("haproxy_hung", "passed")] * 2 + [("haproxy_hung", "failed")]
    with (tmp_path / report.HISTORY).open("a", encoding="utf-8") as file:
        file.write('{"at": 1, "na')
        file.write("\n")
    assert len(report.remember(tmp_path, run())) == 6
    curve = [(START, 0.3, "passed"), (START, 0.5, "passed"), (START, 1.8, "failed")]
    assert report.trend(first, "haproxy_hung", "failover & more") == curve
    assert report.trend(first, "other", "failover & more") == []


@pytest.mark.parametrize(
    "line",
    [
        b"null",
        b"[1]",
        b'{"at": 1}',
        b'{"at": 1, "name": "haproxy_hung", "state": "passed", "figures": []}',
        b'{"at": 1, "name": "haproxy_hung", "state": "passed", "figures": {"query outage": {"value": 1}}}',
        b'{"at": 1, "name": "haproxy_hung", "state": "passed", "figures": {"query outage": ["1", "2"]}}',
        b'{"at": "then", "name": "haproxy_hung", "state": "passed", "figures": {}}',
        b"\xff\xfe",
        b'{"at": 1, "na',
    ],
)
def test_a_line_that_nobody_can_read_loses_nothing_else(tmp_path: Path, line: bytes) -> None:
    assert len(report.remember(tmp_path, run())) == 3
    with (tmp_path / report.HISTORY).open("ab") as file:
        file.write(line)
    entries = report.remember(tmp_path, run())
    assert len(entries) == 6 and "<html" in page.page(run(), entries)


def test_an_outage_that_is_not_judged_is_kept_and_counts_for_no_trend(tmp_path: Path) -> None:
    its = run()
    its.results = [replace(its.results[0], figures=[Figure("database", name, 40, None, "s").as_dict() for name in ("outage", "looks")])]
    (entry,) = report.remember(tmp_path, its)
    assert entry["figures"] == {"database outage": [40, None]}
    assert report.trend([entry], "haproxy_hung", "failover & more") == [(START, 0.0, "passed")]
    assert "<html" in page.page(its, [entry])


def test_each_cluster_has_its_own_trend(tmp_path: Path) -> None:
    report.remember(tmp_path, run())
    other = run()
    other.cluster = "another"
    other.results = other.results[2:]
    both = report.remember(tmp_path, other)
    assert [strain for _at, strain, _state in report.trend(both, "haproxy_hung", "failover & more")] == [0.3, 0.5, 1.8]
    assert [strain for _at, strain, _state in report.trend(both, "haproxy_hung", "another")] == [1.8]
    # Lines that say nothing of it.
    older = [{key: value for key, value in both[0].items() if key != "cluster"}, *both]
    assert [strain for _at, strain, _state in report.trend(older, "haproxy_hung", "another")] == [0.3, 1.8]


def test_a_row_of_the_time_line_has_its_outages() -> None:
    attempts = [Attempt(n, n, n + 0.1, "error" if 3 <= n < 6 else "ok", "read", "refused" if 3 <= n < 6 else "") for n in range(1, 10)]
    assert report.lines([Ledger("grafana", attempts)]) == [
        {"probe": "grafana", "kind": "read", "start": 1, "end": 9.1, "attempts": 9, "failed": 3, "outages": [[3, 6, "refused"]]}
    ]


def test_moves_are_told_by_the_names_of_hosts() -> None:
    rows = [Attempt(n, n, n + 0.1, "ok", "", "192.0.2.1" if n < 3 else "192.0.2.2") for n in range(1, 5)]
    found = report.moves([Ledger("database", rows), Ledger("query", rows)], {"192.0.2.1": "mon1", "192.0.2.2": "mon2"})
    assert [(its["what"], its["host"]) for its in found] == [("database", "mon1"), ("database", "mon2")]


def test_what_probes_cost_is_said() -> None:
    attempts = [Attempt(n, n / 5, n / 5 + 0.01) for n in range(51)]
    assert report.cost([Ledger("query", attempts, cost={"cpu": 0.5, "wall": 10})]) == {
        "query": {"processor": 0.05, "attempts a second": 5.1}
    }
