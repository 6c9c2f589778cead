"""Folders, their permissions, and search."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from .databases import DatabaseServer
from .instances import Instance, Make, database_section


def folder(grafana: Instance, uid: str, parent: str = "", title: str = "") -> None:
    body = {"uid": uid, "title": title or uid, **({"parentUid": parent} if parent else {})}
    answer = grafana.post("/api/folders", body)
    assert answer.status_code == 200, answer.text


def dashboard(grafana: Instance, uid: str, parent: str = "", **more: object) -> None:
    answer = grafana.post("/api/dashboards/db", {"dashboard": {"uid": uid, "title": uid, **more}, "folderUid": parent})
    assert answer.status_code == 200, answer.text


def test_tree(grafana: Instance, name: str) -> None:
    folder(grafana, name)
    folder(grafana, f"{name}a", name)
    folder(grafana, f"{name}b", f"{name}a")
    listed = grafana.get(f"/api/folders?parentUid={name}").json()
    assert [(one["uid"], one["parentUid"]) for one in listed] == [(f"{name}a", name)], "one level only"
    assert all("parentUid" not in one for one in grafana.get("/api/folders").json())
    found = grafana.get(f"/api/folders/{name}b").json()
    assert found["parentUid"] == f"{name}a" and [one["uid"] for one in found["parents"]] == [name, f"{name}a"]
    assert found["version"] == 1 and found["canSave"] is True and found["url"].startswith(f"/dashboards/f/{name}b/")
    assert grafana.get("/api/folders?parentUid=nowhere").status_code == 404
    missing = grafana.get("/api/folders/nowhere")
    assert (missing.status_code, missing.json()) == (404, {"message": "folder not found", "status": "not-found"})


def test_paging(grafana: Instance, name: str) -> None:
    folder(grafana, name)
    for number in range(5):
        folder(grafana, f"{name}{number}", name)
    pages = [[one["uid"] for one in grafana.get(f"/api/folders?parentUid={name}&limit=2&page={page}").json()] for page in (1, 2, 3, 4)]
    assert pages == [[f"{name}0", f"{name}1"], [f"{name}2", f"{name}3"], [f"{name}4"], []]


@pytest.mark.parametrize(
    ("version", "status", "body"),
    [
        ("11.6.0", 409, {"message": "a folder/dashboard with the same uid already exists"}),
        ("12.4.0", 412, {"message": "the folder has been changed by someone else", "status": "version-mismatch"}),
        ("13.0.1", 412, {"message": "the folder has been changed by someone else", "status": "version-mismatch"}),
    ],
)
def test_uid_that_is_taken(released: Callable[[str], Instance], name: str, version: str, status: int, body: dict[str, str]) -> None:
    grafana = released(version)
    folder(grafana, name)
    answer = grafana.post("/api/folders", {"uid": name, "title": "other"})
    assert (answer.status_code, answer.json()) == (status, body)


def test_titles_need_not_be_unique(grafana: Instance, name: str) -> None:
    folder(grafana, f"{name}a", title=name)
    folder(grafana, f"{name}b", title=name)


@pytest.mark.parametrize("body", [{"title": ""}, {"title": "x", "uid": "a b"}, {"title": "x", "uid": "x" * 41}, {"title": 1}])
def test_refused_folders(grafana: Instance, body: dict[str, object]) -> None:
    assert grafana.post("/api/folders", body).status_code == 400


def test_depth(grafana: Instance, name: str) -> None:
    folder(grafana, f"{name}0")
    for level in range(1, 5):
        folder(grafana, f"{name}{level}", f"{name}{level - 1}")
    answer = grafana.post("/api/folders", {"uid": f"{name}5", "title": "x", "parentUid": f"{name}4"})
    assert (answer.status_code, answer.json()["messageId"]) == (400, "folder.maximum-depth-reached")
    folder(grafana, f"{name}r")
    assert grafana.post(f"/api/folders/{name}0/move", {"parentUid": f"{name}r"}).status_code == 400


def test_update_and_move(grafana: Instance, name: str) -> None:
    folder(grafana, name)
    folder(grafana, f"{name}p")
    path = f"/api/folders/{name}"
    assert grafana.put(path, {"title": "new", "version": 1}).json()["version"] == 2
    stale = grafana.put(path, {"title": "newer", "version": 1})
    assert (stale.status_code, stale.json()["status"]) == (412, "version-mismatch")
    assert grafana.put(path, {"title": "newer", "version": 1, "overwrite": True}).json()["title"] == "newer"
    assert grafana.post(f"{path}/move", {"parentUid": f"{name}p"}).json()["parentUid"] == f"{name}p"
    assert grafana.post(f"/api/folders/{name}p/move", {"parentUid": name}).status_code == 400, "not below itself"
    assert "parentUid" not in grafana.post(f"{path}/move", {"parentUid": ""}).json()


def test_delete_takes_the_content(grafana: Instance, name: str) -> None:
    folder(grafana, name)
    folder(grafana, f"{name}a", name)
    dashboard(grafana, f"{name}d", f"{name}a")
    counts = grafana.get(f"/api/folders/{name}/counts").json()
    assert all(isinstance(value, int) for value in counts.values()) and sum(counts.values()) == 2
    rule = {"title": name, "folderUID": f"{name}a", "ruleGroup": "g", "condition": "A", "for": "0s", "orgID": 1}
    query = {"refId": "A", "datasourceUid": "__expr__", "model": {"type": "math", "expression": "1 > 0"}}
    made = grafana.post("/api/v1/provisioning/alert-rules", {**rule, "data": [query], "noDataState": "OK", "execErrState": "OK"})
    assert made.status_code == 201
    assert grafana.delete(f"/api/folders/{name}").status_code == 400, "there are rules in it"
    answer = grafana.delete(f"/api/folders/{name}?forceDeleteRules=true")
    assert answer.json()["message"] == f"Folder {name} deleted"
    assert grafana.get(f"/api/folders/{name}a").status_code == 404
    assert grafana.get(f"/api/dashboards/uid/{name}d").status_code == 404
    assert grafana.get(f"/api/v1/provisioning/alert-rules/{made.json()['uid']}").status_code == 404


def test_permissions(grafana: Instance, name: str) -> None:
    folder(grafana, name)
    dashboard(grafana, f"{name}d", name)
    path = f"/api/folders/{name}/permissions"
    own = {(one.get("role"), one["userLogin"], one["permissionName"]) for one in grafana.get(path).json()}
    assert own == {(None, "admin", "Admin"), ("Editor", "", "Edit"), ("Viewer", "", "View")}
    viewer = grafana.post("/api/admin/users", {"login": name, "password": "password"}).json()["id"]
    who = {"auth": (name, "password")}
    assert grafana.get(f"/api/dashboards/uid/{name}d", **who).status_code == 200
    assert grafana.post(path, {"items": [{"role": "Editor", "permission": 2}]}).status_code == 200
    assert grafana.get(f"/api/dashboards/uid/{name}d", **who).status_code == 403
    assert not any(hit["uid"] == f"{name}d" for hit in grafana.get("/api/search", **who).json())
    team = grafana.post("/api/teams", {"name": name}).json()["teamId"]
    grafana.post(f"/api/teams/{team}/members", {"userId": viewer})
    assert grafana.post(path, {"items": [{"teamId": team, "permission": 2}]}).status_code == 200
    changed = {"dashboard": {"uid": f"{name}d", "title": "changed"}, "folderUid": name, "overwrite": True}
    assert grafana.post("/api/dashboards/db", changed, **who).status_code == 200
    listed = grafana.get(f"/api/dashboards/uid/{name}d/permissions").json()
    assert [(one["team"], one["inherited"]) for one in listed if one["team"]] == [(name, True)]
    assert grafana.post(f"/api/dashboards/uid/{name}d/permissions", {"items": [{"userId": viewer, "permission": 4}]}).status_code == 200
    assert grafana.get(f"/api/dashboards/uid/{name}d/permissions", **who).status_code == 200
    grafana.post("/api/dashboards/db", {"dashboard": {"uid": f"{name}d", "title": "at the root"}, "overwrite": True}).raise_for_status()
    roles = {one.get("role") for one in grafana.get(f"/api/dashboards/uid/{name}d/permissions").json()}
    assert {"Editor", "Viewer"} <= roles, "what it inherited is gone"
    for items in ([{"role": "Viewer"}], [{"role": "Viewer", "userId": 1, "permission": 1}], [{"role": "Viewer", "permission": 1}] * 2):
        assert grafana.post(path, {"items": items}).status_code == 400


def test_search(grafana: Instance, name: str) -> None:
    folder(grafana, name)
    folder(grafana, f"{name}a", name)
    dashboard(grafana, f"{name}d", name, tags=[f"{name}x", f"{name}y"])
    dashboard(grafana, f"{name}e", f"{name}a", tags=[f"{name}x"])
    dashboard(grafana, f"{name}f")

    def uids(query: str) -> list[str]:
        return [hit["uid"] for hit in grafana.get(f"/api/search?{query}").json()]

    assert uids(f"query={name}") == [name, f"{name}a", f"{name}d", f"{name}e", f"{name}f"]
    assert uids(f"query={name}&type=dash-folder") == [name, f"{name}a"]
    assert uids(f"query={name}&type=dash-db&sort=alpha-desc") == [f"{name}f", f"{name}e", f"{name}d"]
    assert uids(f"folderUIDs={name}&type=dash-db") == [f"{name}d"]
    assert uids(f"folderUIDs=general&query={name}f") == [f"{name}f"]
    assert uids(f"dashboardUIDs={name}d&dashboardUIDs={name}f") == [f"{name}d", f"{name}f"]
    assert uids(f"tag={name}x&tag={name}y") == [f"{name}d"]
    assert uids(f"query={name}&limit=2&page=2") == [f"{name}d", f"{name}e"]
    grafana.post(f"/api/user/stars/dashboard/uid/{name}d").raise_for_status()
    assert uids(f"starred=true&query={name}") == [f"{name}d"]
    grafana.delete(f"/api/user/stars/dashboard/uid/{name}d").raise_for_status()
    assert uids(f"starred=true&query={name}") == []
    hits = {hit["uid"]: hit for hit in grafana.get(f"/api/search?query={name}").json()}
    nested, at_root = hits[f"{name}d"], hits[f"{name}f"]
    assert (nested["folderUid"], nested["folderTitle"], nested["type"]) == (name, name, "dash-db")
    assert "folderUid" not in at_root and at_root["url"] == f"/d/{name}f/{name}f"
    assert {"term": f"{name}x", "count": 2} in grafana.get("/api/dashboards/tags").json()
    assert grafana.get("/api/search/sorting").status_code == 200


def test_search_limits(grafana: Instance) -> None:
    answer = grafana.get("/api/search?limit=5001")
    assert answer.status_code == 422
    text = "Limit is above maximum allowed (5000), use page parameter to access hits beyond limit"
    assert answer.json()["message"] == text
    assert grafana.get("/api/search?limit=5000").status_code == 200
    assert grafana.get("/api/search?dashboardIds=1&dashboardUIDs=a").status_code == 400


def test_search_stops_at_a_thousand(make: Make, postgres: DatabaseServer) -> None:
    database = postgres.new_database()
    grafana = make("12.4.0", {"database": database_section(postgres, database)}).start()
    dashboard(grafana, "many-0")
    columns = (
        "org_id, title, slug, folder_uid, tags, version, api_version, plugin_id, data, message, created_by, updated_by, created, updated"
    )
    postgres.execute(
        f"INSERT INTO dashboard (uid, written_by, written_at, {columns}) SELECT 'many-' || n, '', 0, {columns} "
        "FROM dashboard, generate_series(1, 1000) n",
        database,
    )
    assert len(grafana.get("/api/search?type=dash-db").json()) == 1000
    assert len(grafana.get("/api/search?type=dash-db&query=many&page=2").json()) == 1
    assert len(grafana.get("/api/search?type=dash-db&query=many&limit=5000").json()) == 1001
