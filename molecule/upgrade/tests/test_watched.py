"""Hosts that are only monitored: in batches, with a budget for failures, and whoever is away is made up for later."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.scenario.site import Played, play, ran
from tests.scenario.stack import Stack, wait_for

WEBS = ("web1", "web2", "web3", "web4")
OLD = str(yaml.safe_load((Path(__file__).parents[1] / "before.yml").read_text(encoding="utf-8"))["node_exporter_version"])
BEFORE = {"node_exporter_version": OLD, "upgrade_downgrade": True}
UNIT = "/etc/systemd/system/node_exporter.service"
#: A host on which only the version of before starts.
REFUSES_NEW = f"[Service]\nExecStartPre=/bin/grep -q /{OLD}- {UNIT}\n"


def rolled_out(**variables: Any) -> Played:
    """A roll-out to the fleet alone, two at a time."""
    return play("upgrade", "--limit=fleet", variables={"upgrade_fleet_batch": 2, **variables}, timeout=1200)


def versions(stack: Stack) -> dict[str, str]:
    """Host → version that it runs; empty where it is away."""
    ask = f"sed -n 's:.*/node_exporter/\\([0-9.]*\\)-.*:\\1:p' {UNIT} | head -1"
    return {host: stack.run(host, ask).strip() if stack.container(host).status == "running" else "" for host in WEBS}


def starts(stack: Stack) -> dict[str, str]:
    return {host: stack.run(host, "systemctl show -p InvocationID --value node_exporter") for host in WEBS}


def up(stack: Stack) -> bool:
    found = stack.query('up{job="node_exporter"} == 1', timeout=10)
    return {series["metric"]["host"] for series in found} == set(stack.hosts)


@pytest.fixture(scope="module", autouse=True)
def there(stack: Stack) -> Iterator[None]:
    """All of them are there, in the present version, before and after."""
    ran()
    yield
    for host in WEBS:
        stack.container(host).start()
        stack.run(host, f"rm -f {UNIT}.d/refuses.conf; systemctl daemon-reload", check=False)
    wait_for("all hosts", lambda: up(stack), 120, 2)
    ran()


def test_who_is_away_is_told_at_the_end_and_made_up_for(stack: Stack) -> None:
    (new,) = set(versions(stack).values())
    stack.container("web3").kill()
    done = rolled_out(**BEFORE)
    assert done.code == 2 and len([message for message in done.failures if "web3 could not be reached" in message]) == 1, done.output
    assert "Not as the inventory says: web3" in done.output
    assert versions(stack) == {"web1": OLD, "web2": OLD, "web3": "", "web4": OLD}
    stack.container("web3").start()
    wait_for("web3 has booted", lambda: all(starts(stack).values()), 60)
    assert versions(stack)["web3"] == new != OLD
    before = starts(stack)
    done = rolled_out(**BEFORE)
    assert done.code == 0 and "3 are right already" in done.output, done.output
    assert {host for host, start in starts(stack).items() if start != before[host]} == {"web3"}
    assert set(versions(stack).values()) == {OLD}


def test_it_stops_when_the_budget_is_spent_and_goes_on_where_it_stopped(stack: Stack) -> None:
    done = rolled_out(**BEFORE)
    assert done.code == 0, done.output
    stack.run("web1", f"mkdir -p {UNIT}.d && printf '%s' '{REFUSES_NEW}' > {UNIT}.d/refuses.conf && systemctl daemon-reload")
    before = starts(stack)
    done = rolled_out()
    assert done.code == 2, done.output
    (said,) = [message for message in done.failures if "Brought back to what ran before" in message]
    assert "node_exporter.service" in said and "the stack is whole" in said
    found = versions(stack)
    assert found["web1"] == found["web3"] == found["web4"] == OLD != found["web2"]
    assert {host for host, start in starts(stack).items() if start == before[host]} == {"web3", "web4"}
    # Half of a batch may fail.
    done = rolled_out(upgrade_fleet_failures=50)
    assert done.code == 2 and "1 are right already" in done.output, done.output
    assert [host for host, version in versions(stack).items() if version == OLD] == ["web1"]
    stack.run("web1", f"rm {UNIT}.d/refuses.conf && systemctl daemon-reload")
    done = rolled_out()
    assert done.code == 0 and "3 are right already" in done.output, done.output
    assert OLD not in versions(stack).values()


def test_the_site_goes_on_without_one_that_is_away(stack: Stack) -> None:
    stack.container("web2").kill()
    done = play()
    assert done.code == 4 and done.changed == {}, done.output
    assert "Not as the inventory says: web2" in done.output
