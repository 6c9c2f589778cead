# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Durations as Prometheus, Alertmanager and Thanos write them: ``1h30m``, ``500ms``, ``2d``."""

from __future__ import annotations

import re

UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0, "y": 31536000.0}
PART = r"(\d+(?:\.\d+)?)(ms|[smhdwy])"
#: As the components themselves read them: whole numbers, the larger unit first.
STRICT = "0|(?=.)" + "".join(rf"(?:\d+{unit})?" for unit in sorted(UNITS, key=UNITS.__getitem__, reverse=True))


def seconds(text: object) -> float:
    """``1h30m`` → 5400.0; ValueError for anything else."""
    value = str(text).strip()
    if value == "0":
        return 0.0
    if not re.fullmatch(f"(?:{PART})+", value):
        raise ValueError(f"{value!r} is not a duration such as 30s, 5m or 1h30m")
    return sum(float(number) * UNITS[unit] for number, unit in re.findall(PART, value))
