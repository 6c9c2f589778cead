"""What drills have measured, and the tables of it in the documentation: ``python -m tools.measured [HISTORY…]``.

Adds the runs of the histories, which are the files that drills write beside their reports (``history.jsonl``), to ``docs/drills.jsonl``,
and writes the tables again. A run that is there already is not added twice.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ansible_collections.monitoring.ha.plugins.plugin_utils.drill import failures, report

from tools.reference import table

DOCS = Path(__file__).parents[1] / "docs"
RUNS = DOCS / "drills.jsonl"
#: Page with a table → the database that its stacks have.
PAGES = {"drills.md": "postgresql", "mariadb.md": "mariadb"}
#: The scenario whose stack has a MariaDB.
MARIADB = "galera"
MARKS = ("<!-- measured -->\n", "<!-- /measured -->")
HEAD = ("drill", "runs", "promised", "median", "worst")
UNIT = " outage"

Seconds = Mapping[str, float]


@dataclass(frozen=True)
class Run:
    """A run of a drill. at: seconds since 1970. stack: its ``ha_cluster``. state: how it ended. seconds: probe → without an answer."""

    at: int
    stack: str
    drill: str
    state: str
    seconds: Seconds


@dataclass(frozen=True)
class Summary:
    """What is known of a drill's runs: of some, whose histories are gone, only this."""

    stack: str
    drill: str
    runs: int
    median: Seconds
    worst: Seconds


def run(entry: Mapping[str, Any]) -> Run:
    """From a line of a history; of a probe that does several things, the longest."""
    seconds: dict[str, float] = {}
    for name, (value, _limit) in entry["figures"].items():
        if name.endswith(UNIT):
            probe = name.split()[0]
            seconds[probe] = max(seconds.get(probe, 0.0), float(value))
    return Run(int(entry["at"]), entry["cluster"], entry["name"].partition("@")[0], entry["state"], seconds)


def known() -> tuple[list[Summary], list[Run]]:
    """What is kept."""
    lines = [json.loads(text) for text in RUNS.read_text(encoding="utf-8").splitlines()] if RUNS.exists() else []
    return [Summary(**its) for its in lines if "runs" in its], [Run(**its) for its in lines if "at" in its]


def keep(summaries: Iterable[Summary], runs: Iterable[Run]) -> None:
    """Write it, in the order of time."""
    lines: list[Summary | Run] = [*summaries, *sorted(runs, key=lambda its: (its.at, its.stack, its.drill))]
    RUNS.write_text("".join(json.dumps(asdict(its)) + "\n" for its in lines), encoding="utf-8")


def told(summary: Summary) -> list[Run]:
    """The runs of which a summary says everything: one, or two."""
    if summary.runs > 2:
        return []
    other = {probe: max(0.0, 2 * seconds - summary.worst[probe]) for probe, seconds in summary.median.items()}
    return [Run(0, summary.stack, summary.drill, "passed", seconds) for seconds in (summary.worst, other)[: summary.runs]]


def summarise(drill: str, runs: Sequence[Run]) -> Summary:
    """Median and worst, probe by probe; one that was not there has seen nothing."""
    probes = {probe for its in runs for probe in its.seconds}
    seen = {probe: [its.seconds[probe] for its in runs if probe in its.seconds] for probe in probes}
    middle = {probe: statistics.median(values) for probe, values in seen.items()}
    return Summary("", drill, len(runs), middle, {probe: max(values) for probe, values in seen.items()})


def joined(gone: Summary, later: Summary) -> Summary:
    """Of runs whose histories are gone and of fewer later ones: the worst of all, and the median of the more."""
    worst = {probe: max(gone.worst.get(probe, 0.0), later.worst.get(probe, 0.0)) for probe in (*gone.worst, *later.worst)}
    return Summary(gone.stack, gone.drill, gone.runs + later.runs, gone.median, worst)


def said(figures: Seconds) -> str:
    """``database 25.6 s, query 0.2 s``, the worst first."""
    worst = sorted(figures.items(), key=lambda its: (-its[1], its[0]))
    return ", ".join(f"{probe} {seconds:.1f} s" for probe, seconds in worst if seconds) or "0 s"


def promise(its: failures.Failure, database: str) -> str:
    """The seconds that a failure may cost."""
    limits = {name: limit for name, limit in failures.promised(its, {}, database).items() if name in failures.SECONDS}
    words = {"default": "else"}
    return ", ".join(f"{words.get(name, name)} {'not judged' if limit is None else f'{limit:g} s'}" for name, limit in limits.items())


def rows(summaries: Iterable[Summary], runs: Iterable[Run], database: str) -> Iterator[tuple[object, ...]]:
    """A row for each drill in the order of the data; those that nobody noticed, and none failed of, share one for each number of runs.

    A summary of runs whose histories are gone counts with the others where it says enough, or else gives the median for as long as it
    is of more runs than they are.
    """
    old = {its.drill: its for its in summaries}
    mine: dict[str, list[Run]] = {}
    for its in (*(one for summary in old.values() for one in told(summary)), *runs):
        mine.setdefault(its.drill, []).append(its)
    unnoticed: dict[int, list[str]] = {}
    for name, failure in failures.load().items():
        found = summarise(name, mine.get(name, ()))
        if name in old and old[name].runs > found.runs:
            found = joined(old[name], found)
        failed = sum(its.state == "failed" for its in mine.get(name, ()))
        if found.runs and not failed and not any(found.worst.values()):
            unnoticed.setdefault(found.runs, []).append(name)
        elif found.runs:
            runs_of_it = f"{found.runs}, {failed} failed" if failed else found.runs
            yield f"`{name}`", runs_of_it, promise(failure, database) or "nothing", said(found.median), said(found.worst)
    for count, names in sorted(unnoticed.items(), reverse=True):
        yield ", ".join(f"`{name}`" for name in names), f"{count} each", "as in the reference", "0 s", "0 s"


def page(text: str, database: str, summaries: Iterable[Summary], runs: Iterable[Run]) -> str:
    """A page with its table as it has to be."""

    def here(stack: str) -> bool:
        return (stack == MARIADB) is (database == "mariadb")

    mine = rows([its for its in summaries if here(its.stack)], [its for its in runs if here(its.stack)], database)
    before, _, rest = text.partition(MARKS[0])
    _, _, after = rest.partition(MARKS[1])
    return before + MARKS[0] + "\n" + "\n".join(table(HEAD, mine)) + "\n" + MARKS[1] + after


def main(paths: Sequence[str]) -> None:
    """Add histories, and write the tables."""
    summaries, runs = known()
    there = {(its.at, its.stack, its.drill) for its in runs}
    for path in paths:
        found = [run(entry) for entry in report.history(Path(path))]
        runs += [its for its in found if (its.at, its.stack, its.drill) not in there]
        there |= {(its.at, its.stack, its.drill) for its in found}
    keep(summaries, runs)
    for name, database in PAGES.items():
        text = (DOCS / name).read_text(encoding="utf-8")
        (DOCS / name).write_text(page(text, database, summaries, runs), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
