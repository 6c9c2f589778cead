"""Data sources, their secrets, and what goes through them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .databases import DatabaseServer
from .instances import Instance, Make, database_section
from .upstream import Authority, Upstream

SOURCE = {"type": "prometheus", "access": "proxy", "url": "http://127.0.0.1:9"}


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    server = Upstream()
    yield server
    server.close()


def add(grafana: Instance, uid: str, **more: Any) -> dict[str, Any]:
    answer = grafana.post("/api/datasources", {**SOURCE, "uid": uid, "name": uid, **more})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_create_and_read(grafana: Instance, name: str) -> None:
    made = add(grafana, name, secureJsonData={"basicAuthPassword": "secret"}, jsonData={"httpMethod": "POST"})
    assert (made["message"], made["name"]) == ("Datasource added", name)
    found = grafana.get(f"/api/datasources/uid/{name}").json()
    assert found["secureJsonFields"] == {"basicAuthPassword": True} and "secret" not in str(found)
    assert found["jsonData"] == {"httpMethod": "POST"} and found["version"] == 1 and found["readOnly"] is False
    listed = next(one for one in grafana.get("/api/datasources").json() if one["uid"] == name)
    assert "secureJsonFields" not in listed and listed["typeName"] == "Prometheus"
    assert grafana.get(f"/api/datasources/name/{name}").json()["uid"] == name
    assert grafana.get(f"/api/datasources/id/{name}").json() == {"id": found["id"]}
    assert grafana.get("/api/datasources/uid/nowhere").json() == {"message": "Data source not found"}
    assert grafana.get("/api/frontend/settings").json()["datasources"][name]["uid"] == name


def test_what_is_taken(grafana: Instance, name: str) -> None:
    add(grafana, name)
    same_name = grafana.post("/api/datasources", {**SOURCE, "uid": f"{name}2", "name": name})
    assert (same_name.status_code, same_name.json()["message"]) == (409, "data source with the same name already exists")
    same_uid = grafana.post("/api/datasources", {**SOURCE, "uid": name, "name": f"{name}2"})
    assert (same_uid.status_code, same_uid.json()["message"]) == (409, "data source with the same uid already exists")
    assert grafana.post("/api/datasources", {**SOURCE, "name": f"{name}3", "url": "http://bad host"}).status_code == 400
    assert grafana.post("/api/datasources", {"name": f"{name}3"}).status_code == 400


def test_uid_rules(released: Callable[[str], Instance], name: str) -> None:
    body = {**SOURCE, "uid": "not acceptable", "name": name}
    assert released("11.6.0").post("/api/datasources", body).status_code == 200
    assert released("12.4.0").post("/api/datasources", body).status_code == 400
    for version, status in (("11.6.0", 200), ("12.4.0", 400)):
        grafana = released(version)
        add(grafana, f"{name}u")
        changed = grafana.put(f"/api/datasources/uid/{name}u", {**SOURCE, "uid": f"{name}v", "name": f"{name}u"})
        assert changed.status_code == status


def test_update(grafana: Instance, name: str) -> None:
    add(grafana, name, secureJsonData={"a": "1", "b": "2"})
    path = f"/api/datasources/uid/{name}"
    changed = grafana.put(path, {**SOURCE, "name": name, "secureJsonData": {"c": "3"}})
    assert changed.json()["message"] == "Datasource updated"
    found = grafana.get(path).json()
    assert found["secureJsonFields"] == {"a": True, "b": True, "c": True} and found["version"] == 2
    stale = grafana.put(path, {**SOURCE, "name": name, "version": 1})
    text = "Datasource has already been updated by someone else. Please reload and try again"
    assert (stale.status_code, stale.json()["message"]) == (409, text)
    assert grafana.put("/api/datasources/uid/nowhere", {**SOURCE, "name": name}).status_code == 404
    assert grafana.delete(path).json()["message"] == "Data source deleted"
    assert grafana.delete(path).status_code == 404
    add(grafana, name)
    assert grafana.delete(f"/api/datasources/name/{name}").json()["message"] == "Data source deleted"


def test_one_default(grafana: Instance, name: str) -> None:
    add(grafana, f"{name}a", isDefault=True)
    add(grafana, f"{name}b", isDefault=True)
    assert [one["uid"] for one in grafana.get("/api/datasources").json() if one["isDefault"]] == [f"{name}b"]


def test_numeric_routes(released: Callable[[str], Instance], make: Make, postgres: DatabaseServer, name: str) -> None:
    old = released("12.4.0")
    number = add(old, name)["id"]
    assert old.get(f"/api/datasources/{number}").json()["uid"] == name
    assert old.put(f"/api/datasources/{number}", {**SOURCE, "uid": name, "name": name}).status_code == 200
    assert old.delete(f"/api/datasources/{number}").status_code == 200
    new = released("13.0.1")
    number = add(new, name)["id"]
    for method, path in (("GET", ""), ("PUT", ""), ("DELETE", ""), ("GET", "/health")):
        assert new.call(method, f"/api/datasources/{number}{path}", {} if method == "PUT" else None).status_code == 404
    assert new.get(f"/api/datasources/proxy/{number}/x").status_code == 404
    sections = {"database": database_section(postgres, postgres.new_database()), "feature_toggles": {"enable": "datasourceLegacyIdApi"}}
    toggled = make("13.0.1", sections).start()
    assert toggled.get(f"/api/datasources/{add(toggled, name)['id']}").status_code == 200


def test_secrets_under_another_key(make: Make, postgres: DatabaseServer) -> None:
    instance = make("12.4.0", {"database": database_section(postgres, postgres.new_database()), "security": {"secret_key": "one"}}).start()
    add(instance, "x", secureJsonData={"basicAuthPassword": "secret"}, basicAuth=True)
    instance.stop()
    instance.sections["security"]["secret_key"] = "another"
    instance.start()
    assert instance.get("/api/datasources/uid/x").json()["secureJsonFields"] == {}
    assert instance.get("/api/datasources/proxy/uid/x/api/v1/query").status_code == 500


def test_proxy(grafana: Instance, upstream: Upstream, name: str) -> None:
    secrets = {"basicAuthPassword": "p", "httpHeaderValue1": "tenant"}
    add(
        grafana,
        name,
        url=f"{upstream.url}/prefix",
        basicAuth=True,
        basicAuthUser="u",
        secureJsonData=secrets,
        jsonData={"httpHeaderName1": "X-Scope"},
    )
    answer = grafana.get(f"/api/datasources/proxy/uid/{name}/api/v1/labels?match=a%20b")
    assert answer.json() == {"path": "/prefix/api/v1/labels?match=a%20b"} and answer.headers["X-Upstream"] == "yes"
    grafana.post(
        f"/api/datasources/proxy/uid/{name}/api/v1/query", data="query=up", headers={"Content-Type": "application/x-www-form-urlencoded"}
    )
    grafana.get(f"/api/datasources/uid/{name}/resources/api/v1/labels")
    (method, path, headers, _), (method2, _, _, body), (_, path3, _, _) = upstream.requests
    assert (method, path) == ("GET", "/prefix/api/v1/labels?match=a%20b")
    assert headers["authorization"] == "Basic dTpw" and headers["x-scope"] == "tenant" and "cookie" not in headers
    assert (method2, body, path3) == ("POST", b"query=up", "/prefix/api/v1/labels")
    add(grafana, f"{name}dead")
    assert grafana.get(f"/api/datasources/proxy/uid/{name}dead/x").status_code == 502
    assert grafana.get("/api/datasources/proxy/uid/nowhere/x").status_code == 404


def test_health(grafana: Instance, upstream: Upstream, name: str) -> None:
    add(grafana, name, url=upstream.url)
    good = grafana.get(f"/api/datasources/uid/{name}/health")
    assert (good.status_code, good.json()["status"]) == (200, "OK")
    assert grafana.get(f"/api/datasources/uid/{name}/resources/labels").status_code == 200
    add(grafana, f"{name}dead")
    bad = grafana.get(f"/api/datasources/uid/{name}dead/health")
    assert (bad.status_code, bad.json()["status"]) == (400, "ERROR")


def test_queries(grafana: Instance, upstream: Upstream, name: str) -> None:
    add(grafana, name, url=upstream.url)
    source = {"type": "prometheus", "uid": name}
    queries = [
        {"refId": "A", "datasource": source, "expr": "up", "instant": True},
        {"refId": "B", "datasource": source, "expr": "up", "range": True},
        {"refId": "C", "datasource": {"type": "__expr__", "uid": "__expr__"}, "type": "math", "expression": "$A + 1"},
    ]
    answer = grafana.post("/api/ds/query", {"queries": queries, "from": "now-5m", "to": "now"})
    assert answer.status_code == 200, answer.text
    results = answer.json()["results"]
    frame = results["A"]["frames"][0]
    assert frame["schema"]["fields"][1]["labels"] == {"__name__": "up", "job": "x"} and frame["data"]["values"] == [[1000], [1.0]]
    assert results["B"]["frames"][0]["data"]["values"] == [[1000, 2000], [1.0, 1.0]]
    assert results["C"]["frames"][0]["data"]["values"][1] == [2.0]
    broken = grafana.post(
        "/api/ds/query", {"queries": [{"refId": "A", "datasource": source, "expr": "broken", "instant": True}], "from": "0", "to": "now"}
    )
    assert broken.status_code == 400 and "parse error" in broken.json()["results"]["A"]["error"]
    assert grafana.post("/api/ds/query", {"queries": []}).status_code == 400
    unknown = {"queries": [{"refId": "A", "datasource": {"uid": "nowhere"}, "expr": "up"}]}
    assert grafana.post("/api/ds/query", unknown).status_code == 404


def test_client_certificates(grafana: Instance, tmp_path: Path, name: str) -> None:
    authority = Authority(tmp_path)
    upstream = Upstream(authority)
    certificate, key = authority.leaf("grafana")
    tls = {"tlsAuth": True, "tlsAuthWithCACert": True}
    secrets = {"tlsCACert": authority.ca.read_text(), "tlsClientCert": certificate.read_text(), "tlsClientKey": key.read_text()}
    try:
        add(grafana, name, url=upstream.url, jsonData=tls, secureJsonData=secrets)
        assert grafana.get(f"/api/datasources/uid/{name}/health").status_code == 200
        assert grafana.get(f"/api/datasources/proxy/uid/{name}/x").json() == {"path": "/x"}
        add(
            grafana,
            f"{name}without",
            url=upstream.url,
            jsonData={"tlsAuthWithCACert": True},
            secureJsonData={"tlsCACert": secrets["tlsCACert"]},
        )
        assert grafana.get(f"/api/datasources/uid/{name}without/health").status_code == 400
        add(grafana, f"{name}stranger", url=upstream.url, jsonData={"tlsAuth": True}, secureJsonData=secrets)
        assert grafana.get(f"/api/datasources/uid/{name}stranger/health").status_code == 400
    finally:
        upstream.close()


def test_correlations(grafana: Instance, name: str) -> None:
    add(grafana, f"{name}a")
    add(grafana, f"{name}b")
    path = f"/api/datasources/uid/{name}a/correlations"
    assert grafana.get(path).status_code == 404
    body = {"targetUID": f"{name}b", "label": "l", "type": "query", "config": {"field": "f", "target": {"expr": "x"}}}
    made = grafana.post(path, body).json()["result"]
    assert grafana.get(f"{path}/{made['uid']}").json()["targetUID"] == f"{name}b"
    assert [one["uid"] for one in grafana.get(path).json()] == [made["uid"]]
    changed = grafana.call("PATCH", f"{path}/{made['uid']}", {"label": "m"})
    assert changed.json()["result"]["label"] == "m" and changed.json()["result"]["config"]["field"] == "f"
    assert made["uid"] in {one["uid"] for one in grafana.get(f"/api/datasources/correlations?sourceUID={name}a").json()}
    assert grafana.post(path, {**body, "targetUID": "nowhere"}).status_code == 404
    assert grafana.delete(f"{path}/{made['uid']}").status_code == 200
    assert grafana.get(f"{path}/{made['uid']}").status_code == 404
