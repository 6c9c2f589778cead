# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The result of a module that declares what a cluster's members share: its changes, a line each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def result(changes: Sequence[str]) -> dict[str, Any]:
    """``changed``, ``changes``, and the same lines as a diff."""
    return {"changed": bool(changes), "changes": list(changes), "diff": {"before": "", "after": "".join(f"{line}\n" for line in changes)}}
