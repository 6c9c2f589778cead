# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The report of a run of drills: JSON, JUnit XML, a page for people, and the history that shows the trend."""

from __future__ import annotations

import json
import os
import statistics
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal
from xml.etree import ElementTree

from ansible_collections.monitoring.ha.plugins.plugin_utils.drill import judge
from ansible_collections.monitoring.ha.plugins.plugin_utils.drill.ledger import Ledger

#: not run: this kind of host cannot have the failure, or drills were stopped before. error: it came to no verdict.
State = Literal["passed", "failed", "not run", "error"]
#: Runs that the trend shows.
TREND = 30
HISTORY = "history.jsonl"
#: Figures that a drill has only when there is something to tell: a repetition without one has a 0.
TOLD_WHEN_THERE = {
    "acknowledged writes not looked at",
    "attempts missing",
    "data not looked at",
    "errors before",
    "pages with a replica's label",
    "seconds not looked at",
    "stale answers",
    "wrong answers",
}


@dataclass
class Result:
    """One drill. hosts: whom it struck. reasons: why it did not pass. lines: the time line, a row for each kind of attempt.

    moves: who answered at the address and at the database, from when on. log: what the components said. notes: what was not looked at.
    """

    name: str
    title: str
    state: State
    started: float = 0.0
    hosts: list[str] = field(default_factory=list)
    turn: int = 1
    seconds: float = 0.0
    reasons: list[str] = field(default_factory=list)
    promise: dict[str, float | None] = field(default_factory=dict)
    figures: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    moves: list[dict[str, Any]] = field(default_factory=list)
    lines: list[dict[str, Any]] = field(default_factory=list)
    log: list[dict[str, Any]] = field(default_factory=list)
    cost: dict[str, dict[str, float]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass
class Run:
    """Every drill of a run, and the stack that it was about."""

    cluster: str
    started: float
    results: list[Result] = field(default_factory=list)
    topology: Mapping[str, Sequence[str]] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "summary": summary(self.results), "states": counts(self.results)}


def reasons(figures: Iterable[judge.Figure]) -> list[str]:
    """What was not kept, a sentence each."""
    return [sentence(its.as_dict()) for its in figures if not its.passed]


def sentence(its: Mapping[str, Any]) -> str:
    """``query: outage of 12.3 s, 5 s were promised (first: …)``."""
    unit = f" {its['unit']}" if its["unit"] else ""
    where = f"{its['probe']} ({its['kind']})" if its["kind"] else its["probe"]
    about = f" ({its['about']})" if its["about"] else ""
    return f"{where}: {its['name']} {its['value']:g}{unit}, promised {its['limit']:g}{unit}{about}"


def line(ledger: Ledger, kind: str) -> dict[str, Any]:
    """A row of the time line: from when to when a probe looked, and its outages."""
    attempts = ledger.kinds()[kind]
    found = [[round(o.start, 2), round(o.end, 2), o.reason] for o in judge.outages(attempts, ledger.patience)]
    return {
        "probe": ledger.probe,
        "kind": kind,
        "start": round(attempts[0].start, 2),
        "end": round(max(one.end for one in attempts), 2),
        "attempts": len(attempts),
        "failed": sum(not judge.good(one, ledger.patience) for one in attempts),
        "outages": found,
    }


def lines(ledgers: Iterable[Ledger]) -> list[dict[str, Any]]:
    return [line(ledger, kind) for ledger in ledgers for kind in ledger.kinds()]


def moves(ledgers: Iterable[Ledger], names: Mapping[str, str]) -> list[dict[str, Any]]:
    """Who answered at the address and at the database. names: address → host."""
    found = []
    for ledger in ledgers:
        if ledger.probe in ("address", "database"):
            found += [{"at": round(at, 2), "what": ledger.probe, "host": names.get(who, who)} for at, who in judge.moves(ledger.attempts)]
    return sorted(found, key=lambda one: float(one["at"]))


def cost(ledgers: Iterable[Ledger]) -> dict[str, dict[str, float]]:
    """Probe → share of a processor that it used itself, and attempts a second over all kinds."""
    found = {}
    for ledger in ledgers:
        start, end = ledger.span
        wall = ledger.cost.get("wall") or (end - start) or 1.0
        many = len(ledger.attempts) / (end - start) if end > start else 0.0
        found[ledger.probe] = {"processor": round(ledger.cost.get("cpu", 0.0) / wall, 3), "attempts a second": round(many, 1)}
    return found


def key(figure: Mapping[str, Any]) -> str:
    """Names a figure in summaries and in the history."""
    return " ".join(part for part in (figure["probe"], figure["kind"], figure["name"]) if part)


def summary(results: Iterable[Result]) -> list[dict[str, Any]]:
    """Median and worst of each figure over the repetitions of a drill, and how often it was kept; without what was 0 in all of them.

    Outages, and what was lost, are told in any case.
    """
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    titles: dict[str, str] = {}
    judged = [result for result in results if result.state in ("passed", "failed")]
    runs = Counter(result.name for result in judged)
    for result in judged:
        titles[result.name] = result.title
        for figure in result.figures:
            groups.setdefault((result.name, key(figure)), []).append(figure)
    return [
        {"name": name, "title": titles[name], "figure": figure, **spread(its, runs[name])}
        for (name, figure), its in groups.items()
        if its[0]["name"] == "outage" or its[0]["name"].endswith("lost") or any(one["value"] for one in its)
    ]


def spread(its: Sequence[Mapping[str, Any]], runs: int) -> dict[str, Any]:
    """Median, worst and more of one figure. its: the figure in the runs that have it."""
    absent = runs - len(its) if its[0]["name"] in TOLD_WHEN_THERE else 0
    values = [float(one["value"]) for one in its] + [0.0] * absent
    return {
        "unit": its[0]["unit"],
        "limit": its[0]["limit"],
        "median": round(statistics.median(values), 2),
        "worst": max(values),
        "runs": len(values),
        "kept": sum(bool(one["passed"]) for one in its) + absent,
    }


def counts(results: Iterable[Result]) -> dict[str, int]:
    """State → how many drills ended in it."""
    found = dict.fromkeys(("passed", "failed", "not run", "error"), 0)
    for result in results:
        found[result.state] += 1
    return found


def junit(run: Run) -> str:
    """A test case for each drill; what could not be run is skipped."""
    tally = counts(run.results)
    totals = {"tests": len(run.results), "failures": tally["failed"], "errors": tally["error"], "skipped": tally["not run"]}
    attributes = {name: str(value) for name, value in totals.items()} | {"time": f"{sum(r.seconds for r in run.results):.1f}"}
    suite = ElementTree.Element("testsuite", {"name": f"drills of {run.cluster}", **attributes})
    for result in run.results:
        turn = f" ({result.turn})" if result.turn > 1 else ""
        about = {"classname": "monitoring.ha.drill", "name": result.name + turn, "time": f"{result.seconds:.1f}"}
        case = ElementTree.SubElement(suite, "testcase", about)
        text = "\n".join(result.reasons)
        if result.state != "passed":
            kind = {"failed": "failure", "error": "error", "not run": "skipped"}[result.state]
            ElementTree.SubElement(case, kind, {"message": printable(result.reasons[0]) if result.reasons else ""}).text = printable(text)
        out = [result.title, *(f"{key(f)}: {f['value']:g} {f['unit']} {f['about']}".strip() for f in result.figures)]
        ElementTree.SubElement(case, "system-out").text = printable("\n".join(out))
    suites = ElementTree.Element("testsuites", attributes)
    suites.append(suite)
    ElementTree.indent(suites)
    return ElementTree.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


def printable(text: str) -> str:
    """Without what XML cannot hold."""
    return "".join(c for c in text if c in "\t\n" or " " <= c <= "\ud7ff" or "\ue000" <= c <= "\ufffd" or c > "\uffff")


def remember(directory: Path, run: Run) -> list[dict[str, Any]]:
    """Append this run's figures to the history; all of it, the oldest first. A line that is broken is left out.

    Of what is not judged only outages are kept.
    """
    path = directory / HISTORY
    before = path.read_bytes() if path.exists() else b""
    with path.open("a", encoding="utf-8") as file:
        # A run that was broken off may have left half a line.
        file.write("\n" if before and not before.endswith(b"\n") else "")
        for result in run.results:
            if result.state in ("passed", "failed"):
                its = {key(f): [f["value"], f["limit"]] for f in result.figures if f["limit"] is not None or f["name"] == "outage"}
                entry = {"at": round(result.started), "cluster": run.cluster, "name": result.name, "state": result.state, "figures": its}
                file.write(json.dumps(entry) + "\n")
    return history(path)


def history(path: Path) -> list[dict[str, Any]]:
    found = []
    for text in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []:
        try:
            entry = json.loads(text)
        except ValueError:
            continue
        if legible(entry):
            found.append(entry)
    return found


def legible(entry: Any) -> bool:
    """Whether a line of the history is one that this version has written, or could have."""
    if not isinstance(entry, Mapping) or not isinstance(entry.get("figures"), Mapping):
        return False
    figures = [its if isinstance(its, list) and len(its) == 2 else [None, None] for its in entry["figures"].values()]
    # One that is not judged has no limit.
    numbers = [entry.get("at"), *(number for value, limit in figures for number in ([value] if limit is None else [value, limit]))]
    return isinstance(entry.get("name"), str) and "state" in entry and all(isinstance(number, (int, float)) for number in numbers)


def strain(entry: Mapping[str, Any]) -> float:
    """The largest share of its limit that any outage of a drill has used; 1 is the promise."""
    shares = [value / limit for name, (value, limit) in entry["figures"].items() if name.endswith("outage") and limit]
    return max(shares, default=0.0)


def trend(entries: Iterable[Mapping[str, Any]], name: str, cluster: str) -> list[tuple[float, float, str]]:
    """(moment, strain, state) of the last runs of a drill on a cluster. Lines that say of no cluster count for any."""
    own = [its for its in entries if its["name"] == name and its.get("cluster", cluster) == cluster]
    mine = [(float(its["at"]), strain(its), str(its["state"])) for its in own]
    return mine[-TREND:]


def put(path: Path, text: str) -> None:
    """Replace a file in one step."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(temporary, 0o644)
    os.replace(temporary, path)
