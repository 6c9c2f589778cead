# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whose turn it is: the first member, in the order of the inventory, that is there and well.

A member asks those before it, by the metrics at their node exporters, when they last did their part. One that answers and was
well within ``patience`` is left the work. So there is one that works, and when it is gone, fails, or hangs, the next one does.

- Cut off from each other, members on both sides work. That is harmless: reading changes nothing, and pushes overwrite nothing.
- Clocks do not matter: an answer's age is the difference of two times of the host that gives it.
- Without a remote every member works, as the only copy of a backup must not be on one host; ``Settings.wait`` keeps them apart.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ..https import Client, Unanswered, metric
from .report import RUN, SUCCESS, WHAT
from .settings import Member, Settings

#: Seconds to wait for a member.
TIMEOUT = 5.0
#: Of a node exporter's collectors those that are needed; the others would take longer.
PATH = "/metrics?collect[]=textfile&collect[]=time"


@dataclass(frozen=True)
class Sign:
    """What is known of a member. fit: it may be left the work. why: in words."""

    member: str
    fit: bool
    why: str


def judge(member: str, text: str, patience: float) -> Sign:
    """A member by its metrics."""
    now, run, success = metric(text, "node_time_seconds"), metric(text, RUN, what=WHAT), metric(text, SUCCESS, what=WHAT)
    if not now or not run or not success or not run[0]:
        return Sign(member, False, "it has not run yet")
    age = now[0] - run[0]
    if age > patience:
        return Sign(member, False, f"it ran {age:.0f} s ago, which is longer than {patience:.0f} s")
    if success[0] != 1:
        return Sign(member, False, "its last run failed")
    return Sign(member, True, f"it ran {max(age, 0):.0f} s ago")


def ask(settings: Settings, member: Member) -> Sign:
    """A member by what its node exporter says."""
    if not member.address:
        return Sign(member.name, False, "nobody can ask it")
    ca, certificate, key = (settings.identity.get(name, "") for name in ("ca", "certificate", "key"))
    try:
        text = Client(member.address, member.port, ca, certificate, key, TIMEOUT).text(PATH)
    except (Unanswered, OSError) as error:
        return Sign(member.name, False, f"no answer: {error}")
    return judge(member.name, text, settings.patience)


def stand_by_for(settings: Settings, question: Callable[[Settings, Member], Sign] = ask) -> tuple[Sign | None, list[Sign]]:
    """(the member that does the work instead of this one, or None; what was found out about those before this one)."""
    names = [member.name for member in settings.members]
    before = settings.members[: names.index(settings.member)] if settings.remotes and settings.member in names else ()
    if not before:
        return None, []
    with ThreadPoolExecutor(len(before)) as pool:
        signs = list(pool.map(lambda member: question(settings, member), before))
    return next((sign for sign in signs if sign.fit), None), signs
