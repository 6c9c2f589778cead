"""Library elements, annotations, snapshots, playlists."""

from __future__ import annotations

from collections.abc import Callable

from .instances import Instance


def test_library_elements(grafana: Instance, name: str) -> None:
    grafana.post("/api/folders", {"uid": name, "title": name}).raise_for_status()
    body = {"uid": name, "name": name, "kind": 1, "folderUid": name, "model": {"type": "text", "description": "d", "title": "t"}}
    made = grafana.post("/api/library-elements", body)
    assert made.status_code == 200
    element = made.json()["result"]
    assert (element["version"], element["type"], element["description"]) == (1, "text", "d")
    assert (element["meta"]["folderName"], element["meta"]["connectedDashboards"]) == (name, 0)
    taken = grafana.post("/api/library-elements", body)
    assert (taken.status_code, taken.json()["message"]) == (400, "library element with that name or UID already exists")
    assert grafana.post("/api/library-elements", {**body, "uid": f"{name}2"}).status_code == 400
    assert (
        grafana.post("/api/library-elements", {**body, "uid": f"{name}2", "folderUid": "nowhere"}).json()["message"]
        == "failed to get folder"
    )
    path = f"/api/library-elements/{name}"
    stale = grafana.call("PATCH", path, {"name": "x", "kind": 1, "version": 7})
    assert (stale.status_code, stale.json()["message"]) == (412, "the library element has been changed by someone else")
    changed = grafana.call("PATCH", path, {"name": f"{name}n", "kind": 1, "version": 1, "folderUid": "", "model": {"type": "table"}})
    assert (changed.json()["result"]["version"], changed.json()["result"]["type"], changed.json()["result"]["folderUid"]) == (
        2,
        "table",
        "",
    )
    assert changed.json()["result"]["model"]["description"] == "d", "a model without one gets what is stored"
    assert grafana.get(f"/api/library-elements/name/{name}n").json()["result"][0]["uid"] == name
    missing = grafana.get("/api/library-elements/nowhere")
    assert (missing.status_code, missing.json()["message"]) == (404, "library element could not be found")


def test_library_elements_in_use(grafana: Instance, name: str) -> None:
    body = {"uid": name, "name": name, "kind": 1, "model": {"type": "text"}}
    grafana.post("/api/library-elements", body).raise_for_status()
    inner = {"type": "row", "panels": [{"libraryPanel": {"uid": name, "name": name}}]}
    grafana.post("/api/dashboards/db", {"dashboard": {"uid": name, "title": "x", "panels": [inner]}}).raise_for_status()
    found = grafana.get(f"/api/library-elements/{name}/connections/").json()["result"]
    assert [one["connectionUid"] for one in found] == [name]
    used = grafana.delete(f"/api/library-elements/{name}")
    assert (used.status_code, used.json()["message"]) == (403, "the library element has connections")
    grafana.delete(f"/api/dashboards/uid/{name}").raise_for_status()
    assert grafana.delete(f"/api/library-elements/{name}").status_code == 200


def test_library_search(grafana: Instance, name: str) -> None:
    grafana.post("/api/folders", {"uid": name, "title": name}).raise_for_status()
    for number in range(3):
        body = {
            "uid": f"{name}{number}",
            "name": f"{name}{number}",
            "kind": 1,
            "folderUid": name if number else "",
            "model": {"type": "text"},
        }
        grafana.post("/api/library-elements", body).raise_for_status()

    def uids(query: str) -> list[str]:
        return [one["uid"] for one in grafana.get(f"/api/library-elements?{query}").json()["result"]["elements"]]

    assert uids(f"searchString={name}") == [f"{name}0", f"{name}1", f"{name}2"]
    assert uids(f"searchString={name}&perPage=2&page=2") == [f"{name}2"]
    assert uids(f"folderFilterUIDs={name}") == [f"{name}1", f"{name}2"]
    assert uids(f"searchString={name}&sortDirection=alpha-desc&excludeUid={name}1") == [f"{name}2", f"{name}0"]
    assert uids(f"searchString={name}&kind=2") == []
    result = grafana.get(f"/api/library-elements?searchString={name}&perPage=2").json()["result"]
    assert (result["totalCount"], result["page"], result["perPage"]) == (3, 1, 2)


def test_library_names_in_newest_release(released: Callable[[str], Instance], name: str) -> None:
    grafana = released("13.1.0")
    for number in range(2):
        body = {"uid": f"{name}{number}", "name": name, "kind": 1, "model": {}}
        assert grafana.post("/api/library-elements", body).status_code == 200


def test_annotations(grafana: Instance, name: str) -> None:
    grafana.post("/api/dashboards/db", {"dashboard": {"uid": name, "title": name}}).raise_for_status()
    numbers = []
    for moment in (1000, 2000, 3000):
        body = {"dashboardUID": name, "panelId": 1, "time": moment, "timeEnd": moment + 10, "text": "t", "tags": [name, f"{name}{moment}"]}
        numbers.append(grafana.post("/api/annotations", body).json()["id"])

    def found(query: str) -> list[int]:
        return [one["time"] for one in grafana.get(f"/api/annotations?{query}").json()]

    assert found(f"dashboardUID={name}") == [3000, 2000, 1000]
    assert found(f"dashboardUID={name}&limit=2") == [3000, 2000]
    assert found(f"dashboardUID={name}&from=1500&to=2500") == [2000]
    assert found(f"dashboardUID={name}&from=1&to=2500&limit=1") == [2000]
    assert found(f"tags={name}&tags={name}1000") == [1000]
    assert found(f"tags={name}1000&tags={name}2000&matchAny=true") == [2000, 1000]
    path = f"/api/annotations/{numbers[0]}"
    assert grafana.put(path, {"text": "u", "time": 1001}).status_code == 200
    assert grafana.get(path).json()["tags"] == [] and grafana.get(path).json()["text"] == "u"
    assert grafana.call("PATCH", path, {"tags": ["x"]}).status_code == 200
    assert grafana.get(path).json()["text"] == "u" and grafana.get(path).json()["tags"] == ["x"]
    assert grafana.call("PATCH", path, {"text": ""}).status_code == 200 and grafana.get(path).json()["text"] == "u"
    assert grafana.put(path, {"text": "", "timeEnd": 9000}).status_code == 200 and grafana.get(path).json()["text"] == ""
    assert found(f"dashboardUID={name}") == [1001, 3000, 2000], "what ends last comes first"
    assert {"tag": f"{name}2000", "count": 1} in grafana.get(f"/api/annotations/tags?tag={name}").json()["result"]["tags"]
    assert grafana.post("/api/annotations", {"text": ""}).status_code == 400
    assert grafana.post("/api/annotations/graphite", {"what": "w", "tags": "a b", "data": "d"}).status_code == 200
    assert grafana.delete(path).status_code == 200
    assert grafana.get(path).status_code == 404
    assert grafana.post("/api/annotations/mass-delete", {"dashboardUID": name, "panelId": 1}).status_code == 200
    assert found(f"dashboardUID={name}") == []


def test_snapshots(grafana: Instance, name: str) -> None:
    made = grafana.post("/api/snapshots", {"name": name, "dashboard": {"title": "x"}}).json()
    assert grafana.get(f"/api/snapshots/{made['key']}", auth=("", "")).json()["dashboard"] == {"title": "x"}
    assert [one["key"] for one in grafana.get(f"/api/dashboard/snapshots?query={name}").json()] == [made["key"]]
    assert grafana.get(f"/api/snapshots-delete/{made['deleteKey']}").status_code == 200
    assert grafana.get(f"/api/snapshots/{made['key']}").status_code == 404
    other = grafana.post("/api/snapshots", {"name": name, "dashboard": {}, "expires": 3600}).json()
    assert grafana.delete(f"/api/snapshots/{other['key']}").status_code == 200
    assert grafana.get("/api/snapshot/shared-options").json()["externalEnabled"] is True


def test_playlists(grafana: Instance, name: str) -> None:
    items = [{"type": "dashboard_by_tag", "value": "a", "order": 1, "title": "A"}]
    made = grafana.post("/api/playlists", {"name": name, "interval": "1m", "items": items}).json()
    path = f"/api/playlists/{made['uid']}"
    assert grafana.get(path).json()["name"] == name
    assert grafana.get(f"{path}/items").json() == items
    assert grafana.put(path, {"name": f"{name}2", "interval": "2m", "items": []}).json()["interval"] == "2m"
    assert [one["uid"] for one in grafana.get(f"/api/playlists?query={name}").json()] == [made["uid"]]
    assert grafana.delete(path).status_code == 200
    assert grafana.get(path).status_code == 404
