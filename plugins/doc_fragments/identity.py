# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Options of modules that ask members of the stack."""

from __future__ import annotations


class ModuleDocFragment:
    """Whom to trust, and what to show."""

    DOCUMENTATION = r"""
options:
  ca:
    description: File with the authority to trust.
    type: path
    default: /etc/monitoring-ha/pki/ca.pem
  certificate:
    description: File with the certificate to show; empty for none.
    type: path
    default: /etc/monitoring-ha/pki/host.pem
  key:
    description: File with its key.
    type: path
    default: /etc/monitoring-ha/pki/host.key
"""
