# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""``python3 -m monitoring_ha.backup`` on a host."""

from __future__ import annotations

from .cli import main

if __name__ == "__main__":
    raise SystemExit(main())
