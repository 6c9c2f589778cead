"""Variables of other hosts are evaluated once a task, and not kept beyond it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from ansible_collections.monitoring.ha.plugins.plugin_utils import hostvars


class Counting(Mapping[str, Mapping[str, Any]]):
    """Two hosts, and how often somebody looked."""

    def __init__(self) -> None:
        self.looks = 0

    def __getitem__(self, host: str) -> Mapping[str, Any]:
        self.looks += 1
        return {"mon1": {"ha_address": "192.0.2.1", "empty": None}, "mon2": {}}[host]

    def __contains__(self, host: object) -> bool:
        return host in ("mon1", "mon2")

    def __iter__(self) -> Iterator[str]:
        return iter(("mon1", "mon2"))

    def __len__(self) -> int:
        return 2


@pytest.fixture(autouse=True)
def forgotten() -> None:
    hostvars._known.clear()


def test_a_variable_is_looked_up_once() -> None:
    source = Counting()
    for _ in range(3):
        hosts = hostvars.Hosts(source)
        assert hosts["mon1"]["ha_address"] == "192.0.2.1" and "ha_address" in hosts["mon1"]
        assert hosts["mon1"].get("missing", "default") == "default"
        assert hosts["mon1"]["empty"] is None and "empty" in hosts["mon1"]
        assert "ha_address" not in hosts["mon2"]
    before = source.looks
    assert hostvars.Hosts(source)["mon1"]["ha_address"] == "192.0.2.1" and source.looks == before
    with pytest.raises(KeyError):
        hostvars.Hosts(source)["mon1"]["missing"]
    with pytest.raises(KeyError):
        hostvars.Hosts(source)["mon3"]
    assert list(hosts) == ["mon1", "mon2"] and len(hosts) == 2 and list(hosts["mon1"]) == ["ha_address", "empty"]


def test_the_process_that_all_tasks_share_remembers_nothing() -> None:
    source = Counting()
    assert hostvars.once(source) is source
