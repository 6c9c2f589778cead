"""Numbered writes, one after the other, as fast as they are acknowledged; and what became of them."""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field


@dataclass
class Writer:
    """write: writes a number, and returns once it is acknowledged. errors_of: what it raises when it is not.

    acknowledged: their numbers. moments: when each was. errors: what was seen instead.
    """

    write: Callable[[int], None]
    errors_of: tuple[type[BaseException], ...]
    pause: float = 0.01
    acknowledged: list[int] = field(default_factory=list)
    moments: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.work, daemon=True)

    def work(self) -> None:
        for number in itertools.count():
            if self.stop.is_set():
                break
            try:
                self.write(number)
                self.moments.append(time.monotonic())
                self.acknowledged.append(number)
            except self.errors_of as error:
                self.errors.append(f"{time.monotonic():.1f}: {type(error).__name__}: {str(error)[:200]}")
                time.sleep(0.1)
            time.sleep(self.pause)

    def outage(self) -> float:
        """The longest time between two acknowledged writes."""
        return max((after - before for before, after in itertools.pairwise(self.moments)), default=0.0)

    def until_written(self, timeout: float, more: int = 20) -> None:
        """Until so many more writes are acknowledged; AssertionError with what was seen instead."""
        count, end = len(self.acknowledged), time.monotonic() + timeout
        while len(self.acknowledged) <= count + more:
            assert time.monotonic() < end, f"{len(self.acknowledged) - count} writes within {timeout:.0f} s; {self.errors[-3:]}"
            time.sleep(0.1)


@contextlib.contextmanager
def writing(writer: Writer, lead: float = 2.0) -> Iterator[Writer]:
    """Writes go on while the block runs, which begins after ``lead`` seconds of them."""
    writer.thread.start()
    try:
        time.sleep(lead)
        assert writer.acknowledged, writer.errors[-3:]
        yield writer
    finally:
        writer.stop.set()
        writer.thread.join()
