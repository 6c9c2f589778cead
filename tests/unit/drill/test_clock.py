"""All processes of a drill have one clock, whatever somebody sets meanwhile."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from ansible_collections.monitoring.ha.plugins.plugin_utils.drill.clock import FILE, Clock
from ansible_collections.monitoring.ha.plugins.plugin_utils.drill.probes.common import Settings
from ansible_collections.monitoring.ha.plugins.plugin_utils.drill.probes.metrics import Metrics

SAID = "; times are by what it showed before, those of samples and journals by the hosts' own clocks."


def test_whoever_asks_later_has_the_same_clock(tmp_path: Path) -> None:
    begun = Clock.begin(tmp_path)
    assert abs(begun.now() - time.time()) < 0.1
    # As if the clock on the wall had been set by an hour since.
    (tmp_path / FILE).write_text(repr(begun.offset - 3600), encoding="utf-8")
    assert Clock.of(tmp_path).offset == begun.offset - 3600
    assert abs(Metrics(Settings({"directory": str(tmp_path)})).now() - time.time() + 3600) < 0.1
    ask = f"from {Clock.__module__} import Clock; from pathlib import Path; print(Clock.of(Path({str(tmp_path)!r})).now())"
    before = time.time() - 3600
    other = float(subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True).stdout)
    assert before < other < time.time() - 3600


def test_without_a_drill_it_is_the_one_on_the_wall(tmp_path: Path) -> None:
    assert abs(Clock.of(tmp_path).now() - time.time()) < 0.1


@pytest.mark.parametrize(
    ("apart", "said"),
    [
        (0.0, []),
        (0.9, []),
        (-0.9, []),
        (66.2, ["The controller's clock was set forward by 66 s meanwhile" + SAID]),
        (-2.0, ["The controller's clock was set back by 2 s meanwhile" + SAID]),
    ],
)
def test_it_is_told_that_somebody_has_set_the_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: list[float], apart: float, said: list[str]
) -> None:
    its = Clock.begin(tmp_path)
    clock[0] += 10
    monkeypatch.setattr(time, "time", lambda: clock[0] + apart)
    assert its.now() == 1010.0 and its.notes() == Clock.of(tmp_path).notes() == said
