"""How long a roll-out takes: first converge and no-op of the whole stack on three test hosts, and with further hosts, per strategy.

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
#: Hosts: the whole stack on three, the rest is monitored.
SIZES = (3, 6, 9)
TARGET = ROOT / "build" / "benchmarks"
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


def inventory(hosts: int) -> list[str]:
    """The demo's inventory, with further monitored hosts when ``hosts`` is more than its three."""
    more = {f"node{n}": {"ha_address": f"{{{{ test_hosts_prefix }}}}.{10 + n}"} for n in range(4, hosts + 1)}
    file = TARGET / f"hosts-{hosts}.yml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"all": {"children": {"monitored": {"hosts": more}}}}), encoding="utf-8")
    return ["-i", str(file), "-i", "inventories/demo"]


def play(book: str, strategy: str, hosts: int, *extra: str) -> tuple[float, str]:
    """Run a playbook against the benchmark's own test hosts; (seconds, output). RuntimeError when it fails."""
    own = ["-e", "test_hosts_name=ha-bench", "-e", "test_hosts_prefix=172.30.95"]
    command = [str(PLAYBOOK), *inventory(hosts), f"playbooks/{book}.yml", *own, *extra]
    start = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, "ANSIBLE_STRATEGY": strategy}, capture_output=True, text=True, check=False)
    seconds = time.monotonic() - start
    if done.returncode:
        raise RuntimeError(f"{book} failed:\n{done.stdout[-3000:]}\n{done.stderr[-1000:]}")
    return seconds, done.stdout


def measure(strategy: str, kind: str, hosts: int) -> Run:
    """Time one run of site.yml; the limits hold for three hosts."""
    seconds, output = play("site", strategy, hosts)
    changed = sum(int(n) for n in re.findall(r"changed=(\d+)", output))
    roles = Counter(re.findall(r"^TASK \[(?:monitoring\.ha\.)?(\w+) :", output, re.MULTILINE))
    limit = LIMITS[strategy][0 if kind == "first" else 1] if hosts == SIZES[0] else None
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
    for strategy in arguments.strategy or sorted(LIMITS):
        try:
            for hosts in SIZES:
                play("test_hosts", "linear", hosts)
                runs.append(measure(strategy, "first" if hosts == SIZES[0] else "hosts added", hosts))
                runs.append(measure(strategy, "no-op", hosts))
        finally:
            play("test_hosts", "linear", SIZES[-1], "-e", "test_hosts_state=absent")
        print(table(runs), flush=True)
    (TARGET / "converge.json").write_text(json.dumps([{**asdict(r), "ratio": r.ratio} for r in runs], indent=2) + "\n")


if __name__ == "__main__":
    main()
