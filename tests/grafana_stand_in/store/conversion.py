"""Dashboards between the resource versions. Towards v1 a v2 dashboard loses what v1 has no word for."""

from __future__ import annotations

from typing import Any

SCHEMA_VERSION = 42
_SHARED = ("title", "description", "tags", "editable", "liveNow", "preload", "links")

Spec = dict[str, Any]


def family(version: str) -> str:
    return "v2" if version.startswith("v2") else "v0" if version.startswith("v0") else "v1"


def convert(spec: Spec, stored: str, wanted: str) -> Spec:
    source, target = family(stored), family(wanted)
    if source == target:
        return spec
    if source == "v2":
        return _to_v1(spec)
    if target == "v2":
        return _to_v2(spec)
    # v0 keeps what was saved; v1 brings the schema up to date. Down again nothing is undone.
    return {**spec, "schemaVersion": SCHEMA_VERSION} if target == "v1" else spec


def _dictionary(value: Any) -> Spec:
    return value if isinstance(value, dict) else {}


def _to_v1(spec: Spec) -> Spec:
    settings = _dictionary(spec.get("timeSettings"))
    elements = _dictionary(spec.get("elements"))
    layout = _dictionary(spec.get("layout"))
    placed = [_dictionary(_dictionary(item).get("spec")) for item in _dictionary(layout.get("spec")).get("items", []) or []]
    panels: list[Spec] = []
    names = [_dictionary(item.get("element")).get("name", "") for item in placed]
    order = [name for name in names if name in elements] + [name for name in elements if name not in names]
    for number, name in enumerate(order, 1):
        inner = _dictionary(_dictionary(elements[name]).get("spec"))
        place = placed[names.index(name)] if name in names else {}
        grid = {"x": place.get("x", 0), "y": place.get("y", 0), "w": place.get("width", 12), "h": place.get("height", 8)}
        panel = {"id": inner.get("id", number), "title": inner.get("title", ""), "gridPos": grid}
        if "libraryPanel" in inner:
            panel["libraryPanel"] = inner["libraryPanel"]
        else:
            panel |= _panel_to_v1(inner)
        panels.append(panel)
    return {
        **{key: spec[key] for key in _SHARED if key in spec},
        "panels": panels,
        "templating": {"list": [_variable_to_v1(_dictionary(item)) for item in spec.get("variables") or []]},
        "annotations": {"list": []},
        "time": {"from": settings.get("from", "now-6h"), "to": settings.get("to", "now")},
        "timezone": settings.get("timezone", "browser"),
        "refresh": settings.get("autoRefresh", ""),
        "schemaVersion": SCHEMA_VERSION,
    }


def _panel_to_v1(inner: Spec) -> Spec:
    config = _dictionary(inner.get("vizConfig"))
    shown = _dictionary(config.get("spec"))
    targets = []
    for query in _dictionary(_dictionary(inner.get("data")).get("spec")).get("queries", []) or []:
        item = _dictionary(_dictionary(query).get("spec"))
        asked = _dictionary(item.get("query"))
        source = _dictionary(asked.get("datasource"))
        targets.append(
            {
                **_dictionary(asked.get("spec")),
                "refId": item.get("refId", "A"),
                "datasource": {"type": asked.get("group", asked.get("kind", "")), "uid": source.get("name", "")},
            }
        )
    return {
        "type": config.get("group") or config.get("kind", "timeseries"),
        "options": shown.get("options", {}),
        "fieldConfig": shown.get("fieldConfig", {}),
        "targets": targets,
    }


def _variable_to_v1(variable: Spec) -> Spec:
    kind = str(variable.get("kind", "")).removesuffix("Variable").lower()
    return {**_dictionary(variable.get("spec")), "type": kind}


def _to_v2(spec: Spec) -> Spec:
    time = _dictionary(spec.get("time"))
    elements: Spec = {}
    items = []
    panels = spec.get("panels")
    for number, panel in enumerate(panels if isinstance(panels, list) else [], 1):
        panel = _dictionary(panel)
        name = f"panel-{panel.get('id', number)}"
        grid = _dictionary(panel.get("gridPos"))
        elements[name] = _panel_to_v2(panel, number)
        place = {"x": grid.get("x", 0), "y": grid.get("y", 0), "width": grid.get("w", 12), "height": grid.get("h", 8)}
        items.append({"kind": "GridLayoutItem", "spec": {**place, "element": {"kind": "ElementReference", "name": name}}})
    return {
        **{key: spec[key] for key in _SHARED if key in spec},
        "elements": elements,
        "layout": {"kind": "GridLayout", "spec": {"items": items}},
        "variables": [],
        "annotations": [],
        "cursorSync": "Off",
        "timeSettings": {
            "from": time.get("from", "now-6h"),
            "to": time.get("to", "now"),
            "timezone": spec.get("timezone", "browser"),
            "autoRefresh": spec.get("refresh") or "",
        },
    }


def _panel_to_v2(panel: Spec, number: int) -> Spec:
    head = {"id": panel.get("id", number), "title": panel.get("title", "")}
    if "libraryPanel" in panel:
        return {"kind": "LibraryPanel", "spec": {**head, "libraryPanel": panel["libraryPanel"]}}
    queries = []
    targets = panel.get("targets")
    for target in targets if isinstance(targets, list) else []:
        target = _dictionary(target)
        source = _dictionary(target.get("datasource"))
        rest = {key: value for key, value in target.items() if key not in ("refId", "datasource")}
        asked = {
            "kind": "DataQuery",
            "group": source.get("type", ""),
            "version": "v0",
            "datasource": {"name": source.get("uid", "")},
            "spec": rest,
        }
        queries.append({"kind": "PanelQuery", "spec": {"refId": target.get("refId", "A"), "hidden": False, "query": asked}})
    shown = {"options": panel.get("options", {}), "fieldConfig": panel.get("fieldConfig", {})}
    return {
        "kind": "Panel",
        "spec": {
            **head,
            "vizConfig": {"kind": "VizConfig", "group": panel.get("type", ""), "version": "", "spec": shown},
            "data": {"kind": "QueryGroup", "spec": {"queries": queries, "transformations": [], "queryOptions": {}}},
        },
    }
