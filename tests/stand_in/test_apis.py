"""The resource API below /apis."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from .instances import Instance
from .test_dashboards import V2

Released = Callable[[str], Instance]
ROOT = "/apis/dashboard.grafana.app"
NOTIFICATIONS = "notifications.alerting.grafana.app"


def collection(version: str, namespace: str = "default") -> str:
    return f"{ROOT}/{version}/namespaces/{namespace}/dashboards"


@pytest.mark.parametrize(
    ("version", "served", "absent"),
    [
        ("11.6.0", {"v0alpha1"}, "v1beta1"),
        ("12.4.0", {"v0alpha1", "v1beta1", "v2alpha1", "v2beta1"}, "v1"),
        ("13.0.1", {"v0alpha1", "v1beta1", "v1", "v2alpha1", "v2beta1", "v2"}, "v3"),
    ],
)
def test_discovery(released: Released, version: str, served: set[str], absent: str) -> None:
    grafana = released(version)
    groups = {group["name"]: group for group in grafana.get("/apis").json()["groups"]}
    notifications = {NOTIFICATIONS} if version == "13.0.1" else set()
    assert set(groups) == {"dashboard.grafana.app", "folder.grafana.app", "playlist.grafana.app"} | notifications
    assert {one["version"] for one in groups["dashboard.grafana.app"]["versions"]} == served
    assert grafana.get(ROOT).json()["kind"] == "APIGroup"
    one = sorted(served)[0]
    assert grafana.get(f"{ROOT}/{one}").json()["resources"][0]["name"] == "dashboards"
    assert grafana.get(f"{ROOT}/{absent}").status_code == 404
    assert grafana.get(collection(absent)).status_code == 404
    assert grafana.get("/apis/unknown.grafana.app").status_code == 404


def test_life_of_an_object(grafana: Instance, name: str) -> None:
    grafana.post("/api/folders", {"uid": f"{name}f", "title": "F"}).raise_for_status()
    path, annotations = collection("v1beta1"), {"grafana.app/folder": f"{name}f", "grafana.app/message": "m"}
    body = {"metadata": {"name": name, "annotations": annotations}, "spec": {"title": "x", "panels": []}}
    made = grafana.post(path, body)
    assert made.status_code == 201, made.text
    created = made.json()
    assert (created["kind"], created["apiVersion"], created["metadata"]["namespace"]) == (
        "Dashboard",
        "dashboard.grafana.app/v1beta1",
        "default",
    )
    assert created["metadata"]["generation"] == 1 and created["metadata"]["uid"] != name
    assert annotations.items() <= created["metadata"]["annotations"].items()
    assert created["spec"] == {"title": "x", "panels": []} and created["status"] == {}
    again = grafana.post(path, body)
    assert (again.status_code, again.json()["reason"], again.json()["kind"]) == (409, "AlreadyExists", "Status")
    assert grafana.get(f"/api/dashboards/uid/{name}").json()["meta"]["folderUid"] == f"{name}f"
    item = f"{path}/{name}"
    changed = grafana.put(item, {**created, "spec": {"title": "y"}})
    assert (changed.status_code, changed.json()["metadata"]["generation"]) == (200, 2)
    stale = grafana.put(item, {**created, "spec": {"title": "z"}})
    assert (stale.status_code, stale.json()["reason"]) == (409, "Conflict")
    free = {"metadata": {"name": name, "annotations": annotations}, "spec": {"title": "z"}}
    assert grafana.put(item, free).status_code == 200, "without a version nothing is compared"
    deleted = grafana.delete(item)
    assert (deleted.status_code, deleted.json()["status"]) == (200, "Success")
    missing = grafana.get(item)
    assert (missing.status_code, missing.json()["reason"], missing.json()["code"]) == (404, "NotFound", 404)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"spec": {"title": "x"}}, 422),
        ({"metadata": {"name": "x", "resourceVersion": "1"}, "spec": {"title": "x"}}, 400),
        ({"metadata": {"name": "x"}}, 422),
        ({"metadata": {"name": "x"}, "spec": {"title": ""}}, 400),
        ({"metadata": {"name": "x y"}, "spec": {"title": "x"}}, 400),
        ({"apiVersion": "dashboard.grafana.app/v2", "metadata": {"name": "x"}, "spec": {"title": "x"}}, 400),
        ({"metadata": {"name": "x", "annotations": {"grafana.app/folder": "nowhere"}}, "spec": {"title": "x"}}, 404),
    ],
)
def test_refused_objects(grafana: Instance, body: dict[str, Any], status: int) -> None:
    answer = grafana.post(collection("v1beta1"), body)
    assert (answer.status_code, answer.json()["kind"]) == (status, "Status")


def test_generated_name(grafana: Instance) -> None:
    body = {"metadata": {"generateName": "g-"}, "spec": {"title": "x"}}
    assert grafana.post(collection("v1"), body).json()["metadata"]["name"].startswith("g-")


def test_list_in_pages(grafana: Instance, name: str) -> None:
    org = grafana.post("/api/orgs", {"name": name}).json()["orgId"]
    here, path = {"X-Grafana-Org-Id": str(org)}, collection("v1", f"org-{org}")
    for number in range(5):
        grafana.post("/api/dashboards/db", {"dashboard": {"uid": f"p{number}", "title": "x"}}, headers=here).raise_for_status()
    found, token, pages = [], "", 0
    while True:
        page = grafana.get(f"{path}?limit=2&continue={token}").json()
        assert page["kind"] == "DashboardList"
        found += [item["metadata"]["name"] for item in page["items"]]
        pages += 1
        token = page["metadata"].get("continue", "")
        if not token:
            break
    assert (found, pages) == ([f"p{number}" for number in range(5)], 3)
    assert len(grafana.get(path).json()["items"]) == 5
    assert grafana.get(f"{path}?continue=nonsense&limit=1").status_code == 400


def test_namespaces(grafana: Instance, name: str) -> None:
    org = grafana.post("/api/orgs", {"name": name}).json()["orgId"]
    body = {"metadata": {"name": name}, "spec": {"title": "x"}}
    assert grafana.post(collection("v1", f"org-{org}"), body).status_code == 201, "the namespace says the organisation"
    assert grafana.get(f"{collection('v1')}/{name}").status_code == 404
    assert grafana.get(f"{collection('v1', f'org-{org}')}/{name}").json()["metadata"]["namespace"] == f"org-{org}"
    assert grafana.get(collection("v1", "org-4711")).status_code == 403
    assert grafana.get(collection("v1", "elsewhere")).status_code == 403


def test_stored_version_is_told(released: Released, name: str) -> None:
    grafana = released("12.4.0")
    assert grafana.post(collection("v2beta1"), {"metadata": {"name": name}, "spec": V2}).status_code == 201
    seen = grafana.get(f"{collection('v1beta1')}/{name}").json()
    assert seen["status"]["conversion"] == {"failed": False, "storedVersion": "v2beta1"}
    assert "elements" not in seen["spec"] and seen["spec"]["panels"][0]["title"] == "P"
    own = grafana.get(f"{collection('v2beta1')}/{name}").json()
    assert own["spec"] == V2 and own["status"] == {}
    grafana.post(
        "/api/dashboards/db", {"dashboard": {"uid": f"{name}l", "title": "x", "schemaVersion": 16, "panels": [{"id": 4, "type": "text"}]}}
    )
    legacy = grafana.get(f"{collection('v1beta1')}/{name}l").json()
    assert legacy["status"]["conversion"]["storedVersion"] == "v0alpha1" and legacy["spec"]["schemaVersion"] > 16
    assert grafana.get(f"{collection('v0alpha1')}/{name}l").json()["spec"]["schemaVersion"] == 16
    assert "panel-4" in grafana.get(f"{collection('v2beta1')}/{name}l").json()["spec"]["elements"]
    bare = grafana.post(collection("v2beta1"), {"metadata": {"name": f"{name}b"}, "spec": {"title": "x"}})
    assert bare.status_code == 422


def test_folders_and_playlists(grafana: Instance, name: str) -> None:
    grafana.post("/api/folders", {"uid": name, "title": "T"}).raise_for_status()
    grafana.post("/api/folders", {"uid": f"{name}c", "title": "C", "parentUid": name, "description": "d"}).raise_for_status()
    path = "/apis/folder.grafana.app/v1/namespaces/default/folders"
    child = grafana.get(f"{path}/{name}c").json()
    assert child["spec"] == {"title": "C", "description": "d"} and child["metadata"]["annotations"]["grafana.app/folder"] == name
    assert "description" not in grafana.get(f"/api/folders/{name}c").json(), "only here"
    assert {name, f"{name}c"} <= {item["metadata"]["name"] for item in grafana.get(path).json()["items"]}
    assert grafana.get(f"{path}/nowhere").json()["reason"] == "NotFound"
    uid = grafana.post("/api/playlists", {"name": name, "interval": "1m", "items": [{"type": "dashboard_by_uid", "value": "x"}]}).json()[
        "uid"
    ]
    path = "/apis/playlist.grafana.app/v1/namespaces/default/playlists"
    assert grafana.get(f"{path}/{uid}").json()["spec"] == {
        "title": name,
        "interval": "1m",
        "items": [{"type": "dashboard_by_uid", "value": "x"}],
    }
    assert any(item["metadata"]["name"] == uid for item in grafana.get(path).json()["items"])
    assert grafana.get(f"{path}/nowhere").status_code == 404


def test_who_may_not(grafana: Instance, name: str) -> None:
    grafana.post("/api/admin/users", {"login": name, "password": "password"}).raise_for_status()
    who = {"auth": (name, "password")}
    body = {"metadata": {"name": name}, "spec": {"title": "x"}}
    refused = grafana.post(collection("v1"), body, **who)
    assert (refused.status_code, refused.json()["kind"]) == (403, "Status")
    grafana.post(collection("v1"), body).raise_for_status()
    assert grafana.get(f"{collection('v1')}/{name}", **who).status_code == 200
    assert grafana.delete(f"{collection('v1')}/{name}", **who).status_code == 403


def test_routing_trees_and_inhibition_rules(released: Released, name: str) -> None:
    grafana = released("13.0.1")
    root = f"/apis/{NOTIFICATIONS}/v1beta1"
    listed = {one["name"] for one in grafana.get(root).json()["resources"]}
    assert listed == {"routingtrees", "inhibitionrules"}
    for resource in sorted(listed):
        path = f"{root}/namespaces/default/{resource}"
        before = [one["metadata"]["name"] for one in grafana.get(path).json()["items"]]
        assert ("user-defined" in before) == (resource == "routingtrees")
        made = grafana.post(path, {"metadata": {"name": name}, "spec": {}})
        assert made.status_code == 201 and made.json()["metadata"]["name"] == name
        assert grafana.post(path, {"metadata": {"name": name}, "spec": {}}).json()["reason"] == "AlreadyExists"
        assert {one["metadata"]["name"] for one in grafana.get(path).json()["items"]} == {*before, name}
    assert grafana.get(f"{root}/namespaces/default/elsewhere").status_code == 404
    assert name not in grafana.get("/api/v1/provisioning/policies").text
    assert released("12.4.0").get(f"{root}/namespaces/default/routingtrees").status_code == 404
