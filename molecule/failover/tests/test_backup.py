"""What people have made in Grafana is saved, comes back after it was destroyed, and goes on being saved whatever is lost.

One repository is reached over HTTPS, another one over SSH where this machine has OpenSSH's server, and over HTTPS otherwise.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests import git_servers
from tests.scenario.grafana import Visitor
from tests.scenario.site import Played, play, ran
from tests.scenario.stack import Stack, wait_for
from tests.unit import identities

HOSTS = ("mon1", "mon2", "mon3")
TOKEN = "scenario-token-b07c5f"
HTTPS_PORT, SSH_PORT = 9418, 9422
PROGRAM = "/opt/monitoring-ha/backup/backup"
LOCAL = "/var/lib/monitoring-ha-backup/repository.git"
METRICS = "/var/lib/node_exporter/textfile/monitoring_ha_backup.prom"
#: As long as runs are not what is tested, they come when they are called only.
NEVER = "2099-01-01"
FOLDER = "scenario-backup"


def git(repository: Path, *words: str) -> str:
    command = ["git", "-c", "safe.directory=*", "--git-dir", str(repository), *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@dataclass
class Site:
    """Two repositories elsewhere, one over HTTPS and one over SSH, and members that push to both."""

    stack: Stack
    directory: Path
    key: str = ""
    variables: dict[str, Any] = field(default_factory=dict)

    @property
    def https(self) -> Path:
        return self.directory / "served" / "https"

    @property
    def ssh(self) -> Path:
        return self.directory / "served" / "ssh"

    def serve(self, stack: ExitStack) -> None:
        """Lets the HTTPS server answer until the end."""
        context = identities.Site(self.directory / "pki").context(asks=False)
        address = self.stack.gateway
        stack.enter_context(git_servers.https(self.directory / "served", context, token=TOKEN, address=address, port=HTTPS_PORT))

    def configure(self, **more: Any) -> Played:
        """Plays the part of the site that is about backups."""
        return ran("site", "--tags", "backup", variables={**self.variables, **more})

    def backup(self) -> str:
        """Backs up now; the commit."""
        ran("backup", variables=self.variables)
        return git(self.https, "rev-parse", "main")

    def restore(self, **variables: Any) -> Played:
        return ran("restore", variables={**self.variables, **variables})


@pytest.fixture(scope="module")
def site(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    directory = tmp_path_factory.mktemp("backup")
    found = Site(stack, directory)
    for path in (found.https, found.ssh):
        git_servers.bare(path)
    pki = identities.make(directory / "pki", stack.gateway)
    with ExitStack() as servers:
        found.serve(servers)
        https = {"token": TOKEN, "ca": Path(pki.ca).read_text(encoding="utf-8")}
        remotes = {name: {**https, "url": f"https://{stack.gateway}:{HTTPS_PORT}/{name}"} for name in ("https", "ssh")}
        if git_servers.SSHD:
            ssh = servers.enter_context(git_servers.ssh(address=stack.gateway, port=SSH_PORT))
            remotes["ssh"] = {"url": ssh.url(found.ssh), "key": ssh.key, "known_hosts": ssh.known_hosts}
            found.key = ssh.key
        found.variables = {"backup_schedule": NEVER, "backup_remotes": remotes}
        found.configure()
        yield found
    ran("site", "--tags", "backup")


@pytest.fixture(scope="module")
def visitor(stack: Stack) -> Visitor:
    return Visitor(stack).administrator()


def fill(visitor: Visitor) -> None:
    """A folder with dashboards, as people make them."""
    session, url = visitor.session, visitor.url
    session.post(f"{url}/api/folders", json={"uid": FOLDER, "title": "Made by people"}, timeout=20)
    for number in range(20):
        body = {"dashboard": {"uid": f"made-{number}", "title": f"Made / {number}", "panels": []}, "folderUid": FOLDER, "overwrite": True}
        session.post(f"{url}/api/dashboards/db", json=body, timeout=20).raise_for_status()


def made(visitor: Visitor) -> set[str]:
    """Uids of the dashboards that ``fill`` has made and that are there."""
    return {its["uid"] for its in visitor.get("/api/search", type="dash-db", limit=5000) if its["uid"].startswith("made-")}


def paths(repository: Path, commit: str = "main") -> Mapping[str, str]:
    """Path → object id of everything in a commit."""
    lines = git(repository, "-c", "core.quotePath=false", "ls-tree", "-r", commit).splitlines()
    return {line.partition("\t")[2]: line.split()[2] for line in lines}


def test_everything_is_in_both_repositories(site: Site, visitor: Visitor) -> None:
    fill(visitor)
    commit = site.backup()
    assert git(site.ssh, "rev-parse", "main") == commit
    found = paths(site.https)
    for hit in visitor.get("/api/search", type="dash-db", limit=5000):
        assert any(path.endswith(f".{hit['uid']}.json") for path in found), hit
    assert any(path.startswith("grafana/network.") for path in found), "other organisations"
    assert "Member: mon1" in git(site.https, "log", "-1", "--format=%B")
    # Two runs on, there is still one commit.
    assert site.backup() == commit and site.configure().changed == {}


def test_what_was_destroyed_comes_back(site: Site, stack: Stack, visitor: Visitor) -> None:
    fill(visitor)
    commit, everything = site.backup(), {f"made-{number}" for number in range(20)}
    visitor.session.delete(f"{visitor.url}/api/folders/{FOLDER}", params={"forceDeleteRules": "true"}, timeout=30).raise_for_status()
    wait_for("the loss", lambda: not made(visitor), 30)
    # The plan is shown, and nothing is written.
    shown = site.restore(restore_commit=commit)
    assert "created dashboards Main Org./Made by people/Made / 7" in shown.output and "restore_apply=true" in shown.output
    assert made(visitor) == set()
    done = site.restore(restore_commit=commit, restore_apply=True)
    assert "'created': 20" in done.output or '"created": 20' in done.output
    assert made(visitor) == everything
    assert site.restore(restore_commit=commit, restore_apply=True).changed == {}
    # Not only what was looked at, but every byte.
    assert paths(site.https, site.backup()) == paths(site.https, commit)


def test_what_came_later_is_deleted_only_when_that_is_said(site: Site, visitor: Visitor) -> None:
    fill(visitor)
    commit = site.backup()
    visitor.save("made-later", "Made later")
    site.restore(restore_commit=commit, restore_apply=True, restore_kinds=["dashboards"], restore_organisations=["Main Org."])
    assert "made-later" in made(visitor)
    site.restore(
        restore_commit=commit, restore_apply=True, restore_prune=True, restore_kinds=["dashboards"], restore_organisations=["Main Org."]
    )
    assert "made-later" not in made(visitor) and len(made(visitor)) == 20


def test_secrets_are_seen_by_nobody(site: Site, stack: Stack) -> None:
    secrets = [TOKEN, stack.endpoints["grafana"]["password"], *site.key.splitlines()[2:3]]
    for host in stack.hosts:
        for secret in secrets:
            readable = f"grep -rlsF -- '{secret}' /etc/systemd/system /opt/monitoring-ha/backup /var/lib/node_exporter /var/log"
            assert stack.run(host, readable, check=False) == ""
            assert stack.run(host, f"journalctl --quiet --grep '{secret[:24]}' --unit monitoring-ha-backup | head -3", check=False) == ""
            for path in stack.run(host, f"grep -rlF -- '{secret}' /etc/monitoring-ha/backup/", check=False).split():
                assert stack.run(host, f"stat -c '%a %U' {path}").split() == ["400", "monitoring-ha-backup"]
        stack.run(host, "systemd-analyze security --no-pager --threshold=25 monitoring-ha-backup.service")


@pytest.fixture
def often(site: Site) -> Iterator[None]:
    """Every quarter of a minute, as a minute is old already."""
    kept = site.variables
    site.variables = {**kept, "backup_schedule": "*:*:0/15", "backup_max_age": "1m"}
    site.configure()
    yield
    site.variables = kept
    site.configure()


def members(repository: Path, since: str) -> list[str]:
    """Who made the commits after one, oldest first."""
    return git(repository, "log", "--reverse", "--format=%(trailers:key=Member,valueonly,separator=)", f"{since}..main").split()


def test_another_one_takes_over_and_gives_it_back(site: Site, stack: Stack, visitor: Visitor, often: None, powered: None) -> None:
    visitor.save("made-0", "Before")
    start = site.backup()

    def saved(title: str, host: str) -> bool:
        visitor.save("made-0", title)
        return members(site.https, start)[-1:] == [host]

    wait_for("the first one", lambda: saved("First", "mon1"), 60, 2)
    # Meanwhile the others have stood by.
    assert set(members(site.https, start)) == {"mon1"}
    stack.container("mon1").kill()
    begun = time.monotonic()
    wait_for("the second one", lambda: saved("Second", "mon2"), 90, 2)
    print(f"saved again after {time.monotonic() - begun:.1f} s")
    wait_for("both repositories", lambda: git(site.https, "rev-parse", "main") == git(site.ssh, "rev-parse", "main"), 30, 1)
    stack.container("mon1").start()
    wait_for("the first one again", lambda: saved(f"Again {time.time()}", "mon1"), 240, 2)
    assert not git(site.https, "log", "--merges", "--format=%H", f"{start}..main")


def status(stack: Stack, host: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(stack.run(host, f"{PROGRAM} status --json", check=False))
    return found


def test_a_repository_that_is_down_is_reported_and_gets_everything_later(
    site: Site, stack: Stack, visitor: Visitor, tmp_path: Path
) -> None:
    """The server is another one than that of the other tests, so that it can be stopped."""
    with ExitStack() as servers:
        context = identities.Site(site.directory / "pki").context(asks=False)
        https = site.variables["backup_remotes"]["https"]
        third = {**https, "url": f"https://{stack.gateway}:{HTTPS_PORT + 1}/third"}
        kept = site.variables
        site.variables = {**kept, "backup_remotes": {**kept["backup_remotes"], "third": third}}
        repository = git_servers.bare(site.directory / "served" / "third")
        site.configure()
        visitor.save("made-0", "Without the third")
        done = play("backup", variables=site.variables)
        assert done.code == 2 and "mon1: remote third: git" in done.failures[0], done.failures
        assert "mon1: remote https: has everything" in done.failures[0]
        seen = status(stack, "mon1")
        assert seen["state"] == "worked" and seen["committed"] and [name for name, error in seen["remotes"].items() if error] == ["third"]
        local = stack.run("mon1", f"git -c safe.directory=* --git-dir {LOCAL} rev-parse main").strip()
        assert local == git(site.https, "rev-parse", "main") == git(site.ssh, "rev-parse", "main")
        alert = 'ALERTS{alertname="BackupNotPushed", remote="third"}'
        assert wait_for("the alert", lambda: stack.query(alert), 60)[0]["metric"]["host"] == "mon1"
        assert not stack.query('ALERTS{alertname="BackupNotPushed", remote!="third"}')
        servers.enter_context(
            git_servers.https(site.directory / "served", context, token=TOKEN, address=stack.gateway, port=HTTPS_PORT + 1)
        )
        site.backup()
        assert git(repository, "rev-parse", "main") == local
        wait_for("its end", lambda: not stack.query(alert), 60)
        site.variables = kept
        site.configure()
