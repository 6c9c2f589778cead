"""Something of every kind, with names that are hard on files, paths and diffs."""

from __future__ import annotations

from typing import Any

from tests.stand_in.instances import Instance

#: Values of the secrets that ``fill`` stores.
SECRETS: dict[str, dict[str, dict[str, str]]] = {
    "data_sources": {"Metrics": {"basicAuthPassword": "hunter-two", "httpHeaderValue1": "header-value"}},
    "contact_points": {"on call": {"password": "pager-password", "url": "https://hooks.example/secret-path"}},
}
AWKWARD = [
    "a/b\\c",
    "..",
    "quote ' and \" and `",
    "emoji \N{FIRE}\N{BAR CHART}",
    "x" * 200,
    "‏لوحة القيادة‎",
    "Zażółć gęślą jaźń",
    "tab\tand newline\n",
    "%2F%00?#&=",
    "CON.json",
]


class Filler:
    """Writes objects to one organisation of an instance."""

    def __init__(self, instance: Instance, org: int = 1) -> None:
        self.instance, self.headers = instance, {"X-Grafana-Org-Id": str(org)}
        self.namespace = "default" if org == 1 else f"org-{org}"

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        answer = self.instance.call(method, path, body, headers={**self.headers, **headers})
        assert answer.ok, (method, path, answer.status_code, answer.text)
        return answer.json() if answer.content else None

    def folder(self, uid: str, title: str, parent: str = "") -> None:
        self.send("POST", "/api/folders", {"uid": uid, "title": title, "parentUid": parent})

    def dashboard(self, uid: str, title: str, folder: str = "", **more: Any) -> None:
        spec = {"uid": uid, "title": title, "schemaVersion": 39, "panels": [panel(1, "cpu")], "tags": ["b", "a"], **more}
        self.send("POST", "/api/dashboards/db", {"dashboard": spec, "folderUid": folder, "overwrite": True})

    def dashboard_v2(self, uid: str, title: str, folder: str = "", version: str = "v2beta1") -> None:
        self.send("POST", f"/apis/dashboard.grafana.app/{version}/namespaces/{self.namespace}/dashboards", v2(uid, title, folder, version))

    def user(self, login: str) -> int:
        """A user who belongs to the organisation."""
        found = self.instance.get(f"/api/users/lookup?loginOrEmail={login}")
        if found.status_code == 404:
            new = {"login": login, "email": f"{login}@example.org", "password": "long enough", "name": login}
            self.instance.post("/api/admin/users", new).raise_for_status()
        self.instance.post("/api/org/users", {"loginOrEmail": login, "role": "Viewer"}, headers=self.headers)
        number: int = self.instance.get(f"/api/users/lookup?loginOrEmail={login}").json()["id"]
        return number


def panel(number: int, title: str) -> dict[str, Any]:
    return {
        "id": number,
        "title": title,
        "type": "timeseries",
        "gridPos": {"x": 0, "y": 0, "w": 12, "h": 8},
        "datasource": {"type": "prometheus", "uid": "metrics"},
        "targets": [{"refId": "A", "expr": 'rate(x{job="a"}[5m])', "datasource": {"type": "prometheus", "uid": "metrics"}}],
    }


def v2(uid: str, title: str, folder: str = "", version: str = "v2beta1") -> dict[str, Any]:
    """A dashboard of the v2 schema as a resource."""
    return {
        "apiVersion": f"dashboard.grafana.app/{version}",
        "kind": "Dashboard",
        "metadata": {"name": uid, **({"annotations": {"grafana.app/folder": folder}} if folder else {})},
        "spec": {
            "title": title,
            "elements": {"panel-1": {"kind": "Panel", "spec": {"id": 1, "title": "p", "data": {"kind": "QueryGroup", "spec": {}}}}},
            "layout": {"kind": "RowsLayout", "spec": {"rows": []}},
            "variables": [],
        },
    }


def rule(uid: str, title: str, **more: Any) -> dict[str, Any]:
    query = {
        "refId": "A",
        "datasourceUid": "metrics",
        "relativeTimeRange": {"from": 600, "to": 0},
        "model": {"expr": "up == 0", "refId": "A"},
    }
    return {"uid": uid, "title": title, "condition": "A", "data": [query], "for": "5m", "labels": {"severity": "page"}, **more}


def fill(instance: Instance, org: int = 1, *, v2_dashboards: bool = True) -> None:
    """Something of every kind."""
    to = Filler(instance, org)
    editable = {"X-Disable-Provenance": "true"}
    person = to.user("someone")
    source = {"type": "prometheus", "access": "proxy", "url": "http://localhost:9090", "jsonData": {"httpMethod": "POST", "x": 1.0}}
    secret = {"secureJsonData": SECRETS["data_sources"]["Metrics"], "basicAuth": True, "basicAuthUser": "reader"}
    to.send("POST", "/api/datasources", {"uid": "metrics", "name": "Metrics", "isDefault": True, **source, **secret})
    to.send("POST", "/api/datasources", {"uid": "other", "name": "Other / second", **source})
    for depth in range(4):
        to.folder(f"level{depth}", f"Level {depth}", f"level{depth - 1}" if depth else "")
    for number, title in enumerate(AWKWARD):
        to.folder(f"awkward{number}", title[:180])
        to.dashboard(f"in-awkward{number}", title, f"awkward{number}")
        to.dashboard(f"in-deep{number}", title, "level3", version=3, iteration=17)
    to.dashboard("same1", "the same title", "level0")
    to.dashboard("same2", "the same title", "level0")
    library = {"uid": "lib", "name": "shared / panel", "kind": 1, "folderUid": "level1", "model": panel(7, "shared")}
    to.send("POST", "/api/library-elements", library)
    to.dashboard("uses-library", "uses the library", panels=[{"id": 3, "libraryPanel": {"uid": "lib", "name": "shared / panel"}}])
    if v2_dashboards:
        to.dashboard_v2("new-schema", "new schema", "level2")
        to.dashboard_v2("new-schema-root", "new schema \N{FIRE}")
    _alerting(to, editable)
    team = to.send("POST", "/api/teams", {"name": "ops / night", "email": "ops@example.org"})["teamId"]
    to.send("POST", f"/api/teams/{team}/members", {"userId": person})
    to.send("PUT", f"/api/teams/{team}/preferences", {"theme": "light", "homeDashboardUID": "same1"})
    account = to.send("POST", "/api/serviceaccounts", {"name": "robot", "role": "Editor"})["id"]
    for name in ("rounds", "rounds", "other"):
        items = [
            {"type": "dashboard_by_uid", "value": "same1", "order": 1, "title": "x"},
            {"type": "dashboard_by_tag", "value": "a", "order": 2},
        ]
        to.send("POST", "/api/playlists", {"name": name, "interval": "1m", "items": items})
    to.send("PUT", "/api/org/preferences", {"theme": "dark", "weekStart": "monday", "homeDashboardUID": "same2"})
    permissions = [{"role": "Viewer", "permission": 1}, {"teamId": team, "permission": 2}, {"userId": person, "permission": 4}]
    to.send("POST", "/api/folders/level0/permissions", {"items": permissions})
    to.send("POST", "/api/dashboards/uid/same1/permissions", {"items": [{"userId": account, "permission": 2}]})
    to.send("POST", "/api/dashboards/uid/same2/permissions", {"items": []})


def _alerting(to: Filler, editable: dict[str, str]) -> None:
    root = "/api/v1/provisioning"
    to.send("PUT", f"{root}/templates/message", {"template": '{{ define "message" }}hello{{ end }}'})
    to.send("PUT", f"{root}/templates/with%20space", {"template": "plain text"}, **editable)
    interval = {"times": [{"start_time": "08:00", "end_time": "17:00"}], "weekdays": ["monday:friday"]}
    to.send("POST", f"{root}/mute-timings", {"name": "nights / weekends", "time_intervals": [interval]}, **editable)
    point = {"name": "on call", "uid": "cp1", "type": "webhook", "settings": {"url": "https://example.org", "password": "pager-password"}}
    to.send("POST", f"{root}/contact-points", point, **editable)
    slack = {"name": "on call", "uid": "cp2", "type": "slack", "settings": {"url": SECRETS["contact_points"]["on call"]["url"]}}
    to.send("POST", f"{root}/contact-points", {**slack, "disableResolveMessage": True}, **editable)
    policy = {
        "receiver": "grafana-default-email",
        "group_by": ["alertname"],
        "routes": [
            {
                "receiver": "on call",
                "object_matchers": [["severity", "=", "page"]],
                "mute_time_intervals": ["nights / weekends"],
                "continue": True,
                "routes": [{"receiver": "on call", "matchers": ['team="a"'], "repeat_interval": "2h"}],
            }
        ],
    }
    to.send("PUT", f"{root}/policies", policy, **editable)
    groups: list[tuple[str, str, list[dict[str, Any]], dict[str, str]]] = [
        ("level0", "plain", [rule("r1", "one"), rule("r2", "two", isPaused=True, notification_settings={"receiver": "on call"})], editable),
        ("level3", "with / slash", [rule("r3", "deep", annotations={"summary": "{{ $labels.x }} \N{FIRE}"})], {}),
    ]
    for folder, group, rules, headers in groups:
        path = group.replace("/", "%2F").replace(" ", "%20")
        to.send("PUT", f"{root}/folder/{folder}/rule-groups/{path}", {"interval": 60, "title": group, "rules": rules}, **headers)
