# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What can go wrong, as types. No message holds a header or a secret."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


class GrafanaError(RuntimeError):
    """Base of all errors; the message is a sentence for people. done: what an import did all the same, ``Imported``."""

    done: Any = None


class Interrupted(KeyboardInterrupt):
    """The run was told to end, by the signal of that number. done: as of GrafanaError."""

    done: Any = None

    def __init__(self, number: int) -> None:
        super().__init__(f"ended by {signal.Signals(number).name}")
        self.number = number


class Unreachable(GrafanaError):
    """No answer, or not all of one: refused, cut off, too slow, or TLS did not come about."""


class Untrusted(Unreachable):
    """One side does not believe the other's certificate, which does not pass by itself."""


class TimeLimit(GrafanaError):
    """The run took longer than it may."""


class ApiError(GrafanaError):
    """An answer that is not a success.

    status: of HTTP. said: what Grafana says, shortened. retry_after: seconds it asks to wait, 0 when it does not.
    """

    def __init__(self, method: str, path: str, status: int, said: str, retry_after: float = 0.0) -> None:
        super().__init__(f"{method} {path}: {status} {said}".rstrip())
        self.method, self.path, self.status, self.said, self.retry_after = method, path, status, said, retry_after


class NotFound(ApiError):
    """404."""


class Denied(ApiError):
    """401 or 403: wrong credentials, or too few rights."""


class Conflict(ApiError):
    """409 or 412: somebody was faster, or it exists."""


class Uncertain(GrafanaError):
    """A write got no answer, or one of 5xx: it may have happened or not. Whoever wrote looks before repeating."""

    def __init__(self, cause: GrafanaError) -> None:
        super().__init__(str(cause))
        self.cause = cause


class TreeError(GrafanaError):
    """A file or a directory is not what it has to be."""


class Unsupported(GrafanaError):
    """Grafana has an object that is of no kind here."""


class Overtaken(GrafanaError):
    """Somebody changed an object after the plan was made; it was left as it is."""


@dataclass(frozen=True)
class Failure:
    """An object that could not be read or written. status: of HTTP, 0 where there was no answer."""

    organisation: str
    kind: str
    key: str
    name: str
    status: int
    message: str

    def __str__(self) -> str:
        known = f"{self.kind} {self.key}" + (f" ({self.name})" if self.name not in ("", self.key) else "")
        return f"{self.organisation}: {known}: {self.message}"

    def as_dict(self) -> dict[str, str | int]:
        return asdict(self)


class Incomplete(GrafanaError):
    """Objects could not be read or written. failures: all of them."""

    def __init__(self, what: str, failures: Sequence[Failure]) -> None:
        first = "; ".join(str(failure) for failure in failures[:5])
        more = f"; and {len(failures) - 5} more" if len(failures) > 5 else ""
        super().__init__(f"{what}: {first}{more}")
        self.failures = list(failures)


class Blocked(GrafanaError):
    """The tree cannot be brought into this Grafana, or compared with it, as asked. what: came of it. problems: a sentence each."""

    def __init__(self, problems: Sequence[str], what: str = "nothing was written") -> None:
        super().__init__(f"{what}: {'; '.join(problems)}")
        self.problems = list(problems)


def status_of(error: GrafanaError) -> int:
    """Status of HTTP behind an error, 0 where there was none."""
    if isinstance(error, Uncertain):
        return status_of(error.cause)
    return error.status if isinstance(error, ApiError) else 0
