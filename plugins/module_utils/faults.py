# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Failures on a host: how each is made, and how it is mended again.

Both are shell scripts. The one that mends is on the host's disk, and armed to
run by itself, before the failure is made: a controller that vanishes leaves
nothing broken behind.
"""

from __future__ import annotations

import base64
import os
import shlex
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

#: Where what mends waits.
DIRECTORY = "/var/lib/monitoring-ha/drill"
CHAIN = "MONITORING_HA_DRILL"
#: Largest directory that is moved to memory for a disk that is to be full, in MiB, and room that it gets beside its content.
LARGEST = 1024
ROOM = 48
#: Pieces of 4 KiB in which the rest of a disk is filled.
CRUMBS = 4096
#: Seconds by which a clock is put forward.
STEP = 300
BOOT = "/proc/sys/kernel/random/boot_id"
IDENTITY = "/etc/monitoring-ha/pki"
MARK = "monitoring_ha_drill"
CLAIM = "claim"
#: What may be left without being in the way of another failure: marks and claims are none, and a host that starts anew is mended by that.
HARMLESS = {"mark", CLAIM, "sysrq"}


class FaultError(RuntimeError):
    """A failure could not be made, or not be mended; the message ends with what was said."""


@dataclass(frozen=True)
class Fault:
    """check: fails, with the reason, where the failure cannot be made. inject, mend: shell."""

    inject: str
    mend: str
    check: str = ""


def words(values: Sequence[str]) -> str:
    return " ".join(shlex.quote(value) for value in values)


def started(units: str) -> str:
    """Units run again, also those that had given up."""
    return f"systemctl reset-failed {units} || true\nsystemctl start {units}"


def nothing(its: Mapping[str, Any]) -> Fault:
    """What is measured is the stack as it is, and whatever somebody does to it meanwhile."""
    del its
    return Fault("true", "true")


def kill(its: Mapping[str, Any]) -> Fault:
    units, whom = words(its["units"]), "main" if its.get("main_process") else "all"
    return Fault(f"systemctl kill --kill-whom={whom} --signal=KILL {units}", started(units))


def hang(its: Mapping[str, Any]) -> Fault:
    units, whom = words(its["units"]), "main" if its.get("main_process") else "all"
    send = f"systemctl kill --kill-whom={whom} --signal"
    return Fault(f"{send}=STOP {units}", f"{send}=CONT {units} || true\nsystemctl start {units}")


def stop(its: Mapping[str, Any]) -> Fault:
    units = words(its["units"])
    return Fault(f"systemctl stop {units}", f"systemctl start {units}")


def crash(its: Mapping[str, Any]) -> Fault:
    """PostgreSQL itself, whose process is in a file below its data."""
    pattern = f"{its['path']}/*/patroni/postmaster.pid"
    return Fault(f"kill -9 $(head -qn 1 {pattern})", "true", f"ls {pattern} >/dev/null 2>&1 || echo 'no PostgreSQL runs here'")


def switch_over(its: Mapping[str, Any]) -> Fault:
    command = ["patronictl", "-c", f"{its['path']}/patroni.yml", "switchover", "--leader", its["name"], "--force", its["cluster"]]
    return Fault(f"{words(command)} >/dev/null", "true")


def filters(its: Mapping[str, Any], rules: Mapping[str, str]) -> Fault:
    """Packets are dropped by rules, one for each chain of the kernel's, in which {peer} is each other host."""
    inject, mend = [], []
    for tool, peers in (("iptables", [p for p in its["peers"] if ":" not in p]), ("ip6tables", [p for p in its["peers"] if ":" in p])):
        for parent, rule in rules.items() if peers else ():
            table, chain = f"{tool} -w", f"{CHAIN}_{parent}"
            inject.append(f"{table} -N {chain}")
            inject += [f"{table} -A {chain} {rule.format(peer=shlex.quote(peer))} -j DROP" for peer in peers]
            inject.append(f"{table} -I {parent} -j {chain}")
            mend.append(f"{table} -D {parent} -j {chain} 2>/dev/null || true")
            mend += [f"{table} {flag} {chain} 2>/dev/null || true" for flag in ("-F", "-X")]
            mend.append(f"if {table} -n -L {chain} >/dev/null 2>&1; then echo '{chain} is still there' >&2; exit 1; fi")
    check = "command -v iptables >/dev/null || echo 'it has no iptables'\n"
    check += "iptables -w -n -L INPUT >/dev/null 2>&1 || echo 'its kernel filters no packets'"
    return Fault("\n".join(inject), "\n".join(mend), check)


#: What comes from another host, and what goes to one; a host's talk with itself is not of this.
FROM = {"INPUT": "! -i lo -s {peer}"}
TO = {"OUTPUT": "! -o lo -d {peer}"}


def cut_off(its: Mapping[str, Any]) -> Fault:
    return filters(its, FROM | TO)


def cut_off_in(its: Mapping[str, Any]) -> Fault:
    return filters(its, FROM)


def cut_off_out(its: Mapping[str, Any]) -> Fault:
    return filters(its, TO)


def lossy(its: Mapping[str, Any]) -> Fault:
    """One packet in twenty is lost, each way."""
    return filters(its, {chain: f"{rule} -m statistic --mode random --probability 0.05" for chain, rule in (FROM | TO).items()})


def slow(its: Mapping[str, Any]) -> Fault:
    device = f"device=$(ip -o route get {shlex.quote(its['peers'][0])} | sed -n 's/.* dev \\([^ ]*\\).*/\\1/p')"
    add = 'tc qdisc add dev "$device" root netem delay 100ms 20ms loss 2%'
    remove = 'tc qdisc del dev "$device" root 2>/dev/null || true'
    check = "command -v tc >/dev/null || echo 'it has no tc'\nmodprobe -q sch_netem 2>/dev/null || true\n"
    # A kernel says whether it can only when it is asked to.
    check += f"{device}\nif {add} 2>/dev/null; then {remove}; else echo 'its kernel cannot delay packets (sch_netem)'; fi"
    return Fault(f"{device}\n{add}", f"{device}\n{remove}", check)


def disk_full(its: Mapping[str, Any]) -> Fault:
    """Nothing is left on the file system of a directory.

    One that is not a file system of its own is moved to memory for the while, where the inventory allows it: the disk of
    the system is left alone.
    """
    units, data = words(its["units"]), its["path"]
    under, stage = f"{DIRECTORY}/under", f"{DIRECTORY}/stage"
    new = f"{under}/.monitoring-ha-drill.new"
    ballast = f"{data}/.monitoring-ha-drill"
    left = f"$(df --output=avail -B 1 {data} | tail -n 1)"
    # At once, whatever its size, and the crumbs that are left then one by one. What only root may still use stays.
    fill = f"""left={left}
[ "$left" -le {4096 * CRUMBS} ] || fallocate -l $((left - {2048 * CRUMBS})) {ballast}
dd if=/dev/zero of={ballast}.rest bs=4k count={CRUMBS} 2>/dev/null || true
[ {left} -lt 65536 ] || {{ echo '{data} could not be filled' >&2; exit 1; }}"""
    empty = f"rm -f {ballast} {ballast}.rest"
    if not its.get("stage"):
        check = f"mountpoint -q {data} || echo '{data} is not a file system of its own'\n"
        check += f"fallocate -l 4096 {ballast} 2>/dev/null || echo 'its file system gives no space away at once'\nrm -f {ballast}"
        return Fault(fill, f"{empty}\n{started(units)}", check)
    check = f'size=$(du -sm {data} | cut -f 1)\n[ "$size" -le {LARGEST} ] || echo "{data} is too large to be moved to memory ($size MiB)"'
    inject = f"""systemctl stop {units}
mkdir -p {under} {stage}
size=$(du -sm {data} | cut -f 1)
mount -t tmpfs -o size=$((size + {ROOM}))m tmpfs {stage}
cp -a {data}/. {stage}/
chown --reference={data} {stage}
chmod --reference={data} {stage}
mount --bind {data} {under}
mount --bind {stage} {data}
systemctl start {units}
{fill}"""
    mend = f"""{empty}
if mountpoint -q {under}; then
  systemctl stop {units} || true
  if mountpoint -q {data}; then
    rm -rf {new}
    mkdir {new}
    cp -a {data}/. {new}/
    find {under} -mindepth 1 -maxdepth 1 ! -path {new} -exec rm -rf {{}} +
    find {new} -mindepth 1 -maxdepth 1 -exec mv -t {under} {{}} +
    rmdir {new}
    sync -f {under}
    umount -l {data}
  fi
  umount -l {under}
fi
if mountpoint -q {stage}; then umount -l {stage}; fi
{started(units)}"""
    return Fault(inject, mend, check)


def clock_step(its: Mapping[str, Any]) -> Fault:
    del its
    units = "chrony.service systemd-timesyncd.service ntpsec.service"
    state = f"{DIRECTORY}/clock"
    inject = f"for unit in {units}; do systemctl is-active -q $unit && echo $unit; done >{state} || true\n"
    inject += f"for unit in $(cat {state}); do systemctl stop $unit; done\n"
    inject += f"date -s @$(($(date +%s) + {STEP})) >/dev/null\ncat {BOOT} >{state}.stepped"
    # A host that has started anew since then has its clock from elsewhere.
    mend = f"""if [ -e {state}.stepped ]; then
  [ "$(cat {state}.stepped)" != "$(cat {BOOT})" ] || date -s @$(($(date +%s) - {STEP})) >/dev/null
  rm {state}.stepped
fi
"""
    mend += f"for unit in $(cat {state}); do systemctl start $unit; done\nrm -f {state}"
    check = "if systemd-detect-virt -cq; then echo 'a container has the clock of its machine'; fi"
    return Fault(inject, mend, check)


def certificate_expired(its: Mapping[str, Any]) -> Fault:
    """The host's identity is one that has run out, until the link leads back to its own. renewed: units that take a restart for that."""
    copy = f"{os.path.dirname(IDENTITY)}/.drill-pki"
    where = f"{DIRECTORY}/identity"
    put = [f"echo {base64.b64encode(text.encode()).decode()} | base64 -d >{copy}/{name}" for name, text in its["files"].items()]
    reload = "\n".join(
        f"systemctl show -p CanReload --value {unit} | grep -q yes && systemctl reload {unit} || true" for unit in its["units"]
    )
    inject = "\n".join(
        [
            f"readlink {IDENTITY} >{where}",
            f"rm -rf {copy}",
            f"cp -a $(readlink -f {IDENTITY}) {copy}",
            *put,
            f"ln -sfn .drill-pki {IDENTITY}",
            reload,
        ]
    )
    mend = f'if [ -s {where} ]; then ln -sfn "$(cat {where})" {IDENTITY}; rm -rf {copy} {where}; fi\n{reload}\n'
    mend += "\n".join(f"systemctl try-restart {unit} || true" for unit in its["renewed"])
    return Fault(inject, mend, f"[ -L {IDENTITY} ] || echo 'its identity is not one of ours'")


def sysrq(its: Mapping[str, Any]) -> Fault:
    """The host starts anew at once, without a word to anybody. Nothing is left to be mended."""
    del its
    check = "if systemd-detect-virt -cq; then echo 'a container has the kernel of its machine'; fi\n"
    check += "[ -w /proc/sysrq-trigger ] || echo 'its kernel takes no such order'"
    return Fault("echo 1 >/proc/sys/kernel/sysrq\n(sleep 0.5; echo b >/proc/sysrq-trigger) >/dev/null 2>&1 &", "true", check)


def mark(its: Mapping[str, Any]) -> Fault:
    """What makes the drill's rule fire: a metric of this host. No failure."""
    file = f"{its['path']}/{MARK}.prom"
    inject = f"echo '{MARK} 1' >{file}.new\nchmod 0644 {file}.new\nmv {file}.new {file}"
    return Fault(inject, f"rm -f {file} {file}.new", f"[ -d {its['path']} ] || echo '{its['path']} is not there'")


def claim(its: Mapping[str, Any]) -> Fault:
    """No failure: whose drills are going on, and until when at the latest, for others that would begin. run, seconds: of these."""
    file, run = f"{DIRECTORY}/{CLAIM}", shlex.quote(its["run"])
    check = f"[ -s {file} ] || exit 0\n{{ read -r until; read -r run; }} <{file}\n"
    check += f'if [ "$run" != {run} ] && [ "$until" -gt "$(date +%s)" ]; then echo "drills are going on already ($run)"; fi'
    return Fault(f"{{ echo $(($(date +%s) + {int(its['seconds'])})); echo {run}; }} >{file}", f"rm -f {file}", check)


FAULTS: dict[str, Callable[[Mapping[str, Any]], Fault]] = {
    "nothing": nothing,
    "kill": kill,
    "hang": hang,
    "stop": stop,
    "crash": crash,
    "switch_over": switch_over,
    "cut_off": cut_off,
    "cut_off_in": cut_off_in,
    "cut_off_out": cut_off_out,
    "lossy": lossy,
    "slow": slow,
    "disk_full": disk_full,
    "clock_step": clock_step,
    "certificate_expired": certificate_expired,
    "sysrq": sysrq,
    "mark": mark,
    CLAIM: claim,
}


# --- on the host ----------------------------------------------------------------------------------------------------


def hidden(script: str, flags: Sequence[str] = ()) -> tuple[list[str], dict[str, str]]:
    """(command, environment) that run a script, which may hold a key or a password: a list of processes does not show it."""
    return ["/bin/sh", *flags, "-c", 'script=$DRILL_SCRIPT; unset DRILL_SCRIPT; eval "$script"'], {"DRILL_SCRIPT": script}


def shell(script: str, timeout: float = 300, flags: Sequence[str] = ("-eu",), under: Sequence[str] = ()) -> str:
    """What a script printed; FaultError with what it said when it fails. After ``timeout`` seconds all of its processes are ended.

    flags: of the shell. under: a command that runs it.
    """
    command, environment = hidden(script, flags)
    pipe, environment = subprocess.PIPE, {**os.environ, **environment}
    with subprocess.Popen(
        [*under, *command], env=environment, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True, start_new_session=True
    ) as process:
        try:
            said, errors = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired as error:
            os.killpg(process.pid, signal.SIGKILL)
            raise FaultError(f"not done after {timeout:.0f} s") from error
    if process.returncode:
        # A shell repeats what it complains about.
        complaint = (errors or said).replace(script, "the command")
        raise FaultError(" ".join(complaint.split())[:500] or f"exit {process.returncode}")
    return said


def path(name: str) -> str:
    return f"{DIRECTORY}/{name}.mend"


def timer(name: str) -> str:
    return f"monitoring-ha-drill-{name.replace('_', '-')}"


def locked() -> list[str]:
    """The command under which one failure is made or mended at a time."""
    return ["/usr/bin/flock", f"{DIRECTORY}/lock"]


def mending(name: str) -> str:
    """The command that does what was left to be done: whoever comes second waits, and has nothing to do then."""
    return f"{words(locked())} /bin/sh -c '[ ! -e {path(name)} ] || exec /bin/sh -eu {path(name)}'"


def arm(name: str, script: str, seconds: float) -> None:
    """Leave on the host what mends, and let it run by itself after some seconds, again and again until it works."""
    os.makedirs(DIRECTORY, mode=0o700, exist_ok=True)
    with open(path(name), "w", encoding="utf-8", opener=lambda file, flags: os.open(file, flags, 0o600)) as file:
        file.write(f"{script}\nrm -f {path(name)}\n")
        file.flush()
        os.fsync(file.fileno())
    unit = timer(name)
    again = "--property=Restart=on-failure --property=RestartSec=10"
    shell(
        f"systemctl stop {unit}.timer 2>/dev/null || true\nsystemctl reset-failed {unit}.service 2>/dev/null || true\n"
        f"systemd-run --quiet --collect --unit={unit} --on-active={seconds:.0f} --timer-property=AccuracySec=1s {again} {mending(name)}"
    )


def inject(name: str, script: str) -> None:
    """Make a failure that is armed. Who would mend it meanwhile waits until it is made; one that has been mended by then is not made."""
    armed_still = f"[ -e {path(name)} ] || {{ echo 'it was mended before it was made' >&2; exit 1; }}"
    shell(f"{armed_still}\n{script}", under=locked())


def mend(name: str) -> bool:
    """Do what was left to be done; whether there was anything. FaultError when it does not work: it stays armed then."""
    if not os.path.exists(path(name)):
        return False
    shell(mending(name))
    unit = timer(name)
    shell(f"systemctl stop {unit}.timer {unit}.service 2>/dev/null || true")
    return True


def armed() -> list[str]:
    """Names of what waits to be mended."""
    try:
        return sorted(entry.removesuffix(".mend") for entry in os.listdir(DIRECTORY) if entry.endswith(".mend"))
    except FileNotFoundError:
        return []


def impossible(fault: Fault) -> str:
    """Why this host cannot have a failure; empty when it can."""
    return " ".join(shell(fault.check).split()) if fault.check else ""
