# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the steps of a drill share: which drills there are, and the files of a run."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

from ansible_collections.monitoring.ha.plugins.plugin_utils.drill import failures, guardian, record, report
from ansible_collections.monitoring.ha.plugins.plugin_utils.drill.failures import Case
from ansible_collections.monitoring.ha.plugins.plugin_utils.drill.options import Options
from ansible_collections.monitoring.ha.plugins.plugin_utils.drill.stack import Stack

Say = Callable[[str], None]
#: Seconds right before a failure in which the probes look, and nothing else of the drill takes what the stack needs.
BEFORE = 5.0


def cases(stack: Stack, options: Options) -> list[Case]:
    """Every drill of the run."""
    found = failures.choose(options.wanted, stack.groups, stack.virtual, beyond=options.beyond, repeat=options.repeat, host=options.host)
    return [failures.with_seconds(case, options.seconds) for case in found] if options.seconds else found


def begun_run(options: Options) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((options.work / "run.json").read_text(encoding="utf-8"))
    return found


def put(options: Options, result: report.Result) -> None:
    """Write down what a drill came to."""
    record.secret(options.verdict(options.index), result.as_dict())


def running(options: Options) -> int:
    """The process of a run that goes on in the same directory; 0 when there is none."""
    process = guardian.noted(options.work / "process")
    return process if process != os.getppid() else 0


def mending(options: Options) -> int:
    """The guardian of a run before, or of this one, that has not ended; 0 when there is none."""
    return next(filter(None, map(guardian.noted, sorted(options.work.glob(f"*/{guardian.PROCESS}")))), 0)
