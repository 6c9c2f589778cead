"""Faults that a test asks for, through GRAFANA_STAND_IN_FAULTS at the start or /-/stand-in/faults later. None by default."""

from __future__ import annotations

import json
import random
import re
import threading
import time
from dataclasses import asdict, dataclass, fields
from typing import Any

from ..web.message import Request, Response

ENVIRONMENT = "GRAFANA_STAND_IN_FAULTS"
_NEVER = re.compile(r"/-/|/login|/api/health|/healthz|/metrics")


@dataclass(frozen=True)
class Plan:
    # Lists (search, folders) show what other instances wrote only after this many seconds.
    list_lag_seconds: float = 0.0
    latency_ms: float = 0.0
    # Share of requests answered with `error_status`, before anything was done for them.
    error_rate: float = 0.0
    error_status: int = 503
    retry_after: int = 0
    # The numbers (from 1, counted since the plan was set) of requests whose connection is cut,
    # before they are handled or after: in the second case what they wrote stays written.
    drop_requests: tuple[int, ...] = ()
    drop_after: bool = False
    body_bytes_per_second: int = 0
    # Dashboards above this size are refused with 413; 0 is no limit.
    dashboard_limit_mb: float = 0.0
    # Holds the migration lock this long.
    migration_seconds: float = 0.0
    # Which requests are meant: methods (empty: all) and a regular expression for the path.
    methods: tuple[str, ...] = ()
    paths: str = ""
    seed: int = 0

    @classmethod
    def of(cls, data: dict[str, Any]) -> Plan:
        known: dict[str, Any] = {field.name: field.default for field in fields(cls)}
        unknown = sorted(set(data) - set(known))
        if unknown:
            raise ValueError(f"unknown faults: {', '.join(unknown)}")
        values: dict[str, Any] = {}
        for name, value in data.items():
            default = known[name]
            if isinstance(default, tuple):
                values[name] = tuple(value)
            elif isinstance(default, bool | str):
                if not isinstance(value, type(default)):
                    raise ValueError(f"{name}: {value!r}")
                values[name] = value
            else:
                values[name] = type(default)(value)
        re.compile(values.get("paths", ""))
        return cls(**values)


class Faults:
    def __init__(self, environment: str = "") -> None:
        self._lock = threading.Lock()
        self.set(Plan.of(json.loads(environment)) if environment else Plan())

    def set(self, plan: Plan) -> None:
        with self._lock:
            self.plan = plan
            self._random = random.Random(plan.seed)
            self._count = 0
            self._paths = re.compile(plan.paths)
            self._active = plan != Plan()

    def describe(self) -> dict[str, Any]:
        return {**asdict(self.plan), "requests": self._count}

    def around(self, request: Request, handle: Any) -> Response:
        """Handles a request as the plan wants it."""
        plan = self.plan
        path = request.raw_path
        if not self._active or _NEVER.match(path) or not self._paths.search(path) or (plan.methods and request.method not in plan.methods):
            response: Response = handle(request)
            return response
        with self._lock:
            self._count += 1
            number = self._count
            failing = plan.error_rate > 0 and self._random.random() < plan.error_rate
        dropped = number in plan.drop_requests
        if plan.latency_ms:
            time.sleep(plan.latency_ms / 1000)
        if failing:
            response = Response.json({"message": "injected by the fault plan"}, plan.error_status)
            if plan.retry_after:
                response.headers["Retry-After"] = str(plan.retry_after)
            return response
        if dropped and not plan.drop_after:
            return Response(dropped=True)
        response = handle(request)
        response.dropped = dropped
        response.rate = plan.body_bytes_per_second
        return response
