"""Galera: who begins, who writes, and how far data reach; decided from what members tell alone."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import pytest
from ansible_collections.monitoring.ha.plugins.module_utils import galera, galera_disk
from ansible_collections.monitoring.ha.plugins.module_utils.galera import Look, Member, Position, State
from ansible_collections.monitoring.ha.plugins.module_utils.galera_disk import Places

HISTORY, OTHER = "11111111-0000-0000-0000-000000000001", "22222222-0000-0000-0000-000000000002"
NAMES = ("a", "b", "c")


def member(name: str, state: State, number: int | None = None, uuid: str = HISTORY, *, foreign: bool = False) -> Member:
    """number: None for one whose position is not known, -1 for one without data."""
    position = None if number is None else Position() if number < 0 else Position(uuid, number)
    return Member(name, state, position, foreign)


def decisions(*members: Member) -> list[str]:
    """What each of them decides that waits."""
    return [galera.start(its.name, members).action for its in members if its.state == "waiting"]


def waiting(*numbers: int | None) -> list[Member]:
    return [member(name, "waiting", number) for name, number in zip(NAMES, numbers, strict=False)]


# --- who begins ----------------------------------------------------------------------------------------------------


def test_whoever_reaches_furthest_begins_and_the_others_wait() -> None:
    assert decisions(*waiting(5, 9, 7)) == ["wait", "begin", "wait"]
    # As much as each other: any will do, so that all of them name the same.
    assert decisions(*waiting(9, 9, 9)) == ["begin", "wait", "wait"]
    assert decisions(*waiting(3, 9, 9)) == ["wait", "begin", "wait"]


def test_a_new_cluster_is_begun_by_the_first_also_before_the_others_are_started() -> None:
    assert decisions(member("a", "waiting", -1), member("b", "stopped", -1), member("c", "stopped", -1)) == ["begin"]
    assert decisions(member("a", "stopped", -1), member("b", "waiting", -1), member("c", "stopped", -1)) == ["wait"]


def test_a_new_member_never_begins_what_others_have_data_of() -> None:
    assert decisions(*waiting(-1, 1, 2)) == ["wait", "wait", "begin"]


@pytest.mark.parametrize("state", ["silent", "starting"])
def test_nobody_begins_while_it_is_not_known_how_far_somebody_reaches(state: State) -> None:
    decision = galera.start("a", [*waiting(9, 5), member("c", state)])
    assert decision.action == "wait" and "c " in decision.reason and "known" in decision.reason


def test_whoever_is_up_is_joined() -> None:
    members = [member("a", "waiting", 5), member("b", "primary", 9), member("c", "silent")]
    assert galera.start("a", members).action == "join"
    # Also by one whose place was lost, and with others who cannot be asked.
    assert galera.start("a", [member("a", "waiting", -1), *members[1:]]).action == "join"


def test_those_who_are_together_without_a_majority_decide_before_one_who_was_gone() -> None:
    for numbers in itertools.product((4, 5, 6), repeat=3):
        members = [member("a", "waiting", numbers[0]), member("b", "stranded", numbers[1]), member("c", "stopped", numbers[2])]
        assert galera.start("a", members).action == "wait"


def test_data_of_another_cluster_or_of_somebody_are_never_overwritten() -> None:
    stranger = galera.start("a", [member("a", "waiting", 3, OTHER), member("b", "primary", 9), member("c", "primary", 9)])
    assert stranger.action == "refuse" and "move /var/lib/mysql away" in stranger.reason
    databases = galera.start("a", [member("a", "waiting", -1, foreign=True), member("b", "primary", 9), member("c", "silent")])
    assert databases.action == "refuse" and "databases" in databases.reason
    assert galera.start("a", [*waiting(9, 5), member("c", "stopped", 3, OTHER)]).action == "refuse"
    # They are what a new cluster begins with.
    assert decisions(member("a", "waiting", -1), member("b", "waiting", -1, foreign=True), member("c", "stopped", -1)) == ["wait", "begin"]


def test_somebodys_word_begins_but_never_beside_a_running_cluster() -> None:
    lost = [member("a", "waiting", 5), member("b", "silent"), member("c", "silent")]
    assert galera.start("a", lost).action == "wait"
    assert galera.start("a", lost, forced=True).action == "begin"
    assert galera.start("a", [lost[0], member("b", "primary", 9), lost[2]], forced=True).action == "join"


@pytest.mark.parametrize("numbers", list(itertools.product((-1, 3, 4, 5), repeat=3)))
def test_one_begins_and_no_more_whatever_they_hold(numbers: Sequence[int]) -> None:
    members = waiting(*numbers)
    assert decisions(*members).count("begin") == 1
    first = members[decisions(*members).index("begin")]
    assert first.position and first.position.number == max(numbers)


# --- who makes itself a majority -----------------------------------------------------------------------------------


def rescued(*members: Member, seconds: float = galera.STRANDED) -> list[str]:
    return [its.name for its in members if its.state == "stranded" and galera.rescue(its.name, members, seconds)]


def test_without_a_majority_the_furthest_makes_one_with_everybodys_word() -> None:
    assert rescued(member("a", "stranded", 5), member("b", "stranded", 6), member("c", "waiting", 3)) == ["b"]
    assert rescued(member("a", "stranded", 5), member("b", "stranded", 5), member("c", "waiting", 5)) == ["a"]
    assert rescued(member("a", "waiting", 5), member("b", "stranded", 5), member("c", "waiting", 5)) == ["b"]


def test_it_makes_none_too_soon_beside_another_or_with_less_than_somebody_has() -> None:
    two = (member("a", "stranded", 5), member("b", "stranded", 5))
    assert rescued(*two, member("c", "waiting", 5), seconds=galera.STRANDED - 1) == []
    assert rescued(*two, member("c", "silent")) == []
    assert rescued(*two, member("c", "primary", 5)) == []
    assert rescued(*two, member("c", "waiting", 6)) == []
    assert rescued(*two, member("c", "waiting", 2, OTHER)) == []


def test_a_cluster_is_asleep_when_nobody_runs() -> None:
    assert galera.asleep([member("a", "stopped", 5), member("b", "waiting", 5), member("c", "silent")])
    assert galera.asleep([member("a", "stopped", -1), member("b", "starting"), member("c", "silent")])
    # A new one: whoever comes first need not be the one that begins.
    assert galera.asleep([member(name, "stopped", -1) for name in NAMES])
    assert not galera.asleep([member("a", "stopped", -1), member("b", "silent"), member("c", "silent")])
    assert not galera.asleep([member("a", "stopped", 5), member("b", "primary", 9), member("c", "silent")])


# --- who writes ----------------------------------------------------------------------------------------------------


def look(writer: str, *, local: int = galera.SYNCED, component: str = "abc", primary: bool = True, read_only: bool = False) -> Look:
    return Look(primary, local, read_only, frozenset(component), writer)


def test_the_recorded_writer_writes_and_nobody_else() -> None:
    assert galera.seat("a", look("a")) == ("write", "")
    assert galera.seat("b", look("a")) == ("leave", "a writes")
    # It came back, and finds somebody else in its place: there it stays.
    assert galera.seat("a", look("b"))[0] == "leave"


@pytest.mark.parametrize("writer", ["", "a"])
def test_the_place_of_one_who_is_gone_is_claimed(writer: str) -> None:
    assert galera.seat("b", look(writer, component="bc"))[0] == "claim"


def test_the_place_of_one_who_does_not_answer_as_the_writer_is_claimed_after_a_while() -> None:
    assert galera.seat("b", look("a"), deaf=galera.DEAF - 1)[0] == "leave"
    assert galera.seat("b", look("a"), deaf=galera.DEAF)[0] == "claim"


@pytest.mark.parametrize("seen", [look("a", local=galera.DONOR), look("a", local=3), look("a", read_only=True)])
def test_a_writer_that_is_not_fit_gives_its_place_up(seen: Look) -> None:
    deed, why = galera.seat("a", seen)
    assert deed == "resign" and why


def test_a_donor_writes_only_where_it_may_and_never_takes_the_place() -> None:
    assert galera.seat("a", look("a", local=galera.DONOR), donor_writes=True) == ("write", "")
    assert galera.seat("b", look("", local=galera.DONOR), donor_writes=True)[0] == "leave"


@pytest.mark.parametrize("local", [0, 1, galera.DONOR, 3])
def test_whoever_is_not_in_step_claims_nothing(local: int) -> None:
    assert galera.seat("b", look("", local=local))[0] == "leave"


def test_without_a_majority_nobody_writes_nor_claims() -> None:
    for writer in ("a", "b", ""):
        assert galera.seat("a", look(writer, primary=False)) == ("leave", "no majority")


# --- how far data reach --------------------------------------------------------------------------------------------

NOTE = "# GALERA saved state\nversion: 2.1\nuuid:    {uuid}\nseqno:   {number}\nsafe_to_bootstrap: 0\n"


@pytest.fixture
def places(tmp_path: Path) -> Places:
    for name in ("data", "run"):
        (tmp_path / name).mkdir()
    return Places(str(tmp_path / "data"), str(tmp_path / "run"))


def note(places: Places, number: int, uuid: str = HISTORY) -> None:
    Path(places.note).write_text(NOTE.format(uuid=uuid, number=number), encoding="utf-8")


def program(tmp_path: Path, said: str, code: int = 0) -> list[str]:
    """A server that says something and ends."""
    path = tmp_path / "server"
    path.write_text(f"#!/bin/sh\necho '{said}' >&2\nexit {code}\n", encoding="utf-8")
    path.chmod(0o755)
    return [str(path)]


def test_after_an_orderly_end_the_note_tells_and_the_server_is_not_asked(places: Places) -> None:
    note(places, 42)
    assert galera_disk.position(places, ["/nonexistent"], 5) == Position(HISTORY, 42)


def test_after_a_crash_the_server_is_asked(places: Places, tmp_path: Path) -> None:
    note(places, -1)
    said = f"2026-01-01  0:00:00 0 [Note] WSREP: Recovered position: {HISTORY}:77"
    assert galera_disk.position(places, program(tmp_path, said), 5) == Position(HISTORY, 77)


@pytest.mark.parametrize(
    ("said", "code"), [("InnoDB: corrupted", 1), ("nothing of the kind", 0), (f"Recovered position: {HISTORY}:7", 134)]
)
def test_data_that_cannot_be_read_are_not_taken_for_none(places: Places, tmp_path: Path, said: str, code: int) -> None:
    note(places, -1)
    with pytest.raises(galera_disk.DiskError, match=said.split(":")[0]):
        galera_disk.position(places, program(tmp_path, said, code), 5)


def test_a_new_member_has_no_data(places: Places) -> None:
    assert galera_disk.position(places, ["/nonexistent"], 5).empty
    note(places, -1, galera.NOBODY)
    assert galera_disk.position(places, ["/nonexistent"], 5).empty


def test_databases_of_somebody_are_noticed(places: Places) -> None:
    for name in ("mysql", "sys", "performance_schema", "#innodb_redo", "monitoring_ha"):
        (Path(places.data) / name).mkdir()
    assert not galera_disk.foreign(places)
    (Path(places.data) / "shop").mkdir()
    assert galera_disk.foreign(places)


def test_permission_to_begin_changes_that_line_alone(places: Places) -> None:
    note(places, 42)
    galera_disk.permit(places)
    assert Path(places.note).read_text(encoding="utf-8") == NOTE.format(uuid=HISTORY, number=42).replace("strap: 0", "strap: 1")


def test_what_a_starter_tells_counts_for_as_long_as_it_lives(places: Places) -> None:
    note(places, -1)
    assert galera_disk.stopped("a", places).state == "starting"
    with galera_disk.told(places, member("a", "waiting", 77)):
        assert galera_disk.stopped("a", places) == member("a", "waiting", 77)
    assert galera_disk.stopped("a", places).state == "starting"
    note(places, 78)
    assert galera_disk.stopped("a", places) == member("a", "stopped", 78)
