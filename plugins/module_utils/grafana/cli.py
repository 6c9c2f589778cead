# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The command line: ``python3 -m ansible_collections.monitoring.ha.plugins.module_utils.grafana export|import|diff``.

Passwords and tokens come from files or from the environment, as everybody on a host can read a command line.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

from . import exporter, importer, options
from .canonical import Json
from .client import Client
from .errors import GrafanaError, Interrupted
from .importer import Imported
from .kinds import KINDS
from .selection import Selection
from .signals import interruptible

#: Exit codes: something failed; Grafana and the tree differ (``diff`` and ``--check``).
FAILED, DIFFERS = 1, 3
DESCRIPTION = "Grafana as a tree of files: export, import and compare."


def parser() -> argparse.ArgumentParser:
    """All options; their defaults are those of the modules."""
    top = argparse.ArgumentParser(prog="grafana", description=DESCRIPTION)
    commands = top.add_subparsers(dest="command", required=True)
    export = commands.add_parser("export", help="write Grafana to a tree")
    export.add_argument("tree", type=Path, help="directory of the tree; replaced as a whole")
    bring = commands.add_parser("import", help="make Grafana equal to a tree")
    compare = commands.add_parser("diff", help=f"compare Grafana with a tree; exit code {DIFFERS} when they differ")
    for one in (bring, compare):
        one.add_argument("tree", type=Path, help="directory of the tree")
        _mapping(one)
    bring.add_argument("--prune", action="store_true", help="delete what the tree does not have")
    bring.add_argument("--secrets", type=Path, metavar="FILE", help="JSON file: {kind: {name: {field: value}}}")
    bring.add_argument("--update-secrets", choices=["when_missing", "always"], default="when_missing")
    bring.add_argument("--provisioned", choices=["fail", "skip"], default="fail", help="what is provisioned from files on the server")
    for one in (export, bring):
        one.add_argument("--check", action="store_true", help=f"change nothing; exit code {DIFFERS} when something would be changed")
        one.add_argument("--on-error", choices=["fail", "continue"], default="fail")
    for one in (export, bring, compare):
        _connection(one)
        _selection(one)
        one.add_argument("--json", action="store_true", help="print the result as JSON")
    for one in (bring, compare):
        one.add_argument("--diff", action="store_true", help="show what differs, line by line")
    return top


def _connection(one: argparse.ArgumentParser) -> None:
    group = one.add_argument_group("connection")
    group.add_argument("--url", default=os.environ.get("GRAFANA_URL"), help="default: GRAFANA_URL")
    group.add_argument("--user", default=os.environ.get("GRAFANA_USER", ""), help="default: GRAFANA_USER")
    group.add_argument("--password-file", type=Path, help="default: the variable GRAFANA_PASSWORD")
    group.add_argument("--token-file", type=Path, help="default: the variable GRAFANA_TOKEN")
    group.add_argument("--ca", default="", metavar="FILE")
    group.add_argument("--certificate", default="", metavar="FILE")
    group.add_argument("--key", default="", metavar="FILE")
    group.add_argument("--no-verify", dest="verify", action="store_false", help="believe any certificate")
    for name in ("timeout", "time_limit", "pause", "retries", "max_connections"):
        default = options.CONNECTION[name]["default"]
        group.add_argument(f"--{name.replace('_', '-')}", type=type(default), default=default)


def _selection(one: argparse.ArgumentParser) -> None:
    group = one.add_argument_group("what")
    group.add_argument("--organisation", dest="organisations", action="append", default=[], help="name or id; all for all of them")
    group.add_argument("--kind", dest="kinds", action="append", default=[], choices=list(KINDS))
    group.add_argument("--folder", dest="folders", action="append", default=[], help="uid, or titles with / between")
    group.add_argument("--name", dest="names", action="append", default=[], help="pattern with *")


def _mapping(one: argparse.ArgumentParser) -> None:
    pairs: dict[str, Any] = {"action": "append", "default": [], "metavar": "A=B", "type": _pair}
    one.add_argument("--organisation-map", help="name in the tree = name in Grafana", **pairs)
    one.add_argument("--datasource-map", help="name or uid in the tree = name or uid in Grafana", **pairs)
    one.add_argument("--input", dest="inputs", help="value for an input of a dashboard exported for sharing", **pairs)
    one.add_argument("--provenance", choices=["keep", "api", "none"], default="keep")
    one.add_argument("--unknown-users", choices=["fail", "skip"], default="fail")


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form A=B")
    return name, value


def _given(arguments: argparse.Namespace) -> Json:
    """The options as the modules have them."""
    given: Json = vars(arguments).copy()
    for name in ("organisation_map", "datasource_map", "inputs"):
        given[name] = dict(given.get(name) or ())
    given["password"] = _secret(arguments.password_file, "GRAFANA_PASSWORD")
    given["token"] = _secret(arguments.token_file, "" if arguments.user else "GRAFANA_TOKEN")
    if given["token"]:
        given["user"] = given["password"] = ""
    if not given["url"]:
        raise GrafanaError("no address: give --url, or set GRAFANA_URL")
    if file := given.get("secrets"):
        try:
            given["secrets"] = json.loads(file.read_text())
        except (OSError, ValueError) as error:
            raise GrafanaError(f"{file}: {type(error).__name__}") from None
    return given


def _secret(file: Path | None, variable: str) -> str:
    if file is None:
        return os.environ.get(variable, "")
    try:
        return file.read_text().rstrip("\n")
    except OSError as error:
        raise GrafanaError(f"{file}: {error.strerror}") from None


class Line:
    """One line on a terminal that says how far a run is; nothing anywhere else."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._shown = stream, 0.0
        self._used = False
        self.active = stream.isatty()

    def __call__(self, organisation: str, kind: str, done: int, total: int = 0) -> None:
        now = time.monotonic()
        if not self.active or (now - self._shown < 0.1 and done != total):
            return
        self._shown, self._used = now, True
        of = f" of {total}" if total else ""
        self._stream.write(f"\r\x1b[K{organisation}: {kind} {done}{of}")
        self._stream.flush()

    def end(self) -> None:
        if self._used:
            self._stream.write("\r\x1b[K")
            self._stream.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; its exit code, 128 and the number of the signal where one has ended it."""
    parsed = parser().parse_args(arguments)
    line = Line(sys.stderr)
    try:
        with interruptible(Interrupted, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            given = _given(parsed)
            with options.client(given) as client:
                code, result, text = _COMMANDS[parsed.command](client, parsed, given, line)
    except (GrafanaError, Interrupted) as error:
        line.end()
        if parsed.json:
            _say(json.dumps({"failed": True, "msg": str(error), **options.failed(error)}, ensure_ascii=False))
        elif error.done is not None:
            _say(_told(error.done, parsed.diff))
        sys.stderr.write(f"{parsed.command}: {error}\n")
        return 128 + error.number if isinstance(error, Interrupted) else FAILED
    line.end()
    _say(json.dumps(result, ensure_ascii=False) if parsed.json else text)
    return code


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _export(client: Client, parsed: argparse.Namespace, given: Json, line: Line) -> tuple[int, Json, str]:
    result = exporter.export(
        client,
        parsed.tree,
        wanted=given["organisations"],
        selection=Selection.of(given),
        keep_going=parsed.on_error == "continue",
        check=parsed.check,
        progress=line,
    )
    plain = options.exported(result, parsed.tree)
    rows = [f"{org}: {kind} {number}" for org, counts in result.counts.items() for kind, number in counts.items()]
    rows += [f"NOT READ {failure}" for failure in result.failures]
    files = plain["files"]
    rows.append(f"{len(files['added'])} files added, {len(files['changed'])} changed, {len(files['removed'])} removed")
    if result.failures:
        return FAILED, plain, "\n".join(rows)
    return (DIFFERS if parsed.check and result.changes else 0), plain, "\n".join(rows)


def _import(client: Client, parsed: argparse.Namespace, given: Json, line: Line) -> tuple[int, Json, str]:
    request = options.request(given)
    if not parsed.check:
        result = importer.carry_out(client, parsed.tree, request, line)
        return 0, options.imported(result), _told(result, parsed.diff)
    result = importer.plan(client, parsed.tree, request, line)
    text = "\n".join([_told(result, parsed.diff), *(f"PROBLEM {problem}" for problem in result.problems)])
    code = FAILED if result.problems else DIFFERS if result.changed else 0
    return code, options.imported(result), text


def _told(result: Imported, diff: bool) -> str:
    """An import for people: a line for each kind and each change, and the differences where they are asked for."""
    rows = [f"warning: {warning}" for warning in result.warnings]
    for plan, change in result.changes():
        one = options.described(plan, change)
        moved = f" from {one['moved_from'] or 'the root'}" if "moved_from" in one else ""
        why = f": {one['reason']}" if "reason" in one else ""
        rows.append(f"{one['action']:9} {one['kind']} {'/'.join(part for part in (one['folder'], one['name']) if part)}{moved}{why}")
        rows += [plan.diff(change)] if diff else []
    for org, kinds in result.summary().items():
        for kind, counts in kinds.items():
            rows.append(f"{org}: {kind} " + ", ".join(f"{number} {outcome}" for outcome, number in counts.items() if number))
    return "\n".join(rows)


def _diff(client: Client, parsed: argparse.Namespace, given: Json, line: Line) -> tuple[int, Json, str]:
    result = importer.compare(client, parsed.tree, options.request(given, drift=True), line)
    plain = options.drifted(result)
    rows = [f"{word:8} organisation {name}" for word in ("added", "removed") for name in plain[f"organisations_{word}"]]
    for word, objects in plain["differences"].items():
        for one in objects:
            rows.append(f"{word:8} {one['kind']} {'/'.join(part for part in (one['folder'], one['name']) if part)}")
    if parsed.diff:
        rows += [plan.diff(change, towards_tree=False) for plan, change in result.changes()]
    text = "\n".join([*(f"warning: {warning}" for warning in result.warnings), *(rows or ["no difference"])])
    return (DIFFERS if plain["drifted"] else 0), plain, text


_COMMANDS = {"export": _export, "import": _import, "diff": _diff}
