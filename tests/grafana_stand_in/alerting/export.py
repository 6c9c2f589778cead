"""Exports in the format of file provisioning, as YAML, JSON or HCL."""

from __future__ import annotations

import json
import re
from typing import Any

from .. import vendored
from ..database.dialect import Row
from ..security.secrets import Box
from ..times import format_duration
from . import contact_points
from .configuration import Configuration, Json

yaml = vendored.load("yaml")


def rule(row: Row) -> Json:
    data = json.loads(row["data"])
    exported: Json = {"uid": row["uid"], "title": row["title"], "condition": data["condition"]}
    exported["data"] = [{key: value for key, value in query.items() if value != ""} for query in data["data"]]
    annotations = data["annotations"]
    if "__dashboardUid__" in annotations:
        exported["dashboardUid"] = annotations["__dashboardUid__"]
    if str(annotations.get("__panelId__", "")).isdecimal():
        exported["panelId"] = int(annotations["__panelId__"])
    exported |= {"noDataState": data["noDataState"], "execErrState": data["execErrState"], "for": data["for"]}
    if "keep_firing_for" in data:
        exported["keepFiringFor"] = data["keep_firing_for"]
    if "missingSeriesEvalsToResolve" in data:
        exported["missing_series_evals_to_resolve"] = data["missingSeriesEvalsToResolve"]
    exported |= {key: data[key] for key in ("annotations", "labels") if data[key]}
    exported["isPaused"] = data["isPaused"]
    if "notification_settings" in data:
        exported["notification_settings"] = data["notification_settings"]
    if "record" in data:
        record = data["record"]
        exported["record"] = {"metric": record["metric"], "from": record["from"]}
        if "target_datasource_uid" in record:
            exported["record"]["targetDatasourceUid"] = record["target_datasource_uid"]
    return exported


def groups(rows: list[Row], folder_titles: dict[str, str]) -> Json:
    found: dict[tuple[str, str], Json] = {}
    for row in rows:
        key = row["folder_uid"], row["rule_group"]
        group = found.setdefault(
            key,
            {
                "orgId": row["org_id"],
                "name": row["rule_group"],
                "folder": folder_titles.get(row["folder_uid"], row["folder_uid"]),
                "interval": format_duration(row["interval_seconds"]),
                "rules": [],
            },
        )
        group["rules"].append(rule(row))
    return {"apiVersion": 1, "groups": list(found.values())}


def points(configuration: Configuration, name: str, box: Box | None) -> Json:
    """With a box the secrets are in the clear."""
    found: dict[str, Json] = {}
    for point in contact_points.sorted_points(configuration, name):
        shown = contact_points.shape(point, contact_points.decrypted(box, point) if box else None)
        entry = found.setdefault(point["name"], {"orgId": configuration.org_id, "name": point["name"], "receivers": []})
        entry["receivers"].append({key: shown[key] for key in ("uid", "type", "settings", "disableResolveMessage")})
    return {"apiVersion": 1, "contactPoints": list(found.values())}


def policy(configuration: Configuration) -> Json:
    return {"apiVersion": 1, "policies": [{"orgId": configuration.org_id, **configuration.policy}]}


def timings(configuration: Configuration, name: str = "") -> Json:
    found = [
        {"orgId": configuration.org_id, "name": item["name"], "time_intervals": item["time_intervals"]}
        for item in sorted(configuration.mute_timings, key=lambda item: str(item["name"]))
        if not name or item["name"] == name
    ]
    return {"apiVersion": 1, "muteTimes": found}


def to_yaml(document: Json) -> str:
    text: str = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, default_flow_style=False, indent=4)
    return text


_BLOCKS = {
    "groups": ("grafana_rule_group", "rule_group"),
    "contactPoints": ("grafana_contact_point", "contact_point"),
    "policies": ("grafana_notification_policy", "notification_policy"),
    "muteTimes": ("grafana_mute_timing", "mute_timing"),
}


def to_hcl(document: Json) -> str:
    lines: list[str] = []
    for key, (kind, prefix) in _BLOCKS.items():
        for number, item in enumerate(document.get(key, ()), 1):
            lines.append(f'resource "{kind}" "{prefix}_{number}" {{')
            lines.extend(_hcl_fields(item, "  "))
            lines.append("}")
    return "\n".join(lines) + "\n"


def _hcl_fields(item: Json, indent: str) -> list[str]:
    lines = []
    for key, value in item.items():
        name = re.sub(r"(?<!^)(?=[A-Z])", "_", key).lower()
        if isinstance(value, list) and value and all(isinstance(entry, dict) for entry in value):
            for entry in value:
                lines += [f"{indent}{name.removesuffix('s')} {{", *_hcl_fields(entry, indent + "  "), f"{indent}}}"]
        elif isinstance(value, dict) and key != "model":
            inner = [f"{indent}  {json.dumps(inner_key)} = {_hcl_value(inner_value)}" for inner_key, inner_value in value.items()]
            lines += [f"{indent}{name} = {{", *inner, f"{indent}}}"]
        else:
            lines.append(f"{indent}{name} = {_hcl_value(value)}")
    return lines


def _hcl_value(value: Any) -> str:
    return f"jsonencode({json.dumps(value)})" if isinstance(value, dict) else json.dumps(value)
