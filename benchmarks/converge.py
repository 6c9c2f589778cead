"""How long a roll-out takes: first converge and no-op of the whole stack on three test hosts, per strategy.

Limits stand beside the measurements, as ratios measured / limit; nothing is asserted.
Writes ``build/benchmarks/converge.json`` and prints a Markdown table.
Run with ``.venv/bin/python benchmarks/converge.py`` (about 30 minutes on two cores).
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PLAYBOOK = Path(sys.executable).with_name("ansible-playbook")
#: Seconds that a roll-out may take on two cores: (first converge, no-op).
LIMITS = {"linear": (600, 180), "mitogen_linear": (300, 60)}
#: Tasks that a component may walk on a no-op.
TASK_LIMIT = 15


@dataclass
class Run:
    """One play of site.yml. ``tasks`` counts the banners per role."""

    strategy: str
    kind: str
    hosts: int
    seconds: float
    limit: float | None
    changed: int
    tasks: dict[str, int]

    @property
    def ratio(self) -> float | None:
        return round(self.seconds / self.limit, 2) if self.limit else None


def play(book: str, strategy: str, name: str, prefix: str, *extra: str) -> tuple[float, str]:
    """Run a playbook against the benchmark's own test hosts; (seconds, output). RuntimeError when it fails."""
    command = [
        str(PLAYBOOK),
        "-i",
        "inventories/demo",
        f"playbooks/{book}.yml",
        "-e",
        f"test_hosts_name={name}",
        "-e",
        f"test_hosts_prefix={prefix}",
        *extra,
    ]
    start = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, "ANSIBLE_STRATEGY": strategy}, capture_output=True, text=True, check=False)
    seconds = time.monotonic() - start
    if done.returncode:
        raise RuntimeError(f"{book} failed:\n{done.stdout[-3000:]}\n{done.stderr[-1000:]}")
    return seconds, done.stdout


def measure(strategy: str, kind: str, hosts: int, name: str, prefix: str) -> Run:
    """Time one run of site.yml; the limits hold for three hosts."""
    seconds, output = play("site", strategy, name, prefix)
    changed = sum(int(n) for n in re.findall(r"changed=(\d+)", output))
    roles = Counter(re.findall(r"^TASK \[(?:monitoring\.ha\.)?(\w+) :", output, re.MULTILINE))
    limit = LIMITS[strategy][0 if kind == "first" else 1] if hosts == 3 else None
    return Run(strategy, kind, hosts, round(seconds, 1), limit, changed, dict(roles))


def table(runs: list[Run]) -> str:
    lines = ["| strategy | run | hosts | seconds | limit | ratio | changed | most tasks in a role |", "|---|---|---|---|---|---|---|---|"]
    for run in runs:
        most = max(run.tasks.values(), default=0)
        lines.append(
            f"| {run.strategy} | {run.kind} | {run.hosts} | {run.seconds} | {run.limit or ''} | {run.ratio or ''} "
            f"| {run.changed} | {most} / {TASK_LIMIT} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--strategy", action="append", choices=sorted(LIMITS), help="default: both")
    arguments = parser.parse_args()
    runs: list[Run] = []
    name, prefix = "ha-bench", "172.30.95"
    for strategy in arguments.strategy or sorted(LIMITS):
        try:
            play("test_hosts", "linear", name, prefix, "-e", "test_hosts_state=present")
            runs.append(measure(strategy, "first", 3, name, prefix))
            runs.append(measure(strategy, "no-op", 3, name, prefix))
        finally:
            play("test_hosts", "linear", name, prefix, "-e", "test_hosts_state=absent")
        print(table(runs), flush=True)
    target = ROOT / "build" / "benchmarks"
    target.mkdir(parents=True, exist_ok=True)
    (target / "converge.json").write_text(json.dumps([{**asdict(r), "ratio": r.ratio} for r in runs], indent=2) + "\n")


if __name__ == "__main__":
    main()
