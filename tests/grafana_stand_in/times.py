"""Points in time as the API writes them, and durations as Prometheus does."""

from __future__ import annotations

import re
import time

ZERO = "0001-01-01T00:00:00Z"
_UNITS = (("y", 31536000), ("w", 604800), ("d", 86400), ("h", 3600), ("m", 60), ("s", 1))
_DURATION = re.compile(r"(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?")


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def rfc3339(milliseconds: int) -> str:
    if milliseconds <= 0:
        return ZERO
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(milliseconds // 1000))


def age(milliseconds: int) -> str:
    passed = max(0, now_ms() - milliseconds) // 1000
    if milliseconds <= 0 or passed >= 315_360_000:
        return "10 years"
    for unit, size in (("year", 31536000), ("month", 2592000), ("day", 86400), ("hour", 3600), ("minute", 60)):
        if passed >= size:
            count = passed // size
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return "< 1 minute"


def parse_duration(text: str) -> int:
    """Seconds; milliseconds are dropped. Raises ValueError."""
    if text in ("", "0"):
        return 0
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ValueError(f'not a valid duration string: "{text}"')
    return sum(int(number) * size for number, (_, size) in zip(found.groups()[:6], _UNITS, strict=True) if number)


def format_duration(seconds: int) -> str:
    if seconds <= 0:
        return "0s"
    text = ""
    for unit, size in _UNITS:
        # Weeks and years only when they come out even, as Prometheus does.
        if unit in "yw" and (text or seconds % size):
            continue
        if seconds >= size:
            text += f"{seconds // size}{unit}"
            seconds %= size
    return text
