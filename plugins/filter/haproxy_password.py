# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible.utils.encrypt import do_encrypt

DOCUMENTATION = r"""
name: haproxy_password
short_description: A password as HAProxy stores it
version_added: 0.1.0
author: monitoring.ha contributors (@monitoring-ha)
description:
  - SHA-256 crypt with a salt made of the password and the user, so that the same password gives the same text in every run
    and no two users share a salt.
  - Few rounds, since HAProxy computes it at every request; a password of 16 random characters needs no more.
options:
  _input:
    description: The password.
    type: str
    required: true
  user:
    description: Name of the user.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: In a userlist
  ansible.builtin.debug:
    msg: "user admin password {{ vaulted_password | monitoring.ha.haproxy_password('admin') }}"
"""

RETURN = r"""
_value:
  description: The crypted password.
  type: str
"""

#: The least that SHA-256 crypt takes.
ROUNDS = 1000


def haproxy_password(password: str, user: str) -> str:
    """``$5$rounds=1000$…``, the same for the same user and password."""
    if not password:
        raise AnsibleFilterError(f"haproxy_password: the password of {user!r} is empty")
    digest = hmac.new(password.encode(), f"monitoring.ha {user}".encode(), hashlib.sha256).digest()
    salt = base64.b64encode(digest, altchars=b"./").decode()[:16]
    return str(do_encrypt(str(password), "sha256_crypt", salt=salt, rounds=ROUNDS))


class FilterModule:
    """``password | monitoring.ha.haproxy_password(user)``."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"haproxy_password": haproxy_password}
