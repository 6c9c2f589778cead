"""The suite: lint, unit tests and scenarios, a line for each part, and one line at the end.

``python -m tools.suite [--all] [PART …]``; parts are ``lint`` or one of its gates, ``unit``, ``stand-in``, ``grafana-as-code``,
``releases``, ``demo``, and the names of the scenarios.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

from tools import grafana, lint, older
from tools.steps import LOGS, ROOT, clock, interruptible, run, show, telling

BIN = Path(sys.executable).parent
REPORTS = ROOT / "build" / "reports"
#: Scenarios of ``make test``, and those that only ``make test-all`` runs; each with the strategy it runs under.
SCENARIOS = {"default": "mitogen_linear"}
LONG = {
    "debian12": "linear",
    "upgrade": "mitogen_linear",
    "replace_host": "mitogen_linear",
    "galera": "mitogen_linear",
    "failover": "mitogen_linear",
}
#: Seconds that a scenario gets, and where that is too short.
PATIENCE = 2 * 3600
LONG_PATIENCE = {"failover": 9 * 3600}
#: How often ``failover`` and ``galera`` run each drill.
REPEAT = 3
#: Characters of a failed test's account at the end.
ACCOUNT = 500
#: Debian's packages that the stand-in's tests need, and what shows that they are there, below /usr.
DATABASES = {"postgresql": "lib/postgresql/*/bin/postgres", "mariadb-server": "sbin/mariadbd"}
#: What shows pages, and its letters.
BROWSER = {"chromium": "bin/chromium", "fonts-dejavu-core": "share/fonts/truetype/dejavu/DejaVuSans.ttf"}


@dataclass(frozen=True)
class Part:
    """A part of the suite. passed, failed: what it counted; accounts: of its tests that failed."""

    name: str
    passed: int = 0
    failed: int = 0
    seconds: float = 0.0
    output: str = ""
    accounts: Sequence[str] = ()

    def __str__(self) -> str:
        state = "ok" if not self.failed else "FAILED"
        return f"{self.name:24} {state:7} {self.passed:5} passed {self.failed:4} failed  {clock(self.seconds):>6}"


def counted(report: Path) -> tuple[int, int]:
    """(passed, failed) of a JUnit report; (0, 1) when there is none, as the run died before it."""
    try:
        suites = ElementTree.parse(report).getroot().iter("testsuite")
        totals = [[int(suite.get(key, 0)) for key in ("tests", "failures", "errors", "skipped")] for suite in suites]
    except (OSError, ElementTree.ParseError):
        return 0, 1
    tests, failures, errors, skipped = (sum(column) for column in zip(*totals, strict=True))
    return tests - failures - errors - skipped, failures + errors


def accounts(report: Path) -> list[str]:
    """A line for each test of a JUnit report that failed: which one, and the first line of why; longer ones are cut."""
    try:
        tests = ElementTree.parse(report).getroot().iter("testcase")
        found = [(test, verdict) for test in tests for verdict in test if verdict.tag in ("failure", "error")]
    except (OSError, ElementTree.ParseError):
        return []
    return [f"{test.get('name')}: {' '.join(verdict.get('message', '').split())}"[:ACCOUNT] for test, verdict in found]


def gate(its: lint.Gate) -> Part:
    """One quality gate."""
    done = run(f"lint-{its.name}", its.command, directory=its.directory(), timeout=900)
    return Part(f"lint: {its.name}", int(not done.code), int(bool(done.code)), done.seconds, done.output)


def pytest(name: str, directory: str, timeout: float = 1800) -> Part:
    """Tests that bring their own hosts, or need none."""
    report = REPORTS / f"{name}.xml"
    report.unlink(missing_ok=True)
    # A file's tests share what they have set up.
    command = [str(BIN / "pytest"), "-q", "--numprocesses=auto", "--dist=loadfile", directory, f"--junitxml={report}"]
    done = run(name, command, timeout=timeout)
    passed, failed = counted(report)
    return Part(name, passed, failed or int(bool(done.code)), done.seconds, done.output, accounts(report))


def with_packages(packages: Mapping[str, str], name: str, directory: str) -> Part:
    """Tests that need packages of this machine's, which are installed where they are missing."""
    missing = [package for package, program in packages.items() if not any(Path("/usr").glob(program))]
    if missing:
        install = "apt-get update -q && apt-get install -q -y --no-install-recommends " + " ".join(missing)
        run(f"packages-{name}", ["sh", "-c", install], environment={"DEBIAN_FRONTEND": "noninteractive"}, timeout=600)
    return pytest(name, directory)


def releases() -> Part:
    """Every archive in the cache, so that no scenario waits for a build; and which Grafana it will be."""
    print(f"{'grafana':24} {grafana.prepare()}", flush=True)
    done = run("releases", [str(BIN / "ansible-playbook"), "-i", "inventories/demo", "playbooks/mirror.yml"], timeout=3600, watch=show)
    return Part("releases", int(not done.code), int(bool(done.code)), done.seconds, done.output)


def scenario(name: str, strategy: str) -> Part:
    """A Molecule scenario, with its hosts made before and removed after, also when it fails."""
    report = REPORTS / f"{name}.xml"
    report.unlink(missing_ok=True)
    environment = {
        "MONITORING_HA_STRATEGY": strategy,
        "MONITORING_HA_DRILL_REPEAT": str(REPEAT),
        "PYTEST_ADDOPTS": f"--junitxml={report}",
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
    }
    molecule = str(BIN / "molecule")
    grafana.prepare()
    if name == "upgrade":
        older.prepare()
    try:
        command, patience = [molecule, "test", "--scenario-name", name], LONG_PATIENCE.get(name, PATIENCE)
        done = run(f"scenario-{name}", command, environment=environment, timeout=patience)
    finally:
        run(f"scenario-{name}-destroy", [molecule, "destroy", "--scenario-name", name], environment=environment, timeout=600)
    steps = {match[0]: match[1] for match in re.findall(rf"\[{name} > (\w+)\] Executed: (\w+)", done.output)}
    played = [result == "Successful" for step, result in steps.items() if step in ("check", "converge", "idempotence", "side_effect")]
    passed, failed = counted(report)
    failed += played.count(False)
    return Part(
        f"scenario: {name}", passed + played.count(True), failed or int(bool(done.code)), done.seconds, done.output, accounts(report)
    )


def parts(everything: bool) -> dict[str, Callable[[], Part]]:
    """Every part by its name, in the order in which they run."""
    found: dict[str, Callable[[], Part]] = {its.name: partial(gate, its) for its in lint.GATES}
    found["unit"] = partial(with_packages, BROWSER, "unit", "tests/unit")
    found["stand-in"] = partial(with_packages, DATABASES, "stand-in", "tests/stand_in")
    found["releases"] = releases
    if everything:
        found["grafana-as-code"] = partial(with_packages, DATABASES, "grafana-as-code", "tests/grafana_as_code")
        found["demo"] = partial(pytest, "demo", "tests/demo", timeout=5000)
    for name, strategy in {**SCENARIOS, **(LONG if everything else {})}.items():
        found[name] = partial(scenario, name, strategy)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true", help="the long scenarios too")
    parser.add_argument("part", nargs="*", help="only these")
    arguments = parser.parse_args()
    interruptible()
    REPORTS.mkdir(parents=True, exist_ok=True)
    known = parts(arguments.all or bool(arguments.part))
    gates = [its.name for its in lint.GATES]
    wanted = [name for part in arguments.part for name in (gates if part == "lint" else [part])] or list(known)
    if unknown := set(wanted) - set(known):
        sys.exit(f"no part {', '.join(sorted(unknown))}; there are: lint, {', '.join(known)}")
    done: list[Part] = []
    for name in wanted:
        try:
            part = known[name]()
        except KeyboardInterrupt:
            sys.exit("interrupted")
        if part.failed:
            print(telling(part.output), end="")
        print(part, flush=True)
        done.append(replace(part, output=""))
    failed = sum(part.failed for part in done)
    if failed:
        for part in filter(lambda part: part.failed, done):
            for account in part.accounts or ["see its log"]:
                print(f"failed: {part.name}: {account}")
        print(f"logs of all parts: {LOGS.relative_to(ROOT)}")
    if not arguments.part and (left := [name for name in parts(True) if name not in known]):
        print(f"left to make test-all: {', '.join(left)}")
    print(f"{sum(part.passed for part in done)} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
