# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A configuration directory as one thing: staged, validated, swapped in, the previous one kept.

Layout::

    /etc/prometheus              → .prometheus.trees/<digest>       what counts
    /etc/.prometheus.trees/<digest>/                                one directory a configuration
    /etc/.prometheus.trees/<digest>.json                            its secret paths
"""

from __future__ import annotations

import base64
import contextlib
import grp
import gzip
import hashlib
import io
import json
import os
import pwd
import re
import shutil
import stat
import subprocess
import tarfile
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ansible_collections.monitoring.ha.plugins.module_utils import units
from ansible_collections.monitoring.ha.plugins.module_utils.keep import named

#: What stands for the staged tree in a command.
STAGED = "{staged}"
HIDDEN = "********"
#: A name that says that its value is a secret, and the value. Where a secret is kept is none: a path is shown.
SECRET_VALUE = re.compile(
    r"(?i)((?<![/\w.-])[\w-]*(?:passw|secret|token|credential|_key\b|auth_pass|api_key)[\w-]*(?<!file)(?<!files)(?<!path)(?![\w-])"
    r"[\"']?[ \t]*[:= \t][ \t]*)(\"[^\"\n]*\"|'[^'\n]*'|[^\s\"',}]+)"
)
#: What looks made by chance, in a file that is secret as a whole.
RANDOM = re.compile(r"(?=[^\s\"',]*\d)(?=[^\s\"',]*[A-Za-z])[^\s\"',]{16,}")
URL_PASSWORD = re.compile(r"(?<=://)[^\s/@:]*:[^\s/@]+(?=@)")
#: The same for diffs, in which prose and expressions stay: such a name with what tells it from its value.
SECRET_NAME = (
    r"(?<![/\w.-])(?=[\w.-]*?(?:passw|secret|token|credential|auth_pass|api[_-]?key|[_-]key(?![\w-])|authorization|bearer))"
    r"[\w.-]++(?<!file)(?<!files)(?<!path)(?<!url)[\"']?"
)
SEPARATOR = r"(?:(?<=[\"'])[ \t]*:[ \t]*|[ \t]*:[ \t]+|[ \t]*=[ \t]*(?![=~ \t]))"
SECRET_LINE = re.compile(rf"(?i)^([ \t]*(?:- )*[\"']?{SECRET_NAME}(?:{SEPARATOR}|[ \t]+(?=\S+[ \t]*$)))(?=\S)(.*)$")
SECRET_WITHIN = re.compile(rf"(?i)({SECRET_NAME}{SEPARATOR})(\"[^\"\n]*\"|'[^'\n]*'|\[[^\]\n]*\]|[^\s\"',}}&]+)")
#: A line that begins a block of YAML or JSON under such a name.
SECRET_BLOCK = re.compile(rf"(?i)^([ \t]*(?:- )*)[\"']?{SECRET_NAME}[ \t]*:[ \t]*([|>][-+0-9]*|[\[{{])?[ \t]*$")
BLOCK_LINE = re.compile(r"^([ \t]*(?:- )*)([\"']?[\w.-]+[\"']?:(?:[ \t]+|$))?(.*)$")


class TreeError(RuntimeError):
    """Nothing was changed; the message names the file and the remedy."""


@dataclass(frozen=True)
class File:
    """A file of the tree. path: relative. content: bytes. mode: permission bits. secret: never shown."""

    path: str
    content: bytes
    mode: int = 0o640
    owner: str = "root"
    group: str = "root"
    secret: bool = False

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


def checked_path(path: str) -> str:
    """A relative path that stays inside; TreeError otherwise."""
    clean = os.path.normpath(path)
    if not path or os.path.isabs(path) or clean.startswith("..") or clean == "." or clean != path.rstrip("/"):
        raise TreeError(f"{path!r} is not a plain path inside the tree")
    return clean


def parents(path: str) -> list[str]:
    """The directories above a path: ``a/b/c`` → ``a``, ``a/b``."""
    parts = path.split("/")
    return ["/".join(parts[:n]) for n in range(1, len(parts))]


def digest(files: Iterable[File], directory_mode: int) -> str:
    """Identity of a tree: paths, content, owners and modes."""
    facts = [(f.path, f.sha256, f.mode, f.owner, f.group) for f in sorted(files, key=lambda f: f.path)]
    return hashlib.sha256(json.dumps([facts, directory_mode]).encode()).hexdigest()


# --- transport -----------------------------------------------------------------------------------------------------


def pack(files: Iterable[File]) -> str:
    """Files as text for a module's argument."""
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as packed, tarfile.open(fileobj=packed, mode="w") as archive:
        for file in files:
            entry = tarfile.TarInfo(file.path)
            entry.size, entry.mode = len(file.content), file.mode
            entry.pax_headers = {"owner": file.owner, "group": file.group, "secret": str(int(file.secret))}
            archive.addfile(entry, io.BytesIO(file.content))
    return base64.b64encode(buffer.getvalue()).decode()


def unpack(text: str) -> list[File]:
    """The reverse of ``pack``."""
    found = []
    with tarfile.open(fileobj=io.BytesIO(base64.b64decode(text)), mode="r:gz") as archive:
        for entry in archive:
            stream = archive.extractfile(entry)
            its = entry.pax_headers
            content = stream.read() if stream else b""
            found.append(File(entry.name, content, entry.mode, its["owner"], its["group"], its["secret"] == "1"))
    return found


# --- what is there -------------------------------------------------------------------------------------------------


def trees(dest: str) -> str:
    """Directory that keeps the trees of ``dest``."""
    return os.path.join(os.path.dirname(dest), f".{os.path.basename(dest)}.trees")


def read_tree(directory: str, secret: Iterable[str] | None) -> dict[str, File]:
    """The files of a directory. Without a list of secret paths, whatever others may not read counts as one."""
    known = None if secret is None else set(secret)
    found: dict[str, File] = {}
    for top, _directories, names in os.walk(directory):
        for name in names:
            full = os.path.join(top, name)
            if not os.path.isfile(full):
                continue
            path, its = os.path.relpath(full, directory), os.stat(full)
            with open(full, "rb") as file:
                content = file.read()
            hidden = path in known if known is not None else not its.st_mode & stat.S_IROTH
            found[path] = File(path, content, stat.S_IMODE(its.st_mode), name_of_user(its.st_uid), name_of_group(its.st_gid), hidden)
    return found


def present(dest: str) -> dict[str, File]:
    """What ``dest`` holds now; empty when there is nothing."""
    if not os.path.isdir(dest):
        return {}
    return read_tree(dest, about(dest).get("secret"))


def about(dest: str) -> dict[str, Any]:
    """What is known of the tree that ``dest`` holds: ``secret`` paths, and what ``accepted`` it; empty when nothing is."""
    if os.path.islink(dest):
        with contextlib.suppress(OSError, ValueError), open(os.path.realpath(dest) + ".json", encoding="utf-8") as file:
            return dict(json.load(file))
    return {}


def tell(target: str, files: Iterable[File], accepted: Sequence[Any]) -> None:
    """Write down, beside a tree, which of its paths are secret, and who accepted it."""
    units.write(f"{target}.json", json.dumps({"secret": sorted(f.path for f in files if f.secret), "accepted": accepted}))


def programs(commands: Sequence[Sequence[str]]) -> list[list[Any]]:
    """Commands with what tells one build of their program from another: size and time of the file that would run."""
    found = []
    for command in commands:
        path = shutil.which(str(command[0]))
        its = os.stat(path) if path else None
        found.append([*map(str, command), *([its.st_size, its.st_mtime_ns] if its else [])])
    return found


def name_of_user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def name_of_group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def directory_modes(directory: str) -> set[int]:
    """Permission bits of a tree's directories."""
    return {stat.S_IMODE(os.stat(top).st_mode) for top, _directories, _names in os.walk(directory)}


# --- diff ----------------------------------------------------------------------------------------------------------


def veiled(text: str) -> str:
    """A text without what looks like a secret: passwords in URLs, and values of names that say so, be it on lines of their own."""
    lines: list[str] = []
    # Where the block of such a name begins, and whether it is nothing but text.
    column, verbatim = -1, False
    for line in text.splitlines(keepends=True):
        words = line.rstrip("\r\n")
        end = line[len(words) :]
        indent = len(words) - len(words.lstrip())
        if words.strip() and not (indent > column >= 0 or (indent == column and words.lstrip().startswith(("- ", "]", "}")))):
            column = -1
        if column >= 0:
            if words.strip(" \t[]{},") and (found := BLOCK_LINE.match(words)):
                kept = "" if verbatim else found[2] or ""
                hidden = HIDDEN if verbatim or found[3] else ""
                words = f"{found[1]}{kept}{hidden}"
        elif block := SECRET_BLOCK.match(words):
            column, verbatim = len(block[1]), bool(block[2]) and block[2][0] in "|>"
        else:
            words = SECRET_WITHIN.sub(lambda m: m[1] + HIDDEN, SECRET_LINE.sub(lambda m: m[1] + HIDDEN, words))
        lines.append(URL_PASSWORD.sub(HIDDEN, words) + end)
    return "".join(lines)


def shown(file: File | None, hide: bool) -> str:
    """A file for people: its text but for secrets, or what may be said of it."""
    if file is None:
        return ""
    if hide:
        return f"(secret, {file.owner}:{file.group} {file.mode:04o})\n"
    try:
        return veiled(file.content.decode())
    except UnicodeDecodeError:
        return f"({len(file.content)} bytes, sha256 {file.sha256})\n"


def differences(dest: str, before: Mapping[str, File], after: Mapping[str, File]) -> list[dict[str, str]]:
    """One entry a file that is created, changed or removed; neither the content of a secret one nor what looks like a secret is in it."""
    found = []
    for path in sorted({*before, *after}):
        old, new = before.get(path), after.get(path)
        if old and new and (old.content, old.mode, old.owner, old.group) == (new.content, new.mode, new.owner, new.group):
            continue
        hide = bool((old and old.secret) or (new and new.secret))
        texts = [shown(old, hide), shown(new, hide)]
        if old and new and texts[0] == texts[1]:
            kind = "content" if old.content != new.content else f"{old.owner}:{old.group} {old.mode:04o}"
            texts[0] += f"(other {kind} before)\n"
        label = os.path.join(dest, path)
        found.append({"before_header": label if old else f"{label} (absent)", "after_header": label if new else f"{label} (absent)"})
        found[-1].update(before=texts[0], after=texts[1])
    return found


def redact(text: str, files: Iterable[File]) -> str:
    """A validator's words without the secrets it may have quoted."""
    text = URL_PASSWORD.sub(HIDDEN, SECRET_VALUE.sub(lambda m: m.group(1) + HIDDEN, text))
    values: set[str] = set()
    for file in files:
        lines = [line for line in file.content.decode(errors="replace").splitlines() if not line.lstrip().startswith("#")]
        content = "\n".join(lines)
        values.update(m.group(2).strip("\"'") for m in SECRET_VALUE.finditer(content))
        values.update(URL_PASSWORD.findall(content))
        if file.secret:
            values.update(RANDOM.findall(content))
            values.update(line.strip() for line in lines if len(lines) == 1)
    for value in sorted((v for v in values if len(v) > 3), key=len, reverse=True):
        text = text.replace(value, HIDDEN)
    return text


# --- staging and swapping ------------------------------------------------------------------------------------------


def identifiers(file: File, lenient: bool) -> tuple[int, int]:
    """Numbers of a file's owner and group; TreeError names the missing one, unless ``lenient`` (check mode)."""
    missing = ""
    try:
        missing = f"user {file.owner!r}"
        uid = pwd.getpwnam(file.owner).pw_uid
        missing = f"group {file.group!r}"
        gid = grp.getgrnam(file.group).gr_gid
    except KeyError as error:
        if lenient:
            return -1, -1
        raise TreeError(f"{file.path}: there is no {missing}: create it before the configuration") from error
    return uid, gid


def write(directory: str, files: Iterable[File], directory_mode: int, group: str, lenient: bool = False) -> None:
    """Write a whole tree, safe against a loss of power."""
    owned: tuple[int, int] = identifiers(File(".", b"", group=group), lenient)
    for file in files:
        full = os.path.join(directory, file.path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "wb") as stream:
            stream.write(file.content)
            stream.flush()
            os.fsync(stream.fileno())
        if os.geteuid() == 0:
            os.chown(full, *identifiers(file, lenient))
        os.chmod(full, file.mode)
    for top, _directories, _names in os.walk(directory):
        if os.geteuid() == 0:
            os.chown(top, *owned)
        os.chmod(top, directory_mode)


def validate(staged: str, dest: str, commands: Sequence[Sequence[str]], environment: Mapping[str, str], files: Sequence[File]) -> None:
    """Run each command on the staged tree; TreeError with the words of the first that refuses it."""
    for command in commands:
        words = [str(word).replace(STAGED, staged) for word in command]
        try:
            done = subprocess.run(
                words,
                cwd=staged,
                env={**os.environ, "LC_ALL": "C", **environment},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=120,
                check=False,
            )
        except FileNotFoundError as error:
            raise TreeError(f"{words[0]}: no such program: the configuration was not checked, and nothing was changed") from error
        except subprocess.TimeoutExpired as error:
            raise TreeError(f"{os.path.basename(words[0])} did not finish within 120 s; nothing was changed") from error
        if done.returncode:
            said = redact(done.stdout.decode(errors="replace"), files).replace(staged, dest)
            lines = [line.strip() for line in said.splitlines() if line.strip()]
            words_of_it = " | ".join(lines[-12:]) or f"it says nothing, and ends with {done.returncode}"
            raise TreeError(f"{os.path.basename(words[0])} refuses the configuration, nothing was changed: {words_of_it}")


def swap(dest: str, target: str) -> None:
    """Let ``dest`` be a symlink to ``target``, in one step. A directory that stood there is kept among the trees."""
    parent, name = os.path.split(dest)
    if os.path.lexists(dest) and not os.path.islink(dest):
        kept = tempfile.mkdtemp(prefix="adopted-", dir=trees(dest))
        os.rename(dest, os.path.join(kept, name))
    temporary = os.path.join(parent, f".{name}.new")
    if os.path.lexists(temporary):
        os.unlink(temporary)
    os.symlink(os.path.relpath(target, parent), temporary)
    os.replace(temporary, dest)


def prune(dest: str, keep: Iterable[str]) -> None:
    """Forget every tree but ``keep``, what was adopted, and what a restore point names."""
    kept = {os.path.basename(path) for path in keep if path}
    for name in os.listdir(trees(dest)):
        if name.startswith("adopted-") or name.removesuffix(".json") in kept:
            continue
        path = os.path.join(trees(dest), name)
        if named(path.removesuffix(".json")):
            continue
        shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)


@dataclass
class Outcome:
    """What was done. previous: directory of the tree before; validated: whether the commands ran."""

    changed: bool
    digest: str
    digests: dict[str, str]
    diff: list[dict[str, str]]
    previous: str = ""
    validated: bool = False

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def is_current(dest: str, files: Mapping[str, File], before: Mapping[str, File], directory_mode: int) -> bool:
    """Whether ``dest`` is a managed tree with exactly these files."""
    if not os.path.islink(dest) or set(before) != set(files) or directory_modes(dest + "/") != {directory_mode}:
        return False
    return all(
        (old.content, old.mode, old.owner, old.group) == (new.content, new.mode, new.owner, new.group)
        for old, new in ((before[path], files[path]) for path in files)
    )


def stage(dest: str, files: Sequence[File], directory_mode: int, group: str, *, lenient: bool) -> str:
    """Write the tree into a directory of its own, beside the others (elsewhere in check mode)."""
    if lenient:
        staged = tempfile.mkdtemp(prefix="monitoring-ha-check-")
    else:
        os.makedirs(trees(dest), mode=0o755, exist_ok=True)
        staged = tempfile.mkdtemp(prefix=".staged-", dir=trees(dest))
    try:
        write(staged, files, directory_mode, group, lenient)
    except BaseException:
        shutil.rmtree(staged, ignore_errors=True)
        raise
    return staged


def apply(
    dest: str,
    files: Sequence[File],
    *,
    group: str = "root",
    directory_mode: int = 0o750,
    commands: Sequence[Sequence[str]] = (),
    environment: Mapping[str, str] | None = None,
    check: bool = False,
    diff: bool = False,
) -> Outcome:
    """Make ``dest`` hold exactly ``files``; TreeError, with nothing changed, when a command refuses them.

    A tree that is there already is validated anew by other commands, and by another version of their programs.
    """
    wanted = {checked_path(f.path): f for f in files}
    if len(wanted) != len(files):
        raise TreeError("a path is given twice: " + ", ".join(sorted(p for p in wanted if sum(f.path == p for f in files) > 1)))
    if both := {parent for path in wanted for parent in parents(path)} & set(wanted):
        raise TreeError(f"{', '.join(sorted(both))} cannot be a file and a directory at once")
    identity = digest(files, directory_mode)
    before = present(dest)
    outcome = Outcome(False, identity, {f.path: f.sha256 for f in files}, [])
    # On a host that has nothing yet, check mode cannot ask a program that is still to be installed.
    runnable = [c for c in commands if not check or shutil.which(c[0])]
    judges = programs(runnable)
    if is_current(dest, wanted, before, directory_mode):
        accepted = about(dest).get("accepted", [])
        if any(judge not in accepted for judge in judges):
            target = os.path.realpath(dest)
            validate(target, dest, runnable, environment or {}, files)
            outcome.validated = len(runnable) == len(commands)
            if not check:
                tell(target, files, judges)
        return outcome
    outcome.changed = True
    outcome.diff = differences(dest, before, wanted) if diff else []
    staged = stage(dest, files, directory_mode, group, lenient=check)
    try:
        validate(staged, dest, runnable, environment or {}, files)
        outcome.validated = len(runnable) == len(commands)
        if check:
            return outcome
        target = next(p for n in range(1000) if not os.path.lexists(p := os.path.join(trees(dest), identity[:16] + (f".{n}" if n else ""))))
        tell(target, files, judges)
        os.rename(staged, target)
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    outcome.previous = os.path.realpath(dest) if os.path.islink(dest) and os.path.isdir(dest) else ""
    swap(dest, target)
    prune(dest, [target, outcome.previous])
    return outcome
