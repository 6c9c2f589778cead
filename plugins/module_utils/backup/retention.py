# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Removing old history: a commit without parents takes the place of everything before a date.

That changes the ids of the commits that stay, so it is done rarely, and only where every remote has everything. A history is
known by the commits that it begins with. The new beginning names those that it took the place of: by them, what another member
or a remote still has of the old history is recognised, and is not brought back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from . import merging, message
from .repository import Repository

DAY = 86400.0
#: By how much of the time to keep, and at least how many days, history may be longer before it is cut: a cut changes ids.
SLACK, LEAST = 0.1, 1.0
#: Says in a beginning which one it took the place of.
REMOVED = "Removed"
#: How many of them are remembered. Whoever missed as many cuts is not known any more.
REMEMBERED = 200


def beginnings(repository: Repository, head: str) -> list[str]:
    """Commits without parents that a history begins with."""
    return repository.git.lines("rev-list", "--max-parents=0", head)


def removed(repository: Repository, head: str) -> list[str]:
    """Beginnings whose place those of a history have taken, the latest first."""
    said = repository.git.run("log", "--max-parents=0", f"--format=%(trailers:key={REMOVED},valueonly)", head)
    return [line.strip() for line in said.splitlines() if line.strip()]


def outdated(repository: Repository, old: str, new: str) -> bool:
    """Whether ``old`` still has history that ``new`` no longer wants."""
    return bool(set(beginnings(repository, old)) & set(removed(repository, new)))


def replay(repository: Repository, commits: Sequence[str], onto: str, *, whole: bool = False) -> str:
    """Makes commits again on top of another one, the oldest first; the last one's id. Parents that are none of them become ``onto``.

    whole: they keep all of their content, as ``onto`` has that of what they were made on. Otherwise they keep the tree, and of the files
    beside it what they changed: the rest is as ``onto`` has it.
    """
    made: dict[str, str] = {}
    last = onto
    for sha in commits:
        one = repository.show(sha)
        parents = repository.git.run("show", "--no-patch", "--format=%P", sha).split()
        wanted = list(dict.fromkeys(made.get(parent, onto) for parent in parents)) or [onto]
        found = merging.Merged(repository.content(sha)) if whole else merging.carried(repository, sha, next(iter(parents), ""), wanted[0])
        text = "\n\n".join([one.message, *message.disputes(found.disputed)])
        last = made[sha] = repository.commit(found.content, wanted, text, one.at)
    return last


def reconcile(repository: Repository, before: Mapping[str, str]) -> dict[str, str]:
    """After a fetch: whoever still has history that was cut elsewhere leaves it behind, and keeps what is new.

    before: name of a remote to the commit that it was known to have before the fetch. Remotes whose history is to be
    overwritten, with the only commit that may be.
    """
    local = repository.find(repository.branch)
    leases: dict[str, str] = {}
    heads = {remote.name: repository.find(repository.tracking(remote)) for remote in repository.settings.remotes}
    for head in heads.values():
        if local and head and outdated(repository, local, head):
            # What any remote has had of this branch is in the shorter history, too.
            local = replay(repository, only(repository, local, before.values()), head)
            repository.move(local)
    for name, head in heads.items():
        if local and head and outdated(repository, head, local):
            if news := only(repository, head, [before.get(name, ""), local]):
                local = replay(repository, news, local)
                repository.move(local)
            leases[name] = head
    return leases


def only(repository: Repository, head: str, known: Iterable[str]) -> list[str]:
    """Commits of a history that are in none of the known ones, the oldest first."""
    return repository.git.lines("rev-list", "--reverse", "--topo-order", head, *(f"^{sha}" for sha in known if sha))


def due(repository: Repository, now: float) -> str:
    """The commit at which history is to begin; empty when nothing is to be removed."""
    days = repository.settings.retention_days
    head = repository.find(repository.branch)
    if not days or not head:
        return ""
    cutoff = now - days * DAY
    # The first commit's content counted until the second was made.
    entries = [line.split() for line in repository.git.lines("log", "--first-parent", "--reverse", "--format=%ct %H", head)]
    if len(entries) < 2 or float(entries[1][0]) > cutoff - max(LEAST, SLACK * days) * DAY:
        return ""
    return [sha for at, sha in entries if float(at) <= cutoff][-1]


def cut(repository: Repository, base: str) -> str:
    """Lets history begin at a commit; the new head. The branch is moved, and no remote is asked."""
    head = repository.find(repository.branch)
    one = repository.show(base)
    gone = [*beginnings(repository, head), *removed(repository, head)][:REMEMBERED]
    why = f"History before this commit was removed after {repository.settings.retention_days:g} days."
    message = "\n".join([one.subject, "", why, "", *(f"{REMOVED}: {sha}" for sha in gone), ""])
    beginning = repository.commit(repository.content(base), (), message, one.at)
    last = replay(repository, only(repository, head, [base]), beginning, whole=True)
    repository.move(last)
    return last


def forget(repository: Repository) -> None:
    """Frees the space of what was removed."""
    repository.git.run("reflog", "expire", "--expire=now", "--all")
    repository.git.run("gc", "--quiet", "--prune=now")
