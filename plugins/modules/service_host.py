#!/usr/bin/python
# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: service_host
short_description: The host's half of the action service
version_added: 0.1.0
author: monitoring.ha contributors (@monitoring-ha)
description:
  - Brings a unit into its state, waits for its gate, and records what it runs with. Playbooks use M(monitoring.ha.service).
attributes:
  check_mode:
    support: full
    description: Tells what would be done.
  diff_mode:
    support: full
    description: Shows unit files and drop-ins.
options:
  unit:
    description: Name of the unit, with its suffix.
    type: str
    required: true
  content:
    description: The whole unit file.
    type: str
  dropin:
    description: A drop-in for a package's unit.
    type: str
  restart:
    description: Changes when a restart is needed.
    type: str
    default: ""
  reload:
    description: Changes when a reload is needed.
    type: str
    default: ""
  restart_files:
    description: Files on the host whose content needs a restart when it changes.
    type: list
    elements: path
    default: []
  reload_files:
    description: Files on the host whose content needs a reload when it changes.
    type: list
    elements: path
    default: []
  state:
    description: Whether the unit runs.
    type: str
    choices: [started, stopped, installed]
    default: started
  enabled:
    description: Whether it starts with the host.
    type: bool
    default: true
  gate:
    description: Arguments of M(monitoring.ha.gate), which has to pass.
    type: dict
  look:
    description: Decide, and do it only where that is nothing but to ask the gate.
    type: bool
    default: false
  timeout:
    description: Seconds that systemd may take.
    type: int
    default: 120
seealso:
  - module: monitoring.ha.service
"""

EXAMPLES = r"""
- name: Would it be restarted?
  monitoring.ha.service_host:
    unit: prometheus.service
    look: true
"""

RETURN = r"""
action:
  description: What was done, or would be.
  returned: success
  type: str
reasons:
  description: Why.
  returned: success
  type: list
  elements: str
"""

from dataclasses import asdict

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.monitoring.ha.plugins.module_utils import gating, units


def main() -> None:
    """Arguments in, result out."""
    module = AnsibleModule(
        argument_spec={
            "unit": {"type": "str", "required": True},
            "content": {"type": "str"},
            "dropin": {"type": "str"},
            "restart": {"type": "str", "default": ""},
            "reload": {"type": "str", "default": ""},
            "restart_files": {"type": "list", "elements": "path", "default": []},
            "reload_files": {"type": "list", "elements": "path", "default": []},
            "state": {"type": "str", "choices": ["started", "stopped", "installed"], "default": "started"},
            "enabled": {"type": "bool", "default": True},
            "gate": {"type": "dict"},
            "look": {"type": "bool", "default": False},
            "timeout": {"type": "int", "default": 120},
        },
        supports_check_mode=True,
    )
    given = module.params
    wanted = units.Wanted(
        unit=given["unit"],
        content=given["content"],
        dropin=given["dropin"],
        restart=given["restart"],
        reload=given["reload"],
        restart_files=tuple(given["restart_files"]),
        reload_files=tuple(given["reload_files"]),
        started=None if given["state"] == "installed" else given["state"] == "started",
        enabled=given["enabled"],
        timeout=given["timeout"],
    )
    looks = module.check_mode or given["look"]
    done = ""
    try:
        outcome = units.ensure(wanted, check=looks)
        done = f" after its {outcome.action}" if outcome.action != "none" else ""
        if given["gate"] and wanted.started and not module.check_mode and not (looks and outcome.changed):
            gating.passed(gating.arguments(given["gate"]), wanted.unit, outcome.action)
        if not looks and outcome.action not in ("none", "stop"):
            units.record(wanted.unit, outcome.identity)
    except gating.GateError as error:
        module.fail_json(msg=f"{wanted.unit}{done}: {error}")
    except units.UnitError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"{error.filename or wanted.unit}: {error.strerror}")
    module.exit_json(**{name: value for name, value in asdict(outcome).items() if name != "identity"})


if __name__ == "__main__":
    main()
