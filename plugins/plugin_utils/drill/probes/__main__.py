# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""``python3 -m ansible_collections.monitoring.ha.plugins.plugin_utils.drill.probes SETTINGS PROBE``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from . import address, database, grafana, metrics, objects, pages, query
from .common import Probe, Settings

PROBES: dict[str, type[Probe]] = {
    "address": address.Address,
    "database": database.Database,
    "grafana": grafana.Grafana,
    "metrics": metrics.Metrics,
    "objects": objects.Objects,
    "pages": pages.Pages,
    "query": query.Query,
}


def main(file: str, name: str) -> None:
    """Run one probe until the file ``stop`` appears beside its ledger."""
    PROBES[name](Settings(json.loads(Path(file).read_text(encoding="utf-8")))).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
