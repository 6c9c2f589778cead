"""The table of what drills have measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tools import measured

TEXT = f"before\n{measured.MARKS[0]}something else\n{measured.MARKS[1]}\nafter\n"


def line(at: int, name: str, cluster: str = "demo", **figures: float) -> str:
    told = {f"{probe.replace('_', ' ')} outage": [seconds, 5] for probe, seconds in figures.items()}
    return json.dumps({"at": at, "cluster": cluster, "name": name, "state": "passed", "figures": {**told, "metrics holes": [7, 0]}})


@pytest.fixture
def docs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(measured, "DOCS", tmp_path)
    for name in measured.PAGES:
        (tmp_path / name).write_text(TEXT, encoding="utf-8")
    monkeypatch.setattr(measured, "RUNS", tmp_path / "drills.jsonl")
    return tmp_path


def rows(page: Path) -> list[str]:
    text = page.read_text(encoding="utf-8")
    assert text.startswith("before\n") and text.endswith("\nafter\n")
    return [row for row in text.splitlines() if row.startswith("| `")]


def test_each_drill_has_its_median_and_its_worst(docs: Path) -> None:
    lines = [line(1, "host_power_cut@mon1", query=0, database=25.0), line(2, "host_power_cut@mon2", query=0.2, database=2.0)]
    lines += [line(3, "host_power_cut@mon3", query=0, database=2.4), line(4, "grafana_killed", grafana_read=0.2, grafana_save=0.4)]
    lines += [line(5, "etcd_killed", database=0), line(6, "store_killed", query=0), "no line of ours"]
    lines += [line(7, "leader_power_cut", measured.MARIADB, database=5)]
    paths = [docs / "0.jsonl", docs / "1.jsonl"]
    for path, half in zip(paths, (lines[:3], lines[2:]), strict=True):
        path.write_text("\n".join(half), encoding="utf-8")
    measured.main([*map(str, paths)])
    expected = [
        "| `grafana_killed` | 1 | grafana 3 s | grafana 0.4 s | grafana 0.4 s |",
        "| `host_power_cut` | 3 | else 5 s, database 30 s, grafana 37 s | database 2.4 s | database 25.0 s, query 0.2 s |",
        "| `store_killed`, `etcd_killed` | 1 each | as in the reference | 0 s | 0 s |",
    ]
    assert rows(docs / "drills.md") == expected
    assert rows(docs / "mariadb.md") == [
        "| `leader_power_cut` | 1 | else 5 s, database 10 s, grafana 17 s | database 5.0 s | database 5.0 s |"
    ]
    kept = measured.RUNS.read_text(encoding="utf-8")
    measured.main([str(paths[0])])
    assert measured.RUNS.read_text(encoding="utf-8") == kept and rows(docs / "drills.md") == expected, "what is there is not added again"


def test_failed_runs_count_and_are_told_also_where_nobody_was_without_an_answer(docs: Path) -> None:
    lines = [line(1, "etcd_killed", database=0), line(2, "etcd_killed", database=0).replace("passed", "failed")]
    (docs / "0.jsonl").write_text("\n".join(lines), encoding="utf-8")
    measured.main([str(docs / "0.jsonl")])
    assert rows(docs / "drills.md") == ["| `etcd_killed` | 2, 1 failed | database 5 s, grafana 5 s | 0 s | 0 s |"]


def test_what_is_left_of_runs_that_are_gone_counts(docs: Path) -> None:
    measured.keep(
        [
            measured.Summary("demo", "grafana_killed", 1, {"grafana": 1.0}, {"grafana": 1.0}),
            measured.Summary("demo", "grafana_hung", 2, {"grafana": 2.0}, {"grafana": 3.0}),
            measured.Summary("demo", "prometheus_hung", 5, {"query": 5.0}, {"query": 7.0}),
            measured.Summary("demo", "sidecar_hung", 5, {"query": 5.0}, {"query": 7.0}),
        ],
        [
            measured.Run(3, "demo", "sidecar_hung", "passed", {"grafana": 1.0, "query": 8.0}),
            *(
                measured.Run(number, "demo", name, "passed", {"grafana": 4.0})
                for number in (1, 2)
                for name in ("grafana_killed", "grafana_hung")
            ),
        ],
    )
    measured.main([])
    its = {row.split("`")[1]: row.split(" | ", 1)[1] for row in rows(docs / "drills.md")}
    assert its["grafana_killed"] == "3 | grafana 3 s | grafana 4.0 s | grafana 4.0 s |"
    assert its["grafana_hung"] == "4 | grafana 10 s | grafana 3.5 s | grafana 4.0 s |"
    assert its["prometheus_hung"] == "5 | query 15 s, grafana 15 s | query 5.0 s | query 7.0 s |"
    # Fewer later runs than those: the worst is that of all.
    assert its["sidecar_hung"] == "6 | query 15 s, grafana 15 s | query 5.0 s | query 8.0 s, grafana 1.0 s |"


@pytest.mark.parametrize("name", measured.PAGES)
def test_the_documentation_tells_the_runs_that_are_kept(name: str) -> None:
    text = (measured.DOCS / name).read_text(encoding="utf-8")
    assert measured.page(text, measured.PAGES[name], *measured.known()) == text, "python -m tools.measured"
