# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""References to data sources, turned to those of another Grafana."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: Members that name a data source directly: in alert rules and recording rules, and in the settings of other data sources.
_DIRECT = ("datasourceUid", "datasourceUID", "target_datasource_uid", "tracingDatasourceUid", "alertmanagerUid")


def mapped(value: Any, uids: Mapping[str, str]) -> Any:
    """The value with every reference to a data source replaced. uids: uid or name to uid or name."""
    if not uids:
        return value
    if isinstance(value, list):
        return [mapped(one, uids) for one in value]
    if not isinstance(value, dict):
        return value
    found = {name: _member(name, one, uids) for name, one in value.items()}
    # The variable that chooses a data source remembers what was chosen last, in classic dashboards and in those of the v2 schema.
    if found.get("type") == "datasource":
        return _remembering(found, uids)
    if found.get("kind") == "DatasourceVariable" and isinstance(found.get("spec"), dict):
        found["spec"] = _remembering(found["spec"], uids)
    return found


def _remembering(variable: dict[str, Any], uids: Mapping[str, str]) -> dict[str, Any]:
    current = variable.get("current")
    if not isinstance(current, dict):
        return variable
    return {**variable, "current": {name: _chosen(one, uids) for name, one in current.items()}}


def _member(name: str, value: Any, uids: Mapping[str, str]) -> Any:
    if name == "datasource" and isinstance(value, str):
        return uids.get(value, value)
    if name == "datasource" and isinstance(value, dict):
        # Classic dashboards say uid, those of the v2 schema say name, and mean the uid.
        return {key: uids.get(one, one) if key in ("uid", "name") and isinstance(one, str) else one for key, one in value.items()}
    if name in _DIRECT and isinstance(value, str):
        return uids.get(value, value)
    return mapped(value, uids)


def _chosen(value: Any, uids: Mapping[str, str]) -> Any:
    if isinstance(value, list):
        return [_chosen(one, uids) for one in value]
    return uids.get(value, value) if isinstance(value, str) else value
