# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
name: hardening
short_description: The hardening lines of a systemd service
version_added: 0.1.0
author: monitoring.ha contributors (@monitoring-ha)
description:
  - Lines for the C([Service]) section that confine a network daemon, and keep its neighbours from starving it.
  - One place for every unit of the stack; a unit names only what it needs beyond.
options:
  _terms:
    description: None.
  state:
    description:
      - Name of the directory under C(/var/lib) that the daemon owns (C(StateDirectory=)); several are separated by blanks.
      - Empty for none.
    type: str
    default: ''
  families:
    description: Address families the daemon may open sockets of.
    type: str
    default: AF_INET AF_INET6 AF_UNIX
  pki:
    description: Whether the daemon reads the host's certificate and key (group C(monitoring-pki)).
    type: bool
    default: true
  devices:
    description: Whether the daemon sees the host's devices.
    type: bool
    default: false
  proc:
    description: Whether the daemon sees the processes of other users, and the parts of C(/proc) that describe the host.
    type: bool
    default: false
  clock:
    description: Whether the daemon may ask the kernel how well the clock is kept. Setting it stays forbidden.
    type: bool
    default: false
  home:
    description: How C(/home) and C(/root) appear, a value of C(ProtectHome=).
    type: str
    default: 'true'
  private_tmp:
    description: Whether the daemon has a C(/tmp) of its own.
    type: bool
    default: true
  write:
    description: Further paths the daemon writes, separated by blanks.
    type: str
    default: ''
  capabilities:
    description: Capabilities the daemon keeps, separated by blanks; they become ambient.
    type: str
    default: ''
  syscalls:
    description: Further system calls or sets (C(SystemCallFilter=)) the daemon needs, separated by blanks.
    type: str
    default: ''
  executable_memory:
    description: Whether the daemon maps memory writable and executable (a just-in-time compiler).
    type: bool
    default: false
  ipc:
    description: Whether the daemon's shared memory outlives its main process, as children that it leaves behind go on with it.
    type: bool
    default: false
  urgent:
    description:
      - Whether the others wait for the daemon, as it decides who serves, or passes on what is served.
      - When processors are scarce it gets ten times the share of its neighbours (C(CPUWeight=1000)).
    type: bool
    default: false
  files:
    description: How many files the daemon may hold open.
    type: int
    default: 65536
"""

EXAMPLES = r"""
- name: In the template of a unit
  ansible.builtin.debug:
    msg: |
      [Service]
      User=prometheus
      {{ lookup('monitoring.ha.hardening', state='prometheus') }}

- name: A daemon that watches the host
  ansible.builtin.debug:
    msg: "{{ lookup('monitoring.ha.hardening', proc=true, families='AF_INET AF_INET6 AF_UNIX AF_NETLINK') }}"
"""

RETURN = r"""
_raw:
  description: Lines of a unit file.
  type: list
  elements: str
"""

from typing import Any

from ansible.plugins.lookup import LookupBase

ALWAYS = (
    "NoNewPrivileges=true",
    "PrivateMounts=true",
    "ProtectSystem=strict",
    "ProtectHostname=true",
    "ProtectKernelTunables=true",
    "ProtectKernelModules=true",
    "ProtectKernelLogs=true",
    "ProtectControlGroups=true",
    "RestrictNamespaces=true",
    "RestrictRealtime=true",
    "RestrictSUIDSGID=true",
    "LockPersonality=true",
    "KeyringMode=private",
    "UMask=0077",
    "SystemCallArchitectures=native",
    "SystemCallErrorNumber=EPERM",
)


def hardening(
    *,
    state: str = "",
    families: str = "AF_INET AF_INET6 AF_UNIX",
    pki: bool = True,
    devices: bool = False,
    proc: bool = False,
    clock: bool = False,
    home: str = "true",
    private_tmp: bool = True,
    write: str = "",
    capabilities: str = "",
    syscalls: str = "",
    executable_memory: bool = False,
    ipc: bool = False,
    urgent: bool = False,
    files: int = 65536,
) -> str:
    """The lines, one per directive."""
    # The second filter line takes away from the first; a third gives back what the daemon asked for.
    lines = [*ALWAYS, "SystemCallFilter=@system-service", "SystemCallFilter=~@privileged @resources"]
    wanted = f"{syscalls} adjtimex clock_adjtime".strip() if clock else syscalls
    if wanted:
        lines.append(f"SystemCallFilter={wanted}")
    lines += [
        f"RestrictAddressFamilies={families}",
        f"CapabilityBoundingSet={capabilities}",
        f"AmbientCapabilities={capabilities}",
        f"ProtectHome={home}",
        f"PrivateTmp={str(private_tmp).lower()}",
        f"ProtectClock={str(not clock).lower()}",
        f"PrivateDevices={str(not devices).lower()}",
        f"MemoryDenyWriteExecute={str(not executable_memory).lower()}",
        f"RemoveIPC={str(not ipc).lower()}",
        f"LimitNOFILE={files}",
    ]
    if urgent:
        lines.append("CPUWeight=1000")
    if not proc:
        # ProcSubset=pid would hide /proc/meminfo and /proc/sys, by which Go daemons size themselves.
        lines.append("ProtectProc=invisible")
    if state:
        lines += [f"StateDirectory={state}", "StateDirectoryMode=0700"]
    if write:
        lines.append(f"ReadWritePaths={write}")
    if pki:
        lines.append("SupplementaryGroups=monitoring-pki")
    return "\n".join(lines)


class LookupModule(LookupBase):
    """``lookup('monitoring.ha.hardening', state='prometheus')``."""

    def run(self, terms: list[str], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[str]:
        """One string: the lines."""
        self.set_options(var_options=variables, direct=kwargs)
        return [hardening(**{name: value for name, value in self.get_options().items() if name != "_terms"})]
