"""Releases for the scenario of upgrades: versions of before, and some that are no good.

``python -m tools.older`` leaves a lock file that knows how to build the former, and a mirror with the latter, below build/older.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.monitoring.ha.plugins.plugin_utils.builds import pack

from tools.steps import ROOT

HOME = ROOT / "build" / "older"
#: What their modules in tests/releases pin.
VERSIONS = {"prometheus": "3.15.1", "alertmanager": "0.31.0", "thanos": "0.42.3", "node_exporter": "1.11.1"}
#: A Prometheus that ends at once, and one that takes no configuration.
BAD = {
    "9.0.0+mute": {"prometheus": "echo 'a disk of this kind is not for me' >&2; exit 1", "promtool": "exit 0"},
    "9.0.0+picky": {
        "prometheus": "sleep infinity",
        "promtool": "echo 'prometheus.yml: field scrape_configs is a thing of the past'; exit 1",
    },
}
ARCHITECTURES = ("amd64", "arm64")


def bad(version: str, scripts: dict[str, str], home: Path) -> dict[str, Any]:
    """Archives of a release that is no good, and its pins."""
    digests = {}
    with tempfile.TemporaryDirectory() as work:
        files = {name: Path(work) / name for name in scripts}
        for name, script in scripts.items():
            files[name].write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
            files[name].chmod(0o755)
        for arch in ARCHITECTURES:
            archive = home / f"prometheus-{version}.linux-{arch}.tar.gz"
            pack(files, archive.name.removesuffix(".tar.gz"), archive)
            digests[f"linux-{arch}"] = hashlib.sha256(archive.read_bytes()).hexdigest()
            with (home / "sha256sums.txt").open("a", encoding="utf-8") as sums:
                sums.write(f"{digests[f'linux-{arch}']}  {archive.name}\n")
    return {"official": digests}


def prepare() -> None:
    """The same sources leave the same files."""
    shutil.rmtree(HOME, ignore_errors=True)
    HOME.mkdir(parents=True)
    known = yaml.safe_load((ROOT / "releases.lock.yml").read_text(encoding="utf-8"))["components"]
    components: dict[str, Any] = {}
    for name, version in VERSIONS.items():
        recipe = {"go": {**known[name]["build"]["go"], "directory": str(ROOT / "tests" / "releases" / name)}}
        components[name] = {"pins": {version: {"recipe": recipe}}}
    components["prometheus"]["pins"] |= {version: bad(version, scripts, HOME) for version, scripts in BAD.items()}
    (HOME / "releases.lock.yml").write_text(yaml.safe_dump({"components": components}), encoding="utf-8")


if __name__ == "__main__":
    prepare()
