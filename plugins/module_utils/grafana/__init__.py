# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Grafana as a tree of files, and back: what the modules share with ``python3 -m …module_utils.grafana``.

``client`` speaks HTTP, ``kinds`` know one sort of object each, ``tree`` keeps files; ``exporter``, ``planner`` and
``importer`` put them together. Nothing here needs Ansible.
"""

#: Header by which all requests of a run name it, for a load balancer that keeps them on one instance.
RUN_HEADER = "X-Monitoring-HA-Run"
