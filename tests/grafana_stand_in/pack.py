"""Packs the stand-in like Grafana's archive: `python -m tests.grafana_stand_in.pack --version 12.4.0 --output FILE-OR-DIRECTORY`.

The same sources and pins give the same bytes. What is vendored is fetched once and kept below the cache directory.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import os
import platform
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from .release import Release

_PACKAGE = Path(__file__).parent
_PINS = _PACKAGE / "vendored.txt"
_STAMP = 1_704_067_200
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_LEFT_OUT = (".so", ".pyd", ".dist-info/RECORD")
_LAUNCHER = f"""#!/usr/bin/env -S python3 -I
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))

from {_PACKAGE.name}.cli import main

sys.exit(main(sys.argv[1:]))
"""
_INDEX = "<!DOCTYPE html><html><head><title>Grafana</title></head><body></body></html>\n"


def _cache() -> Path:
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "monitoring-ha" / "grafana-stand-in"


def _pins() -> dict[str, str]:
    """Hash of each wheel, and what it is of."""
    found = {}
    for line in _PINS.read_text().splitlines():
        if "--hash=sha256:" in line:
            name, _, digest = line.partition(" --hash=sha256:")
            found[digest.strip()] = name
    return found


def wheels() -> list[Path]:
    """The pinned wheels, from the cache where they are in it."""
    directory, pins = _cache(), _pins()
    directory.mkdir(parents=True, exist_ok=True)

    def present() -> dict[str, Path]:
        return {hashlib.sha256(path.read_bytes()).hexdigest(): path for path in directory.glob("*.whl")}

    if not set(pins) <= set(present()):
        target = [
            "--only-binary=:all:",
            "--implementation=cp",
            "--python-version=3.11",
            "--platform=manylinux2014_x86_64",
            "--platform=any",
        ]
        words = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes", *target]
        subprocess.run([*words, f"--dest={directory}", f"--requirement={_PINS}"], check=True, stdout=sys.stderr)
    return [present()[digest] for digest in sorted(pins, key=lambda digest: pins[digest])]


def _vendored() -> Iterator[tuple[str, bytes]]:
    """Pure Python only: extensions are left out, and what wraps them falls back."""
    for wheel in wheels():
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                if not name.endswith((*_LEFT_OUT, "/")):
                    yield f"lib/{name}", archive.read(name)


def _own() -> Iterator[tuple[str, bytes]]:
    for path in _PACKAGE.rglob("*.py"):
        if path.name not in ("pack.py", "__main__.py"):
            yield f"lib/{_PACKAGE.name}/{path.relative_to(_PACKAGE)}", path.read_bytes()


def contents(version: str) -> dict[str, bytes]:
    """The files of a home directory."""
    files = {
        "bin/grafana": _LAUNCHER.encode(),
        "conf/defaults.ini": (_PACKAGE / "defaults.ini").read_bytes(),
        "conf/sample.ini": b"# Options that differ from conf/defaults.ini.\n",
        "public/views/index.html": _INDEX.encode(),
        "VERSION": f"{version}\n".encode(),
    }
    for kind in ("access-control", "alerting", "dashboards", "datasources", "plugins"):
        files[f"conf/provisioning/{kind}/sample.yaml"] = b"# apiVersion: 1\n"
    return {**files, **dict(_own()), **dict(_vendored())}


def pack(version: str) -> bytes:
    release = Release(version)
    top = f"grafana-{release.version}"
    assert release.number
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in sorted(contents(version).items()):
            entry = tarfile.TarInfo(f"{top}/{name}")
            entry.size, entry.mtime, entry.mode = len(data), _STAMP, 0o755 if name.startswith("bin/") else 0o644
            archive.addfile(entry, io.BytesIO(data))
    return gzip.compress(buffer.getvalue(), compresslevel=6, mtime=0)


def main() -> None:
    machine = platform.machine()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--version", required=True, help="the version of Grafana that is played, such as 12.4.0")
    parser.add_argument("--arch", default=_ARCHITECTURES.get(machine, machine), help="the architecture in the name of the archive")
    parser.add_argument("--output", type=Path, default=Path(), help="a file, or a directory that gets a file of the usual name")
    arguments = parser.parse_args()
    path: Path = arguments.output
    if path.is_dir():
        path /= f"grafana-{arguments.version}.linux-{arguments.arch}.tar.gz"
    data = pack(arguments.version)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    print(f"{hashlib.sha256(data).hexdigest()}  {path}")


if __name__ == "__main__":
    main()
