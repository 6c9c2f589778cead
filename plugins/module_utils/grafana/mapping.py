# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""References to data sources, turned to those of another Grafana."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

#: Members that name a data source directly: in alert rules and recording rules, and in the settings of other data sources.
_DIRECT = ("datasourceUid", "datasourceUID", "target_datasource_uid", "tracingDatasourceUid", "alertmanagerUid")


@dataclass
class DataSourceMap:
    """Uids of data sources to uids, and names to names. One may have the uid that another one has as its name."""

    uids: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.uids or self.names)

    def uid(self, text: str) -> str:
        """What stands for a text that should be a uid; old dashboards have names there."""
        return self.uids.get(text, self.names.get(text, text))

    def name(self, text: str) -> str:
        """What stands for a text that should be a name."""
        return self.names.get(text, self.uids.get(text, text))


def mapped(value: Any, mapping: DataSourceMap) -> Any:
    """The value with every reference to a data source replaced."""
    if not mapping:
        return value
    if isinstance(value, list):
        return [mapped(one, mapping) for one in value]
    if not isinstance(value, dict):
        return value
    found = {name: _member(name, one, mapping) for name, one in value.items()}
    # The variable that chooses a data source remembers what was chosen last, in classic dashboards and in those of the v2 schema.
    if found.get("type") == "datasource":
        return _remembering(found, mapping)
    if found.get("kind") == "DatasourceVariable" and isinstance(found.get("spec"), dict):
        found["spec"] = _remembering(found["spec"], mapping)
    return found


def _remembering(variable: dict[str, Any], mapping: DataSourceMap) -> dict[str, Any]:
    current = variable.get("current")
    if not isinstance(current, dict):
        return variable
    return {**variable, "current": {name: _chosen(name, one, mapping) for name, one in current.items()}}


def _member(name: str, value: Any, mapping: DataSourceMap) -> Any:
    if name == "datasource" and isinstance(value, str):
        return mapping.name(value)
    if name == "datasource" and isinstance(value, dict):
        # Classic dashboards say uid, those of the v2 schema say name, and mean the uid.
        return {key: mapping.uid(one) if key in ("uid", "name") and isinstance(one, str) else one for key, one in value.items()}
    if name in _DIRECT and isinstance(value, str):
        return mapping.uid(value)
    return mapped(value, mapping)


def _chosen(name: str, value: Any, mapping: DataSourceMap) -> Any:
    if isinstance(value, list):
        return [_chosen(name, one, mapping) for one in value]
    if not isinstance(value, str):
        return value
    return mapping.name(value) if name == "text" else mapping.uid(value)
