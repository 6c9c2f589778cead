"""The table of what drills have measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tools import measured


def line(name: str, **figures: float) -> str:
    told = {f"{probe.replace('_', ' ')} outage": [seconds, 5] for probe, seconds in figures.items()}
    return json.dumps({"at": 1, "cluster": "demo", "name": name, "state": "passed", "figures": {**told, "metrics holes": [7, 0]}})


def test_each_drill_has_its_median_and_its_worst(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [line("host_power_cut@mon1", query=0, database=25.0), line("host_power_cut@mon2", query=0.2, database=2.0)]
    lines += [line("host_power_cut@mon3", query=0, database=2.4), line("grafana_killed", grafana_read=0.2, grafana_save=0.4)]
    lines += [line("etcd_killed", database=0), line("store_killed", query=0), "no line of ours"]
    for number, half in enumerate((lines[:3], lines[3:])):
        (tmp_path / f"{number}.jsonl").write_text("\n".join(half), encoding="utf-8")
    measured.main([str(tmp_path / "0.jsonl"), str(tmp_path / "1.jsonl")])
    rows = capsys.readouterr().out.splitlines()[2:]
    assert rows[:3] == [
        "| `grafana_killed` | 1 | grafana 3 s | grafana 0.4 s | grafana 0.4 s |",
        "| `host_power_cut` | 3 | else 5 s, database 30 s, grafana 37 s | database 2.4 s | database 25.0 s, query 0.2 s |",
        "| `store_killed`, `etcd_killed` | 1 each | as in the reference | 0 s | 0 s |",
    ]
