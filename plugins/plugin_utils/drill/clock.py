# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What time it is in a drill, the same for all of its processes, by a clock that nobody sets.

That on the wall is set by whatever keeps it right, and after a virtual machine has stood still. Between two of its times there may be
any number of seconds; the kernel's own count from its start is one for all processes.

Times that hosts give (of samples, of alerts) are compared with the one on the wall all the same, as theirs is set like it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

FILE = "clock"
#: Seconds that the clock on the wall may be apart before anybody is told: keeping it right takes milliseconds.
APART = 1.0


@dataclass(frozen=True)
class Clock:
    """offset: seconds from the kernel's count to those since 1970, as they were when the drill began."""

    offset: float

    @classmethod
    def begin(cls, directory: Path) -> Clock:
        """For the drill in a directory, and whoever asks for its clock later on."""
        found = cls(time.time() - time.monotonic())
        (directory / FILE).write_text(repr(found.offset), encoding="utf-8")
        return found

    @classmethod
    def of(cls, directory: Path) -> Clock:
        """The clock of the drill in a directory; of one that has begun none, the one on the wall as it is now."""
        try:
            return cls(float((directory / FILE).read_text(encoding="utf-8")))
        except FileNotFoundError:
            return cls(time.time() - time.monotonic())

    def now(self) -> float:
        """Seconds since 1970."""
        return self.offset + time.monotonic()

    def notes(self) -> list[str]:
        """What is to be said of the clock on the wall, if anything."""
        apart = time.time() - self.now()
        way = "forward" if apart > 0 else "back"
        words = f"The controller's clock was set {way} by {abs(apart):.0f} s meanwhile; times are by what it showed before"
        return [f"{words}, those of samples and journals by the hosts' own clocks."] if abs(apart) > APART else []
