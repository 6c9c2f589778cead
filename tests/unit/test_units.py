"""Units that run with exactly what is on disk. systemd's verifier is real; ``systemctl`` is a program that remembers what it was told."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.monitoring.ha.plugins.module_utils import durations, units
from ansible_collections.monitoring.ha.plugins.module_utils.units import Outcome, UnitError, Wanted

UNIT = "[Service]\nExecStart=/bin/true\n"
#: Keeps a unit's properties in a file; what is done to it is in a log.
SYSTEMCTL = r"""#!/bin/sh
set -- "$@" end
while [ "$1" != end ]; do case $1 in --*) ;; *) words="$words $1";; esac; shift; done
set -- $words
cd "$UNITS_HOME" || exit
now() { sed -i "s/^$1=.*/$1=$2/" state; }
[ "$1" = show ] && exec cat state
echo "$*" >> log
case $1 in
  daemon-reload) now NeedDaemonReload no; now LoadState loaded;;
  enable|disable) now UnitFileState "$1d";;
  start|restart|reload) [ ! -e broken ] || { echo "Job for $2 failed." >&2; exit 1; }; now ActiveState active;;
  stop) now ActiveState inactive;;
esac
"""


class Host:
    """A host with one unit."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.set()

    def set(self, **properties: str) -> None:
        fresh = {"LoadState": "not-found", "ActiveState": "inactive", "UnitFileState": "", "NeedDaemonReload": "no"}
        found = {**fresh, "CanReload": "yes", "Result": "success", **properties}
        (self.home / "state").write_text("".join(f"{name}={value}\n" for name, value in found.items()), encoding="utf-8")

    def ensure(self, *, check: bool = False, record: bool = True, unit: str = "tiny.service", **wanted: Any) -> Outcome:
        """What the action does: change, and record once it behaves."""
        wanted = {"content": UNIT, **wanted}
        outcome = units.ensure(Wanted(unit, **wanted), check=check)
        if record and not check and outcome.action not in ("none", "stop"):
            units.record(unit, outcome.identity)
        return outcome

    @property
    def log(self) -> list[str]:
        """What was done since the last look."""
        path = self.home / "log"
        found = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return found


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "systemctl").write_text(SYSTEMCTL, encoding="utf-8")
    (tmp_path / "bin" / "systemctl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("UNITS_HOME", str(tmp_path))
    monkeypatch.setattr(units, "UNITS", str(tmp_path / "units"))
    monkeypatch.setattr(units, "RECORDS", str(tmp_path / "records"))
    return Host(tmp_path)


def test_a_new_unit_is_written_enabled_and_started(host: Host) -> None:
    outcome = host.ensure()
    assert (outcome.changed, outcome.action) == (True, "start")
    assert (host.home / "units" / "tiny.service").read_text(encoding="utf-8") == UNIT
    assert host.log == ["daemon-reload", "enable tiny.service", "start tiny.service"]
    assert [entry["before"] for entry in outcome.diff] == [""]


def test_the_same_again_does_nothing(host: Host) -> None:
    host.ensure()
    assert host.log
    outcome = host.ensure()
    assert (outcome.changed, outcome.action, host.log) == (False, "none", [])


def test_check_mode_tells_and_does_nothing(host: Host) -> None:
    outcome = host.ensure(check=True)
    assert (outcome.changed, outcome.action, host.log) == (True, "start", []) and not (host.home / "units").exists()


@pytest.mark.parametrize(
    ("change", "action"),
    [
        ({"content": UNIT + "# more\n"}, "restart"),
        ({"restart": "new release"}, "restart"),
        ({"reload": "new configuration"}, "reload"),
        ({"restart": "new release", "reload": "new configuration"}, "restart"),
        ({"started": False}, "stop"),
        ({"dropin": "[Service]\nNice=1\n"}, "restart"),
    ],
)
def test_a_change_is_taken_in_with_as_little_as_possible(host: Host, change: dict[str, Any], action: str) -> None:
    host.ensure()
    assert host.log
    assert host.ensure(**change).action == action
    assert f"{action} tiny.service" in host.log
    assert host.ensure(**change).action == "none"


def test_files_whose_content_counts(host: Host) -> None:
    restart, reload = host.home / "key", host.home / "ca"
    wanted: dict[str, Any] = {"restart_files": (str(restart),), "reload_files": (str(reload),)}
    assert host.ensure(**wanted).action == "start"
    reload.write_text("1", encoding="utf-8")
    assert host.ensure(**wanted).action == "reload"
    restart.write_text("1", encoding="utf-8")
    assert host.ensure(**wanted).action == "restart"
    assert host.ensure(**wanted).action == "none"


def test_what_an_interrupted_run_left_is_finished_by_the_next(host: Host) -> None:
    """The unit file is written and the daemon restarted, but it was never seen to behave."""
    host.ensure()
    host.ensure(content=UNIT + "# more\n", record=False)
    outcome = host.ensure(content=UNIT + "# more\n")
    assert (outcome.action, outcome.reasons) == ("restart", ["unit or release"])


@pytest.mark.parametrize(("change", "action"), [("restart", "restart"), ("reload", "reload")])
def test_what_did_not_behave_is_left_behind_by_going_back(host: Host, change: str, action: str) -> None:
    """It runs with the new one, and what is on disk is what it last behaved with."""
    host.ensure()
    another: dict[str, Any] = {change: "new"}
    assert host.ensure(record=False, **another).action == action
    assert host.log and host.ensure(check=True).action == action
    assert host.ensure().action == action and host.log == [f"{action} tiny.service"]
    assert host.ensure().action == "none"


def test_what_was_started_as_it_was_needs_no_second_start(host: Host) -> None:
    host.ensure()
    host.set(LoadState="loaded", ActiveState="inactive", UnitFileState="enabled")
    assert host.ensure(record=False).action == "start"
    assert host.ensure().action == "none"


def test_a_unit_that_somebody_else_started_is_restarted(host: Host) -> None:
    host.ensure(record=False)
    assert host.ensure().reasons == ["nobody knows what it was started with"]


@pytest.mark.parametrize("record", ["nonsense", "[]", ""])
def test_a_damaged_record_counts_as_none(host: Host, record: str) -> None:
    host.ensure()
    Path(units.record_path("tiny.service")).write_text(record, encoding="utf-8")
    assert host.ensure().action == "restart"


def test_a_unit_that_has_failed_is_started_again(host: Host) -> None:
    host.ensure()
    host.set(LoadState="loaded", ActiveState="failed", UnitFileState="enabled", Result="exit-code")
    assert host.log
    assert host.ensure().reasons == ["it is failed (exit-code)"]
    assert host.log == ["reset-failed tiny.service", "start tiny.service"]


def test_a_unit_that_cannot_reload_is_restarted(host: Host) -> None:
    host.set(CanReload="no")
    host.ensure()
    assert host.log
    host.ensure(reload="new")
    assert host.log == ["restart tiny.service"]


def test_a_packages_unit_gets_a_dropin(host: Host) -> None:
    host.set(LoadState="loaded", ActiveState="active", UnitFileState="enabled")
    host.ensure(content=None, dropin="[Service]\nNice=1\n")
    assert (host.home / "units" / "tiny.service.d" / "monitoring-ha.conf").read_text(encoding="utf-8") == "[Service]\nNice=1\n"
    assert host.log == ["daemon-reload", "restart tiny.service"]


def test_a_static_unit_is_not_enabled(host: Host) -> None:
    host.set(LoadState="loaded", UnitFileState="static")
    host.ensure(content=None)
    assert host.log == ["start tiny.service"]


@pytest.mark.parametrize("state", ["inactive", "activating", "active", "failed"])
def test_a_unit_that_something_else_starts_is_left_as_it_is(host: Host, state: str) -> None:
    host.set(LoadState="loaded", ActiveState=state, UnitFileState="static")
    outcome = host.ensure(started=None)
    assert outcome.changed and outcome.action == "none" and host.log == ["daemon-reload"]
    assert (host.home / "units" / "tiny.service").read_text() == UNIT
    assert not host.ensure(started=None).changed and host.log == []


def test_a_unit_that_is_not_there_is_an_error_but_in_check_mode(host: Host) -> None:
    assert host.ensure(content=None, check=True).action == "start"
    with pytest.raises(UnitError, match=r"tiny\.service is not-found: install its package"):
        host.ensure(content=None)


def test_a_unit_that_does_not_start_is_named(host: Host) -> None:
    (host.home / "broken").touch()
    with pytest.raises(UnitError, match=r"start tiny\.service: Job for tiny\.service failed"):
        host.ensure()
    (host.home / "broken").unlink()
    assert host.ensure().action == "start"


def test_a_unit_without_its_suffix_is_refused(host: Host) -> None:
    with pytest.raises(UnitError, match=r"tiny\.service"):
        host.ensure(unit="tiny")


def test_a_host_without_systemd_is_named(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UnitError, match="has to run systemd"):
        host.ensure()


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd's verifier is not here")
@pytest.mark.parametrize(
    "text", ["[Service]\nExecStart=/bin/true\nProtectSystem=maybe\n", "[Service]\nExecStart=/bin/true\nRestart=perhaps\n"]
)
def test_a_unit_that_systemd_does_not_understand_is_refused_before_it_is_written(host: Host, text: str) -> None:
    host.ensure()
    with pytest.raises(UnitError, match=r"nothing was changed: tiny\.service:\d"):
        host.ensure(content=text)
    assert (host.home / "units" / "tiny.service").read_text(encoding="utf-8") == UNIT


# --- durations -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30),
        ("1h30m", 5400),
        ("500ms", 0.5),
        ("2d", 172800),
        ("1w", 604800),
        ("1y", 31536000),
        ("0", 0),
        ("1.5s", 1.5),
        (" 5m ", 300),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert durations.seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "m", "5 m", "-5m", "5x", "1h 30m", None, 30])
def test_what_is_no_duration_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="is not a duration such as"):
        durations.seconds(text)
