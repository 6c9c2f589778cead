# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether a member of a database has room to write, and has handed over because it had none."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass
class Room:
    """A member's. data: its directory. least: bytes below which it counts as full. below: what may have a disk of its own in there.

    handed: it has handed over, and has not had twice that much since. Whoever has done so keeps what comes back: where nobody has
    room, it must not go round.
    """

    data: str
    least: int
    below: Sequence[str] = ()
    handed: bool = False

    def full(self) -> bool:
        """One look. A directory that is not there yet has room."""
        left = float("inf")
        for path in (self.data, *(os.path.join(self.data, name) for name in self.below)):
            with contextlib.suppress(FileNotFoundError):
                its = os.statvfs(path)
                left = min(left, its.f_bavail * its.f_frsize)
        if left >= 2 * self.least:
            self.handed = False
        return left < self.least
