"""Real servers, over HTTPS and SSH; and where secrets are seen, which is nowhere."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.monitoring.ha.plugins.module_utils.backup import report, settings
from ansible_collections.monitoring.ha.plugins.module_utils.backup.errors import SettingsError
from ansible_collections.monitoring.ha.plugins.module_utils.backup.settings import Remote, Settings

from tests import git_servers
from tests.unit import identities
from tests.unit.backup.site import HOSTS, World, log, subjects

TOKEN = "gl-pat-3fe91c0a7d"


@pytest.fixture
def server(tmp_path: Path, pki: identities.Site) -> Iterator[git_servers.Https]:
    git_servers.bare(tmp_path / "served" / "repo")
    with git_servers.https(tmp_path / "served", pki.context(asks=False), token=TOKEN, user="oauth2") as found:
        yield found


@pytest.fixture
def member(world: World, server: git_servers.Https, pki: identities.Site, tmp_path: Path) -> Settings:
    """A member that pushes to the server."""
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    remote = Remote("repo", server.url("repo"), token=str(tmp_path / "token"), user="oauth2", ca=pki.ca)
    return replace(world.member(), remotes=(remote,))


def test_https_with_a_token(world: World, member: Settings, server: git_servers.Https) -> None:
    assert world.run(member).ok
    # Larger than what Git sends in one piece.
    world.content["main-org/dashboards/large.d9.json"] = os.urandom(3_000_000).hex()
    assert world.run(member).ok
    assert subjects(server.directory / "repo") == log(member) and len(log(member)) == 2
    assert all(TOKEN not in path for _method, path, _allowed in server.seen)


def test_a_wrong_token_is_told_without_it(world: World, member: Settings, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("wrong-4f83b1")
    outcome = world.run(member)
    assert outcome.committed and outcome.behind == ["repo"] and outcome.remotes["repo"]
    said = repr(outcome) + str(report.status(member)) + Path(member.textfile).read_text()
    assert "wrong-4f83b1" not in said and TOKEN not in said


def test_a_server_of_another_authority_gets_no_token(world: World, member: Settings, server: git_servers.Https, tmp_path: Path) -> None:
    other = identities.make(tmp_path / "other")
    outcome = world.run(replace(member, remotes=(replace(member.remotes[0], ca=other.ca),)))
    assert "certificate" in outcome.remotes["repo"] and not server.seen


def test_no_secret_in_any_command_line(world: World, member: Settings, server: git_servers.Https) -> None:
    """Every process of the machine is looked at while pushes go on."""
    over, found, looks = threading.Event(), set(), 0

    def look() -> None:
        nonlocal looks
        while not over.is_set():
            looks += 1
            for entry in Path("/proc").iterdir():
                if entry.name.isdigit():
                    try:
                        line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                    except OSError:
                        continue
                    if "git" in line and ("push" in line or "remote-https" in line or "credential" in line):
                        found.add(line)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        for number in range(5):
            world.content[HOSTS] = str(number)
            assert world.run(member).ok
    finally:
        over.set()
        thread.join()
    assert looks > 5 and any("push" in line for line in found)
    assert not [line for line in found if TOKEN in line]


def test_a_server_that_does_not_answer_takes_no_longer_than_it_may(world: World, member: Settings) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}/repo"
        stuck = replace(member, remotes=(replace(member.remotes[0], url=url),), remote_timeout=1.0)
        begun = time.monotonic()
        outcome = world.run(stuck)
    assert "not done after 1 s" in outcome.remotes["repo"] and time.monotonic() - begun < 20 and outcome.committed


@pytest.mark.skipif(not git_servers.SSHD, reason="there is no sshd")
def test_ssh_with_a_key(world: World, tmp_path: Path) -> None:
    remote = git_servers.bare(tmp_path / "served" / "repo with blank")
    with git_servers.ssh() as server:
        (tmp_path / "key").write_text(server.key)
        (tmp_path / "key").chmod(0o400)
        (tmp_path / "known").write_text(server.known_hosts)
        one = Remote("repo", server.url(remote).replace(" ", "%20"), key=str(tmp_path / "key"), known_hosts=str(tmp_path / "known"))
        member = replace(world.member(), remotes=(one,))
        assert world.run(member).remotes == {"repo": ""}
        assert subjects(remote) == log(member)
        # Another key, and a server that is another one than it was.
        git_servers.keypair(tmp_path / "stranger")
        assert "denied" in world.run(replace(member, remotes=(replace(one, key=str(tmp_path / "stranger")),))).remotes["repo"]
        (tmp_path / "unknown").write_text("")
        assert (
            "verification failed"
            in world.run(replace(member, remotes=(replace(one, known_hosts=str(tmp_path / "unknown")),))).remotes["repo"]
        )


@pytest.mark.parametrize(
    "url",
    ["https://user:secret@example.org/x", "https://ghp_token@example.org/x", "ssh://git:secret@example.org/x", "http://a:b@example.org"],
)
def test_a_url_with_a_secret_is_refused(world: World, url: str) -> None:
    with pytest.raises(SettingsError, match="holds a user or a password") as caught:
        world.member(remotes={"one": url})
    assert "secret" not in str(caught.value) and "ghp_token" not in str(caught.value)


@pytest.mark.parametrize("url", ["git@example.org:a/b.git", "ssh://git@example.org/a", "https://example.org/a@b/c", "/srv/a:b@c"])
def test_a_url_without_a_secret_is_taken(world: World, url: str) -> None:
    assert world.member(remotes={"one": url}).remotes[0].url == url


@pytest.mark.parametrize(
    "given", [{"remotes": [{"name": "a b", "url": "x"}]}, {"remotes": [{"name": "a"}]}, {"max_age": "10 minutes"}, {"x": 1}]
)
def test_settings_that_cannot_be_used(tmp_path: Path, given: dict[str, object]) -> None:
    with pytest.raises(SettingsError):
        settings.of({"member": "mon1", "directory": str(tmp_path), "grafana": {}, **given})
