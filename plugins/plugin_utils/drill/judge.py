# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Judgement: what the ledgers of a drill come to, against what was promised. Pure functions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any

from ansible_collections.monitoring.ha.plugins.plugin_utils.drill.ledger import Attempt, Ledger
from ansible_collections.monitoring.ha.plugins.plugin_utils.drill.probes.common import PERIOD

#: Attempts a second below which a probe has looked too seldom to judge by.
RATE = 5.0
#: Seconds without an attempt that are none in which something could have been missed.
GLANCE = 1.0
#: Seconds that a sample may be late on a machine that is busy.
JITTER = 1.0
#: Seconds by which the failure may have been earlier than is known: word of it has to come from the host.
BLUR = 0.5
#: Scrape intervals between two samples of deduplicated data that are no hole yet: deduplication stays with a replica
#: until that has been silent for two of them, and takes the other one's next sample.
DISTANCE = 3
#: Limits that are about pages.
PAGES = {"pages_lost", "page_copies", "page_delay", "pages_doubled"}
#: Alertmanager pages at least once: a page twice for one alert is no promise broken, for one after the other it is.
COPIES, DOUBLED = 2, 1
#: Times that an Alertmanager has to have answered while an alert fired, for it to count as one that should have known it.
LOOKS = 3
#: Seconds after which a Prometheus tells one that has come back what still fires (``--rules.alert.resend-delay``).
RESEND = 60.0
#: Seconds between two answers that are a pause.
AWAY = 5.0


@dataclass(frozen=True)
class Moments:
    """When things were done, in seconds since 1970. mended: when that began. whole: when every member behaved again; 0: never.

    lasting: nothing was broken at one moment; something went on all the while (an upgrade), and each outage of it is as good as another.
    """

    injected: float
    mended: float = 0.0
    whole: float = 0.0
    lasting: bool = False


@dataclass(frozen=True)
class Figure:
    """One number of a verdict. limit: what was promised; None: it is told, not judged. about: what it stands for, in words."""

    probe: str
    name: str
    value: float
    limit: float | None
    unit: str = ""
    kind: str = ""
    about: str = ""

    @property
    def passed(self) -> bool:
        return self.limit is None or self.value <= self.limit

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "passed": self.passed}


@dataclass(frozen=True)
class Promise:
    """Limits by their names (docs/drills.md); what is not named has the default of its kind, what is null is told and not judged."""

    limits: Mapping[str, float | None] = field(default_factory=dict)

    def of(self, name: str, default: float | None) -> float | None:
        """A limit by its name. ``alerts`` stands for all that is about pages, where it is named."""
        if name in PAGES and "alerts" in self.limits:
            default = self.limits["alerts"]
        return self.limits.get(name, default)

    def outage(self, probe: str) -> float | None:
        """Seconds without the right answer."""
        return self.limits.get(probe, self.limits.get("default", 2.0))


@dataclass(frozen=True)
class Outage:
    """A time without the right answer. reason: what the first client saw."""

    start: float
    end: float
    reason: str = ""

    @property
    def seconds(self) -> float:
        return self.end - self.start


def good(attempt: Attempt, patience: float) -> bool:
    """The right answer, in time."""
    return attempt.state == "ok" and attempt.seconds <= patience


def reason(attempt: Attempt) -> str:
    """Why an attempt was no good one."""
    return attempt.detail or (f"an answer after {attempt.seconds:.1f} s" if attempt.state == "ok" else attempt.state)


def outages(attempts: Iterable[Attempt], patience: float) -> list[Outage]:
    """Times from the beginning of an attempt that came to nothing to the beginning of the next one that did not.

    Whoever comes in such a time is turned away. An attempt that waits counts from when it began to wait.
    """
    found: list[Outage] = []
    first: Attempt | None = None
    last = 0.0
    for attempt in sorted(attempts, key=lambda one: one.start):
        last = max(last, attempt.end)
        if not good(attempt, patience):
            first = first or attempt
        elif first:
            found.append(Outage(first.start, attempt.start, reason(first)))
            first = None
    if first:
        found.append(Outage(first.start, last, reason(first)))
    return found


def tail(attempts: Sequence[Attempt], patience: float, moments: Moments, limit: float) -> list[Attempt]:
    """Attempts that failed when they should not any more: later than promised after the first one, or after everything was whole again.

    What is stopped in an orderly way goes on for a while, so that the failure's own moment says little.
    Mending is like a second failure: what fails from then on may do so for as long as promised after the first that did, and no later.
    """
    failed = [one for one in attempts if not good(one, patience)]
    mended = moments.mended or float("inf")
    first = min((one.start for one in failed if one.end >= moments.injected), default=0.0)
    late = max(first, moments.injected) + limit
    # An attempt that still waits when mending begins is of the failure, and says nothing of when what mends is felt.
    again = min((one.start for one in failed if one.start >= mended), default=mended) + limit
    whole = moments.whole or float("inf")
    return [one for one in failed if late < one.start < mended or one.start > min(again, whole)]


def unseen(attempts: Sequence[Attempt], moments: Moments) -> float:
    """The longest time in seconds, of that from the failure until everything was whole again, in which no attempt was under way."""
    until = max(moments.whole, moments.mended, moments.injected)
    longest, seen = 0.0, moments.injected
    for attempt in sorted(attempts, key=lambda one: one.start):
        longest = max(longest, min(attempt.start, until) - seen)
        seen = max(seen, attempt.end)
    return max(longest, until - seen)


def rate(attempts: Sequence[Attempt], patience: float, *, sequential: bool = False) -> float:
    """Attempts a second, times apart in which one waited longer than a client has patience.

    sequential: one attempt at a time, so that one which is under way for longer than a period looks all the while.
    """
    if len(attempts) < 2:
        return 0.0
    ordered = sorted(attempts, key=lambda one: one.start)
    waited = (
        sum(max(0.0, one.seconds - PERIOD) for one in ordered[:-1])
        if sequential
        else sum(
            after.start - before.start for before, after in pairwise(ordered) if before.seconds > patience and after.start >= before.end
        )
    )
    span = ordered[-1].start - ordered[0].start - waited
    return (len(ordered) - 1) / span if span > 0 else float(len(ordered))


def numbers(attempts: Iterable[Attempt], kind: str) -> set[int]:
    """Numbers of what was acknowledged."""
    return {one.number for one in attempts if one.kind == kind and one.state == "ok"}


def moves(attempts: Iterable[Attempt]) -> list[tuple[float, str]]:
    """Who answered, from when on: (moment, detail) whenever the detail of a good attempt is another one."""
    found: list[tuple[float, str]] = []
    for attempt in sorted(attempts, key=lambda one: one.end):
        if attempt.state == "ok" and attempt.detail and (not found or found[-1][1] != attempt.detail):
            found.append((attempt.end, attempt.detail))
    return found


def holes(samples: Sequence[float], interval: float, since: float, until: float) -> list[tuple[float, float]]:
    """(from, to) of every gap between samples that is larger than deduplication accounts for, at the ends too."""
    longest = DISTANCE * interval + JITTER
    inside = sorted(moment for moment in samples if since <= moment <= until)
    return [(before, after) for before, after in pairwise([since, *inside, until]) if after - before > longest]


def copies(arrived: Iterable[Sequence[Any]]) -> Counter[tuple[str, int]]:
    """(source, number) of an alert → pages that arrived for it."""
    return Counter((str(entry[0]), int(entry[1])) for entry in arrived)


def story(alert: tuple[str, int], arrived: Iterable[Sequence[Any]], moments: Moments) -> str:
    """Who paged for an alert, and when."""
    pages = (f"by {entry[3]} {entry[2] - moments.injected:+.1f} s from the failure" for entry in arrived if tuple(entry[:2]) == alert)
    return f"{alert[0]} {alert[1]} {', '.join(pages)}"


def rule_numbers(period: float, since: float, until: float) -> list[int]:
    """Numbers of the alerts that the rule has fired, from beginning to end, in a time: one each period."""
    first, last = int(-(-since // period)), int(until // period)
    return list(range(first, last))


def informed(answered: Iterable[float], silent: Sequence[float], delay: float) -> list[float]:
    """The moments of its answers, but for those within ``delay`` seconds after it had been away. silent: of questions without one."""
    found, last, back = [], 0.0, 0.0
    for at in sorted(answered):
        away = at - last > AWAY or any(last < moment < at for moment in silent)
        back = at if last and away else back
        last = at
        if at >= back + delay or not back:
            found.append(at)
    return found


def unreached(reach: Mapping[str, Mapping[str, Any]], expected: Iterable[int], period: float, life: float) -> dict[str, list[int]]:
    """Alertmanager → alerts of the rule that it never had, although it answered while they fired.

    reach: member → ``seen``, the numbers, and ``answered`` and ``silent``, the moments. life: seconds that an alert fires.
    """
    found: dict[str, list[int]] = {}
    wanted = list(expected)
    for member, its in reach.items():
        seen = set(its["seen"])
        moments = informed(its["answered"], its.get("silent", ()), RESEND + period)
        missed = [
            number
            for number in wanted
            if number not in seen and sum(number * period + period <= at <= number * period + life for at in moments) >= LOOKS
        ]
        if missed:
            found[member] = missed
    return found


# --- figures of each probe ------------------------------------------------------------------------------------------


def clients(ledger: Ledger, moments: Moments, promise: Promise) -> list[Figure]:
    """What every probe is judged on: outage, tail, wrong and stale answers, errors before, and whether it looked often enough."""
    found: list[Figure] = []
    limit = promise.outage(ledger.probe)
    for kind, attempts in ledger.kinds().items():
        if kind in ledger.facts.get("unjudged", []):
            continue
        every = outages(attempts, ledger.patience)
        longest = max(every, key=lambda one: one.seconds, default=Outage(0, 0))
        about = f"first: {longest.reason}" if longest.seconds else ""
        found.append(Figure(ledger.probe, "outage", round(longest.seconds, 2), limit, "s", kind, about))
        before = [one for one in attempts if one.end < moments.injected - BLUR and not good(one, ledger.patience)]
        if before:
            found.append(Figure(ledger.probe, "errors before", len(before), 0, "", kind, reason(before[0])))
        # Whoever has died, or stands still, sees nothing bad any more.
        if (blind := unseen(attempts, moments)) > max(GLANCE, 2 * ledger.patience if limit is None else limit):
            about = "the probe stood still, ended before its time, or began after it"
            found.append(Figure(ledger.probe, "seconds not looked at", round(blind, 1), 0, "s", kind, about))
        if moments.lasting:
            about = f"{sum(one.seconds for one in every):.1f} s together" if every else ""
            found.append(Figure(ledger.probe, "outages", len(every), promise.of("outages", None), "", kind, about))
        else:
            # However long an outage may be, it is over when everything is whole again.
            late = tail(attempts, ledger.patience, moments, float("inf") if limit is None else limit)
            about = f"{reason(late[0])}, {late[0].start - moments.injected:.1f} s after the failure" if late else ""
            found.append(Figure(ledger.probe, "tail errors", len(late), promise.of("tail", 0), "", kind, about))
        # As an upper limit, so that every figure is judged in the same way.
        often = rate(attempts, ledger.patience, sequential=bool(ledger.facts.get("sequential")))
        about = f"{often:.1f} attempts a second"
        found.append(Figure(ledger.probe, "seconds between attempts", round(1 / often, 3) if often else 99, 1 / RATE, "s", kind, about))
    for state in ("wrong", "stale"):
        those = [one for one in ledger.attempts if one.state == state]
        if those or ledger.probe == "query":
            found.append(
                Figure(ledger.probe, f"{state} answers", len(those), promise.of(state, 0), "", "", those[0].detail if those else "")
            )
    return found


def kept(ledger: Ledger, kind: str, promise: Promise) -> list[Figure]:
    """Acknowledged writes that are not there in the end; ``found`` are those that are. Nothing where it could not be looked."""
    acknowledged = numbers(ledger.attempts, kind)
    found = ledger.facts.get("found")
    if found is None:
        return [
            Figure(ledger.probe, "acknowledged writes not looked at", len(acknowledged), 0, "", kind, str(ledger.facts.get("unfound", "")))
        ]
    lost = sorted(acknowledged - set(found))
    about = f"of {len(acknowledged)}" + (f": {', '.join(map(str, lost[:8]))}" if lost else "")
    return [Figure(ledger.probe, "acknowledged writes lost", len(lost), promise.of("lost", 0), "", kind, about)]


def database(ledger: Ledger, moments: Moments, promise: Promise) -> list[Figure]:
    return [*clients(ledger, moments, promise), *kept(ledger, "", promise)]


def grafana(ledger: Ledger, moments: Moments, promise: Promise) -> list[Figure]:
    return [*clients(ledger, moments, promise), *kept(ledger, "save", promise)]


def objects(ledger: Ledger, moments: Moments, promise: Promise) -> list[Figure]:
    return [*clients(ledger, moments, promise), *kept(ledger, "put", promise)]


def metrics(ledger: Ledger, moments: Moments, promise: Promise) -> list[Figure]:
    """Holes in the deduplicated data of each host, over the whole drill."""
    del moments
    its = ledger.facts
    if "samples" not in its:
        return [Figure("metrics", "data not looked at", 1, promise.of("holes", 0), "", "", str(its.get("unfound", "")))]
    broken = {host: holes(samples, its["interval"], its["since"], its["until"]) for host, samples in its["samples"].items()}
    count = sum(map(len, broken.values()))
    widest = max((after - before for gaps in broken.values() for before, after in gaps), default=0.0)
    about = f"the widest is {widest:.1f} s ({', '.join(host for host, gaps in broken.items() if gaps)})" if count else ""
    return [Figure("metrics", "holes", count, promise.of("holes", 0), "", "", about)]


def pages(ledger: Ledger, moments: Moments, promise: Promise) -> list[Figure]:
    """Each alert that was taken or fired is paged, soon, and seldom twice; and every Alertmanager that was there knew it."""
    its = ledger.facts
    arrived = its.get("arrived", [])
    counted = copies(arrived)
    posted = {("posted", number) for number in numbers(ledger.attempts, "post")}
    rules = its.get("rule") or {}
    fired = rule_numbers(rules["period"], rules["since"], rules["until"]) if rules else []
    expected = posted | {("rule", number) for number in fired}
    lost = sorted(expected - set(counted))
    found = clients(ledger, moments, promise)
    about = f"of {len(expected)}" + (f": {', '.join(f'{source} {number}' for source, number in lost[:8])}" if lost else "")
    found.append(Figure("pages", "pages lost", len(lost), promise.of("pages_lost", 0), "", "", about))
    mine = {alert: count for alert, count in counted.items() if alert in expected}
    doubled = [alert for alert, count in mine.items() if count > 1]
    found.append(Figure("pages", "pages for one alert", max(mine.values(), default=0), promise.of("page_copies", COPIES)))
    # Where a failure is expected to double pages, it may be any of them.
    limit = promise.of("pages_doubled", None if "page_copies" in promise.limits else DOUBLED)
    about = f"of {len(mine)}" + (f": {story(doubled[0], arrived, moments)}" if doubled else "")
    found.append(Figure("pages", "alerts paged more than once", len(doubled), limit, "", "", about))
    begun = {one.number: one.start for one in ledger.attempts if one.kind == "post" and one.state == "ok"}
    first: dict[int, float] = {}
    for source, number, at, *_rest in arrived:
        if source == "posted":
            first[number] = min(at, first.get(number, at))
    slowest = max((first[number] - start for number, start in begun.items() if number in first), default=0.0)
    found.append(Figure("pages", "slowest page", round(slowest, 1), promise.of("page_delay", 60), "s"))
    # Of what fired before, whoever could not send it then tries again now.
    labelled = sorted({entry[4] for entry in arrived if len(entry) > 4 and entry[4] and (entry[0], entry[1]) in expected})
    if labelled:
        found.append(Figure("pages", "pages with a replica's label", len(labelled), 0, "", "", f"replica {', '.join(labelled)}"))
    if rules:
        missed = unreached(its.get("reach", {}), fired, rules["period"], rules["life"])
        about = "; ".join(f"{member} was never told of {len(those)}" for member, those in missed.items())
        found.append(Figure("pages", "Alertmanagers left out", len(missed), promise.of("unreached", 0), "", "", about))
    return found


JUDGES: dict[str, Callable[[Ledger, Moments, Promise], list[Figure]]] = {
    "database": database,
    "grafana": grafana,
    "objects": objects,
    "metrics": metrics,
    "pages": pages,
}


def judge(ledgers: Iterable[Ledger], moments: Moments, promise: Promise) -> list[Figure]:
    """Every figure of a drill. A probe without a single attempt fails by that."""
    found: list[Figure] = []
    for ledger in ledgers:
        if not ledger.attempts and ledger.probe != "metrics":
            found.append(
                Figure(ledger.probe, "attempts missing", 1, 0, "", "", str(ledger.facts.get("unfound", "the probe did not start")))
            )
            continue
        found += JUDGES.get(ledger.probe, clients)(ledger, moments, promise)
    return found
