"""The stack's dashboards, panel by panel, with Grafana's variables filled in."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DIRECTORY = Path(__file__).parents[2] / "roles" / "grafana" / "files" / "dashboards"
FILES = sorted(DIRECTORY.glob("*.json"))
#: Those of the demo's inventory, which has the other database.
DEMO = [file for file in FILES if file.stem != "galera"]
#: What Grafana puts into an expression: everything that a variable offers, and a window that holds several scrapes.
VALUES = {"host": ".+", "__rate_interval": "1m"}


@dataclass(frozen=True)
class Panel:
    """A panel that shows something. expressions: of its queries, by their letter."""

    dashboard: str
    title: str
    expressions: dict[str, str]

    def __str__(self) -> str:
        return f"{self.dashboard}: {self.title}"


def read(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def filled(expression: str) -> str:
    """An expression without variables; KeyError for one that is not known."""
    return re.sub(r"\$(\w+)", lambda found: VALUES[found[1]], expression)


def panels(file: Path) -> Iterator[Panel]:
    for panel in read(file)["panels"]:
        if panel["type"] != "row":
            yield Panel(file.stem, panel["title"], {target["refId"]: filled(target["expr"]) for target in panel["targets"]})


PANELS = [panel for file in FILES for panel in panels(file)]
