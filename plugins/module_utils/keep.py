# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What must not be cleared away, as the way back to it may be needed."""

from __future__ import annotations

#: Where a host's restore point is kept; see ``restore_point``.
RESTORE_POINT = "/var/lib/monitoring-ha/restore-point.json"
#: Where a host remembers that its turn in a roll-out ended well, until the roll-out has.
TURNS = "/var/lib/monitoring-ha/turns.json"
#: Where the packages of before are kept, as an archive offers the newest version only.
PACKAGES = "/var/lib/monitoring-ha/packages"


def named(path: str, point: str = RESTORE_POINT) -> bool:
    """Whether the restore point names ``path``, or something in it."""
    try:
        with open(point, encoding="utf-8") as file:
            text = file.read()
    except OSError:
        return False
    return f'"{path}"' in text or f"{path}/" in text
