# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How a drill is conducted, a function for each step of the role drill. What one step has to tell the next lies in files."""

from __future__ import annotations

import json
import os
import shutil
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean
from ansible_collections.monitoring.ha.plugins.module_utils import topology
from ansible_collections.monitoring.ha.plugins.module_utils.catalogue import COMPONENTS
from ansible_collections.monitoring.ha.plugins.plugin_utils.drill import (
    account,
    failures,
    faults_of,
    guardian,
    judge,
    ledger,
    record,
    report,
    watch,
)
from ansible_collections.monitoring.ha.plugins.plugin_utils.drill.clock import Clock
from ansible_collections.monitoring.ha.plugins.plugin_utils.drill.failures import Case, DrillError
from ansible_collections.monitoring.ha.plugins.plugin_utils.drill.options import Options
from ansible_collections.monitoring.ha.plugins.plugin_utils.drill.run import BEFORE, Say, begun_run, cases, mending, put, running
from ansible_collections.monitoring.ha.plugins.plugin_utils.drill.stack import Stack

#: Seconds after the mending before the first look at the whole stack.
AFTER = 3.0
#: Times that it is asked, a second apart, who does what before somebody else is believed to do it: a member may be slow to answer.
ASKED = 3
#: Outages this many times as long as promised, and longer than PATIENCE seconds, end a drill before its time.
TOO_LONG = 3.0
PATIENCE = 60.0
#: Seconds between two looks at what probes have written, and the share of a processor that they may take: all of it is read each time,
#: which is much where a drill is long.
LOOK = 2.0
SHARE = 0.05
#: Seconds beyond a failure's own after which a host mends it by itself.
DEADLINE = 120
#: Where the object store was gone for less than a block's time.
NOTHING_TO_SEND = "No block became due meanwhile, so that none had to be sent afterwards: drill_seconds says how long the failure lasts."
#: A file in the working directory that ends what lasts.
ENOUGH = "enough"


# --- choose ---------------------------------------------------------------------------------------------------------


def allowed(variables: Mapping[str, Any]) -> bool:
    """Whether a host's variables say that it may be drilled. What is neither yes nor no says nothing."""
    return bool(boolean(variables.get("drills_allowed") or False, strict=False))


def choose(stack: Stack, options: Options, say: Say) -> dict[str, Any]:
    """What is drilled. DrillError where drills are not allowed, or nothing can be measured."""
    if silent := [host for host in topology.stack_hosts(stack.groups) if not allowed(stack.hostvars[host])]:
        remedy = "set drills_allowed: true in an inventory that may be drilled"
        raise DrillError(f"drills break things on purpose: {remedy}; not said of {', '.join(silent)}")
    known = failures.load()
    if not options.wanted:
        raise DrillError(f"say what is drilled: -e drill=NAME (or a list, a pattern, core, all); there are: {', '.join(known)}")
    found = cases(stack, options)
    if unknown := set(options.objectives) - {"all", *known}:
        raise DrillError(f"drill_objectives.{sorted(unknown)[0]}: no failure is called so")
    # Of those that are not meant, too: one is measured by what is promised of another.
    for failure in known.values():
        failures.promised(failure, options.objectives, stack.database)
    probes, without = stack.probes(options.pager, options.probes)
    if not probes:
        raise DrillError(f"nothing of this stack can be measured: {'; '.join(without) or 'it has no front end'}")
    if other := running(options):
        raise DrillError(f"drills are going on already (process {other}): two failures at once prove nothing")
    if other := mending(options):
        raise DrillError(f"what the drills before have broken is still being mended (process {other}): try again when that has ended")
    left_out = stack.left_out()
    if not options.check:
        shutil.rmtree(options.work, ignore_errors=True)
        try:
            options.work.mkdir(parents=True, mode=0o700)
        except OSError as error:
            raise DrillError(f"drill_report ({options.directory}): {error.strerror}: name a directory that can be written") from error
        guardian.note(options.work / "process", os.getppid())
        record.secret(
            options.work / "run.json", {"started": time.time(), "versions": stack.versions(), "without": without, "left_out": left_out}
        )
    for line in [*(f"not measured: {line}" for line in without), *(f"left out: {line}" for line in left_out)]:
        say(line)
    named = f": {', '.join(case.name for case in found)}" if options.check else ""
    say(f"{len(found)} drills, measured by {', '.join(probes)}{named}")
    marks = [{"host": h, "path": faults_of.textfiles(stack, h)} for h in faults_of.marked(stack)] if "pages" in probes else []
    drills = [{"index": index, "name": f"{case.name}{f' ({case.turn})' if case.turn > 1 else ''}"} for index, case in enumerate(found)]
    run = f"{socket.gethostname()}:{options.directory}"
    return {"drills": drills, "marks": marks, "hosts": topology.stack_hosts(stack.groups), "longest": longest(found, options), "run": run}


def longest(found: Sequence[Case], options: Options) -> int:
    """Seconds that drills may take."""
    return int(sum(case.failure.seconds + options.patience + 300 for case in found))


# --- guard ----------------------------------------------------------------------------------------------------------


def guard(stack: Stack, options: Options, say: Say) -> dict[str, Any]:
    """Whatever the run leaves on hosts between its drills goes when the playbook does."""
    del say
    directory = options.work / "run"
    directory.mkdir(mode=0o700)
    watch.promise(directory, [], topology.stack_hosts(stack.groups), options.typed, longest(cases(stack, options), options))
    watch.start(directory, [])
    return {}


# --- look -----------------------------------------------------------------------------------------------------------


def look(stack: Stack, options: Options, say: Say) -> dict[str, Any]:
    """What would be done to which host, and whether the virtual address has to be moved away from one first (``move``)."""
    case = cases(stack, options)[options.index]
    situation = stack.situation(options.addresses)
    made = faults_of.faults(case.failure, struck(case, situation, stack, options), stack, options.stage)
    moves = (
        case.failure.apart
        and situation.holder
        and situation.holder == situation.leader
        # Somebody has to be there who takes it, and a move is a failure by itself: not for a drill that is not run anyway.
        and len(stack.members("load_balancer")) > 1
        and not obstacles(case, made, situation, stack, options)
        and not stack.whole(options.patience)
    )
    if moves:
        say(f"{situation.holder} holds the virtual address and leads the database: the address is moved away first")
    return {"faults": faults_of.shown(made), "move": situation.holder if moves else "", "unit": COMPONENTS["keepalived"].unit}


def unfit(case: Case, situation: failures.Situation, stack: Stack, options: Options) -> dict[str, str]:
    """Host → why the drill would be another one there."""
    return failures.unfit(case.failure, situation, options.objectives, stack.database)


def struck(case: Case, situation: failures.Situation, stack: Stack, options: Options) -> list[str]:
    """The hosts that a drill strikes now."""
    return failures.strike(case, stack.groups, situation, unfit(case, situation, stack, options))


def obstacles(case: Case, made: Sequence[Mapping[str, Any]], situation: failures.Situation, stack: Stack, options: Options) -> list[str]:
    """Why a drill is not run, as far as the controller can tell; empty when nothing speaks against it."""
    if reason := failures.elsewhere(case, stack.groups, situation):
        return [reason]
    hosts = [its["host"] for its in made]
    reasons = failures.unbearable(case.failure, hosts, stack.groups)
    reasons += [reason for host, reason in unfit(case, situation, stack, options).items() if host in hosts]
    reasons += options.unsupported
    reasons = reasons or [its["unsupported"] for its in made if its["unsupported"]]
    holds = failures.promised(case.failure, options.objectives, stack.database)
    added = {name: limit for name, limit in holds.items() if name in failures.SECONDS and limit is not None}
    return reasons or stack.unmeasured(replace(case.failure, promise={**case.failure.promise, **added}), options.pager, options.probes)


def now_led(directory: Path, situation: failures.Situation, stack: Stack) -> failures.Situation:
    """Who does what now. The virtual address is of whoever showed its certificate to the probe last, where that is known."""
    seen = judge.moves(ledger.read(directory / "address.jsonl").attempts)
    shown = seen[-1][1] if seen else ""
    current = stack.situation({})
    return replace(current, holder=shown if stack.virtual and shown in stack.members("load_balancer") else situation.holder)


def moved(case: Case, hosts: Sequence[str], now: failures.Situation, stack: Stack, options: Options) -> str:
    """Why the hosts that were chosen are not those whom a drill is about any more; empty when they are."""
    try:
        found = struck(case, now, stack, options)
    except DrillError as error:
        return str(error)
    who = f"{now.holder or 'nobody that is known'} holds the virtual address and {now.leader or 'nobody that is known'} leads the database"
    other = f"it was to strike {', '.join(hosts)}, and would strike {', '.join(found)} now: {who}"
    unsuitable = [reason for host, reason in unfit(case, now, stack, options).items() if host in hosts]
    return failures.elsewhere(case, stack.groups, now) or next(iter(unsuitable), "") or ("" if set(found) == set(hosts) else other)


# --- begin ----------------------------------------------------------------------------------------------------------


def begin(stack: Stack, options: Options, say: Say) -> dict[str, Any]:
    """The stack is whole and the probes run. What is to be done to which host; nothing (``run``) when the drill cannot be run."""
    case = cases(stack, options)[options.index]
    directory = options.drill(options.index)
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(mode=0o700)
    started = Clock.begin(directory).now()
    situation = stack.situation(options.addresses)
    hosts = struck(case, situation, stack, options)
    result = report.Result(case.name, case.failure.title, "not run", started, hosts, case.turn)
    made = faults_of.faults(case.failure, hosts, stack, options.stage)
    if reasons := obstacles(case, made, situation, stack, options):
        result.reasons = reasons
        put(options, result)
        say(f"not run: {'; '.join(reasons)}")
        return {"run": False}
    missing = [f"{host} cannot be reached" for host in options.unreachable] + stack.idle(options.addresses)
    missing = missing or stack.whole(options.patience)
    deadline = int(case.failure.seconds) + DEADLINE
    result.state, result.reasons = "error", [f"the stack is not whole before the drill: {line}" for line in missing]
    if not missing:
        probes, _without = stack.probes(options.pager, options.probes)
        run = f"{record.stamp(started).lower()}{options.index:03}"
        record.secret(directory / watch.SETTINGS, stack.settings(directory, run, options.pager))
        watch.promise(directory, made, topology.stack_hosts(stack.groups), options.typed, deadline)
        watch.start(directory, probes)
        result.reasons = watch.await_ready(directory, probes)
        if result.reasons:
            # Nothing has been broken yet.
            record.mended(directory)
            watch.stop(directory)
    if result.reasons:
        put(options, result)
        return {"failed": True, "msg": "\n".join(result.reasons), "run": False}
    # Since it was settled whom to strike, a stack that was not whole had its time to get so.
    for turn in range(ASKED):
        time.sleep(min(turn, 1))
        now = now_led(directory, situation, stack)
        if not (reason := moved(case, hosts, now, stack, options)):
            break
    else:
        record.mended(directory)
        watch.stop(directory)
        result.state, result.reasons = "not run", [reason]
        put(options, result)
        say(f"not run: {reason}")
        return {"run": False}
    whom = {"hosts": hosts, "holder": now.holder, "leader": now.leader, "started": started}
    whom |= {"sent": stack.sent()} if case.failure.uploads else {}
    (directory / "case.json").write_text(json.dumps(whom), encoding="utf-8")
    say(f"{case.failure.title}: {', '.join(hosts)}, for {case.failure.seconds:g} s")
    return {"run": True, "faults": faults_of.shown(made), "directory": str(directory), "deadline": deadline, "pause": BEFORE}


def broken_off(stack: Stack, options: Options, error: Exception) -> None:
    """A verdict for a drill in which a step of the drill itself failed; the probes end."""
    case = cases(stack, options)[options.index]
    if options.drill(options.index).exists():
        watch.stop(options.drill(options.index))
    result = report.Result(
        case.name, case.failure.title, "error", time.time(), turn=case.turn, reasons=[f"{type(error).__name__}: {error}"]
    )
    put(options, result)


# --- last -----------------------------------------------------------------------------------------------------------


def pause(took: float) -> float:
    """Seconds until the next look. took: those of a processor that one took."""
    return max(LOOK, took / SHARE)


def last(stack: Stack, options: Options, say: Say) -> dict[str, Any]:
    """Until the failure has lasted as long as it should, or a client has been without answers for far too long."""
    case = cases(stack, options)[options.index]
    directory = options.drill(options.index)
    promise = judge.Promise(failures.promised(case.failure, options.objectives, stack.database))
    # From now on: what stops in an orderly way, or has its disk filled, may have taken its time.
    clock = Clock.of(directory)
    end = clock.now() + case.failure.seconds
    took = 0.0
    while (rest := end - clock.now()) > 0 and not (options.work / ENOUGH).exists():
        time.sleep(min(pause(took), rest))
        begun = time.thread_time()
        for its in watch.ledgers(directory):
            limit = promise.outage(its.probe)
            allowed = max(PATIENCE, TOO_LONG * limit) if limit is not None else case.failure.seconds
            for attempts in its.kinds().values():
                found = judge.outages(attempts, its.patience)
                if found and clock.now() - found[-1].end < 2 * its.patience and found[-1].seconds > allowed:
                    say(f"mended before its time: {its.probe} has been without an answer for {found[-1].seconds:.0f} s")
                    return {"early": True}
        took = time.thread_time() - begun
    return {"early": False}


# --- finish ---------------------------------------------------------------------------------------------------------


def halts(state: report.State, options: Options) -> bool:
    """Whether no further drill is begun after one that ended like this."""
    return state == "error" or (state == "failed" and not options.going_on)


def finish(stack: Stack, options: Options, say: Say) -> dict[str, Any]:
    """The stack is whole again, the probes have ended, and the drill is judged. ``halt``: no further one."""
    case = cases(stack, options)[options.index]
    directory = options.drill(options.index)
    whom = json.loads((directory / "case.json").read_text(encoding="utf-8"))
    clock = Clock.of(directory)
    made = {one.host for one in record.events(directory) if one.what == "injected"}
    unmade = [host for host in whom["hosts"] if host not in made]
    # An order to cut power that came to nothing may still be carried out: the guardian gives power until it is not any more.
    if not options.unmended and not (unmade and case.failure.do == "power_cut"):
        record.mended(directory)
    # Whoever comes back needs the processors first.
    time.sleep(AFTER)
    missing = stack.whole(options.patience)
    whole = clock.now()
    waiting: list[str] = []
    again: list[str] = []
    if not missing:
        record.event(directory, whole, "whole")
        waiting = stack.uploaded(options.patience) if case.failure.uploads else []
        time.sleep(options.settle)
        again = stack.missing() if options.settle else []
    idle = [NOTHING_TO_SEND] if case.failure.uploads and stack.sent() <= whom["sent"] else []
    watch.stop(directory)
    done, ledgers, begun = record.events(directory), watch.ledgers(directory), begun_run(options)
    injected = [one for one in done if one.what == "injected"]
    mended = [one.at for one in done if one.what == "mended"]
    promised = failures.promised(case.failure, options.objectives, stack.database)
    lasting = case.failure.do == "nothing"
    moments = judge.Moments(min((one.at for one in injected), default=whole), min(mended, default=0.0), 0.0 if missing else whole, lasting)
    figures = judge.judge(ledgers, moments, judge.Promise(promised))
    kept = report.reasons(figures) + [f"left out: {line}" for line in begun["left_out"]]
    kept += [f"{options.patience:.0f} s after the stack is whole: {line}" for line in waiting]
    kept += [f"the stack did not stay whole for {options.settle:g} s: {line}" for line in again]
    trouble = [f"the stack is not whole {options.patience:.0f} s after the mending: {line}" for line in missing]
    trouble += [f"{host} could not be mended" for host in options.unmended]
    trouble += [options.trouble] if options.trouble else []
    trouble += [f"the failure was not made on {host}" for host in unmade]
    away = {one.host for one in done if one.what == "mended"}
    trouble += [f"somebody else has mended {host}, and nobody knows when" for host in sorted(made - away - set(options.unmended))]
    state: report.State = "error" if trouble else "failed" if kept else "passed"
    disturbed = clock.notes()
    names = {topology.host_address(h, stack.hostvars[h]): h for h in topology.stack_hosts(stack.groups)}
    result = report.Result(
        name=case.name,
        title=case.failure.title,
        state=state,
        started=whom["started"],
        hosts=whom["hosts"],
        turn=case.turn,
        seconds=round(clock.now() - whom["started"], 1),
        reasons=trouble + kept + (disturbed if trouble or kept else []),
        promise=promised,
        figures=[figure.as_dict() for figure in figures],
        events=[vars(one) for one in done],
        moves=report.moves(ledgers, names),
        lines=report.lines(ledgers),
        cost=report.cost(ledgers),
        notes=[*(f"Not measured: {line}" for line in begun["without"]), *idle, *disturbed],
    )
    put(options, result)
    watch.keep(directory, options.directory / "ledgers" / f"{case.name}-{case.turn}")
    for line in [f"{case.name}: {state}", *(f"  {reason}" for reason in result.reasons or disturbed)]:
        say(line)
    hosts = list(dict.fromkeys([*whom["hosts"], *filter(None, [whom["holder"], whom["leader"]])]))
    return {
        "verdict": state,
        "halt": halts(state, options),
        "since": int(whom["started"]),
        "logged": hosts,
        "units": sorted({unit for host in hosts for unit in faults_of.units_of(stack, host)}),
    }


STEPS: dict[str, Callable[[Stack, Options, Say], dict[str, Any]]] = {
    "choose": choose,
    "guard": guard,
    "look": look,
    "begin": begin,
    "last": last,
    "finish": finish,
    "log": account.log,
    "tell": account.tell,
}
