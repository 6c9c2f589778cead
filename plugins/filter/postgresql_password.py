# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import base64
import hashlib
import hmac
import stringprep
import unicodedata
from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

DOCUMENTATION = r"""
name: postgresql_password
short_description: A password as PostgreSQL stores it
version_added: 0.1.0
author: monitoring.ha contributors (@monitoring-ha)
description:
  - A SCRAM-SHA-256 verifier, so that the password itself never reaches the server, its log or its activity view.
  - The salt is made of the user and the cluster, so that the same password gives the same text in every run and no two users
    share a salt.
options:
  _input:
    description: The password.
    type: str
    required: true
  user:
    description: Name of the user.
    type: str
    required: true
  cluster:
    description: Name of the cluster.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: A user
  community.postgresql.postgresql_user:
    name: grafana
    password: "{{ vaulted_password | monitoring.ha.postgresql_password('grafana', 'main') }}"
"""

RETURN = r"""
_value:
  description: The verifier.
  type: str
"""

#: PostgreSQL's own default.
ITERATIONS = 4096


def prepared(password: str) -> str:
    """The password as clients hash it: other blanks become blanks, what is invisible goes, and forms are unified."""
    kept = (" " if stringprep.in_table_c12(char) else char for char in password if not stringprep.in_table_b1(char))
    return unicodedata.normalize("NFKC", "".join(kept))


def postgresql_password(password: str, user: str, cluster: str) -> str:
    """``SCRAM-SHA-256$4096:salt$stored:server``, the same for the same arguments."""
    if not password:
        raise AnsibleFilterError(f"postgresql_password: the password of {user!r} is empty")
    salt = hashlib.sha256(f"monitoring.ha {cluster} {user}".encode()).digest()[:16]
    salted = hashlib.pbkdf2_hmac("sha256", prepared(str(password)).encode(), salt, ITERATIONS)
    client, server = (hmac.new(salted, key, hashlib.sha256).digest() for key in (b"Client Key", b"Server Key"))
    parts = (base64.b64encode(part).decode() for part in (salt, hashlib.sha256(client).digest(), server))
    return "SCRAM-SHA-256${}:{}${}:{}".format(ITERATIONS, *parts)


class FilterModule:
    """``password | monitoring.ha.postgresql_password(user, cluster)``."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"postgresql_password": postgresql_password}
