"""An alert on its way from a rule to a receiver."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import cached_property


@dataclass
class Alert:
    org_id: int
    rule_uid: str
    labels: dict[str, str]
    annotations: dict[str, str]
    starts_at: float
    ends_at: float = 0.0
    values: dict[str, float] = field(default_factory=dict)

    @property
    def resolved(self) -> bool:
        return self.ends_at > 0

    @cached_property
    def fingerprint(self) -> str:
        return hashlib.sha256(json.dumps(self.labels, sort_keys=True).encode()).hexdigest()[:16]
