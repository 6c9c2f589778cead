"""The ini dialect of grafana.ini: `;` and `#` comments also behind a value, quotes, triple quotes, continuation lines, `%(key)s`."""

from __future__ import annotations

import re
from collections.abc import Iterator

Sections = dict[str, dict[str, str]]

DEFAULT = "DEFAULT"
_INTERPOLATION = re.compile(r"%\(([^)]+)\)s")
_MAX_DEPTH = 99


class IniError(ValueError):
    """What keeps a file from being read."""


def parse(text: str) -> Sections:
    sections: Sections = {DEFAULT: {}}
    current = sections[DEFAULT]
    lines = iter(text.removeprefix("\ufeff").splitlines())
    for raw in lines:
        line = raw.strip()
        if not line or line[0] in "#;":
            continue
        if line[0] == "[":
            end = line.rfind("]")
            if end < 0:
                raise IniError(f"unclosed section: {line}")
            current = sections.setdefault(line[1:end].strip() or DEFAULT, {})
            continue
        found = re.search("[=:]", line)
        if found is None:
            raise IniError(f"key-value delimiter not found: {line}")
        key = line[: found.start()].strip()
        if not key:
            raise IniError(f"key name is missing: {line}")
        current[key] = _value(line[found.end() :].strip(), lines)
    return sections


def _value(line: str, lines: Iterator[str]) -> str:
    for quote in ('"""', "`"):
        if line.startswith(quote) and (len(line) > len(quote) or quote == '"""'):
            return _quoted(line[len(quote) :], quote, lines)
    while line.endswith("\\"):
        line = line[:-1] + next(lines, "").strip()
    comment = re.search("[#;]", line)
    if comment is not None:
        line = line[: comment.start()].strip()
    if len(line) >= 2 and line[0] == line[-1] and line[0] in "'\"":
        return line[1:-1]
    return line


def _quoted(rest: str, quote: str, lines: Iterator[str]) -> str:
    end = rest.rfind(quote)
    if end >= 0:
        return rest[:end]
    collected = [rest]
    for more in lines:
        end = more.find(quote)
        if end >= 0:
            collected.append(more[:end])
            return "\n".join(collected)
        collected.append(more)
    raise IniError(f"missing closing key quote from {rest!r} to the end of the file")


def interpolate(sections: Sections, section: str, value: str) -> str:
    """Resolves `%(key)s` from the section itself, then from the keys before the first section."""
    for _ in range(_MAX_DEPTH):
        found = _INTERPOLATION.search(value)
        if found is None:
            break
        replacement = sections.get(section, {}).get(found[1])
        if replacement is None or replacement == value:
            replacement = sections[DEFAULT].get(found[1])
        if replacement is None:
            break
        value = value[: found.start()] + replacement + value[found.end() :]
    return value
