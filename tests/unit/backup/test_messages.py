"""What a commit says."""

from __future__ import annotations

import pytest
from ansible_collections.monitoring.ha.plugins.module_utils.backup import message

D = "main-org/dashboards"


def lines(before: str, after: str) -> int:
    """Contents of these tests are their lines."""
    return max(len(set(after) - set(before)), len(set(before) - set(after)))


def changes(*differences: tuple[str, ...]) -> list[message.Change]:
    return message.changes([message.Difference(*one) for one in differences], lines)


def said(*differences: tuple[str, ...]) -> list[str]:
    """differences: status, path and, where it matters, content."""
    return [str(one) for one in changes(*differences)]


@pytest.mark.parametrize(
    ("differences", "subject"),
    [
        ([("M", f"{D}/a.u1.json"), ("M", f"{D}/b.u2.json"), ("M", f"{D}/c.u3.json"), ("A", "main-org/alert_rules/f.u4/g.0a1b2c3d.json")],
         "3 dashboards changed, 1 rule group added"),
        ([("A", "main-org/notification_policies/policies.json")], "1 notification policy added"),
        ([("A", "other/organisation.json"), ("D", "gone/organisation.json")], "1 organisation added, 1 organisation removed"),
        ([("M", "manifest.json")], ""),
        ([], ""),
        ([("A", f"{kind}/{kind}/x.u{n}.json") for n, kind in enumerate(list(message.NAMES)[:9])],
         "1 dashboard added, 1 rule group added, 1 folder added, 1 data source added, 1 library panel added, 1 contact point added, "
         "3 other changes"),
        ([("A", f"{kind}/{kind}/x.u{n}.json") for n, kind in enumerate(list(message.NAMES)[:7])],
         "1 dashboard added, 1 rule group added, 1 folder added, 1 data source added, 1 library panel added, 1 contact point added, "
         "1 notification policy added"),
    ],
)  # fmt: skip
def test_subjects(differences: list[tuple[str, str]], subject: str) -> None:
    assert message.subject(changes(*differences)) == subject


def test_a_new_title_is_a_new_name_and_another_folder_a_move() -> None:
    assert said(("D", f"{D}/f.u9/old.u1.json"), ("A", f"{D}/f.u9/new.u1.json")) == ["renamed  dashboard main-org/f/new"]
    assert said(("D", f"{D}/f.u9/a.u1.json"), ("A", f"{D}/g.u8/a.u1.json")) == ["moved    dashboard main-org/g/a"]
    assert said(("D", f"{D}/a.u1.json"), ("A", f"{D}/g.u8/other.u1.json")) == ["moved    dashboard main-org/g/other"]
    # Of the same name, but another object.
    assert said(("D", f"{D}/a.u1.json"), ("A", f"{D}/a.u2.json")) == ["added    dashboard main-org/a", "removed  dashboard main-org/a"]


def test_what_lies_below_a_renamed_folder_has_not_changed() -> None:
    differences = [
        ("D", "main-org/folders/old.u9.json"),
        ("A", "main-org/folders/new.u9.json"),
        ("D", f"{D}/old.u9/a.u1.json"),
        ("A", f"{D}/new.u9/a.u1.json"),
        ("D", f"{D}/old.u9/below.u8/b.u2.json"),
        ("A", f"{D}/new.u9/below.u8/b.u2.json"),
    ]
    assert said(*differences) == ["renamed  folder main-org/new"]


def test_what_was_edited_below_a_renamed_folder_has_changed() -> None:
    differences = [
        ("D", "main-org/folders/old.u9.json", "a"),
        ("A", "main-org/folders/new.u9.json", "b"),
        ("D", f"{D}/old.u9/a.u1.json", "abc"),
        ("A", f"{D}/new.u9/a.u1.json", "abd"),
        ("D", f"{D}/old.u9/b.u2.json", "abc"),
        ("A", f"{D}/new.u9/b.u2.json", "abc"),
    ]
    assert said(*differences) == ["changed  dashboard main-org/new/a", "renamed  folder main-org/new"]


@pytest.mark.parametrize(
    ("before", "after", "verbs"),
    [
        # The name is a line of the content.
        (("f.u9/old", "abc"), ("f.u9/new", "abd"), ["renamed"]),
        (("f.u9/old", "abc"), ("f.u9/new", "axy"), ["changed", "renamed"]),
        (("f.u9/old", "abc"), ("f.u9/new", "d"), ["changed", "renamed"]),
        (("f.u9/old", "abc"), ("f.u9/new", "abdef"), ["changed", "renamed"]),
        (("f.u9/a", "abc"), ("g.u8/a", "abc"), ["moved"]),
        (("f.u9/a", "abc"), ("g.u8/a", "abd"), ["changed", "moved"]),
        (("f.u9/old", "abc"), ("g.u8/new", "abd"), ["moved"]),
    ],
)
def test_what_was_renamed_or_moved_may_have_changed_too(before: tuple[str, str], after: tuple[str, str], verbs: list[str]) -> None:
    differences = [(status, f"{D}/{place}.u1.json", content) for status, (place, content) in (("D", before), ("A", after))]
    assert [line.split()[0] for line in said(*differences)] == verbs


def test_organisations_are_told_apart() -> None:
    assert said(("D", "one/dashboards/a.u1.json"), ("A", "two/dashboards/a.u1.json")) == [
        "added    dashboard two/a",
        "removed  dashboard one/a",
    ]


def test_permissions_that_go_with_their_dashboard_are_not_told() -> None:
    p = "main-org/dashboard_permissions"
    assert said(("A", f"{D}/a.u1.json"), ("A", f"{p}/a.u1.json")) == ["added    dashboard main-org/a"]
    assert said(("D", f"{D}/a.u1.json"), ("A", f"{D}/b.u1.json"), ("D", f"{p}/a.u1.json"), ("A", f"{p}/b.u1.json")) == [
        "renamed  dashboard main-org/b"
    ]
    moved = ("D", f"{D}/a.u1.json", "abc"), ("A", f"{D}/b.u1.json", "abd")
    assert said(*moved, ("D", f"{p}/a.u1.json", "x"), ("A", f"{p}/b.u1.json", "y")) == [
        "renamed  dashboard main-org/b",
        "changed  dashboard's permissions main-org/b",
    ]
    # By themselves they are.
    assert said(("M", f"{p}/a.u1.json"), ("M", f"{D}/a.u1.json")) == [
        "changed  dashboard main-org/a",
        "changed  dashboard's permissions main-org/a",
    ]
    assert said(("D", f"{p}/a.u1.json"), ("M", f"{D}/a.u1.json"))[1] == "removed  dashboard's permissions main-org/a"


def test_a_long_message_ends() -> None:
    many = changes(*[("A", f"{D}/d{number}.u{number}.json") for number in range(500)])
    text = message.message(many, "mon1", "13.0.1")
    assert text.startswith("500 dashboards added\n\n") and "and 400 more" in text and len(text.splitlines()) < 110


def test_messages_without_objects() -> None:
    assert message.message([], "mon1", "13.2.1").splitlines()[0] == "Grafana 13.2.1"
    assert message.message([], "mon1", "", united=2).splitlines() == ["2 histories united", "", "Member: mon1"]
