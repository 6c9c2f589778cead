"""Grafana for the demo and the scenarios: its own archive, or the stand-in where that cannot be downloaded.

``python -m tools.grafana`` says which, and leaves a mirror with the stand-in below build/ when it is needed.
"""

from __future__ import annotations

import hashlib
import shutil
import urllib.error
import urllib.request
from functools import cache

import yaml

from tests.grafana_stand_in.pack import pack
from tools.steps import ROOT

MIRROR = ROOT / "build" / "mirror"
#: The release that the stand-in plays; nobody can take its archive for Grafana's.
VERSION = "12.4.0+stand-in"
#: It is the same on every one.
ARCHITECTURES = ("amd64", "arm64")
PATIENCE = 10


def downloadable() -> bool:
    """Whether Grafana's archive of the lock file answers."""
    entry = yaml.safe_load((ROOT / "releases.lock.yml").read_text(encoding="utf-8"))["components"]["grafana"]
    archive = entry["pins"][entry["version"]]["official_urls"]["archive"].format(arch="amd64")
    try:
        with urllib.request.urlopen(urllib.request.Request(archive, method="HEAD"), timeout=PATIENCE) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


@cache
def prepare() -> str:
    """``grafana`` or ``stand-in``; the same sources leave the same mirror."""
    if downloadable():
        shutil.rmtree(MIRROR, ignore_errors=True)
        return "grafana"
    MIRROR.mkdir(parents=True, exist_ok=True)
    data = pack(VERSION)
    digest = hashlib.sha256(data).hexdigest()
    names = {arch: f"grafana-{VERSION}.linux-{arch}.tar.gz" for arch in ARCHITECTURES}
    for name in names.values():
        (MIRROR / name).write_bytes(data)
    (MIRROR / "sha256sums.txt").write_text("".join(f"{digest}  {name}\n" for name in names.values()), encoding="utf-8")
    pins = {VERSION: {"official": {f"linux-{arch}": digest for arch in ARCHITECTURES}}}
    lock = {"components": {"grafana": {"version": VERSION, "pins": pins}}}
    (MIRROR / "releases.lock.yml").write_text(yaml.safe_dump(lock), encoding="utf-8")
    return "stand-in"


if __name__ == "__main__":
    print(prepare())
