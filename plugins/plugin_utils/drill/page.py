# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The page of a report: one file, without anything from elsewhere, for phones, screens and paper, light and dark."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from ansible_collections.monitoring.ha.plugins.plugin_utils import lock
from ansible_collections.monitoring.ha.plugins.plugin_utils.drill import report
from ansible_collections.monitoring.ha.plugins.plugin_utils.drill.report import Result, Run

STYLE = (lock.ROOT / "roles" / "drill" / "files" / "report.css").read_text(encoding="utf-8")


def moment(seconds: float) -> str:
    """For people, in UTC."""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))


def anchor(result: Result) -> str:
    return f"{result.name}-{result.turn}".replace("@", "-")


def verdict(state: str) -> str:
    return f'<span class="verdict {state.replace(" ", "-")}">{escape(state)}</span>'


def number(value: float, unit: str) -> str:
    return escape(f"{value:g}{' ' + unit if unit else ''}")


def table(head: Sequence[str], rows: Iterable[Sequence[str]], numbers: frozenset[int] = frozenset()) -> str:
    """A table; cells are HTML. numbers: columns that are set to the right."""

    def cell(tag: str, index: int, content: str) -> str:
        return f'<{tag} class="number">{content}</{tag}>' if index in numbers else f"<{tag}>{content}</{tag}>"

    top = "".join(cell("th", index, escape(text)) for index, text in enumerate(head))
    body = "".join("<tr>" + "".join(cell("td", index, text) for index, text in enumerate(row)) + "</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def spark(points: Sequence[tuple[float, float, str]]) -> str:
    """The trend of a drill: the share of its promise that it used, the promise as a line."""
    if len(points) < 2:
        return ""
    top = max(1.2, *(share for _at, share, _state in points))
    step = 100 / (len(points) - 1)
    path = " ".join(f"{index * step:.1f},{30 - 28 * share / top:.1f}" for index, (_at, share, _state) in enumerate(points))
    promise = 30 - 28 / top
    words = f"{len(points)} runs, the last at {100 * points[-1][1]:.0f} % of what was promised"
    return (
        f'<svg class="spark" viewBox="0 0 100 32" preserveAspectRatio="none" role="img" aria-label="{words}"><title>{words}</title>'
        f'<line x1="0" x2="100" y1="{promise:.1f}" y2="{promise:.1f}"/><polyline points="{path}"/></svg>'
    )


def span(result: Result) -> tuple[float, float]:
    """Beginning and end of the time line."""
    starts = [float(its["start"]) for its in result.lines] + [float(its["at"]) for its in result.events]
    ends = [float(its["end"]) for its in result.lines] + [float(its["at"]) for its in result.events]
    return (min(starts), max(ends)) if starts else (0.0, 0.0)


def happenings(result: Result) -> list[tuple[float, str]]:
    """(moment, words): what was done, and what moved where, in the order of the times."""
    found = [(float(its["at"]), f"{its['what']} {its['host']} {its['words']}".strip()) for its in result.events]
    titles = {"address": "the virtual address is answered by", "database": "the database is answered by"}
    begun = min((at for at, _words in found), default=0.0)
    seen: set[str] = set()
    for its in result.moves:
        # Who was there from the beginning has not moved.
        if its["what"] in seen or float(its["at"]) > begun:
            found.append((float(its["at"]), f"{titles[its['what']]} {its['host']}"))
        seen.add(its["what"])
    return sorted(found)


def time_line(result: Result) -> str:
    """A row for each probe, with its outages, and the moments at which something was done or moved."""
    start, end = span(result)
    if end <= start:
        return ""
    zero = min((float(its["at"]) for its in result.events if its["what"] == "injected"), default=start)
    what = happenings(result)

    def x(at: float) -> float:
        return max(0.0, min(1000.0, 1000 * (at - start) / (end - start)))

    marks = "".join(f'<line class="mark" x1="{x(at):.1f}" x2="{x(at):.1f}" y1="0" y2="18"/>' for at, _words in what)
    signs = "".join(f'<span style="left:{x(at) / 10:.1f}%">{index}</span>' for index, (at, _words) in enumerate(what, start=1))
    rows = [f'<div></div><div class="marks" aria-hidden="true">{signs}</div>']
    for its in result.lines:
        name = f"{its['probe']} {its['kind']}".strip()
        bars = "".join(
            f'<rect class="outage" x="{x(a):.1f}" width="{max(2.0, x(b) - x(a)):.1f}" y="2" height="14">'
            f"<title>{a - zero:+.1f} s to {b - zero:+.1f} s: {escape(str(why))}</title></rect>"
            for a, b, why in its["outages"]
        )
        words = f"{name}: {its['attempts']} attempts, {its['failed']} failed"
        rows.append(
            f'<div>{escape(name)} <span class="faint">{its["failed"]}/{its["attempts"]}</span></div>'
            f'<svg viewBox="0 0 1000 18" preserveAspectRatio="none" role="img" aria-label="{escape(words)}">'
            f"<title>{escape(words)}</title>"
            f'<rect class="track" x="{x(its["start"]):.1f}" width="{x(its["end"]) - x(its["start"]):.1f}" y="5" height="8"/>'
            f"{bars}{marks}</svg>"
        )
    ticks = "".join(f"<span>{start + share * (end - start) - zero:+.0f} s</span>" for share in (0, 0.25, 0.5, 0.75, 1))
    rows.append(f'<div></div><div class="ticks">{ticks}</div>')
    legend = "".join(f"<li>{at - zero:+.1f} s: {escape(words)}</li>" for at, words in what)
    return f'<div class="time">{"".join(rows)}</div><ol class="events">{legend}</ol>'


def figures(result: Result) -> str:
    rows = []
    for its in result.figures:
        limit = "—" if its["limit"] is None else number(its["limit"], its["unit"])
        name = f"{its['probe']} {its['kind']}: {its['name']}".replace(" :", ":")
        state = "passed" if its["passed"] else "failed"
        sign = "✓" if its["passed"] else "✗"
        rows.append([f'<span class="{state}">{sign}</span> {escape(name)}', number(its["value"], its["unit"]), limit, escape(its["about"])])
    return table(("figure", "measured", "promised", ""), rows, frozenset({1, 2})) if rows else ""


def drill(result: Result) -> str:
    """Everything of one drill."""
    turn = f" <span class=faint>run {result.turn}</span>" if result.turn > 1 else ""
    hosts = f" — {', '.join(result.hosts)}" if result.hosts else ""
    reasons = "".join(f"<li>{escape(text)}</li>" for text in result.reasons)
    state = result.state.replace(" ", "-")
    zero = min((float(its["at"]) for its in result.events if its["what"] == "injected"), default=result.started)
    log = "\n".join(f"{float(its['at']) - zero:+8.2f} s  {its['host']}  {its['line']}" for its in result.log)
    said = f"<details><summary>What the components said ({len(result.log)} lines)</summary><pre>{escape(log)}</pre></details>"
    spent = "; ".join(f"{name} {its['processor']:.0%}, {its['attempts a second']:g} a second" for name, its in result.cost.items())
    notes = [*result.notes, *([f"The probes' own cost, of one processor of the controller, and their attempts: {spent}"] if spent else [])]
    return "".join(
        [
            f'<article id="{escape(anchor(result))}"><header><h3>{escape(result.name)}{turn}</h3>{verdict(result.state)}</header>',
            f"<p>{escape(result.title)}{escape(hosts)}</p>",
            f'<ul class="reasons {state}">{reasons}</ul>' if reasons else "",
            time_line(result),
            figures(result),
            said if log else "",
            *(f'<p class="faint">{escape(note)}.</p>' for note in notes),
            "</article>",
        ]
    )


def overview(run: Run, history: Sequence[Mapping[str, Any]]) -> str:
    rows = []
    for result in run.results:
        worst = max((its for its in result.figures if its["name"] == "outage"), key=lambda its: float(its["value"]), default=None)
        longest = f"{worst['probe']} {number(worst['value'], 's')}" if worst else ""
        link = f'<a href="#{escape(anchor(result))}">{escape(result.name)}</a>'
        rows.append([link, verdict(result.state), longest, spark(report.trend(history, result.name, run.cluster))])
    return table(("failure", "verdict", "longest outage", "trend"), rows)


def medians(run: Run) -> str:
    rows = [
        [escape(its["name"]), escape(its["figure"]), number(its["median"], its["unit"]), number(its["worst"], its["unit"]),
         "—" if its["limit"] is None else number(its["limit"], its["unit"]), f"{its['kept']}/{its['runs']}"]
        for its in report.summary(run.results)
        if its["runs"] > 1
    ]  # fmt: skip
    head = ("failure", "figure", "median", "worst", "promised", "kept")
    return f"<h2>Over all repetitions</h2>{table(head, rows, frozenset({2, 3, 4, 5}))}" if rows else ""


def page(run: Run, history: Sequence[Mapping[str, Any]]) -> str:
    """The whole page."""
    tally = ", ".join(f"{count} {state}" for state, count in report.counts(run.results).items() if count) or "no drills"
    members = table(("component", "hosts"), [[escape(title), escape(", ".join(hosts))] for title, hosts in run.topology.items()])
    versions = table(("component", "version"), [[escape(job), escape(version)] for job, version in run.versions.items()])
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Drills of {escape(run.cluster)}: {escape(tally)}</title><style>{STYLE}</style></head><body>"
        f"<h1>Failover drills of {escape(run.cluster)}</h1><p>{escape(tally)}</p>"
        f'<p class="faint">{moment(run.started)}. Measured from outside, by clients at the virtual address.</p>'
        f"<h2>Verdicts</h2>{overview(run, history)}{medians(run)}<h2>Drills</h2>{''.join(drill(result) for result in run.results)}"
        f"<h2>The stack</h2>{members}<p></p>{versions if run.versions else ''}</body></html>\n"
    )
