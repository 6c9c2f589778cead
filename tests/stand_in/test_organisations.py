"""Organisations, users, teams, preferences, quotas."""

from __future__ import annotations

import requests

from .databases import DatabaseServer
from .instances import Instance, Make, database_section


def test_organisations(grafana: Instance, name: str) -> None:
    made = grafana.post("/api/orgs", {"name": name})
    assert made.status_code == 200 and set(made.json()) == {"orgId", "message"}
    org = made.json()["orgId"]
    assert grafana.post("/api/orgs", {"name": name}).status_code == 409
    assert grafana.get(f"/api/orgs/name/{name}").json()["id"] == org
    assert grafana.get(f"/api/orgs?name={name}").json() == [{"id": org, "name": name}]
    assert grafana.put(f"/api/orgs/{org}", {"name": f"{name}2"}).status_code == 200
    assert grafana.put(f"/api/orgs/{org}/address", {"city": "Here", "zipcode": "1"}).status_code == 200
    found = grafana.get(f"/api/orgs/{org}").json()
    assert found["name"] == f"{name}2" and found["address"]["city"] == "Here" and found["address"]["zipCode"] == "1"
    assert [member["login"] for member in grafana.get(f"/api/orgs/{org}/users").json()] == ["admin"], "who makes one is in it"
    here = {"X-Grafana-Org-Id": str(org)}
    assert grafana.post("/api/folders", {"uid": "inside", "title": "inside"}, headers=here).status_code == 200
    assert grafana.get("/api/folders/inside").status_code == 404
    assert grafana.delete(f"/api/orgs/{org}", headers=here).status_code == 400, "not the one of the request"
    assert grafana.delete(f"/api/orgs/{org}").status_code == 200
    assert grafana.get(f"/api/orgs/{org}").status_code == 404
    assert grafana.delete(f"/api/orgs/{org}").status_code == 404


def test_pages_are_numbered_from_0(grafana: Instance, name: str) -> None:
    names = [f"{name} {number}" for number in range(3)]
    for one in names:
        assert grafana.post("/api/orgs", {"name": one}).status_code == 200
    for page, expected in (("", names[:2]), ("&page=0", names[:2]), ("&page=1", names[2:]), ("&page=2", [])):
        found = grafana.get(f"/api/orgs?query={name} &perpage=2{page}").json()
        assert [one["name"] for one in found] == expected, page


def test_users_of_an_organisation(grafana: Instance, name: str) -> None:
    org = grafana.post("/api/orgs", {"name": name}).json()["orgId"]
    number = grafana.post("/api/admin/users", {"login": name, "password": "password", "name": "N"}).json()["id"]
    path = f"/api/orgs/{org}/users"
    assert grafana.post(path, {"loginOrEmail": name, "role": "Editor"}).json()["userId"] == number
    assert grafana.post(path, {"loginOrEmail": name, "role": "Editor"}).status_code == 409
    assert grafana.post(path, {"loginOrEmail": "nobody", "role": "Editor"}).status_code == 404
    assert grafana.post(path, {"loginOrEmail": name, "role": "King"}).status_code == 400
    assert grafana.call("PATCH", f"{path}/{number}", {"role": "Viewer"}).status_code == 200
    found = grafana.get(f"{path}/search?perpage=1&page=2").json()
    assert found["totalCount"] == 2 and len(found["orgUsers"]) == 1
    assert grafana.delete(f"{path}/{number}").status_code == 200
    assert grafana.delete(f"{path}/1").status_code == 400, "somebody has to administer it"
    assert grafana.call("PATCH", f"{path}/1", {"role": "Viewer"}).status_code == 400
    assert grafana.get("/api/org/users?query=admin").json()[0]["login"] == "admin"
    assert grafana.get("/api/org/users/lookup?query=admin").json()[0]["userId"] == 1
    other = grafana.post("/api/admin/users", {"login": f"{name}x", "password": "password"}).json()["id"]
    assert grafana.delete(f"/api/org/users/{other}").status_code == 200
    assert grafana.post("/api/org/users", {"loginOrEmail": f"{name}x", "role": "Viewer"}).status_code == 200
    assert grafana.call("PATCH", f"/api/org/users/{other}", {"role": "Editor"}).status_code == 200


def test_invitations(grafana: Instance, name: str) -> None:
    assert grafana.post("/api/org/invites", {"loginOrEmail": f"{name}@x.example", "role": "Viewer"}).status_code == 200
    code = next(one["code"] for one in grafana.get("/api/org/invites").json() if one["email"] == f"{name}@x.example")
    assert grafana.delete(f"/api/org/invites/{code}/revoke").status_code == 200
    assert grafana.delete(f"/api/org/invites/{code}/revoke").status_code == 404


def test_users(grafana: Instance, name: str) -> None:
    assert grafana.post("/api/admin/users", {"login": name, "password": "x"}).status_code == 400
    assert grafana.post("/api/admin/users", {"password": "password"}).status_code == 400
    made = grafana.post("/api/admin/users", {"login": name, "email": f"{name}@x.example", "password": "password", "OrgId": 1})
    number = made.json()["id"]
    assert grafana.post("/api/admin/users", {"login": name, "password": "password"}).status_code == 412
    path = f"/api/admin/users/{number}"
    assert grafana.get(f"/api/users/lookup?loginOrEmail={name}@x.example").json()["id"] == number
    assert grafana.put(f"/api/users/{number}", {"name": "Name", "login": name, "email": f"{name}@x.example"}).status_code == 200
    assert grafana.put(f"/api/users/{number}", {"login": "admin"}).status_code == 409
    found = grafana.get(f"/api/users/{number}").json()
    assert (found["name"], found["isGrafanaAdmin"], found["orgId"]) == ("Name", False, 1)
    assert grafana.get(f"/api/users/{number}/orgs").json()[0]["role"] == "Viewer"
    assert grafana.get(f"/api/users/{number}/teams").json() == []
    assert grafana.get(f"/api/users/search?query={name}").json()["totalCount"] == 1
    assert any(one["id"] == number for one in grafana.get("/api/users?perpage=1000").json())
    assert grafana.put(f"{path}/permissions", {"isGrafanaAdmin": True}).status_code == 200
    assert grafana.get("/api/orgs", auth=(name, "password")).status_code == 200
    assert grafana.put(f"{path}/password", {"password": "other one"}).status_code == 200
    assert grafana.get("/api/org", auth=(name, "password")).status_code == 401
    assert grafana.get("/api/org", auth=(name, "other one")).status_code == 200
    grafana.post("/login", {"user": name, "password": "other one"}).raise_for_status()
    grafana.session.cookies.clear()
    session = grafana.get(f"{path}/auth-tokens").json()[0]
    assert grafana.post(f"{path}/revoke-auth-token", {"authTokenId": session["id"]}).status_code == 200
    assert grafana.get(f"{path}/auth-tokens").json() == []
    assert grafana.post(f"{path}/logout").status_code == 200
    assert grafana.post(f"{path}/disable").status_code == 200
    assert grafana.get("/api/org", auth=(name, "other one")).status_code == 401
    assert grafana.post(f"{path}/enable").status_code == 200
    assert grafana.delete(path).status_code == 200
    assert grafana.get(f"/api/users/{number}").status_code == 404


def test_own_account(grafana: Instance, name: str) -> None:
    own = grafana.get("/api/user").json()
    assert (own["login"], own["isGrafanaAdmin"]) == ("admin", True)
    org = grafana.post("/api/orgs", {"name": name}).json()["orgId"]
    assert {one["orgId"] for one in grafana.get("/api/user/orgs").json()} >= {1, org}
    assert grafana.post(f"/api/user/using/{org}").status_code == 200
    assert grafana.get("/api/org").json()["id"] == org
    assert grafana.post("/api/user/using/1", headers={"X-Grafana-Org-Id": "1"}).status_code == 200
    assert grafana.post("/api/user/using/4711").status_code == 400
    assert grafana.put("/api/user", {"login": "admin", "name": "Boss"}).status_code == 200


def test_teams(grafana: Instance, name: str) -> None:
    made = grafana.post("/api/teams", {"name": name, "email": "t@x.example"}).json()
    path = f"/api/teams/{made['teamId']}"
    assert grafana.post("/api/teams", {"name": name}).status_code == 409
    assert grafana.get(f"/api/teams/{made['uid']}").json()["name"] == name, "the uid does as well"
    assert grafana.put(path, {"name": f"{name}2"}).status_code == 200
    number = grafana.post("/api/admin/users", {"login": name, "email": f"{name}@x.example", "password": "password"}).json()["id"]
    assert grafana.post(f"{path}/members", {"userId": number}).status_code == 200
    assert grafana.post(f"{path}/members", {"userId": number}).status_code == 400
    assert grafana.put(f"{path}/members/{number}", {"permission": 4}).status_code == 200
    assert grafana.get(f"{path}/members").json()[0]["permission"] == 4
    assert grafana.put(f"{path}/members", {"members": ["admin@localhost"], "admins": [f"{name}@x.example"]}).status_code == 200
    assert grafana.get(path).json()["memberCount"] == 2
    assert grafana.delete(f"{path}/members/{number}").status_code == 200
    found = grafana.get(f"/api/teams/search?query={name}&perpage=10").json()
    assert (found["totalCount"], found["perPage"], found["teams"][0]["name"]) == (1, 10, f"{name}2")
    assert grafana.put(f"{path}/preferences", {"theme": "dark"}).status_code == 200
    assert grafana.get(f"{path}/preferences").json() == {"theme": "dark"}
    assert any(team["id"] == made["teamId"] for team in grafana.get("/api/user/teams").json())
    assert grafana.delete(path).status_code == 200
    assert grafana.get(path).status_code == 404


def test_preferences(grafana: Instance, name: str) -> None:
    grafana.post("/api/dashboards/db", {"dashboard": {"uid": name, "title": name}}).raise_for_status()
    for who in ("org", "user"):
        path = f"/api/{who}/preferences"
        assert grafana.put(path, {"theme": "light", "homeDashboardUID": name, "timezone": "utc"}).status_code == 200
        assert grafana.call("PATCH", path, {"weekStart": "monday"}).status_code == 200
        assert grafana.get(path).json() == {"theme": "light", "homeDashboardUID": name, "timezone": "utc", "weekStart": "monday"}
        assert grafana.put(path, {"theme": "neon"}).status_code == 400
        assert grafana.put(path, {"homeDashboardUID": "nowhere"}).status_code == 404
        assert grafana.get("/api/dashboards/home").json() == {"redirectUri": f"/d/{name}/{name}"}
        assert grafana.put(path, {}).status_code == 200
        assert grafana.get(path).json() == {}
    assert "dashboard" in grafana.get("/api/dashboards/home").json()


def test_quotas(grafana: Instance, make: Make, postgres: DatabaseServer) -> None:
    assert grafana.get("/api/org/quotas").status_code == 404
    instance = make("13.0.1", {"database": database_section(postgres, postgres.new_database()), "quota": {"enabled": "true"}}).start()
    instance.session.hooks["response"] = grafana.session.hooks["response"]
    assert instance.put("/api/orgs/1/quotas/dashboard", {"limit": 1, "target": "dashboard"}).status_code == 200
    quota = next(one for one in instance.get("/api/org/quotas").json() if one["target"] == "dashboard")
    assert quota == {"org_id": 1, "target": "dashboard", "limit": 1, "used": 0}
    assert instance.get("/api/orgs/1/quotas").status_code == 200
    assert instance.put("/api/admin/users/1/quotas/user_org", {"limit": 3}).status_code == 200
    assert instance.get("/api/admin/users/1/quotas").json()[0]["limit"] == 3
    assert instance.post("/api/dashboards/db", {"dashboard": {"title": "one"}}).status_code == 200
    answer = instance.post("/api/dashboards/db", {"dashboard": {"title": "two"}})
    assert (answer.status_code, answer.json()["message"]) == (403, "Quota reached")


def test_server_administration(grafana: Instance) -> None:
    stats = grafana.get("/api/admin/stats").json()
    assert stats["orgs"] >= 1 and stats["users"] >= 1
    shown = grafana.get("/api/admin/settings").json()
    assert shown["security"]["admin_password"] == "*********" and shown["server"]["http_addr"] == "127.0.0.1"
    for what, status in (("dashboards", 200), ("datasources", 200), ("plugins", 200), ("alerting", 200), ("access-control", 202)):
        assert grafana.post(f"/api/admin/provisioning/{what}/reload").status_code == status


def test_health_and_metrics(grafana: Instance) -> None:
    answer = requests.get(f"{grafana.url}/api/health", timeout=5)
    assert answer.headers["Content-Type"] == "application/json; charset=UTF-8"
    commit = answer.json()["commit"]
    assert answer.text == f'{{\n  "database": "ok",\n  "version": "13.0.1",\n  "commit": "{commit}",\n  "apiserver": "ok"\n}}'
    assert requests.head(f"{grafana.url}/api/health", timeout=5).status_code == 200
    assert requests.post(f"{grafana.url}/api/health", timeout=5).status_code == 404
    alive = requests.get(f"{grafana.url}/healthz", timeout=5)
    assert (alive.text, alive.headers["Content-Type"].split(";")[0]) == ("Ok", "text/plain")
    metrics = requests.get(f"{grafana.url}/metrics", timeout=5)
    assert 'grafana_build_info{branch="HEAD",edition="oss"' in metrics.text and 'version="13.0.1"' in metrics.text
    assert 'grafana_http_request_duration_seconds_count{handler="/api/health",method="GET",status_code="200"' in metrics.text


def test_metrics_with_a_password(make: Make, postgres: DatabaseServer) -> None:
    metrics = {"basic_auth_username": "m", "basic_auth_password": "p"}
    instance = make("11.6.0", {"database": database_section(postgres, postgres.new_database()), "metrics": metrics}).start()
    assert requests.get(f"{instance.url}/metrics", timeout=5).status_code == 401
    assert requests.get(f"{instance.url}/metrics", auth=("m", "p"), timeout=5).status_code == 200
    assert "apiserver" not in instance.get("/api/health").json()
