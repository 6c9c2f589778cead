"""The inventories that come with the project: the checks before a run have nothing to say against them."""

from __future__ import annotations

import json
import re
import shutil
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.plays import Played, by_host, command
from tools.steps import ROOT

PRODUCTION = ROOT / "inventories" / "production"
README = (PRODUCTION / "README.md").read_text(encoding="utf-8")
SECRETS = PRODUCTION / "group_vars" / "all" / "secrets.yml"
EVERYTHING = "Everything that is wrong"
ASKED = "Everything that is wrong, once hosts are asked"


def facts(host: str, address: str) -> dict[str, Any]:
    """A host as it should be."""
    found = {"system": {"id": "debian", "version": "13"}, "systemd": True, "listeners": [], "active": [], "recorded": [], "space": {}}
    return {**found, "addresses": [{"address": address, "prefix": 24}], "names": {}, "hostname": host, "neighbour": ""}


def check(home: Path, inventory: Path, *words: str) -> Played:
    """The checks before a run, and then those that follow when hosts are asked."""
    home.mkdir(exist_ok=True)
    asked = {
        "name": ASKED,
        "monitoring.ha.preflight": {"facts": {"lb1": facts("lb1", "192.0.2.11")}, "accept": "{{ preflight_accept | default([]) }}"},
        "ignore_errors": True,
    }
    roles = [{"role": "monitoring.ha.preflight", "vars": {"preflight_static": True}}]
    summary = {"monitoring.ha.summary": {"pki_directory": str(home / "pki"), "file": str(home / "endpoints.json")}, "run_once": True}
    tasks = [
        {**asked, "run_once": True},
        {**summary, "name": "Summary in check mode", "check_mode": True},
        {**summary, "name": "Summary"},
        {**summary, "name": "Summary again"},
    ]
    play = {"hosts": "all:!localhost", "gather_facts": False, "roles": roles, "tasks": tasks}
    (home / "play.yml").write_text(yaml.safe_dump([play]), encoding="utf-8")
    env = {"ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json"}
    done = command("ansible-playbook", "-i", str(inventory), *words, str(home / "play.yml"), home=home, env=env)
    return Played(done.returncode, by_host(done.stdout), done.stdout + done.stderr)


def task(played: Played, name: str) -> str:
    """The message of a task; empty when it found nothing."""
    found = next((result for task, result in played.results.items() if task.rpartition(" : ")[2] == name), None)
    assert found is not None, played.said
    return str(found["msg"]) if found.get("failed") else ""


@pytest.fixture(scope="module")
def password(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The password for looking at the example, from where a reader finds it."""
    match = re.search(r"^echo (\S+) > production\.password$", README, re.MULTILINE)
    assert match
    path = tmp_path_factory.mktemp("vault") / "production.password"
    path.write_text(match[1] + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory, password: Path) -> Iterator[Played]:
    yield check(tmp_path_factory.mktemp("production"), PRODUCTION, "--vault-password-file", str(password))


def test_production_passes_the_checks(production: Played) -> None:
    assert task(production, EVERYTHING) == ""


def test_no_host_is_set_up_with_the_secrets_of_the_example(production: Played) -> None:
    lines = task(production, ASKED).splitlines()[1:]
    names = {line.split()[1] for line in lines}
    assert {"object_store_rpc_secret", "object_store_admin_token", "haproxy_users", "thanos_s3_access_key", "thanos_s3_secret_key"} <= names
    assert all("is the one of the example inventory: make one of your own" in line for line in lines)


def test_the_summary_of_production(production: Played) -> None:
    """For people without passwords; for programs with them, in a file for its owner alone, which is written when it differs."""
    assert [name for name in production.changed if "Summary" in name] == ["Summary in check mode", "Summary"]
    path = Path(production.result("Summary")["file"])
    written = json.loads(path.read_text(encoding="utf-8"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert written["query"]["url"] == "https://192.0.2.100:9090" and len(written["hosts"]) == len(hosts()["domain_a"] | hosts()["domain_b"])
    assert "https://192.0.2.100:9090" in production.said and "as admin" in production.said
    assert written["query"]["password"] not in production.said and written["object_store"]["secret_key"] not in production.said


def test_without_the_password_every_secret_is_named_at_once(tmp_path: Path) -> None:
    message = task(check(tmp_path, PRODUCTION), EVERYTHING)
    for name in ("object_store_rpc_secret", "object_store_admin_token", "haproxy_users", "pki_ca_passphrase"):
        assert f"{name} cannot be evaluated" in message


def test_the_demo_passes_the_checks(tmp_path: Path) -> None:
    # Its secrets and keys are made on first use, in a place of their own.
    assert task(check(tmp_path, ROOT / "inventories" / "demo", "-e", f"demo_state={tmp_path}"), EVERYTHING) == ""


@pytest.mark.parametrize("name", ["demo", "production"])
def test_every_playbook_is_well_formed(name: str, tmp_path: Path, password: Path) -> None:
    words = ["--vault-password-file", str(password)] if name == "production" else ["-e", f"demo_state={tmp_path}"]
    playbooks = [str(path) for path in sorted((ROOT / "playbooks").glob("*.yml")) if path.stem not in ("test_hosts", "summary", "mirror")]
    done = command("ansible-playbook", "-i", str(ROOT / "inventories" / name), "--syntax-check", *words, *playbooks, home=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stderr, done.stderr


def hosts() -> dict[str, set[str]]:
    """Group → hosts of production, without those of groups in it."""
    groups = yaml.safe_load((PRODUCTION / "hosts.yml").read_text(encoding="utf-8"))["all"]["children"]
    return {name: set(its.get("hosts") or {}) for name, its in groups.items()}


def test_production_is_split_into_tiers_over_two_failure_domains() -> None:
    tiers = hosts()
    a, b = tiers["domain_a"], tiers["domain_b"]
    assert len(a | b) >= 12 and not a & b
    for tier in ("load_balancer", "prometheus", "thanos_query", "thanos_store", "alertmanager", "object_store", "postgresql", "grafana"):
        assert tiers[tier] & a and tiers[tier] & b, tier
    separate = [
        tiers[tier]
        for tier in ("load_balancer", "prometheus", "thanos_query", "thanos_store", "alertmanager", "object_store", "postgresql", "grafana")
    ]
    assert len(set().union(*separate)) == sum(map(len, separate))


def test_secrets_are_encrypted_each_by_itself() -> None:
    text = SECRETS.read_text(encoding="utf-8")
    names = re.findall(r"^(\w+): (.*)$", text, re.MULTILINE)
    assert names and all(name.startswith("vault_") and value == "!vault |" for name, value in names)
    used = set(re.findall(r"{{ (vault_\w+) }}", (SECRETS.parent / "main.yml").read_text(encoding="utf-8")))
    assert used == {name for name, _value in names}


def test_the_file_with_the_password_is_not_in_the_repository() -> None:
    assert not list(PRODUCTION.rglob("*.password")) and "/*.password" in (PRODUCTION / ".gitignore").read_text(encoding="utf-8")


def test_what_a_run_leaves_in_a_site_is_not_taken_for_an_inventory(tmp_path: Path) -> None:
    """Ansible reads every file of the directory; the authority's keys lie there, too."""
    site = tmp_path / "site"
    shutil.copytree(PRODUCTION, site)
    main = yaml.load((site / "group_vars" / "all" / "main.yml").read_text(encoding="utf-8"), yaml.BaseLoader)
    authority = Path(main["pki_directory"].replace("{{ inventory_dir }}", str(site)))
    authority.mkdir(parents=True)
    (authority / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\n", encoding="utf-8")
    done = command("ansible-inventory", "-i", str(site), "--graph", home=tmp_path, env={"PYTHONPATH": ":".join(sys.path)})
    assert done.returncode == 0 and "ca.pem" not in done.stderr
