# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The repository: heads from every remote, a commit when something has changed, and pushes that never overwrite.

No commit is lost by anything that members do at the same time or while they cannot reach each other: a push is refused where
somebody else has pushed, and histories that went apart get a commit with several parents, whose tree is what Grafana has now.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from .errors import BackupError, GitError, Rejected
from .git import Git, access
from .message import Difference
from .settings import Remote, Settings

#: Below the repository's root; other data get directories of their own.
TREE = "grafana"
_FIELDS = "%H%x00%cI%x00%B"


@dataclass(frozen=True)
class Commit:
    """A commit. at: when it was made, ISO 8601."""

    sha: str
    at: str
    message: str

    @property
    def subject(self) -> str:
        return self.message.partition("\n")[0]

    def as_dict(self) -> dict[str, str]:
        return {"commit": self.sha, "at": self.at, "message": self.message}


class Repository:
    """The bare repository of a member, and the directory with the tree that is to be committed."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.branch = f"refs/heads/{settings.branch}"
        person = {"NAME": settings.author, "EMAIL": settings.email}
        environment = {f"GIT_{role}_{name}": value for role in ("AUTHOR", "COMMITTER") for name, value in person.items()}
        self.git = Git(settings.repository, environment)

    def open(self) -> None:
        """Makes the repository where there is none."""
        self.settings.work.mkdir(parents=True, exist_ok=True)
        if not (self.settings.repository / "HEAD").exists():
            self.settings.repository.mkdir(exist_ok=True)
            self.git.run("init", "--quiet", "--bare", f"--initial-branch={self.settings.branch}")
        # What a run that lost power has left. Whoever calls this is the only one who works here.
        for lock in [*self.settings.repository.glob("*.lock"), *(self.settings.repository / "refs").rglob("*.lock")]:
            lock.unlink()

    # --- heads -------------------------------------------------------------------------------------------------------

    def tracking(self, remote: Remote) -> str:
        """Ref of what a remote is known to have."""
        return f"refs/remotes/{remote.name}/{self.settings.branch}"

    def find(self, name: str) -> str:
        """The commit that a name stands for; empty when there is none."""
        try:
            return self.git.run("rev-parse", "--quiet", "--verify", "--end-of-options", f"{name}^{{commit}}")
        except GitError:
            return ""

    def fetch(self, remote: Remote) -> None:
        """Learns what a remote has. GitError when it cannot be asked."""
        environment, configuration = access(remote)
        # A pattern, as a single branch that is not there yet would be an error.
        refspec = f"+{self.branch}*:{self.tracking(remote)}*"
        words = ("fetch", "--quiet", "--prune", "--no-tags", "--no-write-fetch-head", remote.url, refspec)
        self.git.run(*words, timeout=self.settings.remote_timeout, environment=environment, configuration=configuration)

    def heads(self, without: Collection[str] = ()) -> list[str]:
        """Commits that no other known one has as its ancestor, the newest first: one, unless histories went apart.

        without: names of remotes that do not count.
        """
        counting = [remote for remote in self.settings.remotes if remote.name not in without]
        found = [self.find(ref) for ref in (self.branch, *map(self.tracking, counting))]
        known = list(dict.fromkeys(sha for sha in found if sha))
        if len(known) < 2:
            return known
        apart = self.git.lines("merge-base", "--independent", *known)
        apart = [sha for sha in apart if sha != known[0] or not any(self.is_twin(sha, other) for other in apart if other != sha)]
        return self.git.lines("rev-list", "--no-walk=sorted", "--date-order", *apart)

    def is_twin(self, own: str, other: str) -> bool:
        """Whether a commit of this member only repeats what another one has committed on the same ground at the same time."""
        pushed = own in map(self.find, map(self.tracking, self.settings.remotes))
        if pushed or own != self.find(self.branch) or self.content(own) != self.content(other):
            return False
        parents = self.git.run("show", "--no-patch", "--format=%P", own).split()
        return all(self.is_ancestor(parent, other) for parent in parents)

    def is_ancestor(self, old: str, new: str) -> bool:
        """Whether the history of ``new`` holds ``old``."""
        return not self.git.lines("rev-list", "--max-count=1", old, f"^{new}")

    # --- commits -----------------------------------------------------------------------------------------------------

    def stage(self, base: str) -> str:
        """The content of a commit: that of ``base``, a commit or a content, with the tree as it is on the disk now; its id."""
        self.git.run("read-tree", base or "--empty")
        self.git.run("add", "--all", "--force", "--", TREE, environment={"GIT_WORK_TREE": str(self.settings.work)})
        return self.git.run("write-tree")

    def content(self, commit: str) -> str:
        """Id of a commit's content; that of nothing for an empty name."""
        return self.git.run("rev-parse", f"{commit}^{{tree}}") if commit else self.git.run("hash-object", "-w", "-t", "tree", "/dev/null")

    def changes(self, before: str, after: str) -> list[Difference]:
        """The tree's files that differ between two contents."""
        parts = self.git.run("diff-tree", "-r", "-z", "--no-renames", "--raw", before, after, "--", TREE).split("\0")
        found = []
        for entry, path in zip(parts[::2], parts[1::2], strict=False):
            _old_mode, _new_mode, old, new, status = entry.split()
            found.append(Difference(status, path.removeprefix(f"{TREE}/"), old if status == "D" else new))
        return found

    def lines(self, before: str, after: str) -> int:
        """How many lines differ between two contents of a file, by their ids."""
        said = self.git.run("diff", "--numstat", "--text", before, after).split()
        return max(int(number) for number in said[:2]) if said else 0

    def commit(self, content: str, parents: Sequence[str], message: str, dates: str = "") -> str:
        """Makes a commit, signed where there is a key; its id. dates: when it was made, now where empty."""
        words = ["commit-tree", content, "-F", "-"]
        for parent in parents:
            words += ["-p", parent]
        configuration = {}
        if self.settings.signing_key:
            words.append("-S")
            configuration["user.signingKey"] = self.settings.signing_key
        environment = {"GIT_AUTHOR_DATE": dates, "GIT_COMMITTER_DATE": dates} if dates else {}
        text = message.encode(errors="surrogateescape")
        return self.git.run(*words, data=text, environment=environment, configuration=configuration)

    def note(self, content: str, parents: Sequence[str]) -> str:
        """Makes a commit that is for Git's eyes only, and for nothing but a merge; its id."""
        return self.git.run("commit-tree", content, "-m", "", *(word for parent in parents for word in ("-p", parent)))

    def move(self, commit: str) -> None:
        """Lets the branch be at a commit."""
        self.git.run("update-ref", self.branch, commit)

    def push(self, remote: Remote, *, instead_of: str = "") -> None:
        """Gives the branch to a remote. instead_of: the only commit that may be overwritten.

        Rejected when the remote has something that is not known here; GitError when it cannot be reached or refuses.
        """
        environment, configuration = access(remote)
        lease = [f"--force-with-lease={self.branch}:{instead_of}"] if instead_of else []
        words = ("push", "--quiet", "--porcelain", *lease, remote.url, f"{self.branch}:{self.branch}")
        try:
            self.git.run(*words, timeout=self.settings.remote_timeout, environment=environment, configuration=configuration)
        except GitError as error:
            if any(sign in str(error) for sign in ("[rejected]", "fetch first", "non-fast-forward", "stale info")):
                raise Rejected(str(error)) from error
            raise
        self.git.run("update-ref", self.tracking(remote), self.branch)

    # --- reading -----------------------------------------------------------------------------------------------------

    def show(self, commit: str) -> Commit:
        """A commit as data."""
        sha, at, message = self.git.run("show", "--no-patch", f"--format={_FIELDS}", commit).split("\0", 2)
        return Commit(sha, at, message.strip())

    def history(self, limit: int) -> list[Commit]:
        """The latest commits of all known heads, newest first."""
        heads = self.heads()
        if not heads:
            return []
        said = self.git.run("log", "-z", f"--max-count={limit}", "--date-order", f"--format={_FIELDS}%x01", *heads)
        entries = [entry.strip("\0\n") for entry in said.split("\x01")]
        return [Commit(*(part.strip() for part in entry.split("\0", 2))) for entry in entries if entry]

    def resolve(self, wanted: str) -> str:
        """The commit that people mean: an id, or a date and time (ISO 8601) for the last commit until then, or the latest where empty.

        BackupError when there is none.
        """
        heads = self.heads()
        if not heads:
            raise BackupError("there is no backup yet")
        if not wanted:
            return heads[0]
        if found := self.find(wanted):
            return found
        try:
            moment = datetime.fromisoformat(wanted).astimezone()
        except ValueError:
            raise BackupError(f"there is no commit {wanted!r}, and it is no date such as 2026-11-25T14:30") from None
        at = self.git.run("rev-list", "--max-count=1", f"--before={moment.isoformat()}", *heads)
        if not at:
            raise BackupError(f"there is no backup from {moment.isoformat()} or before")
        return at

    def checkout(self, commit: str, dest: Path) -> None:
        """Writes the tree of a commit to a directory, which is replaced. BackupError when the commit has none."""
        if not self.find(commit) or not self.git.lines("ls-tree", commit, "--", TREE):
            raise BackupError(f"commit {commit[:12]} holds no tree of Grafana")
        staged = dest.with_name(f".{dest.name}.new")
        index = {"GIT_INDEX_FILE": str(self.settings.repository / "checkout.index"), "GIT_WORK_TREE": str(staged)}
        shutil.rmtree(staged, ignore_errors=True)
        staged.mkdir(parents=True)
        # Relative to the directory it stands in, whatever is in the index.
        self.git.run("read-tree", f"{commit}:{TREE}", environment=index)
        self.git.run("checkout-index", "--all", "--force", environment=index)
        shutil.rmtree(dest, ignore_errors=True)
        staged.rename(dest)
