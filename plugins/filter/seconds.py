# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: seconds
short_description: A duration in seconds
version_added: 0.1.0
author: monitoring.ha contributors (@monitoring-ha)
description:
  - Reads a duration as Prometheus writes them. What is none is an error.
options:
  _input:
    description: The duration, for instance C(1h30m).
    type: str
    required: true
"""

EXAMPLES = r"""
- name: For two scrape intervals
  ansible.builtin.pause:
    seconds: "{{ (2 * ('15s' | monitoring.ha.seconds)) | int }}"
"""

RETURN = r"""
_value:
  description: Seconds.
  type: float
"""

from collections.abc import Callable

from ansible.errors import AnsibleFilterError
from ansible_collections.monitoring.ha.plugins.module_utils import durations


def seconds(text: object) -> float:
    """``1h30m`` → 5400.0; AnsibleFilterError for anything else."""
    try:
        return durations.seconds(text)
    except ValueError as error:
        raise AnsibleFilterError(f"seconds: {error}") from error


class FilterModule:
    """``duration | monitoring.ha.seconds``."""

    def filters(self) -> dict[str, Callable[..., float]]:
        return {"seconds": seconds}
