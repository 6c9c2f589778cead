"""Judgement over ledgers that are made by hand: each says one thing, and the figures say it too."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from ansible_collections.monitoring.ha.plugins.plugin_utils.drill import judge, ledger
from ansible_collections.monitoring.ha.plugins.plugin_utils.drill.judge import Figure, Moments, Promise
from ansible_collections.monitoring.ha.plugins.plugin_utils.drill.ledger import Attempt, Ledger, State

#: The failure of every drill here is made ten seconds after its beginning, mended after 30 and whole after 40.
MOMENTS = Moments(1010.0, 1030.0, 1040.0)
PERIOD = 0.18


def attempts(bad: Iterable[tuple[float, float]] = (), state: State = "error", until: float = 50, kind: str = "") -> list[Attempt]:
    """One each period; those that begin in one of some times, in seconds since the beginning, come to nothing."""
    found = []
    for number in range(1, int(until / PERIOD)):
        start = number * PERIOD
        its: State = state if any(a <= start < b for a, b in bad) else "ok"
        found.append(Attempt(number, 1000 + start, 1000 + start + 0.01, its, kind, its if its != "ok" else ""))
    return found


def figures(its: Ledger, **limits: float | None) -> dict[str, Figure]:
    found = judge.judge([its], MOMENTS, Promise(limits))
    return {" ".join(part for part in (one.kind, one.name) if part): one for one in found}


def broken(its: Ledger, **limits: float | None) -> set[str]:
    """Names of the figures that are not what was promised."""
    return {name for name, one in figures(its, **limits).items() if not one.passed}


def test_a_quiet_drill_keeps_every_promise() -> None:
    found = figures(Ledger("query", attempts()), default=0)
    assert found["outage"].value == 0 and all(one.passed for one in found.values())
    assert set(found) == {"outage", "tail errors", "seconds between attempts", "wrong answers", "stale answers"}


@pytest.mark.parametrize(("limit", "kept"), [(3.0, True), (2.0, False)])
def test_an_outage_is_from_the_first_client_that_was_turned_away_to_the_first_that_was_not(limit: float, kept: bool) -> None:
    found = figures(Ledger("query", attempts([(10.1, 12.5)])), query=limit)
    assert found["outage"].value == pytest.approx(2.4, abs=PERIOD) and found["outage"].passed is kept


def test_an_answer_that_takes_longer_than_a_client_waits_is_none() -> None:
    slow = [*attempts(until=10), Attempt(90, 1010.1, 1019.0), *(one for one in attempts() if one.start > 1019)]
    found = figures(Ledger("database", slow, patience=2, facts={"found": list(range(400))}), database=5)
    assert found["outage"].value == pytest.approx(9, abs=0.3) and found["outage"].about == "first: an answer after 8.9 s"
    # Nobody could have tried more often than the answer came.
    assert found["seconds between attempts"].passed


def test_an_outage_without_an_end_lasts_until_nobody_looks_any_more() -> None:
    assert figures(Ledger("query", attempts([(10, 99)])), query=5)["outage"].value == pytest.approx(40, abs=0.5)


@pytest.mark.parametrize(
    ("seen", "kept"), [((0, 50), True), ((0, 38.5), True), ((0, 25), False), ((0, 9), False), ((11.5, 50), True), ((15, 50), False)]
)
def test_a_probe_that_died_in_between_or_came_too_late_has_seen_nothing(seen: tuple[float, float], kept: bool) -> None:
    its = Ledger("query", [one for one in attempts() if seen[0] <= one.start - 1000 < seen[1]], patience=5)
    assert broken(its) == (set() if kept else {"seconds not looked at"})


@pytest.mark.parametrize(
    ("hole", "limits", "kept"),
    [((9, 18), {}, False), ((9, 10.9), {}, True), ((9, 14), {"query": 5}, True), ((9, 14), {"query": None}, True), ((45, 49), {}, True)],
)
def test_a_probe_that_stood_still_has_seen_nothing(hole: tuple[float, float], limits: dict[str, float | None], kept: bool) -> None:
    its = Ledger("query", [one for one in attempts() if not hole[0] <= one.start - 1000 < hole[1]], patience=5)
    assert ("seconds not looked at" in broken(its, **limits)) is not kept


def test_errors_that_come_after_the_time_that_was_promised_are_a_tail() -> None:
    late = Ledger("query", attempts([(10, 12), (20, 20.2), (25, 25.2)]))
    assert broken(late, query=3) == {"tail errors"}
    assert figures(late, query=3)["tail errors"].about == "error, 10.2 s after the failure"
    assert broken(late, query=3, tail=3) == set()


def test_an_outage_that_begins_later_than_the_failure_may_be_as_long_as_any_other() -> None:
    assert broken(Ledger("query", attempts([(14, 18.5)])), query=5) == set()
    assert broken(Ledger("query", attempts([(14, 18.5), (20, 20.2)])), query=5) == {"tail errors"}


def test_a_blink_while_everything_returns_is_no_tail_but_one_afterwards_is() -> None:
    assert broken(Ledger("query", attempts([(32, 33)])), query=3) == set()
    assert broken(Ledger("query", attempts([(32, 36)])), query=3) == {"outage", "tail errors"}
    assert broken(Ledger("query", attempts([(45, 45.2)])), query=3) == {"tail errors"}


def test_errors_between_good_answers_are_a_tail_when_they_go_on_for_longer_than_promised_after_the_mending() -> None:
    def every_second(until: float) -> Ledger:
        return Ledger("grafana", attempts([(second, second + 0.2) for second in range(32, int(until))], kind="read"), facts={"found": []})

    assert figures(every_second(39))["read outage"].passed
    assert "read tail errors" not in broken(every_second(36), grafana=4) and "read tail errors" in broken(every_second(39), grafana=4)
    # Nothing is promised of them without a limit, and something also where the stack never gets whole.
    assert "read tail errors" not in broken(every_second(39), grafana=None)
    never = judge.tail(every_second(39).attempts, 5, Moments(1010.0, 1030.0), 4)
    assert never and min(one.start for one in never) > 1036


def test_an_outage_that_mending_does_not_end_at_once_may_be_as_long_as_promised_after_it() -> None:
    assert broken(Ledger("query", attempts([(25, 34)])), query=10) == set()
    # One client still waits as mending begins; what mends is felt much later.
    waits = [*attempts([(35, 38)]), Attempt(999, 1029.0, 1034.5, "error")]
    assert broken(Ledger("query", waits), query=6) == set()


def test_an_outage_may_last_as_long_as_the_failure_and_no_longer() -> None:
    gone = Ledger("objects", attempts([(10.1, 39.5)], kind="put"), facts={"found": list(range(400))})
    after = Ledger("objects", attempts([(10.1, 39.5), (44, 45)], kind="put"), facts={"found": list(range(400))})
    assert broken(gone, objects=None) == set()
    assert broken(after, objects=None) == {"put tail errors"} and broken(after, objects=None, tail=None) == set()


def test_what_goes_on_for_a_while_has_outages_and_no_tail() -> None:
    its = Ledger("database", attempts([(12, 14), (31, 33), (45, 45.2)]), facts={"found": list(range(400))})
    moments = Moments(1010.0, 1030.0, 1040.0, lasting=True)
    found = {one.name: one for one in judge.judge([its], moments, Promise({"database": 3, "outages": 2}))}
    assert "tail errors" not in found and found["outage"].passed
    assert found["outages"].value == 3 and not found["outages"].passed and found["outages"].about.endswith(" s together")


def test_errors_before_the_failure_are_not_its() -> None:
    assert broken(Ledger("query", attempts([(5, 5.3)])), query=3) == {"errors before"}
    # When it was made is known only by what the host says afterwards.
    assert broken(Ledger("query", attempts([(9.8, 11)])), query=3) == set()


@pytest.mark.parametrize("state", ["wrong", "stale"])
def test_a_wrong_answer_is_worse_than_none(state: State) -> None:
    its = Ledger("query", attempts([(10.1, 10.5)], state))
    assert broken(its, query=3) == {f"{state} answers"}
    assert figures(its, query=3)[f"{state} answers"].value == 2
    assert broken(its, query=3, **{state: 2}) == set()


def test_what_is_null_is_told_and_not_judged() -> None:
    found = figures(Ledger("query", attempts([(10, 29)])), default=None)
    assert found["outage"].limit is None and found["outage"].value > 18 and found["tail errors"].value == 0


def test_a_probe_that_looked_too_seldom_says_so() -> None:
    seldom = Ledger("query", [Attempt(n, 1000 + n, 1000 + n + 0.01) for n in range(50)])
    assert broken(seldom) == {"seconds between attempts"}
    assert broken(Ledger("query")) == {"attempts missing"}


def slow(seconds: float, sequential: bool = True) -> Ledger:
    """Commits that take some seconds each for half of a drill, one after the other."""
    found: list[Attempt] = []
    at = 1000.0
    while at < 1050:
        lasts = seconds if 1012 <= at < 1037 else 0.01
        found.append(Attempt(len(found) + 1, at, at + lasts))
        at += max(lasts, PERIOD)
    return Ledger("database", found, patience=2, facts={"found": list(range(400)), "sequential": sequential})


@pytest.mark.parametrize("seconds", [0.25, 0.8, 1.9])
def test_who_waits_for_an_answer_before_the_next_attempt_looks_meanwhile(seconds: float) -> None:
    assert broken(slow(seconds), database=5) == set()
    # Whoever need not wait has stood still.
    assert broken(slow(seconds, sequential=False), database=5) == {"seconds between attempts"}


def test_who_looks_too_seldom_one_by_one_says_so() -> None:
    seldom = [Attempt(n, 1000 + n * 0.3, 1000 + n * 0.3 + 0.19) for n in range(166)]
    its = Ledger("database", seldom, patience=2, facts={"found": list(range(400)), "sequential": True})
    assert broken(its) == {"seconds between attempts"}


def test_kinds_of_attempts_are_judged_one_by_one() -> None:
    both = [*attempts(kind="save"), *attempts([(10, 14)], kind="read")]
    its = Ledger("grafana", both, facts={"found": list(range(400))})
    assert broken(its, grafana=3) == {"read outage", "read tail errors"}


# --- writes ---------------------------------------------------------------------------------------------------------


def test_an_acknowledged_row_that_is_gone_is_lost_and_one_that_nobody_heard_of_is_not() -> None:
    rows = attempts([(10, 12)])
    there = {one.number for one in rows if one.state == "ok"}
    assert broken(Ledger("database", rows, facts={"found": sorted(there)}), database=5) == set()
    # In between, some arrived all the same.
    assert broken(Ledger("database", rows, facts={"found": [one.number for one in rows]}), database=5) == set()
    its = Ledger("database", rows, facts={"found": sorted(there - {7, 8})})
    assert broken(its, database=5) == {"acknowledged writes lost"}
    assert figures(its, database=5)["acknowledged writes lost"].about == f"of {len(there)}: 7, 8"


@pytest.mark.parametrize(("probe", "kind"), [("database", ""), ("grafana", "save"), ("objects", "put")])
def test_writes_that_nobody_could_look_at_count_as_lost(probe: str, kind: str) -> None:
    its = Ledger(probe, attempts(kind=kind), facts={"unfound": "finish: nobody answers"})
    name = f"{kind} acknowledged writes not looked at".strip()
    assert broken(its) == {name} and figures(its)[name].about == "finish: nobody answers"


# --- data -----------------------------------------------------------------------------------------------------------


def scraped(*gone: tuple[float, float]) -> list[float]:
    """A sample each five seconds, but in some times."""
    return [1000.0 + n for n in range(-5, 60, 5) if not any(a <= n < b for a, b in gone)]


def metrics(**samples: list[float]) -> Ledger:
    return Ledger("metrics", facts={"interval": 5.0, "since": 1000.0, "until": 1055.0, "samples": samples})


def test_a_hole_is_more_than_deduplication_accounts_for() -> None:
    assert broken(metrics(mon1=scraped(), mon2=scraped((20, 30)))) == set()
    its = metrics(mon1=scraped(), mon2=scraped((20, 35)))
    assert broken(its) == {"holes"} and figures(its)["holes"].about == "the widest is 20.0 s (mon2)"


def test_data_that_end_or_begin_too_late_have_a_hole_too() -> None:
    assert broken(metrics(mon1=scraped((-5, 20)))) == {"holes"}
    assert broken(metrics(mon1=scraped((35, 60)))) == {"holes"}
    assert broken(metrics(mon1=[])) == {"holes"}
    assert broken(metrics(mon1=[]), holes=None) == set()
    assert broken(Ledger("metrics", facts={"unfound": "no answer"})) == {"data not looked at"}


# --- pages ----------------------------------------------------------------------------------------------------------


def pages(without: Iterable[int] = (), twice: Iterable[int] = (), **facts: Any) -> Ledger:
    """A page for every posted alert a second later, but for some, and two for others."""
    posted = attempts(kind="post")
    arrived: list[list[Any]] = []
    for one in posted:
        count = 0 if one.number in set(without) else 2 if one.number in set(twice) else 1
        arrived += [["posted", one.number, one.start + 1, "mon1", ""]] * count
    return Ledger("pages", posted, facts={"arrived": arrived + facts.pop("more", []), **facts})


def test_every_alert_that_was_taken_is_paged() -> None:
    assert broken(pages()) == set()
    assert broken(pages(without=[3, 9])) == {"pages lost"}
    assert figures(pages(without=[3, 9]))["pages lost"].about == "of 276: posted 3, posted 9"


def test_an_alert_that_nobody_took_is_not_waited_for() -> None:
    its = Ledger("pages", attempts([(10, 11)], kind="post"))
    its.facts["arrived"] = [["posted", one.number, one.end, "mon1", ""] for one in its.attempts if one.state == "ok"]
    assert broken(its) == set()


def test_a_page_twice_is_doubled_unless_it_was_allowed_for() -> None:
    assert broken(pages(twice=[5])) == set() and broken(pages(twice=[5]), pages_doubled=0) == {"alerts paged more than once"}
    assert broken(pages(twice=[5]), page_copies=1) == {"pages for one alert"}
    assert broken(pages(twice=[5, 6])) == {"alerts paged more than once"}
    about = figures(pages(twice=[5, 6]))["alerts paged more than once"].about
    assert about == "of 276: posted 5 by mon1 -8.1 s from the failure, by mon1 -8.1 s from the failure"
    assert broken(pages(twice=[5, 6]), page_copies=2) == set()
    assert broken(pages(twice=[5], more=[["posted", 5, 1010.0, "mon2", ""]])) == {"pages for one alert"}


def test_a_late_page_is_told() -> None:
    its = pages(without=[4], more=[["posted", 4, 1004 * 1.0, "mon2", ""]])
    assert figures(its)["slowest page"].value == pytest.approx(3.3, abs=0.1)
    assert broken(its, page_delay=2) == {"slowest page"}


RULE = {"period": 10, "since": 1000.0, "until": 1050.0, "life": 130}
FIRED = range(100, 105)


def rule(numbers: Iterable[int] = FIRED, replica: str = "", **reach: dict[str, Any]) -> Ledger:
    more = [["rule", number, number * 10.0 + 2, "mon1", replica] for number in numbers]
    return pages(more=more, rule=RULE, reach=reach)


def test_the_rule_fires_one_alert_each_period() -> None:
    assert judge.rule_numbers(10, 1000, 1050) == list(FIRED)
    assert judge.rule_numbers(10, 1003, 1049.9) == [101, 102, 103]
    assert broken(rule()) == set()
    assert figures(rule([100, 101, 103, 104]))["pages lost"].about == "of 281: rule 102"


def test_a_replicas_label_on_a_page_is_named() -> None:
    assert broken(rule(replica="mon2")) == {"pages with a replica's label"}
    assert figures(rule(replica="mon2"))["pages with a replica's label"].about == "replica mon2"
    # One of before the drill, sent again now that somebody takes it.
    late = rule()
    late.facts["arrived"].append(["rule", 42, 1012.0, "mon1", "mon2"])
    assert broken(late) == set()


def test_an_alertmanager_that_was_there_and_never_told_is_named() -> None:
    always = [1000.0 + second for second in range(60)]
    whole = {"seen": list(FIRED), "answered": always}
    assert broken(rule(mon1=whole, mon2=whole)) == set()
    its = rule(mon1=whole, mon2={"seen": [100, 101], "answered": always})
    assert broken(its) == {"Alertmanagers left out"}
    assert figures(its)["Alertmanagers left out"].about == "mon2 was never told of 3"


def test_an_alertmanager_that_was_off_need_not_have_been_told() -> None:
    off = {"seen": [100, 101], "answered": [1000.0 + second for second in range(20)]}
    assert broken(rule(mon2=off)) == set()


def test_an_alertmanager_that_has_just_come_back_has_not_been_told_yet() -> None:
    answered = [1000.0 + second for second in (*range(3), *range(30, 60))]
    assert broken(rule(mon2={"seen": [], "answered": answered})) == set()
    assert judge.informed([0.5, 1.5, 20.0, 24.0, 28.0, 31.0], [], 10) == [0.5, 1.5, 31.0]
    # One that has come back soon was away all the same.
    assert judge.informed([0.5, 1.5, 4.5, 8.5, 12.5, 14.5], [2.5, 3.5], 10) == [0.5, 1.5, 14.5]
    silent = {"seen": [], "answered": [float(at) for at in range(1000, 1120) if at != 1001], "silent": [1001.0]}
    assert broken(rule(mon2={**silent, "silent": []})) and not broken(rule(mon2={**silent, "answered": silent["answered"][:60]}))


def test_everything_about_pages_can_be_left_unjudged() -> None:
    its = pages(without=[1], twice=[2])
    assert broken(its, alerts=None) == set()
    assert broken(its, alerts=None, pages_lost=0) == {"pages lost"}


# --- ledgers --------------------------------------------------------------------------------------------------------


def test_what_is_written_is_read_and_a_line_that_was_cut_off_is_left_out(tmp_path: Any) -> None:
    path = tmp_path / "query.jsonl"
    with ledger.Writer(path, 2.5) as writer:
        writer.attempt(Attempt(1, 1000.0, 1000.25, "stale", "read", "old"))
        writer.attempt(Attempt(2, 1001.0, 1001.5))
        writer.fact("ready", 1001.5)
        writer.cost(0.5, 10)
    path.write_text(path.read_text() + '{"n": 3, "s": 10', encoding="utf-8")
    found = ledger.read(path)
    assert found.attempts == [Attempt(1, 1000.0, 1000.25, "stale", "read", "old"), Attempt(2, 1001.0, 1001.5)]
    assert (found.probe, found.patience, found.facts, found.cost) == ("query", 2.5, {"ready": 1001.5}, {"cpu": 0.5, "wall": 10})
    assert ledger.read(tmp_path / "none.jsonl").attempts == []


def test_who_answers_is_told_whenever_it_is_somebody_else() -> None:
    who = [Attempt(n, n, n + 0.1, "ok", "", "mon1" if n < 5 else "mon2") for n in range(1, 9)]
    assert judge.moves([*who, Attempt(9, 9, 9.1, "error", "", "refused")]) == [(1.1, "mon1"), (5.1, "mon2")]
