"""Provisioning files: YAML, with variables of the environment in its values."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .. import vendored
from ..log import Logger
from ..settings.settings import SettingsError, expand
from ..web.binding import Body
from ..web.errors import ApiError

yaml = vendored.load("yaml")

_VARIABLE = re.compile(r"\$(?:\{([^}]*)\}|([A-Za-z_]\w*|[0-9*#@!?-]))")


class ProvisioningError(Exception):
    """What stops an instance from starting, or a reload from succeeding."""


def expanded(value: Any) -> Any:
    """Replaces variables in every text; `$$` is a dollar sign."""
    if isinstance(value, str):
        return "$".join(_expand(part) for part in value.split("$$")) if "$" in value else value
    if isinstance(value, list):
        return [expanded(item) for item in value]
    if isinstance(value, dict):
        return {key: expanded(item) for key, item in value.items()}
    return value


def _expand(text: str) -> str:
    try:
        text = expand(text, os.environ)
    except SettingsError as error:
        raise ProvisioningError(str(error)) from error
    return _VARIABLE.sub(lambda found: os.environ.get(found[1] or found[2] or "", ""), text)


def read(directory: Path, logger: str) -> Iterator[tuple[Path, Body]]:
    """The files of a directory, in the order of their names."""
    try:
        paths = sorted(path for path in directory.iterdir() if path.suffix in (".yaml", ".yml"))
    except OSError as error:
        Logger(logger).error(f"can't read {directory.name} provisioning files from directory", path=directory, error=error)
        return
    for path in paths:
        try:
            document = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise ProvisioningError(f"failure to parse file {path.name}: {' '.join(str(error).split())}") from error
        if document is None:
            continue
        if not isinstance(document, dict):
            raise ProvisioningError(f"failure to parse file {path.name}: yaml: unmarshal errors: a mapping is needed")
        yield path, Body(expanded(document))


def reason(error: ApiError) -> str:
    """An answer of the API, as a line of the log."""
    body = error.body or {}
    message = str(body.get("message", ""))
    if not message or message == "bad request data":
        message = "a field has the wrong type, or one that is needed is missing"
    return f"[{body['messageId']}] {message}" if "messageId" in body else message


def org_of(body: Body) -> int:
    return body.integer("orgId") or body.integer("org_id") or 1
