"""What an inventory says about backups, before a host is touched."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.monitoring.ha.plugins.module_utils import preflight, preflight_hosts
from ansible_collections.monitoring.ha.plugins.module_utils.preflight import Site
from ansible_collections.monitoring.ha.plugins.plugin_utils import backup

KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n-----END OPENSSH PRIVATE KEY-----\n"
SSH = {"url": "git@example.org:a/b.git", "key": KEY, "known_hosts": "example.org ssh-ed25519 AAAA"}
HTTPS = {"url": "https://example.org/a.git", "token": "t0ken"}


def findings(groups: dict[str, list[str]] | None = None, **variables: Any) -> list[str]:
    given = {"backup_remotes": {"one": SSH, "two": HTTPS}, **variables}
    both = ["mon1", "mon2"]
    wanted = {"all": both, "backup": both, "monitored": both, "grafana": both, **(groups or {})}
    site = Site(wanted, {host: given for host in both})
    return [str(finding) for check in backup.CHECKS for finding in check(site)]


def test_nothing_to_say_against_it() -> None:
    assert findings() == []
    assert findings({"backup": []}, backup_remotes={}) == []
    assert findings({"grafana": []}, backup_grafana_url="https://grafana.example.org") == []
    assert findings(backup_remotes={"local": {"url": "/srv/backup.git"}}, backup_grafana_options={"on_error": "continue"}) == []


@pytest.mark.parametrize(
    ("remotes", "words"),
    [
        ({}, "backup_remotes is empty, so that the backup stays on the hosts that make it"),
        ([], "is empty"),
        ({"one": {"url": "https://me:hunter2@example.org/x"}}, "holds a user or a password"),
        ({"one": {"url": "http://example.org/x", "token": "t"}}, "is not encrypted"),
        ({"one": {"url": "https://example.org/x"}}, "has no token"),
        ({"one": {**SSH, "key": ""}}, "has no key"),
        ({"one": {**SSH, "key": "/path/to/key"}}, "no private SSH key without a passphrase"),
        ({"one": {**SSH, "url": "ssh://git@example.org/x", "known_hosts": ""}}, "has no known_hosts"),
    ],
)
def test_remotes(remotes: Any, words: str) -> None:
    (found,) = findings(backup_remotes=remotes)
    assert words in found and "hunter2" not in found


def test_members() -> None:
    assert "there is no Grafana to save" in findings({"grafana": []})[0]
    (found,) = findings({"monitored": ["mon1"]})
    assert found.startswith("mon2: nobody sees whether this host saves anything") and "[backup:monitored]" in found


@pytest.mark.parametrize("name", ["organisatons", "url", "password"])
def test_options_of_the_export(name: str) -> None:
    (found,) = findings(backup_grafana_options={name: "x"})
    assert f"unknown option '{name}'" in found


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"kinds": "dashboards"}, "backup_grafana_options.kinds is text, not a list"),
        ({"kinds": ["dashboard"]}, "did you mean dashboards?"),
        ({"on_error": "go on"}, "backup_grafana_options.on_error has no choice 'go on'"),
        ({"max_connections": "many"}, "backup_grafana_options.max_connections is text, not a whole number"),
    ],
)
def test_values_of_options_of_the_export(given: dict[str, Any], words: str) -> None:
    (found,) = findings(backup_grafana_options=given)
    assert words in found
    assert findings({"backup": []}, backup_grafana_options=given) == []


def test_one_member_is_too_few() -> None:
    site = Site({"all": ["mon1"], "backup": ["mon1"]}, {"mon1": {}})
    assert [finding.code for finding in preflight.members(site)] == ["members:backup"]


def test_published_secrets_of_remotes_are_refused() -> None:
    site = Site({"all": ["mon1"], "backup": ["mon1"]}, {"mon1": {"backup_remotes": {"one": {**HTTPS, "token": "example-token"}}}})
    codes = [finding.code for finding in preflight_hosts.published(site, {"mon1": {}})]
    assert codes == ["secret:backup_remotes"]
