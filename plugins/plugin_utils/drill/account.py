# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is told of drills: the journals beside each verdict, and the report."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ansible_collections.monitoring.ha.plugins.plugin_utils.drill import page, report, watch
from ansible_collections.monitoring.ha.plugins.plugin_utils.drill.options import Options
from ansible_collections.monitoring.ha.plugins.plugin_utils.drill.run import BEFORE, Say, begun_run, cases, mending, put
from ansible_collections.monitoring.ha.plugins.plugin_utils.drill.stack import Stack

#: Lines of each host's log that are kept, of those that differ in more than numbers.
LOG = 120
MOMENT = re.compile(r"\d+\.\d+")
NUMBERS = re.compile(r"\b(?=\w*\d)\w+\b")


def log_lines(logs: Mapping[str, str], since: float = 0.0) -> list[dict[str, Any]]:
    """Lines of journals in their form ``short-unix`` from a moment on, in the order of their times. logs: host → journal.

    Of lines that differ in numbers only the first is kept, with how many there were.
    """
    found: list[tuple[float, str, str]] = []
    for host, journal in logs.items():
        first: dict[str, tuple[float, str]] = {}
        times: Counter[str] = Counter()
        for text in journal.splitlines():
            moment, _space, rest = text.partition(" ")
            if not MOMENT.fullmatch(moment) or float(moment) < since:
                continue
            shape = NUMBERS.sub("#", rest)
            first.setdefault(shape, (float(moment), rest[:400]))
            times[shape] += 1
        kept = list(first.items())[:LOG]
        found += [(at, host, f"{line} ({times[shape]} times)" if times[shape] > 1 else line) for shape, (at, line) in kept]
    return [{"at": at, "host": host, "line": line} for at, host, line in sorted(found)]


def log(stack: Stack, options: Options, say: Say) -> dict[str, Any]:
    """What the components said is put beside the verdict, and the report is written as far as it goes: a run may be broken off."""
    del say
    path = options.verdict(options.index)
    if path.exists():
        its = json.loads(path.read_text(encoding="utf-8"))
        injected = min((one["at"] for one in its["events"] if one["what"] == "injected"), default=its["started"])
        result = report.Result(**{**its, "log": log_lines(options.logs, injected - BEFORE)})
        put(options, result)
        write(stack, options, "not come to yet", [result])
    return {}


def collected(stack: Stack, options: Options, rest: str) -> list[report.Result]:
    """Every drill's result. rest: why those are not run that there is none of."""
    found = []
    for index, case in enumerate(cases(stack, options)):
        path = options.verdict(index)
        if path.exists():
            found.append(report.Result(**json.loads(path.read_text(encoding="utf-8"))))
        else:
            result = report.Result(case.name, case.failure.title, "not run", time.time(), [case.host] if case.host else [], case.turn)
            result.reasons = [rest]
            found.append(result)
    return found


def write(stack: Stack, options: Options, rest: str, new: list[report.Result]) -> report.Run:
    """Write the report. rest: as for ``collected``; new: what the history has not yet."""
    begun = begun_run(options)
    cluster = str(stack.of_member("prometheus", "ha_cluster", "main"))
    run = report.Run(cluster, begun["started"], collected(stack, options, rest), stack.topology(), begun["versions"])
    report.put(options.directory / "report.json", json.dumps(run.as_dict(), indent=1) + "\n")
    report.put(options.directory / "junit.xml", report.junit(run))
    history = report.remember(options.directory, replace(run, results=new))
    report.put(options.directory / "report.html", page.page(run, history))
    return run


def tell(stack: Stack, options: Options, say: Say) -> dict[str, Any]:
    """The report. It fails when a promise was not kept, a drill came to no verdict, something else broke off, or somebody is not back."""
    if (options.work / "run").exists():
        watch.leave(options.work / "run")
    run = write(stack, options, "drills had been stopped before" + (f": {options.trouble}" if options.trouble else ""), [])
    trouble = [*filter(None, [options.trouble]), *(f"after the drills, {line}" for line in stack.idle(options.addresses))]
    # Whoever still mends needs what is written there.
    if not mending(options):
        shutil.rmtree(options.work, ignore_errors=True)
    tally = report.counts(run.results)
    for line in [f"{its.name}: {its.state}{': ' + its.reasons[0] if its.reasons else ''}" for its in run.results]:
        say(line)
    said = ", ".join(f"{count} {state}" for state, count in tally.items() if count)
    say(f"{said}; the report is {options.directory}/report.html")
    bad = [its for its in run.results if its.state in ("failed", "error")]
    if bad or trouble:
        lines = [f"{its.name}: {reason}" for its in bad for reason in its.reasons] + trouble
        return {"failed": True, "msg": "\n".join([f"{said}; see {options.directory}/report.html", *lines]), "states": tally}
    return {"states": tally}
