"""Wrong input is told all at once, before anything is touched."""

from __future__ import annotations

from typing import Any

from tests.scenario.site import play
from tests.scenario.stack import Stack

WRONG: dict[str, Any] = {
    "grafana_ini": {"sever": {"http_port": 1}, "database": {"conn_max_livetime": 1}},
    "grafana_secret_key": "SW2YcwTIb9zpOOhoPsMm",
    "grafana_admin_password": "short",
    "grafana_databse": {},
    "grafana_dashboards": [{"folder": "None", "directory": "/nonexistent"}],
    "grafana_database": {"type": "sqlite3", "host": "192.0.2.1", "port": 5432, "password": "x"},
}
TOLD = [
    ["no section 'sever'", "server"],
    ["no option 'conn_max_livetime'", "conn_max_lifetime"],
    ["grafana_secret_key", "everybody tries"],
    ["grafana_admin_password", "too short"],
    ["grafana_databse", "grafana_database?"],
    ["/nonexistent"],
    ["postgres, mysql", "sqlite3"],
    ["nothing answers where grafana_database says"],
]


def configuration(stack: Stack) -> dict[str, str]:
    return {host: stack.run(host, "readlink /etc/grafana; systemctl show -p InvocationID grafana") for host in stack.hosts}


def test_everything_that_is_wrong_is_told_and_nothing_is_touched(stack: Stack) -> None:
    before = configuration(stack)
    done = play("site", "--tags", "preflight", variables=WRONG)
    assert done.code == 2 and not done.changed
    lines = "\n".join(done.failures).splitlines()
    for words in TOLD:
        assert any(all(word in line for word in words) for line in lines), (words, lines)
    assert configuration(stack) == before


def test_passwords_are_in_files_of_grafana_alone(stack: Stack) -> None:
    for host in stack.hosts:
        assert not stack.run(host, "grep -rl 'and a blank' /etc/grafana/ --include=*.ini --include=*.yml", check=False).strip()
        modes = stack.run(host, "find -L /etc/grafana/secrets -type f -printf '%m %u:%g\\n'").split("\n")[:-1]
        assert modes and set(modes) == {"640 root:grafana"}
