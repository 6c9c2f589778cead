"""/metrics: counters of this process, totals from the database."""

from __future__ import annotations

import platform
import resource
import threading
import time
from bisect import bisect_left
from collections import defaultdict
from pathlib import Path

from .release import Release

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0)
_PAGE = resource.getpagesize()

Labels = tuple[tuple[str, str], ...]


def _line(name: str, labels: Labels, value: float) -> str:
    inner = ",".join('{}="{}"'.format(key, text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")) for key, text in labels)
    number = str(int(value)) if float(value).is_integer() else repr(value)
    return f"{name}{{{inner}}} {number}" if inner else f"{name} {number}"


class Metrics:
    def __init__(self, release: Release) -> None:
        self._lock = threading.Lock()
        self._durations: dict[tuple[str, str, int], list[float]] = {}
        self._values: dict[str, tuple[str, dict[Labels, float]]] = {}
        self.started = time.time()
        self.set(
            "grafana_build_info",
            1,
            branch="HEAD",
            edition="oss",
            goversion=f"python{platform.python_version()}",
            revision=release.commit,
            version=release.version,
        )
        self.set("process_start_time_seconds", self.started)
        for name in ("grafana_instance_start_total", "grafana_api_login_post_total", "grafana_api_dashboard_save_milliseconds_count"):
            self.add(name, 0)
        self.add("grafana_instance_start_total")

    def request(self, method: str, handler: str, status: int, elapsed: float) -> None:
        with self._lock:
            cells = self._durations.get((method, handler, status))
            if cells is None:
                cells = self._durations[method, handler, status] = [0.0] * (len(_BUCKETS) + 2)
            cells[bisect_left(_BUCKETS, elapsed)] += 1
            cells[-1] += elapsed

    def add(self, name: str, amount: float = 1, **labels: str) -> None:
        with self._lock:
            self._family(name, "counter")[tuple(labels.items())] += amount

    def set(self, name: str, value: float, **labels: str) -> None:
        with self._lock:
            self._family(name, "gauge")[tuple(labels.items())] = value

    def _family(self, name: str, kind: str) -> dict[Labels, float]:
        return self._values.setdefault(name, (kind, defaultdict(float)))[1]

    def value(self, name: str, **labels: str) -> float:
        with self._lock:
            return self._values.get(name, ("", {}))[1].get(tuple(labels.items()), 0.0)

    def render(self) -> str:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        self.set("process_cpu_seconds_total", usage.ru_utime + usage.ru_stime)
        self.set("process_resident_memory_bytes", int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE)
        lines: list[str] = []
        with self._lock:
            for name in sorted(self._values):
                kind, cells = self._values[name]
                lines.append(f"# TYPE {name} {kind}")
                lines.extend(_line(name, labels, value) for labels, value in sorted(cells.items()))
            name = "grafana_http_request_duration_seconds"
            lines.append(f"# TYPE {name} histogram")
            for (method, handler, status), durations in sorted(self._durations.items()):
                labels: Labels = (("handler", handler), ("method", method), ("status_code", str(status)), ("status_source", "server"))
                total = 0.0
                for edge, count in zip((*map(str, _BUCKETS), "+Inf"), durations, strict=False):
                    total += count
                    lines.append(_line(f"{name}_bucket", (*labels, ("le", edge)), total))
                lines.append(_line(f"{name}_sum", labels, durations[-1]))
                lines.append(_line(f"{name}_count", labels, total))
        return "\n".join(lines) + "\n"
