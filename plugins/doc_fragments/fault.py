# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Options of what makes a failure."""

from __future__ import annotations


class ModuleDocFragment:
    """What to do, how long it may last, and what of it can be known beforehand."""

    DOCUMENTATION = r"""
attributes:
  check_mode:
    support: partial
    description: Says whether the failure can be made.
    details:
      - To find that out for a slow network or a full disk, the host delays packets for a moment, or writes a file of 4 KiB.
  diff_mode:
    support: none
    description: A failure is no configuration.
options:
  given:
    description: What the failure needs to know, for instance C(units), C(peers) and C(path).
    type: dict
    default: {}
  deadline:
    description: Seconds after which the host mends it by itself.
    type: int
    default: 300
  pause:
    description:
      - Seconds between having made everything ready and making the failure.
      - Starting a module takes processors that clients need who are measured, on a host as on the controller.
    type: float
    default: 0
"""
