"""Who gets in, as whom, and what the ones who do not are told."""

from __future__ import annotations

import time

import requests

from .databases import DatabaseServer
from .instances import ADMIN, Instance, Make, database_section


def anonymous(instance: Instance, path: str, method: str = "GET", **options: object) -> requests.Response:
    return requests.request(method, f"{instance.url}{path}", timeout=10, **options)  # type: ignore[arg-type]


def token(instance: Instance, name: str, role: str = "Admin") -> dict[str, str]:
    made = instance.post("/api/serviceaccounts", {"name": name, "role": role})
    assert made.status_code == 201
    key = instance.post(f"/api/serviceaccounts/{made.json()['id']}/tokens", {"name": name})
    assert key.status_code == 200 and set(key.json()) == {"id", "name", "key"}
    assert key.json()["key"].startswith("glsa_")
    return {"Authorization": f"Bearer {key.json()['key']}"}


def user(instance: Instance, name: str, role: str, org: int = 1) -> tuple[str, str]:
    number = instance.post("/api/admin/users", {"login": name, "password": "password", "orgId": org}).json()["id"]
    assert instance.call("PATCH", f"/api/orgs/{org}/users/{number}", {"role": role}).status_code == 200
    return name, "password"


def test_without_credentials(grafana: Instance) -> None:
    answer = anonymous(grafana, "/api/org")
    assert answer.status_code == 401
    assert answer.text == '{"extra":null,"message":"Unauthorized","messageId":"auth.unauthorized","statusCode":401,"traceID":""}\n'
    assert len(answer.content) == 102


def test_usual_headers(grafana: Instance) -> None:
    headers = anonymous(grafana, "/api/org").headers
    assert headers["Cache-Control"] == "no-store" and headers["X-Frame-Options"] == "deny"
    assert headers["X-Content-Type-Options"] == "nosniff" and headers["X-Xss-Protection"] == "1; mode=block"


def test_wrong_password_and_token(grafana: Instance) -> None:
    answer = anonymous(grafana, "/api/org", auth=("nobody", "wrong"))
    assert (answer.status_code, answer.json()["messageId"]) == (401, "password-auth.failed")
    assert answer.json()["message"] == "Invalid username or password"
    answer = anonymous(grafana, "/api/org", headers={"Authorization": "Bearer glsa_wrong_00000000"})
    assert (answer.status_code, answer.json()["messageId"]) == (401, "api-key.invalid")


def test_brute_force_protection(make: Make, postgres: DatabaseServer) -> None:
    instance = make("12.4.0", {"database": database_section(postgres, postgres.new_database())}).start()
    for _ in range(5):
        assert anonymous(instance, "/api/org", auth=("admin", "wrong")).status_code == 401
    assert instance.get("/api/org").status_code == 401, "now not even the right password is heard"
    instance.stop()
    instance.sections["security"]["disable_brute_force_login_protection"] = "true"
    instance.start()
    assert instance.get("/api/org").status_code == 200


def test_missing_permission(grafana: Instance, name: str) -> None:
    viewer = user(grafana, name, "Viewer")
    answer = anonymous(grafana, "/api/datasources", "POST", auth=viewer, json={"name": "x", "type": "prometheus"})
    assert answer.status_code == 403
    body = answer.json()
    assert body["title"] == "Access denied" and body["accessErrorId"].startswith("ACE")
    assert body["message"].endswith("Permissions needed: datasources:create")
    assert anonymous(grafana, "/api/orgs", auth=viewer).status_code == 403


def test_organisation_of_the_request(grafana: Instance, name: str) -> None:
    second = grafana.post("/api/orgs", {"name": name}).json()["orgId"]
    assert grafana.get("/api/org").json()["id"] == 1
    assert grafana.get("/api/org", headers={"X-Grafana-Org-Id": str(second)}).json()["id"] == second
    assert grafana.get(f"/api/org?targetOrgId={second}").json()["id"] == second
    assert grafana.get("/api/org", headers={"X-Grafana-Org-Id": "second"}).json()["id"] == 1
    bearer = token(grafana, name)
    assert anonymous(grafana, "/api/org", headers={**bearer, "X-Grafana-Org-Id": str(second)}).json()["id"] == 1
    assert anonymous(grafana, "/api/orgs", headers=bearer).status_code == 403, "a token is no server administrator"
    member = user(grafana, f"{name}m", "Admin")
    assert anonymous(grafana, "/api/org", auth=member, headers={"X-Grafana-Org-Id": str(second)}).status_code == 403


def test_tokens_end(grafana: Instance, name: str) -> None:
    account = grafana.post("/api/serviceaccounts", {"name": name, "role": "Viewer"}).json()["id"]
    path = f"/api/serviceaccounts/{account}"
    short = grafana.post(f"{path}/tokens", {"name": f"{name}s", "secondsToLive": 1}).json()
    long = grafana.post(f"{path}/tokens", {"name": f"{name}l"}).json()
    assert grafana.post(f"{path}/tokens", {"name": f"{name}l"}).status_code == 409

    def status(key: str) -> int:
        return anonymous(grafana, "/api/org", headers={"Authorization": f"Bearer {key}"}).status_code

    assert [status(short["key"]), status(long["key"])] == [200, 200]
    assert len(grafana.get(f"{path}/tokens").json()) == 2
    time.sleep(2)
    assert [status(short["key"]), status(long["key"])] == [401, 200]
    assert grafana.call("PATCH", path, {"isDisabled": True}).json()["serviceaccount"]["isDisabled"] is True
    assert status(long["key"]) == 401
    grafana.call("PATCH", path, {"isDisabled": False})
    assert grafana.delete(f"{path}/tokens/{long['id']}").status_code == 200
    assert status(long["key"]) == 401
    found = grafana.get(f"/api/serviceaccounts/search?query={name}&perpage=1").json()
    assert found["totalCount"] >= 1 and found["perPage"] == 1
    assert grafana.get(path).json()["tokens"] == 1
    assert grafana.delete(path).status_code == 200
    assert grafana.get(path).status_code == 404


def test_login_and_logout(grafana: Instance) -> None:
    assert anonymous(grafana, "/login").status_code == 200
    assert anonymous(grafana, "/", allow_redirects=False).headers["Location"] == "/login"
    browser = requests.Session()
    refused = browser.post(f"{grafana.url}/login", json={"user": "admin", "password": "wrong"})
    assert refused.status_code == 401 and not browser.cookies
    entered = browser.post(f"{grafana.url}/login", json={"user": ADMIN[0], "password": ADMIN[1]})
    assert entered.json()["message"] == "Logged in"
    assert set(browser.cookies.keys()) == {"grafana_session", "grafana_session_expiry"}
    assert "HttpOnly" in entered.headers["Set-Cookie"]
    assert browser.get(f"{grafana.url}/api/login/ping").status_code == 200
    assert browser.get(f"{grafana.url}/").status_code == 200
    foreign = {"Origin": "https://elsewhere.example"}
    assert browser.post(f"{grafana.url}/api/folders", json={"title": "x"}, headers=foreign).status_code == 403
    before = browser.cookies["grafana_session"]
    assert browser.post(f"{grafana.url}/api/user/auth-tokens/rotate").status_code == 200
    assert browser.cookies["grafana_session"] != before
    old = {"Cookie": f"grafana_session={before}"}
    assert anonymous(grafana, "/api/org", headers=old).status_code == 200, "until the new one has been shown"
    out = browser.get(f"{grafana.url}/logout", allow_redirects=False)
    assert (out.status_code, out.headers["Location"]) == (302, "/login")
    assert anonymous(grafana, "/api/login/ping", headers=old).status_code == 401


def test_rotation_is_asked_for(make: Make, postgres: DatabaseServer) -> None:
    database = postgres.new_database()
    instance = make("13.0.1", {"database": database_section(postgres, database)}).start()
    browser = requests.Session()
    browser.post(f"{instance.url}/login", json={"user": ADMIN[0], "password": ADMIN[1]})
    postgres.execute("UPDATE user_auth_token SET rotated_at = rotated_at - 700", database)
    answer = browser.get(f"{instance.url}/api/org")
    assert (answer.status_code, answer.json()["messageId"]) == (401, "session.token.rotate")
    browser.post(f"{instance.url}/api/user/auth-tokens/rotate")
    assert browser.get(f"{instance.url}/api/org").status_code == 200


def test_anonymous_and_no_basic_auth(make: Make, postgres: DatabaseServer) -> None:
    sections = {"database": database_section(postgres, postgres.new_database())}
    instance = make(
        "12.4.0", {**sections, "auth.anonymous": {"enabled": "true", "hide_version": "true"}, "auth.basic": {"enabled": "false"}}
    )
    instance.start()
    assert anonymous(instance, "/api/org").json()["name"] == "Main Org."
    assert anonymous(instance, "/api/folders", "POST", json={"title": "x"}).status_code == 403
    assert instance.get("/api/org/users").status_code == 403, "basic auth is not heard"
    assert "version" not in anonymous(instance, "/api/health").json()


def test_admin_is_made_once(make: Make, postgres: DatabaseServer) -> None:
    sections = {"database": database_section(postgres, postgres.new_database())}
    instance = make("12.4.0", sections).start()
    instance.stop()
    instance.sections["security"]["admin_password"] = "another one"
    instance.start()
    assert instance.get("/api/org").status_code == 200, "the password of the configuration is that of an empty database only"
    bare = make(
        "12.4.0", {"database": database_section(postgres, postgres.new_database()), "security": {"disable_initial_admin_creation": "true"}}
    )
    assert bare.start().get("/api/org").status_code == 401
