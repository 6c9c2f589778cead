"""Members that have no remotes to agree by save one after another."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from tests.scenario.stack import Stack, wait_for

SERVICE = "monitoring-ha-backup.service"
#: A timer that starts the service at once, as the one of the role does each quarter of an hour.
TIMER = "scenario-backup.timer"
#: Seconds between two members.
TURN = 30


def ended(stack: Stack, host: str) -> dict[str, str]:
    """What is known of the last run; empty while one is under way."""
    names = "ActiveState,InvocationID,Result,ExecMainStartTimestampMonotonic,ExecMainExitTimestampMonotonic"
    shown = dict(line.split("=", 1) for line in stack.run(host, f"systemctl show --property={names} {SERVICE}").splitlines())
    return shown if shown["ActiveState"] in ("inactive", "failed") else {}


def seconds_of_a_run(stack: Stack, host: str, start: str) -> float:
    """How long a run took that this has started, and that worked."""
    before = wait_for(f"{SERVICE} rests on {host}", lambda: ended(stack, host), 180)
    stack.run(host, start)

    def another() -> dict[str, str]:
        found = ended(stack, host)
        return found if found.get("InvocationID") not in (None, before["InvocationID"]) else {}

    its = wait_for(f"{SERVICE} has run on {host}", another, 180)
    assert its["Result"] == "success"
    return (int(its["ExecMainExitTimestampMonotonic"]) - int(its["ExecMainStartTimestampMonotonic"])) / 1e6


def test_members_save_one_after_another_when_it_is_time(stack: Stack) -> None:
    unit = f"[Timer]\\nOnActiveSec=0\\nAccuracySec=100ms\\nUnit={SERVICE}\\n"
    begin = f"printf '{unit}' > /run/systemd/system/{TIMER} && systemctl daemon-reload && systemctl start {TIMER}"
    end = f"systemctl stop {TIMER}; rm -f /run/systemd/system/{TIMER}; systemctl daemon-reload"
    try:
        with ThreadPoolExecutor() as pool:
            took = list(pool.map(lambda host: seconds_of_a_run(stack, host, begin), stack.hosts))
    finally:
        for host in stack.hosts:
            stack.run(host, end)
    assert [int(seconds // TURN) for seconds in took] == list(range(len(took))), took


def test_whoever_starts_a_backup_by_hand_does_not_wait(stack: Stack) -> None:
    host = list(stack.hosts)[-1]
    assert seconds_of_a_run(stack, host, f"systemctl start {SERVICE}") < TURN
