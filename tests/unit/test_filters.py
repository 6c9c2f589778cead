"""What templates are made with: flags of units, stored passwords, and what runs where."""

from __future__ import annotations

import ctypes
import shlex
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.monitoring.ha.plugins.filter.flags import flags, quote
from ansible_collections.monitoring.ha.plugins.filter.haproxy_password import haproxy_password
from ansible_collections.monitoring.ha.plugins.filter.seconds import seconds
from ansible_collections.monitoring.ha.plugins.modules.packages import installed
from ansible_collections.monitoring.ha.plugins.plugin_utils import summary

# --- flags ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ({"a": 1, "b.c": "x"}, ["--a=1", "--b.c=x"]),
        ({"on": True, "off": False}, ["--on", "--no-off"]),
        ({"many": ["x", "y"], "none": []}, ["--many=x", "--many=y"]),
        ({"empty": "", "null": None, "zero": 0}, ["--zero=0"]),
        ({}, []),
    ],
)
def test_flags(values: dict[str, Any], found: list[str]) -> None:
    assert shlex.split(flags(values).replace("\\\n", "")) == found


@pytest.mark.parametrize(
    ("argument", "quoted"),
    [
        ("--a=1", "--a=1"),
        ("--a=b c", '"--a=b c"'),
        ("--a=100%", '"--a=100%%"'),
        ("--a=$HOME", '"--a=$$HOME"'),
        ('--a="b"', '"--a=\\"b\\""'),
        ("--a=b\\c", '"--a=b\\\\c"'),
        ("--a=it's", '"--a=it\'s"'),
        ("--a=b;c", '"--a=b;c"'),
    ],
)
def test_nothing_in_a_flag_is_interpreted(argument: str, quoted: str) -> None:
    assert quote(argument) == quoted


def test_what_cannot_be_a_flag_is_refused() -> None:
    with pytest.raises(AnsibleFilterError, match="line break"):
        flags({"a": "b\nExecStartPost=/bin/evil"})
    with pytest.raises(AnsibleFilterError, match="mapping"):
        flags(["a"])  # type: ignore[arg-type]


# --- durations -----------------------------------------------------------------------------------------------------


def test_a_duration_in_seconds() -> None:
    assert (seconds("1h30m"), seconds("500ms")) == (5400, 0.5)
    with pytest.raises(AnsibleFilterError, match=r"seconds: '15' is not a duration such as 30s"):
        seconds(15)


# --- passwords -----------------------------------------------------------------------------------------------------


def crypted(password: str, stored: str) -> str:
    """As the C library computes it, which is what HAProxy compares with."""
    library = ctypes.CDLL("libcrypt.so.1")
    library.crypt.restype = ctypes.c_char_p
    found: bytes = library.crypt(password.encode(), stored.encode())
    return found.decode()


def test_a_stored_password_is_the_same_in_every_run_and_right() -> None:
    stored = haproxy_password("open-sesame", "admin")
    assert stored == haproxy_password("open-sesame", "admin") and stored.startswith("$5$rounds=1000$")
    assert crypted("open-sesame", stored) == stored and crypted("open", stored) != stored


def test_no_two_users_or_passwords_share_a_salt() -> None:
    pairs = [("open-sesame", "admin"), ("open-sesame", "guest"), ("another-one", "admin")]
    assert len({haproxy_password(*pair).split("$")[3] for pair in pairs}) == 3


def test_an_empty_password_is_refused_with_the_user() -> None:
    with pytest.raises(AnsibleFilterError, match="'admin' is empty"):
        haproxy_password("", "admin")


# --- what runs where -----------------------------------------------------------------------------------------------

GROUPS: dict[str, list[str]] = {
    "all": ["lb1", "mon1", "mon2", "bystander"],
    "load_balancer": ["lb1"],
    "prometheus": ["mon1", "mon2"],
    "monitored": ["lb1", "mon1", "mon2"],
    "object_store": ["mon1"],
}
# Each variable where it belongs, and nowhere else.
VARIABLES: dict[str, dict[str, Any]] = {
    "lb1": {"ha_virtual_address": "192.0.2.100", "haproxy_users": {"admin": "open-sesame"}},
    "mon1": {"thanos_s3_access_key": "GK1", "thanos_s3_secret_key": "hidden"},
}
HOSTVARS: dict[str, dict[str, Any]] = {
    name: {"ha_address": f"192.0.2.{number}", **VARIABLES.get(name, {})} for number, name in enumerate(GROUPS["all"], start=1)
}


def test_the_summary_for_programs() -> None:
    found = summary.endpoints(GROUPS, HOSTVARS, "/pki")
    assert found["query"] == {"url": "https://192.0.2.100:9090", "user": "admin", "password": "open-sesame"}
    assert list(found["hosts"]) == ["lb1", "mon1", "mon2"]
    assert [replica["url"] for replica in found["prometheus"]] == ["https://192.0.2.2:9090", "https://192.0.2.3:9090"]
    assert (found["ca"], found["vip"], found["object_store"]["secret_key"]) == ("/pki/hosts/controller/ca.pem", "192.0.2.100", "hidden")
    assert found["object_store"]["region"] == "garage"
    told = summary.table(GROUPS, {**HOSTVARS, "mon1": {**HOSTVARS["mon1"], "pki_ca": "/own/ca.pem"}}, "/pki")
    assert told[-1].endswith(" /own/ca.pem") and summary.table(GROUPS, HOSTVARS, "/pki")[-1].endswith(" /pki/ca.pem")
    assert "alertmanager" not in found


def test_the_summary_leaves_out_a_database_that_goes() -> None:
    groups = {**GROUPS, "postgresql": ["mon1", "mon2"], "etcd": ["mon1"]}
    users = {"grafana": {"password": "hidden"}, "passing": {"state": "absent"}}
    databases = {"passing": {"owner": "passing", "state": "absent"}, "grafana": {"owner": "grafana"}}
    mon1 = {**HOSTVARS["mon1"], "postgresql_users": users, "postgresql_databases": databases}
    found = summary.endpoints(groups, {**HOSTVARS, "mon1": mon1}, "/pki")
    assert (found["postgresql"]["database"], found["postgresql"]["password"]) == ("grafana", "hidden")


def test_the_summary_for_people_has_no_password() -> None:
    text = "\n".join(summary.table(GROUPS, HOSTVARS, "/pki"))
    assert "https://192.0.2.100:9090" in text and "as admin" in text and "mon1, mon2" in text
    assert "open-sesame" not in text and "hidden" not in text and "Alertmanager" not in text


def test_a_long_list_of_hosts_is_cut() -> None:
    groups = {"all": [f"h{n}" for n in range(9)], "monitored": [f"h{n}" for n in range(9)]}
    assert "h0, h1, h2, h3, h4 and 4 more" in "\n".join(summary.table(groups, {}, "/pki"))


def test_hosts_that_the_run_has_lost_are_told_last() -> None:
    assert summary.table(GROUPS, HOSTVARS, "/pki", ["h7"])[-1].startswith("Not as the inventory says: h7;")


def test_installed_packages_by_what_the_database_says() -> None:
    listing = "haproxy 3.0.11-1 installed\nlibc6:amd64 2.41-12 installed\nkeepalived 1:2.3.3-1 config-files\ngrafana  not-installed\n"
    assert installed(listing) == {"haproxy", "haproxy=3.0.11-1", "libc6", "libc6=2.41-12"}
