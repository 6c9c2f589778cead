# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The alert that every Prometheus fires while a drill goes on: one number each period, the same at all of them."""

from __future__ import annotations

import math
from typing import Any

from ansible_collections.monitoring.ha.plugins.module_utils import durations
from ansible_collections.monitoring.ha.plugins.module_utils.faults import MARK

ALERT = "MonitoringHaDrill"
#: Shortest period in seconds.
SHORTEST = 10
#: Seconds that an alert goes on firing after its period: longer than it takes all Alertmanagers to have their turn.
KEEP = 120


def period(evaluation_interval: object) -> int:
    """Seconds of a period: two evaluations, so that each replica sees every number."""
    return max(SHORTEST, math.ceil(2 * durations.seconds(evaluation_interval)))


def life(evaluation_interval: object) -> int:
    """Seconds that an alert fires."""
    return period(evaluation_interval) + KEEP


def rules(evaluation_interval: object) -> dict[str, Any]:
    """The rule file. The number is that of the period since 1970, so that replicas need not agree on anything but the time."""
    number = f'count_values("number", floor(vector(time()) / {period(evaluation_interval)}))'
    rule = {
        "alert": ALERT,
        "expr": f"{number} and on () max({MARK}) == 1",
        "keep_firing_for": f"{KEEP}s",
        "labels": {"severity": "none", "source": "rule"},
        "annotations": {"summary": "A failover drill is going on; this is one of its numbered alerts."},
    }
    return {"groups": [{"name": "drill", "rules": [rule]}]}
