# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Backups of Grafana in Git: what runs on the hosts of the group ``backup``, without Ansible.

``job`` puts it together: ``turn`` decides who works, ``grafana.exporter`` writes the tree, ``repository`` commits and pushes it,
``report`` says how it went. ``cli`` is the program.
"""
