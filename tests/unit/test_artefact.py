"""What is published: what is in it, what is not, and that it works where it is installed."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
import yaml

from tests.unit import plays
from tools.steps import ROOT


@dataclass(frozen=True)
class Installed:
    """The collection, as it is after an installation elsewhere."""

    home: Path
    names: list[str]

    @property
    def collections(self) -> Path:
        return self.home / "collections"

    @property
    def collection(self) -> Path:
        return self.collections / "ansible_collections" / "monitoring" / "ha"

    def command(self, program: str, *words: str | Path) -> CompletedProcess[str]:
        """A program of Ansible's that knows nothing of this repository."""
        (self.home / "ansible.cfg").write_text("[defaults]\n", encoding="utf-8")
        env = {"ANSIBLE_CONFIG": str(self.home / "ansible.cfg"), "ANSIBLE_COLLECTIONS_PATH": str(self.collections), "PYTHONPATH": ""}
        return plays.command(program, *words, home=self.home, directory=self.home, env=env)

    def documented(self, kind: str, names: list[str]) -> dict[str, Any]:
        """What ``ansible-doc`` says of plugins."""
        done = self.command("ansible-doc", "-t", kind, "--json", *(f"monitoring.ha.{name}" for name in names))
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return {name.removeprefix("monitoring.ha."): its for name, its in found.items()}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    """Built from the repository and installed in a directory of its own, without a network."""
    home = tmp_path_factory.mktemp("artefact")
    done = plays.command("ansible-galaxy", "collection", "build", ROOT, "--output-path", home, home=home)
    assert done.returncode == 0, done.stderr
    (archive,) = home.glob("monitoring-ha-*.tar.gz")
    with tarfile.open(archive) as file:
        names = file.getnames()
    found = Installed(home, names)
    done = found.command("ansible-galaxy", "collection", "install", "--offline", archive, "-p", found.collections)
    assert done.returncode == 0, done.stdout + done.stderr
    yield found


def plugins(kind: str) -> list[str]:
    return sorted(path.stem for path in (ROOT / "plugins" / kind).glob("*.py") if path.stem != "__init__")


def roles() -> list[str]:
    return sorted(path.parent.parent.name for path in (ROOT / "roles").glob("*/meta/argument_specs.yml"))


def test_what_is_in_it(installed: Installed) -> None:
    names = set(installed.names)
    assert {"README.md", "LICENSE", "CHANGELOG.md", "releases.lock.yml", "meta/runtime.yml", "inventories/production/hosts.yml"} <= names
    components = yaml.safe_load((ROOT / "releases.lock.yml").read_text(encoding="utf-8"))["components"]
    for name in (name for name, its in components.items() if "go" in its.get("build", {})):
        assert {f"releases/{name}/go.mod", f"releases/{name}/go.sum"} <= names
    for kind in ("action", "modules", "module_utils", "plugin_utils", "lookup", "filter"):
        assert {f"plugins/{kind}/{name}.py" for name in plugins(kind)} <= names
    assert {f"roles/{role}/tasks/main.yml" for role in roles()} <= names
    assert {f"playbooks/{path.name}" for path in (ROOT / "playbooks").glob("*.yml")} <= names


def test_what_is_not_in_it(installed: Installed) -> None:
    tops = {name.partition("/")[0] for name in installed.names}
    assert not tops & {"tests", "tools", "molecule", "benchmarks", "build", "Makefile", "pyproject.toml", "ansible.cfg"}
    assert not [name for name in tops if name.startswith(".")]
    parts = {part for name in installed.names for part in name.split("/")}
    assert not [part for part in parts if part.endswith(("_cache", "__pycache__", ".pyc", ".password", ".key", ".tar.gz"))]


def test_no_secret_is_in_it(installed: Installed) -> None:
    assert not [name for name in installed.names if name.startswith("inventories/demo")]
    # Encrypted ones neither: everybody makes their own.
    texts = [path for path in installed.collection.rglob("*") if path.is_file() and "inventories" in path.parts]
    assert texts and not [path for path in texts if "!vault" in path.read_text(encoding="utf-8")]


def test_playbooks_are_found_by_their_names(installed: Installed) -> None:
    site = installed.collection / "inventories" / "production"
    words = [f"monitoring.ha.{name}" for name in ("site", "verify", "summary", "mirror")]
    done = installed.command("ansible-playbook", "-i", site, "--syntax-check", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"playbook: {installed.collection}/playbooks/site.yml" in done.stdout, done.stdout


def test_the_checks_run_where_it_is_installed(installed: Installed) -> None:
    """They read the collection's own roles and lock file."""
    site = installed.collection / "inventories" / "production"
    done = installed.command("ansible-playbook", "-i", site, "monitoring.ha.site", "--tags", "preflight", "-e", "preflight_static=true")
    assert done.returncode != 0
    assert "object_store_rpc_secret" in done.stdout and "vault_object_store_rpc_secret" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize(("kind", "directory"), [("module", "modules"), ("lookup", "lookup"), ("filter", "filter")])
def test_every_plugin_is_documented(installed: Installed, kind: str, directory: str) -> None:
    names = plugins(directory)
    found = installed.documented(kind, names)
    assert sorted(found) == names
    for name, its in found.items():
        assert its["doc"]["short_description"], name
        assert "monitoring.ha." in str(its["examples"]), name
        assert its["return"], name


def test_every_role_is_documented(installed: Installed) -> None:
    found = installed.documented("role", roles())
    assert sorted(found) == roles()
    assert all(its["entry_points"]["main"]["short_description"] for its in found.values())
