"""Saving, reading and deleting dashboards, release by release."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests

from .databases import DatabaseServer
from .instances import Instance, Make, database_section

Released = Callable[[str], Instance]
ALL = ("11.6.0", "12.4.0", "13.0.1", "13.1.0")
V2 = {
    "title": "Two",
    "elements": {
        "panel-1": {"kind": "Panel", "spec": {"id": 1, "title": "P", "vizConfig": {"kind": "VizConfig", "group": "text", "spec": {}}}}
    },
    "layout": {"kind": "GridLayout", "spec": {"items": []}},
    "timeSettings": {"from": "now-1h", "to": "now"},
}


def save(grafana: Instance, dashboard: dict[str, Any], **more: Any) -> requests.Response:
    return grafana.post("/api/dashboards/db", {"dashboard": dashboard, **more})


@pytest.mark.parametrize("version", ALL)
def test_create_and_read(released: Released, name: str, version: str) -> None:
    grafana = released(version)
    made = save(grafana, {"id": None, "uid": name, "title": "A Title", "panels": [], "schemaVersion": 39}, message="first")
    assert made.status_code == 200
    assert set(made.json()) == {"id", "uid", "url", "status", "version", "slug", "folderUid"}
    assert (made.json()["url"], made.json()["version"]) == (f"/d/{name}/a-title", 1)
    found = grafana.get(f"/api/dashboards/uid/{name}").json()
    assert set(found) == {"dashboard", "meta"}
    assert found["dashboard"] == {"id": made.json()["id"], "uid": name, "version": 1, "title": "A Title", "panels": [], "schemaVersion": 39}
    meta = found["meta"]
    assert (meta["folderTitle"], meta["folderUid"], meta["slug"], meta["provisioned"]) == ("General", "", "a-title", False)
    assert ("isStarred" in meta) == (version != "13.1.0")
    assert ("apiVersion" in meta) == (version != "11.6.0")
    missing = grafana.get("/api/dashboards/uid/nowhere")
    assert (missing.status_code, missing.json()) == (404, {"message": "Dashboard not found"})


@pytest.mark.parametrize("version", ALL)
def test_versions_conflict(released: Released, name: str, version: str) -> None:
    grafana = released(version)
    save(grafana, {"uid": name, "title": " x\t"}).raise_for_status()
    assert grafana.get(f"/api/dashboards/uid/{name}").json()["dashboard"]["title"] == "x"
    again = save(grafana, {"uid": name, "title": "y"})
    if version == "13.1.0":
        assert (again.status_code, again.json()) == (409, {"message": "Dashboard already exists. Use overwrite flag to update."})
    else:
        expected = {"message": "The dashboard has been changed by someone else", "status": "version-mismatch"}
        assert (again.status_code, again.json()) == (412, expected)
    assert save(grafana, {"uid": name, "title": "y", "version": 1}).json()["version"] == 2
    assert save(grafana, {"uid": name, "title": "y", "version": 1}).status_code in (409, 412)
    assert save(grafana, {"uid": name, "title": "z"}, overwrite=True).json()["version"] == 3
    inside = save(grafana, {"uid": name, "title": "z", "overwrite": True})
    assert inside.status_code in (409, 412), "overwrite belongs beside the dashboard"


def test_identifiers(grafana: Instance, name: str) -> None:
    first = save(grafana, {"uid": f"{name}a", "title": "x"}).json()["id"]
    save(grafana, {"uid": f"{name}b", "title": "x"}).raise_for_status()
    clash = save(grafana, {"id": first, "uid": f"{name}b", "title": "x"})
    assert (clash.status_code, clash.json()["message"]) == (400, "A dashboard with the same uid already exists")
    absent = save(grafana, {"id": 987654, "uid": f"{name}c", "title": "x"})
    assert (absent.status_code, absent.json()["status"]) == (404, "not-found")
    renamed = save(grafana, {"id": first, "uid": f"{name}n", "title": "x"}, overwrite=True)
    assert renamed.json()["uid"] == f"{name}n" and renamed.json()["id"] == first
    assert grafana.get(f"/api/dashboards/uid/{name}a").status_code == 404


def test_body_of_an_answer_is_no_body_of_a_request(grafana: Instance, name: str) -> None:
    save(grafana, {"uid": name, "title": "x"}).raise_for_status()
    found = grafana.get(f"/api/dashboards/uid/{name}").json()
    assert grafana.post("/api/dashboards/db", {"dashboard": found}).status_code == 400


def test_update_without_a_folder_moves_to_the_root(grafana: Instance, name: str) -> None:
    grafana.post("/api/folders", {"uid": f"{name}f", "title": "F"}).raise_for_status()
    save(grafana, {"uid": name, "title": "x"}, folderUid=f"{name}f").raise_for_status()
    meta = grafana.get(f"/api/dashboards/uid/{name}").json()["meta"]
    assert (meta["folderUid"], meta["folderTitle"]) == (f"{name}f", "F")
    save(grafana, {"uid": name, "title": "x", "version": 1}).raise_for_status()
    assert grafana.get(f"/api/dashboards/uid/{name}").json()["meta"]["folderUid"] == ""


@pytest.mark.parametrize(
    ("dashboard", "more", "message"),
    [
        ({"title": "x", "uid": "a b"}, {}, "uid contains illegal characters"),
        ({"title": "x", "uid": "x" * 41}, {}, "uid too long, max 40 characters"),
        ({"title": "x"}, {"folderUid": "nowhere"}, "folder not found"),
        ({"title": "x"}, {"isFolder": True}, "Use folders endpoint for saving folders."),
        ({"title": "x"}, {"overwrite": "yes"}, "bad request data"),
        ({"title": 7}, {}, "bad request data"),
    ],
)
def test_refused_dashboards(grafana: Instance, dashboard: dict[str, Any], more: dict[str, Any], message: str) -> None:
    answer = save(grafana, dashboard, **more)
    assert (answer.status_code, answer.json()["message"]) == (400, message)


def test_more_refused_dashboards(released: Released) -> None:
    old, new = released("12.4.0"), released("13.1.0")
    empty = save(old, {"title": " "})
    assert (empty.status_code, empty.json()) == (400, {"message": "Dashboard title cannot be empty", "status": "empty-name"})
    assert save(new, {"title": ""}).json()["message"] == "Dashboard spec is missing required title property"
    assert save(old, {"title": "x"}, message="m" * 501).status_code == 400
    assert save(old, {"title": "x" * 5001}).status_code == 400
    assert old.call("POST", "/api/dashboards/db", data="{").json() == {"message": "bad request data"}
    viewer = {"auth": ("reader", "password")}
    old.post("/api/admin/users", {"login": "reader", "password": "password"}).raise_for_status()
    refused = old.post("/api/dashboards/db", {"dashboard": {"title": "x"}}, **viewer)
    assert (refused.status_code, refused.json()["message"]) == (403, "Access denied to save dashboard")


def test_size_limit(grafana: Instance) -> None:
    grafana.faults(dashboard_limit_mb=1)
    answer = save(grafana, {"title": "x", "text": "x" * (1 << 20)})
    grafana.delete("/-/stand-in/faults").raise_for_status()
    assert (answer.status_code, answer.json()["message"]) == (413, "Dashboard is too large, max is 1 MB")


def test_titles_need_not_be_unique(grafana: Instance, name: str) -> None:
    assert {save(grafana, {"title": name}).status_code for _ in range(2)} == {200}


def test_delete(grafana: Instance, name: str) -> None:
    save(grafana, {"uid": name, "title": "X"}).raise_for_status()
    assert grafana.delete(f"/api/dashboards/uid/{name}").json() == {"title": "X", "message": "Dashboard X deleted", "uid": name}
    assert grafana.delete(f"/api/dashboards/uid/{name}").status_code == 404


def test_versions(grafana: Instance, released: Released, name: str) -> None:
    for number in range(3):
        save(grafana, {"uid": name, "title": f"v{number}"}, overwrite=True, message=f"m{number}").raise_for_status()
    path = f"/api/dashboards/uid/{name}"
    found = grafana.get(f"{path}/versions").json()
    assert found["continueToken"] == "" and [one["version"] for one in found["versions"]] == [3, 2, 1]
    assert [one["message"] for one in found["versions"]] == ["m2", "m1", "m0"]
    page = grafana.get(f"{path}/versions?limit=2").json()
    assert [one["version"] for one in page["versions"]] == [3, 2] and page["continueToken"]
    rest = grafana.get(f"{path}/versions?limit=2&continueToken={page['continueToken']}").json()
    assert [one["version"] for one in rest["versions"]] == [1]
    assert grafana.get(f"{path}/versions?limit=1&start=1").json()["versions"][0]["version"] == 2
    assert grafana.get(f"{path}/versions/1").json()["data"]["title"] == "v0"
    assert grafana.get(f"{path}/versions/9").status_code == 404
    restored = grafana.post(f"{path}/restore", {"version": 1})
    assert restored.json()["version"] == 4
    assert grafana.get(path).json()["dashboard"]["title"] == "v0"
    assert grafana.get(f"{path}/versions/4").json()["restoredFrom"] == 1
    old = released("11.6.0")
    save(old, {"uid": name, "title": "x"}).raise_for_status()
    assert isinstance(old.get(f"{path}/versions").json(), list), "a plain array before"


def test_versions_to_keep(make: Make, postgres: DatabaseServer) -> None:
    sections = {"database": database_section(postgres, postgres.new_database()), "dashboards": {"versions_to_keep": "2"}}
    instance = make("13.0.1", sections).start()
    for number in range(4):
        save(instance, {"uid": "x", "title": str(number)}, overwrite=True).raise_for_status()
    assert [one["version"] for one in instance.get("/api/dashboards/uid/x/versions").json()["versions"]] == [4, 3]


def put_v2(grafana: Instance, name: str, version: str = "v2beta1") -> str:
    path = f"/apis/dashboard.grafana.app/{version}/namespaces/default/dashboards"
    answer = grafana.post(path, {"metadata": {"name": name}, "spec": V2})
    assert answer.status_code == 201, answer.text
    return f"{path}/{name}"


def test_v2_dashboards_in_the_old_api(released: Released, name: str) -> None:
    path = put_v2(released("12.4.0"), name)
    refused = released("12.4.0").get(f"/api/dashboards/uid/{name}")
    text = f"dashboard api version not supported, use {path} instead"
    assert (refused.status_code, refused.json()["message"]) == (406, text)
    put_v2(released("13.0.1"), name)
    converted = released("13.0.1").get(f"/api/dashboards/uid/{name}")
    assert converted.status_code == 200
    dashboard = converted.json()["dashboard"]
    assert [panel["title"] for panel in dashboard["panels"]] == ["P"] and "elements" not in dashboard
    assert converted.json()["meta"]["apiVersion"] == "v2beta1"


def test_schema_is_kept_unless_a_version_is_asked_for(released: Released, name: str) -> None:
    grafana = released("13.0.1")
    save(grafana, {"uid": name, "title": "x", "schemaVersion": 16}).raise_for_status()
    assert grafana.get(f"/api/dashboards/uid/{name}").json()["dashboard"]["schemaVersion"] == 16
    assert grafana.get(f"/api/dashboards/uid/{name}?apiVersion=v1beta1").json()["dashboard"]["schemaVersion"] > 16


def test_resources_in_the_old_api_of_newer_releases(released: Released, name: str) -> None:
    grafana = released("13.1.0")
    wrapped = {"apiVersion": "dashboard.grafana.app/v2", "kind": "Dashboard", "metadata": {"name": name}, "spec": V2}
    assert save(grafana, wrapped).json()["uid"] == name
    assert save(grafana, {**wrapped, "id": 1}).status_code == 400
    assert save(grafana, {**wrapped, "uid": f"{name}o"}).json()["uid"] == f"{name}o"
    assert save(grafana, V2).status_code == 400
    assert save(grafana, wrapped).status_code == 409
    assert save(grafana, {**wrapped, "metadata": {"name": name, "generation": 1}}).json()["version"] == 2


def test_import(grafana: Instance, name: str) -> None:
    grafana.post("/api/folders", {"uid": f"{name}f", "title": "F"}).raise_for_status()
    panel = {"type": "text", "title": "Shared", "datasource": {"type": "prometheus", "uid": "${DS_PROMETHEUS}"}}
    shared = {
        "title": name,
        "uid": name,
        "__inputs": [
            {"name": "DS_PROMETHEUS", "type": "datasource", "pluginId": "prometheus", "label": "P", "pluginName": "Prometheus"},
            {"name": "VAR_X", "type": "constant", "value": "1"},
        ],
        "__requires": [],
        "__elements": {f"{name}e": {"uid": f"{name}e", "name": f"{name}e", "kind": 1, "model": panel}},
        "panels": [
            {"id": 1, "libraryPanel": {"uid": f"{name}e"}},
            {"id": 2, "title": "${VAR_X} $kept ${kept}", **{"datasource": panel["datasource"]}},
        ],
    }
    given = [
        {"name": "DS_PROMETHEUS", "type": "datasource", "pluginId": "prometheus", "value": "the-uid"},
        {"name": "VAR_X", "type": "constant", "value": "7"},
    ]
    missing = grafana.post("/api/dashboards/import", {"dashboard": shared, "inputs": given[:1], "overwrite": True})
    assert missing.status_code == 400
    answer = grafana.post("/api/dashboards/import", {"dashboard": shared, "inputs": given, "overwrite": True, "folderUid": f"{name}f"})
    assert answer.status_code == 200, answer.text
    assert (answer.json()["uid"], answer.json()["imported"], answer.json()["folderUid"]) == (name, True, f"{name}f")
    stored = grafana.get(f"/api/dashboards/uid/{name}").json()["dashboard"]
    assert not {"__inputs", "__requires", "__elements"} & set(stored)
    assert stored["panels"][1]["datasource"]["uid"] == "the-uid" and stored["panels"][1]["title"] == "7 $kept ${kept}"
    element = grafana.get(f"/api/library-elements/{name}e").json()["result"]
    assert element["model"]["datasource"]["uid"] == "the-uid" and element["meta"]["connectedDashboards"] == 1
    raw = save(grafana, {**shared, "uid": f"{name}r"})
    assert raw.status_code == 200
    kept = grafana.get(f"/api/dashboards/uid/{name}r").json()["dashboard"]
    assert kept["panels"][1]["datasource"]["uid"] == "${DS_PROMETHEUS}", "saving resolves nothing"
