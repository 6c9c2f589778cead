"""Numbered writes, one after the other, as fast as they are acknowledged; and what became of them."""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Writer:
    """write: writes a number, and returns once it is acknowledged. errors_of: what it raises when it is not.

    acknowledged: their numbers. moments: when each was. errors: what was seen instead.
    """

    write: Callable[[int], object]
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

    def until_written(self, timeout: float, more: int = 20, least: float = 0.0) -> None:
        """Until so many more writes are acknowledged, and for ``least`` seconds; AssertionError with what was seen instead."""
        count, start = len(self.acknowledged), time.monotonic()
        while len(self.acknowledged) <= count + more:
            waited = time.monotonic() - start
            assert waited < timeout, f"{len(self.acknowledged) - count} writes within {timeout:.0f} s; {self.errors[-3:]}"
            time.sleep(0.1)
        time.sleep(max(0.0, least - (time.monotonic() - start)))

    def judge(self, kept: set[int], what: str, limit: float) -> None:
        """Print what was measured; every acknowledged write is among those ``kept``, and the outage was short enough."""
        lost = set(self.acknowledged) - kept
        print(f"\n{what}: {len(self.acknowledged)} writes acknowledged, {len(lost)} lost, none for {self.outage():.1f} s")
        assert not lost
        assert self.outage() <= limit, self.errors


class Rows:
    """Writes numbered rows, each by itself, over a connection that is made anew after an error.

    connect: makes one. insert: writes a number over it. errors: what either raises when nobody is there.
    """

    def __init__(self, connect: Callable[[], Any], insert: Callable[[Any, int], object], errors: tuple[type[BaseException], ...]) -> None:
        self.connect, self.insert, self.errors = connect, insert, errors
        self.connection: Any = None

    def __call__(self, number: int) -> None:
        try:
            self.connection = self.connection or self.connect()
            self.insert(self.connection, number)
        except BaseException:
            with contextlib.suppress(*self.errors, AttributeError):
                self.connection.close()
            self.connection = None
            raise


@contextlib.contextmanager
def writing(writer: Writer, lead: float = 2.0) -> Iterator[Writer]:
    """Writes go on while the block runs, which begins after ``lead`` seconds of them."""
    writer.thread.start()
    try:
        writer.until_written(60, more=0, least=lead)
        yield writer
    finally:
        writer.stop.set()
        writer.thread.join()
