"""The hosts are what the scenario is about."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scenario.site import play
from tests.scenario.stack import Stack

HOSTS = ("mon1", "mon2", "mon3")


@pytest.mark.parametrize("host", HOSTS)
def test_it_is_debian_12(stack: Stack, host: str) -> None:
    assert 'VERSION_ID="12"' in stack.run(host, "cat /etc/os-release")
    assert stack.run(host, "haproxy -v").startswith("HAProxy version 2.6")


def test_a_controller_without_the_authority_breaks_nothing(stack: Stack, tmp_path: Path) -> None:
    """Another authority would be made there, and members that have its certificates would not be believed."""
    before = {host: stack.run(host, "cat /etc/monitoring-ha/pki/host.pem") for host in HOSTS}
    done = play(variables={"pki_directory": str(tmp_path / "pki")})
    assert done.code == 2 and done.changed == {} and not (tmp_path / "pki" / "ca.pem").exists(), done.output
    (message,) = done.failures
    assert all(word in message for word in ("mon1", "pki_directory", "pki_trust", "pki_replace_authority")), message
    assert {host: stack.run(host, "cat /etc/monitoring-ha/pki/host.pem") for host in HOSTS} == before
