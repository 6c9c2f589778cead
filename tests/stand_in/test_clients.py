"""Clients that were written for Grafana: they must not notice."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from grafana_client import GrafanaApi
from grafana_client.client import GrafanaClientError

from .instances import ADMIN, Instance

VERSIONS = ("11.6.0", "12.4.0", "13.0.1")


@pytest.mark.parametrize("version", VERSIONS)
def test_grafana_client(released: Callable[[str], Instance], name: str, version: str) -> None:
    server = released(version)
    api = GrafanaApi.from_url(server.url, credential=ADMIN)
    assert api.health.check()["database"] == "ok"
    folder = api.folder.create_folder(name, uid=name)
    assert folder["uid"] == name
    saved = api.dashboard.update_dashboard({"dashboard": {"uid": name, "title": name}, "folderUid": name, "overwrite": True})
    assert saved["status"] == "success" and api.dashboard.get_dashboard(name)["meta"]["folderUid"] == name
    assert [hit["uid"] for hit in api.search.search_dashboards(query=name, type_="dash-db")] == [name]
    source = {"name": name, "type": "prometheus", "access": "proxy", "url": "http://127.0.0.1:9", "uid": name}
    assert api.datasource.create_datasource(source)["datasource"]["uid"] == name
    assert api.datasource.get_datasource_by_uid(name)["name"] == name
    team = api.teams.add_team({"name": name})
    assert api.teams.get_team(team["teamId"])["name"] == name
    user = api.admin.create_user({"login": name, "email": f"{name}@x.example", "password": "password", "OrgId": 1})
    api.teams.add_team_member(team["teamId"], user["id"])
    assert len(api.teams.get_team_members(team["teamId"])) == 1
    organization = api.organization.create_organization({"name": name})
    assert {"id": organization["orgId"], "name": name} in api.organizations.list_organization()
    rule_query = {"refId": "A", "datasourceUid": name, "model": {"expr": "up"}, "relativeTimeRange": {"from": 60, "to": 0}}
    rule = {
        "uid": name,
        "title": name,
        "folderUID": name,
        "ruleGroup": "g",
        "condition": "A",
        "data": [rule_query],
        "for": "1m",
        "orgID": 1,
    }
    api.alertingprovisioning.create_alertrule({**rule, "noDataState": "OK", "execErrState": "OK"}, disable_provenance=True)
    assert api.alertingprovisioning.get_alertrule(name)["provenance"] == ""
    assert api.alertingprovisioning.get_notification_policy_tree()["receiver"]
    with pytest.raises(GrafanaClientError):
        api.dashboard.get_dashboard("nowhere")
    api.dashboard.delete_dashboard(name)
    api.datasource.delete_datasource_by_uid(name)


def _ansible() -> Path:
    """Where the Ansible package is: beside this interpreter, or in the virtual environment of the repository."""
    for candidate in (Path(sys.executable).parent, Path(__file__).parents[2] / ".venv" / "bin"):
        if (candidate / "ansible-playbook").exists():
            return candidate
    raise RuntimeError("no ansible-playbook: install the package ansible")


def _task(module: str, server: Instance, **arguments: Any) -> dict[str, Any]:
    own = {"grafana_url": server.url, "grafana_user": ADMIN[0], "grafana_password": ADMIN[1]}
    if module in ("grafana_team", "grafana_user", "grafana_folder", "grafana_organization"):
        own = {"url": server.url, "url_username": ADMIN[0], "url_password": ADMIN[1]}
    return {f"community.grafana.{module}": {**own, **arguments}}


def test_ansible_modules(released: Callable[[str], Instance], name: str, tmp_path: Path) -> None:
    """Twice: the second time nothing changes."""
    server = released("12.4.0")
    board = tmp_path / "board.json"
    board.write_text(json.dumps({"dashboard": {"uid": name, "title": name, "panels": []}}))
    email = {"type": "email", "uid": f"{name}p", "email_addresses": ["a@b.example"]}
    tasks = [
        _task("grafana_organization", server, name=name),
        _task("grafana_user", server, name=name, login=name, email=f"{name}@x.example", password="password"),
        _task("grafana_team", server, name=name, email="t@x.example", members=[f"{name}@x.example"]),
        _task("grafana_folder", server, title=name),
        _task("grafana_datasource", server, name=name, ds_type="prometheus", ds_url="http://127.0.0.1:9", uid=name),
        _task("grafana_dashboard", server, path=str(board), overwrite=True),
        # With provenance this module compares what it found to what it made without, and always sees a change.
        _task("grafana_contact_point", server, name=name, provisioning=False, **email),
    ]
    play = [{"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": tasks * 2}]
    (tmp_path / "play.yml").write_text(json.dumps(play))
    done = _play(tmp_path)
    first, second = done[: len(tasks)], done[len(tasks) :]
    assert [task["changed"] for task in first] == [True] * len(tasks), first
    assert [task["changed"] for task in second] == [False] * len(tasks), second
    assert server.get(f"/api/datasources/uid/{name}").status_code == 200
    assert server.get(f"/api/dashboards/uid/{name}").status_code == 200
    assert server.get(f"/api/v1/provisioning/contact-points?name={name}").json()[0]["type"] == "email"


def _play(directory: Path) -> list[dict[str, Any]]:
    binaries = _ansible()
    environment = {
        **os.environ,
        "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
        "ANSIBLE_HOME": str(directory / "ansible"),
        "ANSIBLE_CONFIG": str(directory / "ansible.cfg"),
        "PATH": f"{binaries}:{os.environ['PATH']}",
    }
    environment.pop("PYTHONPATH", None)
    (directory / "ansible.cfg").write_text("[defaults]\n")
    words = [str(binaries / "ansible-playbook"), "-i", "localhost,", "-e", f"ansible_python_interpreter={binaries / 'python'}", "play.yml"]
    done = subprocess.run(words, cwd=directory, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    document = json.loads(done.stdout[done.stdout.index("{") :])
    return [task["hosts"]["localhost"] for task in document["plays"][0]["tasks"]]


assert shutil.which("openssl"), "the tests make certificates with openssl"
