# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

DOCUMENTATION = r"""
name: mariadb_password
short_description: A password as MariaDB stores it
version_added: 0.1.0
author: monitoring.ha contributors (@monitoring-ha)
description:
  - The form of C(mysql_native_password), so that the password itself never reaches the server, its log or its list of processes.
  - It has no salt; clients of every kind know it, and it crosses the network over TLS alone.
options:
  _input:
    description: The password.
    type: str
    required: true
  user:
    description: Name of the user, for messages.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: A user
  community.mysql.mysql_user:
    name: grafana
    password: "{{ vaulted_password | monitoring.ha.mariadb_password('grafana') }}"
    encrypted: true
"""

RETURN = r"""
_value:
  description: An asterisk and 40 hexadecimal digits.
  type: str
"""


def mariadb_password(password: str, user: str) -> str:
    """``*…``, the same for the same password."""
    if not password:
        raise AnsibleFilterError(f"mariadb_password: the password of {user!r} is empty")
    inner = hashlib.sha1(str(password).encode(), usedforsecurity=False).digest()
    return "*" + hashlib.sha1(inner, usedforsecurity=False).hexdigest().upper()


class FilterModule:
    """``password | monitoring.ha.mariadb_password(user)``."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"mariadb_password": mariadb_password}
