"""The table of what drills have measured, for docs/drills.md: ``python -m tools.measured HISTORY…``.

Histories are the files that drills write beside their reports (``history.jsonl``).
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.monitoring.ha.plugins.plugin_utils.drill import failures, report

from tools.reference import table

HEAD = ("drill", "runs", "promised", "median", "worst")
UNIT = " outage"


def runs(entries: Iterable[Mapping[str, Any]]) -> dict[str, list[dict[str, float]]]:
    """Drill → for each of its runs, probe → seconds without an answer: of a probe that does several things, the longest."""
    found: dict[str, list[dict[str, float]]] = {}
    for entry in entries:
        seconds: dict[str, float] = {}
        for name, (value, _limit) in entry["figures"].items():
            if name.endswith(UNIT):
                probe = name.split()[0]
                seconds[probe] = max(seconds.get(probe, 0.0), float(value))
        found.setdefault(entry["name"].partition("@")[0], []).append(seconds)
    return found


def said(figures: Mapping[str, float]) -> str:
    """``database 25.6 s, query 0.2 s``, the worst first."""
    worst = sorted(figures.items(), key=lambda its: (-its[1], its[0]))
    return ", ".join(f"{probe} {seconds:.1f} s" for probe, seconds in worst if seconds) or "0 s"


def promise(its: failures.Failure) -> str:
    """The seconds that a failure may cost."""
    words = {"default": "else"}
    found = [
        f"{words.get(name, name)} {limit:g} s" for name, limit in its.promise.items() if name in failures.SECONDS and limit is not None
    ]
    return ", ".join(found) or "nothing"


def rows(measured: Mapping[str, Sequence[Mapping[str, float]]]) -> Iterator[tuple[object, ...]]:
    """A row for each drill in the order of the data; those that nobody noticed share one for each number of runs."""
    unnoticed: dict[int, list[str]] = {}
    for name, its in failures.load().items():
        mine = measured.get(name, [])
        probes = {probe for run in mine for probe in run}
        # A probe that was not there has seen nothing.
        seen = {probe: [run[probe] for run in mine if probe in run] for probe in probes}
        if mine and not any(map(any, seen.values())):
            unnoticed.setdefault(len(mine), []).append(name)
        elif mine:
            middle = {probe: statistics.median(values) for probe, values in seen.items()}
            yield f"`{name}`", len(mine), promise(its), said(middle), said({probe: max(values) for probe, values in seen.items()})
    for count, names in sorted(unnoticed.items(), reverse=True):
        yield ", ".join(f"`{name}`" for name in names), f"{count} each", "as in the reference", "0 s", "0 s"


def main(paths: Sequence[str]) -> None:
    """Print the table."""
    entries = [entry for path in paths for entry in report.history(Path(path))]
    print("\n".join(table(HEAD, rows(runs(entries)))))


if __name__ == "__main__":
    main(sys.argv[1:])
