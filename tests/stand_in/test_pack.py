"""The archive: laid out like Grafana's, the same every time, and enough for a host with nothing but python3."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest
import requests

from tests.grafana_stand_in import pack

from .databases import DatabaseServer, free_port
from .instances import database_section


@pytest.fixture(scope="module")
def archive() -> bytes:
    return pack.pack("12.4.0")


def test_same_input_same_bytes(archive: bytes) -> None:
    assert pack.pack("12.4.0") == archive
    assert pack.pack("12.4.1") != archive


def test_layout(archive: bytes) -> None:
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        members = {member.name: member for member in opened.getmembers()}
    assert {name.split("/")[0] for name in members} == {"grafana-12.4.0"}
    names = {name.removeprefix("grafana-12.4.0/") for name in members}
    assert {"bin/grafana", "conf/defaults.ini", "public/views/index.html", "VERSION"} <= names
    assert members["grafana-12.4.0/bin/grafana"].mode == 0o755
    assert not [name for name in names if name.endswith((".so", ".pyc"))], "pure Python"
    assert {(member.uid, member.gid) for member in members.values()} == {(0, 0)}


def interpreters() -> list[Path]:
    """The versions that the hosts have, as far as this machine has them too."""
    candidates = [Path("/usr/bin/python3"), *sorted(Path.home().glob(".pyenv/versions/3.1*/bin/python3"))]
    found: dict[str, Path] = {}
    for candidate in filter(Path.exists, candidates):
        words = [str(candidate), "-c", "import sys; print(*sys.version_info[:2], sep='.')"]
        found.setdefault(subprocess.run(words, capture_output=True, text=True).stdout.strip(), candidate)
    return [found[version] for version in ("3.11", "3.13") if version in found]


@pytest.mark.parametrize("python", interpreters(), ids=str)
def test_it_runs(archive: bytes, postgres: DatabaseServer, tmp_path: Path, python: Path) -> None:
    subprocess.run(["tar", "-xz", "-C", tmp_path], input=archive, check=True)
    home, port = tmp_path / "grafana-12.4.0", free_port()
    section = database_section(postgres, postgres.new_database())
    lines = [
        "[server]",
        "http_addr = 127.0.0.1",
        f"http_port = {port}",
        "[database]",
        *(f"{key} = {value}" for key, value in section.items()),
    ]
    config = tmp_path / "grafana.ini"
    config.write_text("\n".join(lines) + "\n")
    environment = {"PATH": f"{python.parent}:/usr/bin:/bin", "HOME": str(tmp_path)}
    words = [
        str(home / "bin" / "grafana"),
        "server",
        "--config",
        str(config),
        "--homepath",
        str(home),
        f"cfg:default.paths.data={tmp_path}/data",
    ]
    with (tmp_path / "output").open("wb") as output:
        process = subprocess.Popen(words, env=environment, cwd=tmp_path, stdout=output, stderr=output)
    try:
        until = time.monotonic() + 30
        while True:
            try:
                health = requests.get(f"http://127.0.0.1:{port}/api/health", timeout=5).json()
                break
            except requests.ConnectionError:
                assert time.monotonic() < until and process.poll() is None, (tmp_path / "output").read_text()
                time.sleep(0.1)
        assert health["version"] == "12.4.0"
        assert requests.get(f"http://127.0.0.1:{port}/api/org", auth=("admin", "admin"), timeout=5).status_code == 200
        assert (tmp_path / "data" / "log" / "grafana.log").exists() or (home / "data" / "log" / "grafana.log").exists()
        reset = [
            str(home / "bin" / "grafana"),
            "cli",
            "--homepath",
            str(home),
            "--config",
            str(config),
            "admin",
            "reset-admin-password",
            "new one",
        ]
        done = subprocess.run(reset, env=environment, capture_output=True, text=True)
        assert "Admin password changed successfully" in done.stdout, done.stderr
        assert requests.get(f"http://127.0.0.1:{port}/api/org", auth=("admin", "new one"), timeout=5).status_code == 200
        shown = subprocess.run([*words[:1], "--version", "--homepath", str(home)], env=environment, capture_output=True, text=True)
        assert shown.stdout == "grafana version 12.4.0\n"
        assert Path(f"/proc/{process.pid}/comm").read_text().strip() == "grafana"
    finally:
        process.terminate()
        process.wait(10)
    assert process.returncode == 0
    assert not list(tmp_path.rglob("*.pyc")), "it writes nothing beside itself"


def test_command_line_of_the_module(tmp_path: Path) -> None:
    words = ["--version", "13.0.1", "--arch", "arm64", "--output", str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(Path(pack.__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-m", "tests.grafana_stand_in.pack", *words], env=environment, check=True, capture_output=True, text=True
    )
    digest, path = done.stdout.split()
    assert Path(path).name == "grafana-13.0.1.linux-arm64.tar.gz" and len(digest) == 64
