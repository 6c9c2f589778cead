"""How failures are made on a host: the scripts, and that what mends is there before anything is broken."""

from __future__ import annotations

import json
import os
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.monitoring.ha.plugins.module_utils import faults
from ansible_collections.monitoring.ha.plugins.modules import drill_fault_host

EVERY: dict[str, dict[str, Any]] = {
    "nothing": {},
    "kill": {"units": ["a.service"]},
    "hang": {"units": ["a.service", "b c.service"]},
    "stop": {"units": ["a.service"]},
    "crash": {"path": "/var/lib/postgresql"},
    "switch_over": {"path": "/etc/patroni", "name": "mon1", "cluster": "demo"},
    "cut_off": {"peers": ["192.0.2.1", "2001:db8::1"]},
    "cut_off_in": {"peers": ["192.0.2.1"]},
    "cut_off_out": {"peers": ["192.0.2.1"]},
    "lossy": {"peers": ["192.0.2.1"]},
    "slow": {"peers": ["192.0.2.1"]},
    "disk_full": {"units": ["a.service"], "path": "/var/lib/a", "stage": True},
    "clock_step": {},
    "certificate_expired": {"units": ["a.service"], "renewed": ["b.service"], "files": {"host.pem": "x\n"}},
    "sysrq": {},
    "mark": {"path": "/var/lib/textfile"},
    "claim": {"run": "controller:/srv/it's/report", "seconds": 60},
}


def made(name: str, **given: Any) -> faults.Fault:
    return faults.FAULTS[name](EVERY[name] | given)


@pytest.mark.parametrize("name", faults.FAULTS)
def test_every_script_is_one_that_a_shell_can_read(name: str) -> None:
    for script in (made(name).inject, made(name).mend, made(name).check):
        done = subprocess.run(["/bin/sh", "-n", "-c", script], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("name", "send"), [("kill", "KILL"), ("hang", "STOP")])
def test_a_daemon_with_others_below_it_is_struck_alone(name: str, send: str) -> None:
    assert f"--kill-whom=all --signal={send}" in made(name).inject
    assert f"--kill-whom=main --signal={send}" in made(name, main_process=True).inject


def dropped(name: str) -> set[str]:
    """(chain, direction) of each rule."""
    return {" ".join(line.split()[3:8]) for line in made(name).inject.splitlines() if "-j DROP" in line and line.startswith("iptables")}


def test_one_way_is_one_way() -> None:
    comes, goes = "MONITORING_HA_DRILL_INPUT ! -i lo -s", "MONITORING_HA_DRILL_OUTPUT ! -o lo -d"
    assert dropped("cut_off_in") == {comes} and dropped("cut_off_out") == {goes} and dropped("cut_off") == {comes, goes}


def test_each_family_of_addresses_has_its_filter() -> None:
    assert "ip6tables -w -A MONITORING_HA_DRILL_INPUT ! -i lo -s 2001:db8::1 -j DROP" in made("cut_off").inject
    assert "ip6tables" not in made("cut_off_in").inject


def test_a_disk_of_its_own_is_filled_and_another_one_only_where_it_is_allowed() -> None:
    assert "mount" not in made("disk_full", stage=False).inject
    assert "is not a file system of its own" in faults.impossible(made("disk_full", stage=False, path="/usr/bin"))
    assert "mount -t tmpfs" in made("disk_full").inject


def test_a_mark_comes_and_goes(tmp_path: Path) -> None:
    mark = made("mark", path=str(tmp_path))
    assert faults.impossible(mark) == ""
    faults.shell(mark.inject)
    file = tmp_path / "monitoring_ha_drill.prom"
    assert file.read_text() == "monitoring_ha_drill 1\n" and file.stat().st_mode & 0o777 == 0o644
    faults.shell(mark.mend)
    assert list(tmp_path.iterdir()) == []
    assert faults.impossible(made("mark", path=str(tmp_path / "none"))) == f"{tmp_path}/none is not there"


def test_an_identity_that_has_run_out_and_the_own_one_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = tmp_path / "etc" / ".pki.trees" / "1"
    tree.mkdir(parents=True)
    for name in ("ca.pem", "host.pem"):
        (tree / name).write_text(f"own {name}\n")
    (tree / "host.key").write_text("own key\n")
    (tree / "host.key").chmod(0o640)
    link = tmp_path / "etc" / "pki"
    link.symlink_to(".pki.trees/1")
    monkeypatch.setattr(faults, "IDENTITY", str(link))
    monkeypatch.setattr(faults, "DIRECTORY", str(tmp_path))
    assert made("certificate_expired").mend.endswith("systemctl try-restart b.service || true")
    fault = made("certificate_expired", units=[], renewed=[], files={"host.pem": "old\n", "host.key": "old key\n"})
    assert faults.impossible(fault) == ""
    faults.shell(fault.inject)
    assert [(link / name).read_text() for name in ("ca.pem", "host.pem", "host.key")] == ["own ca.pem\n", "old\n", "old key\n"]
    assert (link / "host.key").stat().st_mode & 0o777 == 0o640
    faults.shell(fault.mend)
    assert (link / "host.pem").read_text() == "own host.pem\n" and os.readlink(link) == ".pki.trees/1"
    assert sorted(path.name for path in link.parent.iterdir()) == [".pki.trees", "pki"]
    # Once more does no harm.
    faults.shell(fault.mend)
    assert (link / "host.pem").read_text() == "own host.pem\n"


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A host whose systemd only writes down what it is told."""
    said: list[str] = []
    real = faults.shell

    def shell(script: str, *told: Any, **more: Any) -> str:
        if "systemctl" in script or "systemd-run" in script:
            said.append(script)
            script = ""
        return real(script, *told, **more) if script else ""

    monkeypatch.setattr(faults, "DIRECTORY", str(tmp_path / "drill"))
    monkeypatch.setattr(faults, "shell", shell)
    return said


def test_what_mends_is_on_disk_and_armed_and_goes_when_it_is_done(host: list[str], tmp_path: Path) -> None:
    (tmp_path / "broken").touch()
    faults.arm("hang", f"rm -f {tmp_path}/broken", 90)
    path = tmp_path / "drill" / "hang.mend"
    assert path.stat().st_mode & 0o777 == 0o600 and faults.armed() == ["hang"]
    assert "--unit=monitoring-ha-drill-hang --on-active=90 --timer-property=AccuracySec=1s" in host[0]
    # By itself it is tried again until it works.
    assert f"--property=Restart=on-failure --property=RestartSec=10 {faults.mending('hang')}" in host[0]
    assert faults.mend("hang") is True
    assert not (tmp_path / "broken").exists() and faults.armed() == []
    assert faults.mend("hang") is False


def test_a_failure_is_armed_before_the_clients_are_left_alone_and_made_afterwards(
    host: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made, slept = tmp_path / "monitoring_ha_drill.prom", []
    monkeypatch.setattr(time, "sleep", lambda seconds: slept.append((seconds, faults.armed(), made.exists())))
    given = {"fault": "mark", "given": {"path": str(tmp_path)}, "deadline": 90, "pause": 5}
    with patch_module_args(given), pytest.raises(SystemExit):
        drill_fault_host.main()
    assert json.loads(capsys.readouterr().out)["ago"] < 5 and made.exists()
    assert [one for one in slept if one[0] == 5] == [(5, ["mark"], False)]
    # The host does not mend it before the controller counts it as made.
    assert any("--on-active=95 " in said for said in host)


def test_what_could_not_be_mended_stays_armed_and_can_be_mended_later(
    host: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def absent() -> dict[str, Any]:
        with patch_module_args({"state": "absent"}), pytest.raises(SystemExit):
            drill_fault_host.main()
        found: dict[str, Any] = json.loads(capsys.readouterr().out)
        return found

    faults.arm("cut_off", f"[ -e {tmp_path}/way ] || {{ echo no way >&2; exit 1; }}", 90)
    faults.arm("hang", f"touch {tmp_path}/mended", 90)
    with pytest.raises(faults.FaultError, match="no way"):
        faults.mend("cut_off")
    # One that does not work keeps no other one from being mended.
    told = absent()
    assert told["failed"] and told["msg"] == "cut_off: no way" and told["mended"] == ["hang"] and (tmp_path / "mended").exists()
    assert faults.armed() == ["cut_off"] and not any("cut-off.timer monitoring" in said for said in host)
    (tmp_path / "way").touch()
    assert absent()["mended"] == ["cut_off"] and faults.armed() == []


def test_a_failure_that_is_left_keeps_the_same_one_away_too(host: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Its repair would be written over, and with it what it was about."""
    faults.arm("hang", "true", 90)
    with patch_module_args({"fault": "hang", "given": {"units": ["b.service"]}}), pytest.raises(SystemExit):
        drill_fault_host.main()
    told = json.loads(capsys.readouterr().out)
    assert told["failed"] and "there is a failure of another drill on this host (hang)" in told["msg"]
    assert faults.armed() == ["hang"] and not any("b.service" in said for said in host)


def test_a_script_that_takes_too_long_ends_with_everything_that_it_began(tmp_path: Path) -> None:
    with pytest.raises(faults.FaultError, match="not done after"):
        faults.shell(f"(sleep 1.5; touch {tmp_path}/late) & wait", timeout=0.5)
    time.sleep(1.5)
    assert not (tmp_path / "late").exists()


def test_drills_of_somebody_else_are_told_until_they_must_be_over(host: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    def claimed(run: str, **more: Any) -> dict[str, Any]:
        with patch_module_args({"fault": "claim", "given": {"run": run, "seconds": 60}, **more}), pytest.raises(SystemExit):
            drill_fault_host.main()
        found: dict[str, Any] = json.loads(capsys.readouterr().out)
        return found

    mine = "one:/srv/it's mine"
    assert not claimed(mine).get("failed") and not claimed(mine).get("failed")
    for more in ({}, {"_ansible_check_mode": True}):
        assert claimed("two:/srv/other", **more)["msg"].startswith(f"drills are going on already ({mine}): wait until they have ended")
    assert not claimed(mine, given={"run": mine, "seconds": -1}).get("failed")
    assert not claimed("two:/srv/other").get("failed") and host


@pytest.mark.parametrize(("left", "refused"), [("sysrq", ""), ("mark", ""), ("hang", "(hang)")])
def test_a_host_that_has_started_anew_may_be_struck_again(
    host: list[str], capsys: pytest.CaptureFixture[str], left: str, refused: str
) -> None:
    faults.arm(left, "true", 90)
    with patch_module_args({"fault": "nothing", "_ansible_check_mode": True}), pytest.raises(SystemExit):
        drill_fault_host.main()
    told = json.loads(capsys.readouterr().out)
    assert host and (refused in told["msg"] if refused else told["unsupported"] == "" and not told.get("failed")), told


def test_a_script_that_fails_says_what_it_said() -> None:
    with pytest.raises(faults.FaultError, match="no such luck"):
        faults.shell("echo no such luck >&2; exit 3")


def test_a_script_is_in_no_list_of_processes_and_in_no_childs_environment() -> None:
    said = faults.shell("own=S3cret; tr '\\0' ' ' </proc/$$/cmdline; env")
    assert "/bin/sh -eu -c" in said and "S3cret" not in said and "own=" not in said


def test_what_was_mended_before_it_was_made_is_not_made_any_more(host: list[str], tmp_path: Path) -> None:
    faults.arm("hang", "true", 90)
    faults.inject("hang", f"touch {tmp_path}/made")
    assert (tmp_path / "made").exists() and faults.mend("hang")
    (tmp_path / "made").unlink()
    with pytest.raises(faults.FaultError, match="it was mended before it was made"):
        faults.inject("hang", f"touch {tmp_path}/made")
    assert host and not (tmp_path / "made").exists()


def test_what_mends_waits_until_the_failure_has_been_made(host: list[str], tmp_path: Path) -> None:
    faults.arm("hang", f"mv {tmp_path}/broken {tmp_path}/whole", 90)
    with ThreadPoolExecutor(1) as pool:
        making = pool.submit(faults.inject, "hang", f"touch {tmp_path}/begun; sleep 0.5; touch {tmp_path}/broken")
        while not (tmp_path / "begun").exists():
            time.sleep(0.01)
        assert faults.mend("hang") and making.result() is None
    assert host and (tmp_path / "whole").exists() and not (tmp_path / "broken").exists()


@pytest.mark.parametrize(("boot", "back"), [("the same\n", True), ("another\n", False)])
def test_a_clock_goes_back_only_in_the_boot_in_which_it_was_put_forward(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, boot: str, back: bool
) -> None:
    monkeypatch.setattr(faults, "DIRECTORY", str(tmp_path))
    monkeypatch.setattr(faults, "BOOT", str(tmp_path / "boot"))
    (tmp_path / "boot").write_text("the same\n")
    tools = f'date() {{ case "$1" in -s) echo "$2" >>{tmp_path}/set;; *) echo 1000;; esac; }}\nsystemctl() {{ return 3; }}\n'
    fault = made("clock_step")
    faults.shell(tools + fault.inject)
    (tmp_path / "boot").write_text(boot)
    faults.shell(tools + fault.mend)
    assert (tmp_path / "set").read_text().split() == ["@1300", *(["@700"] if back else [])]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["boot", "set"]
