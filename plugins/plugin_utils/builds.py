# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Archives built from a package registry, laid out as upstream lays out its own.

Go modules are pinned by ``releases/<component>/go.{mod,sum}`` and built
reproducibly: the same toolchain gives the same archive, byte for byte.
Crates are pinned by the checksum of the crate, whose lock file pins the rest.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import platform
import re
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.monitoring.ha.plugins.plugin_utils.lock import MACHINES, ROOT, Release

Progress = Callable[[str], None]
#: Seconds between two lines of progress.
INTERVAL = 10.0


class BuildUnavailable(RuntimeError):
    """The release cannot be built here: no toolchain, no recipe, or another architecture."""


class BuildError(RuntimeError):
    """The build was tried and failed; the message ends with the toolchain's own."""


def pack(files: Mapping[str, Path], top: str, target: Path) -> None:
    """An archive of ``files`` (name → file) below ``top``: the same input gives the same bytes."""
    with (
        target.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, compresslevel=6, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        directory = tarfile.TarInfo(top)
        directory.type, directory.mode = tarfile.DIRTYPE, 0o755
        archive.addfile(directory)
        for name, path in sorted(files.items()):
            data = path.read_bytes()
            entry = tarfile.TarInfo(f"{top}/{name}")
            entry.size, entry.mode = len(data), 0o755 if os.access(path, os.X_OK) else 0o644
            archive.addfile(entry, io.BytesIO(data))


def unbound(command: list[str]) -> list[str]:
    """The command on every processor: Mitogen ties its own processes, and with them what they start, to one each."""
    return ["taskset", "--cpu-list", f"0-{(os.cpu_count() or 1) - 1}", *command] if shutil.which("taskset") else command


def run(command: list[str], directory: Path, environment: Mapping[str, str], title: str, progress: Progress) -> str:
    """Run a toolchain, telling now and then how far it is. Returns what it printed; BuildError with its last lines."""
    start = told = time.monotonic()
    lines: list[str] = []
    with subprocess.Popen(
        unbound(command),
        cwd=directory,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        for line in process.stdout or ():
            lines.append(line.rstrip())
            if time.monotonic() - told >= INTERVAL:
                told = time.monotonic()
                progress(f"{title}: {len(lines)} packages after {told - start:.0f} s")
    if process.returncode:
        raise BuildError(f"{title}: {' '.join(command[:2])} failed: " + " | ".join(lines[-6:]))
    return "\n".join(lines)


def pins_version(module: str, name: str, version: str) -> bool:
    """Whether a ``go.mod`` requires module ``name`` in ``version``. Without its major version in its name it carries another number."""
    major, minor, patch = [*version.split("."), "", ""][:3]
    numbers = (version, f"0.{major}{minor:0>2}.{patch}")
    return any(re.search(rf"^\s*(?:require )?{re.escape(f'{name} v{number}')}(?:\s|$)", module, re.MULTILINE) for number in numbers)


def go(release: Release, recipe: Mapping[str, Any], arch: str, work: Path, progress: Progress) -> dict[str, Path]:
    """Programs and licence of a Go module, built for ``arch``."""
    if not shutil.which("go"):
        raise BuildUnavailable("no Go toolchain")
    source = ROOT / "releases" / recipe.get("directory", release.component)
    if not (source / "go.mod").is_file():
        raise BuildUnavailable(f"no {source.name}/go.mod")
    if not pins_version((source / "go.mod").read_text(encoding="utf-8"), recipe["module"], release.version):
        raise BuildUnavailable(f"{source.name}/go.mod is not of version {release.version}")
    environment = {
        "CGO_ENABLED": "0",
        "GOOS": "linux",
        "GOARCH": "arm" if arch == "armv7" else arch,
        "GOTOOLCHAIN": recipe["toolchain"],
        "GOFLAGS": "-mod=readonly -trimpath -buildvcs=false",
        "GOWORK": "off",
        # What a caller's environment may say otherwise, and the programs would differ.
        "GOAMD64": "v1",
        "GOARM64": "v8.0",
        "GOARM": "7",
        "GOEXPERIMENT": "",
    }
    title = f"{release.component} {release.version} for linux-{arch}"
    version = "github.com/prometheus/common/version"
    flags = f"-s -w -X {version}.Version={release.version} -X {version}.Branch=release -X {version}.BuildUser=monitoring.ha"
    command = ["go", "build", "-v", "-tags", ",".join(recipe.get("tags", [])), "-ldflags", flags, "-o"]
    files: dict[str, Path] = {}
    for package in recipe["packages"]:
        name = release.component if package == "." else package.rsplit("/", 1)[-1]
        path = recipe["module"] if package == "." else f"{recipe['module']}/{package}"
        run([*command, str(work / name), path], source, environment, title, progress)
        files[name] = work / name
    home = run(["go", "list", "-m", "-f", "{{.Dir}}", recipe["module"]], source, environment, title, progress).splitlines()[-1]
    files |= {name: Path(home) / name for name in ("LICENSE", "NOTICE") if (Path(home) / name).is_file()}
    return files


def cargo(release: Release, recipe: Mapping[str, Any], arch: str, work: Path, progress: Progress) -> dict[str, Path]:
    """Programs of a crate, built for this machine's architecture."""
    if not shutil.which("cargo"):
        raise BuildUnavailable("no Rust toolchain")
    if MACHINES.get(arch) != platform.machine():
        raise BuildUnavailable(f"a crate is built for the controller's own architecture only ({platform.machine()})")
    home = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo"))
    crate, title = f"{recipe['crate']}@{release.version}", f"{release.component} {release.version} for linux-{arch}"
    # Fetches the crate without building it, so that it can be checked first.
    run(["cargo", "info", crate], work, {}, title, progress)
    fetched = sorted(home.glob(f"registry/cache/*/{recipe['crate']}-{release.version}.crate"))
    digests = {hashlib.sha256(path.read_bytes()).hexdigest() for path in fetched}
    if digests != {release.pins.get("crate")}:
        raise BuildError(
            f"{title}: the crate has sha256 {', '.join(digests) or '(not found)'}, the lock file says {release.pins.get('crate')}"
        )
    environment = {f"CARGO_PROFILE_RELEASE_{key.upper()}": str(value) for key, value in recipe.get("profile", {}).items()}
    environment["RUSTFLAGS"] = f"--remap-path-prefix={home}=/cargo --remap-path-prefix={work}=/build"
    features = ["--no-default-features", "--features", ",".join(recipe["features"])]
    command = ["cargo", "install", crate, "--locked", "--no-track", "--root", str(work / "root"), "--target-dir", str(work / "target")]
    run([*command, *features], work, environment, title, progress)
    return {name: work / "root" / "bin" / name for name in release.files}


def build(release: Release, arch: str, target: Path, progress: Progress) -> None:
    """Build ``release`` for ``arch`` and write its archive to ``target``. BuildUnavailable, BuildError."""
    recipes: dict[str, Callable[..., dict[str, Path]]] = {"go": go, "cargo": cargo}
    for kind, recipe in release.build.items():
        if kind not in recipes:
            raise BuildUnavailable(f"no way to build from {kind!r}; known: {', '.join(recipes)}")
        with tempfile.TemporaryDirectory(prefix="monitoring-ha-build-") as work:
            files = recipes[kind](release, recipe, arch, Path(work), progress)
            pack(files, release.stem(release.archive(arch)), target)
        return
    raise BuildUnavailable("no recipe in the lock file")
