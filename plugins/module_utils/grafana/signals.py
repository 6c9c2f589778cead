# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A run that is told to end cleans up behind itself, and says what it has done."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator
from types import FrameType


@contextlib.contextmanager
def interruptible(error: Callable[[int], BaseException], *numbers: signal.Signals) -> Iterator[None]:
    """Each of the signals ends the block with the error that ``error`` makes of its number."""

    def stop(number: int, _frame: FrameType | None) -> None:
        raise error(number)

    before = {}
    try:
        for number in numbers:
            # What nohup has ignored stays so.
            if signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, stop)
    except ValueError:
        # Not in the main thread, where nobody sends signals.
        yield
        return
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)
