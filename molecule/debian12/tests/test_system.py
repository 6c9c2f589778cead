"""The hosts are what the scenario is about."""

from __future__ import annotations

import pytest

from tests.scenario.stack import Stack


@pytest.mark.parametrize("host", ["mon1", "mon2", "mon3"])
def test_it_is_debian_12(stack: Stack, host: str) -> None:
    assert 'VERSION_ID="12"' in stack.run(host, "cat /etc/os-release")
    assert stack.run(host, "haproxy -v").startswith("HAProxy version 2.6")
