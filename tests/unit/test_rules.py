"""The rules of the stack: each alert is tried, and says what to do."""

from __future__ import annotations

import platform
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.monitoring.ha.plugins.plugin_utils import archives, lock

from tools.steps import ROOT

RULES = ROOT / "roles" / "prometheus" / "files" / "rules"
FILES = sorted(RULES.glob("*.yml"))
CASES = ROOT / "tests" / "rules"
RUNBOOKS = ROOT / "docs" / "alerts.md"
#: They fire for ever by design.
CONSTANT = {"Watchdog"}


def alerts(file: Path) -> Iterator[dict[str, Any]]:
    for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]:
        yield from group["rules"]


def cases(file: Path) -> Iterator[tuple[str, set[str]]]:
    """(alert, severities with which it fires) of each expectation; what comes before the last one of a case only leads up to it."""
    for case in yaml.safe_load(file.read_text(encoding="utf-8"))["tests"]:
        last = case["alert_rule_test"][-1]
        yield last["alertname"], {alert["exp_labels"]["severity"] for alert in last["exp_alerts"]}


ALERTS = [(file, alert) for file in FILES for alert in alerts(file)]
NAMES = {alert["alert"] for _, alert in ALERTS}
each_file = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
each_alert = pytest.mark.parametrize(("file", "alert"), ALERTS, ids=[f"{a['alert']}-{a['labels']['severity']}" for _, a in ALERTS])


@pytest.fixture(scope="session")
def promtool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The one of the release that hosts get; built where the cache lacks it, which takes minutes."""
    release = lock.find(lock.read(), "prometheus")
    archive = archives.obtain(release, lock.architecture(platform.machine()), "", print)
    directory = tmp_path_factory.mktemp("prometheus")
    promtool = f"{release.stem(Path(archive.path).name)}/promtool"
    subprocess.run(["tar", "-xf", archive.path, "-C", directory, promtool], check=True)
    return directory / promtool


def run(promtool: Path, *arguments: str | Path) -> None:
    done = subprocess.run([promtool, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_rules_are_valid(promtool: Path) -> None:
    run(promtool, "check", "rules", "--lint-fatal", *FILES)


@each_file
def test_rules_do_what_their_cases_say(promtool: Path, file: Path) -> None:
    run(promtool, "test", "rules", CASES / file.name)


def test_cases_belong_to_rules() -> None:
    assert [path.name for path in sorted(CASES.iterdir())] == [file.name for file in FILES]


def test_role_knows_every_file() -> None:
    chosen = (ROOT / "roles" / "prometheus" / "vars" / "main.yml").read_text(encoding="utf-8")
    assert not [file.stem for file in FILES if f"'{file.stem}'" not in chosen]


@each_alert
def test_alert_has_a_firing_and_a_quiet_case(file: Path, alert: dict[str, Any]) -> None:
    name, severity = alert["alert"], alert["labels"]["severity"]
    tried = [severities for other, severities in cases(CASES / file.name) if other == name]
    assert any(severity in severities for severities in tried)
    assert name in CONSTANT or any(severity not in severities for severities in tried)


@each_alert
def test_alert_says_what_it_is(file: Path, alert: dict[str, Any]) -> None:
    assert set(alert) <= {"alert", "expr", "for", "labels", "annotations"}
    assert alert["labels"]["severity"] in {"critical", "warning", "info"}
    assert set(alert["annotations"]) == {"summary", "description", "runbook_url"}
    assert all(text.strip() for text in alert["annotations"].values())
    page, _, anchor = alert["annotations"]["runbook_url"].partition("#")
    assert page.endswith(f"/{RUNBOOKS.relative_to(ROOT)}")
    assert anchor == alert["alert"].lower()


def test_severities_of_an_alert_differ() -> None:
    """Alertmanager's inhibition tells them apart by nothing else."""
    seen = Counter((alert["alert"], alert["labels"]["severity"]) for _, alert in ALERTS)
    assert not [key for key, times in seen.items() if times > 1]


def runbooks() -> dict[str, str]:
    """Alert → its section."""
    found = re.split(r"^### (\S+)$", RUNBOOKS.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    return dict(zip(found[::2], found[1::2], strict=True))


def test_every_alert_has_a_runbook_and_the_other_way_round() -> None:
    assert set(runbooks()) == NAMES


@pytest.mark.parametrize("name", sorted(NAMES))
def test_runbook_is_complete(name: str) -> None:
    assert re.findall(r"^\*\*(\w+)\*\*", runbooks()[name], flags=re.MULTILINE) == ["Meaning", "Impact", "Diagnose", "Fix"]
