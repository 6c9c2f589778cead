# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What lies beside the tree belongs to people: what several histories did to it is brought together, and nothing of it is taken back.

The tree is left out of that, as Grafana alone decides about it, and as Git would take a file of it for another one's new name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from .repository import TREE, Repository


@dataclass(frozen=True)
class Merged:
    """A content, by its id. disputed: files beside the tree that were changed in different ways, and of which one version was taken."""

    content: str
    disputed: list[str] = field(default_factory=list)


def united(repository: Repository, heads: Sequence[str]) -> Merged:
    """What several histories have beside the tree. What is disputed is as a remote has it."""
    pushed = set(map(repository.find, map(repository.tracking, repository.settings.remotes)))
    return _folded(repository, sorted(heads, key=lambda sha: sha not in pushed))


def carried(repository: Repository, sha: str, parent: str, onto: str) -> Merged:
    """The content of a commit that is made again on top of another one than its parent.

    The tree is as the commit has it. Beside it, what the commit did to its parent is done to ``onto``, whose version stays where that
    is disputed.
    """
    found = _merged(repository, *(_beside(repository, one) for one in (parent, onto, sha)))
    return Merged(_planted(repository, found.content, _tree(repository, sha) or _tree(repository, onto)), found.disputed)


def _folded(repository: Repository, commits: Sequence[str]) -> Merged:
    """What commits have beside the tree, one after the other merged into the first."""
    if not commits:
        return Merged(repository.content(""))
    together, *others = commits
    found, disputed = _beside(repository, together), set[str]()
    for other in others:
        # Where histories went apart more than once, there are several; merged, they are what both sides began with.
        grounds = repository.git.run("merge-base", "--all", together, other, allowed=(0, 1)).split()
        merged = _merged(repository, _folded(repository, grounds).content, found, _beside(repository, other))
        found, disputed = merged.content, disputed | {*merged.disputed}
        together = repository.note(found, [together, other])
    return Merged(found, sorted(disputed))


def _merged(repository: Repository, ground: str, ours: str, theirs: str) -> Merged:
    """What contents without a tree come to that come from the same ground. What is disputed is as in ``ours``, if it still has it."""
    if ground in (ours, theirs) or ours == theirs:
        return Merged(theirs if ours == ground else ours)
    base = repository.note(ground, [])
    sides = [repository.note(one, [base]) for one in (ours, theirs)]
    words = ("merge-tree", "--write-tree", "-z", "--name-only", "--no-messages", *sides)
    content, *disputed = repository.git.run(*words, allowed=(0, 1)).rstrip("\0").split("\0")
    known = {**_files(repository, theirs), **_files(repository, ours)}
    # What nobody has is how Git calls a file that stood where the other side has a directory: it stays.
    chosen = [known[path] for path in disputed if path in known]
    repository.git.run("read-tree", content)
    repository.git.run("update-index", "-z", "--index-info", data=_lines(chosen))
    return Merged(repository.git.run("write-tree"), disputed)


def _files(repository: Repository, content: str) -> dict[str, str]:
    """Path to what Git says of each file."""
    return {entry.partition("\t")[2]: entry for entry in repository.git.run("ls-tree", "-r", "-z", content).split("\0") if entry}


def _tree(repository: Repository, commit: str) -> str:
    """What Git says of the tree in a commit; empty where there is none."""
    return repository.git.run("ls-tree", "-z", commit, "--", TREE).rstrip("\0")


def _beside(repository: Repository, commit: str) -> str:
    """What a commit has beside the tree."""
    return _planted(repository, repository.content(commit))


def _planted(repository: Repository, content: str, tree: str = "") -> str:
    """A content with another tree, or without one."""
    entries = repository.git.run("ls-tree", "-z", content).split("\0")
    beside = [entry for entry in entries if entry and entry.partition("\t")[2] != TREE]
    return repository.git.run("mktree", "-z", data=_lines([*beside, *([tree] if tree else [])]))


def _lines(entries: Sequence[str]) -> bytes:
    return "".join(f"{entry}\0" for entry in entries).encode(errors="surrogateescape")
