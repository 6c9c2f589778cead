"""Data sources, dashboards and alerting from files."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from .databases import DatabaseServer
from .instances import Instance, Make, database_section, until

ROOT = "/api/v1/provisioning"


@pytest.fixture
def grafana(make: Make, postgres: DatabaseServer) -> Instance:
    return make("12.4.0", {"database": database_section(postgres, postgres.new_database())}, {"FROM_ENVIRONMENT": "value"})


def test_data_sources(grafana: Instance) -> None:
    file = grafana.provisioning / "datasources" / "a.yaml"
    text = """
apiVersion: 1
prune: true
datasources:
- name: one
  uid: one
  type: prometheus
  access: proxy
  url: http://$FROM_ENVIRONMENT/$$x
  isDefault: true
  jsonData: {httpMethod: POST}
  secureJsonData: {basicAuthPassword: "${FROM_ENVIRONMENT}"}
- {name: two, type: loki, editable: true}
"""
    file.write_text(text)
    grafana.start()
    one = grafana.get("/api/datasources/uid/one").json()
    assert one["url"] == "http://value/$x" and one["readOnly"] is True and one["isDefault"] is True
    assert one["secureJsonFields"] == {"basicAuthPassword": True}
    two = grafana.get("/api/datasources/name/two").json()
    assert two["readOnly"] is False and two["uid"].startswith("P")
    body = {"name": "one", "type": "prometheus", "access": "proxy"}
    refused = grafana.put("/api/datasources/uid/one", body)
    assert (refused.status_code, refused.json()["message"]) == (403, "Cannot update read-only data source")
    refused = grafana.delete("/api/datasources/uid/one")
    assert (refused.status_code, refused.json()["message"]) == (403, "Cannot delete read-only data source")
    file.write_text(text.replace("- {name: two, type: loki, editable: true}\n", ""))
    assert grafana.post("/api/admin/provisioning/datasources/reload").json()["message"] == "Datasources config reloaded"
    assert grafana.get("/api/datasources/name/two").status_code == 404, "pruned"
    file.write_text("deleteDatasources: [{name: one, orgId: 1}]\n")
    grafana.post("/api/admin/provisioning/datasources/reload").raise_for_status()
    assert grafana.get("/api/datasources").json() == []
    file.write_text("a: [b")
    broken = grafana.post("/api/admin/provisioning/datasources/reload")
    assert broken.status_code == 500 and "failure to parse file a.yaml" in broken.json()["message"]


def provider(grafana: Instance, directory: Path, **options: object) -> None:
    own = {"name": "files", "type": "file", "updateIntervalSeconds": 1, "options": {"path": str(directory)}}
    structure = options.pop("foldersFromFilesStructure", None)
    if structure is not None:
        own["options"] = {"path": str(directory), "foldersFromFilesStructure": structure}
    document = json.dumps({"apiVersion": 1, "providers": [{**own, **options}]})
    (grafana.provisioning / "dashboards" / "a.yaml").write_text(document)


def test_dashboards(grafana: Instance, tmp_path: Path) -> None:
    provider(grafana, tmp_path, folder="From files")
    (tmp_path / "one.json").write_text(json.dumps({"id": 99, "uid": "one", "title": "One"}))
    (tmp_path / "broken.json").write_text("{")
    grafana.start()
    found = grafana.get("/api/dashboards/uid/one").json()
    meta = found["meta"]
    assert (meta["provisioned"], meta["provisionedExternalId"], meta["folderTitle"]) == (True, "one.json", "From files")
    assert found["dashboard"]["id"] != 99
    saved = grafana.post("/api/dashboards/db", {"dashboard": {"uid": "one", "title": "x"}, "overwrite": True})
    assert (saved.status_code, saved.json()["message"]) == (400, "Cannot save provisioned dashboard")
    deleted = grafana.delete("/api/dashboards/uid/one")
    assert (deleted.status_code, deleted.json()["message"]) == (400, "provisioned dashboard cannot be deleted")
    (tmp_path / "one.json").write_text(json.dumps({"uid": "one", "title": "Changed"}))
    (tmp_path / "two.json").write_text(json.dumps({"title": "Two"}))
    until(lambda: grafana.get("/api/dashboards/uid/one").json()["dashboard"]["title"] == "Changed")
    two = grafana.get("/api/search?query=Two").json()[0]["uid"]
    (tmp_path / "two.json").unlink()
    until(lambda: grafana.get(f"/api/dashboards/uid/{two}").status_code == 404)
    version = grafana.get("/api/dashboards/uid/one").json()["dashboard"]["version"]
    grafana.stop()
    grafana.start()
    assert grafana.get("/api/dashboards/uid/one").json()["dashboard"]["version"] == version, "a start alone makes no version"


def test_dashboards_in_directories(grafana: Instance, tmp_path: Path) -> None:
    provider(grafana, tmp_path, foldersFromFilesStructure=True, allowUiUpdates=True, disableDeletion=True)
    (tmp_path / "Ops").mkdir()
    (tmp_path / "Ops" / "one.json").write_text(json.dumps({"uid": "one", "title": "One"}))
    resource = {
        "apiVersion": "dashboard.grafana.app/v2beta1",
        "metadata": {"name": "two"},
        "spec": {"title": "T", "elements": {}, "layout": {}},
    }
    (tmp_path / "two.json").write_text(json.dumps(resource))
    (tmp_path / "bare.json").write_text(json.dumps(resource["spec"]))
    grafana.start()
    meta = grafana.get("/api/dashboards/uid/one").json()["meta"]
    assert (meta["folderTitle"], meta["provisioned"]) == ("Ops", False), "changes through the interface are allowed"
    assert grafana.get("/api/dashboards/uid/two").status_code == 406, "stored as what it is"
    assert len(grafana.get("/api/search?type=dash-db").json()) == 2
    changed = {"dashboard": {"uid": "one", "title": "Changed"}, "overwrite": True, "folderUid": meta["folderUid"]}
    assert grafana.post("/api/dashboards/db", changed).status_code == 200
    time.sleep(2.2)
    assert grafana.get("/api/dashboards/uid/one").json()["dashboard"]["title"] == "Changed", "until the file changes"
    (tmp_path / "Ops" / "one.json").unlink()
    time.sleep(2.2)
    assert grafana.get("/api/dashboards/uid/one").status_code == 200
    assert grafana.delete("/api/dashboards/uid/one").status_code == 200, "it is nobody's now"


ALERTING = """
apiVersion: 1
groups:
- orgId: 1
  name: g
  folder: Alerts
  interval: 1m
  rules:
  - uid: r1
    title: R1
    condition: A
    for: 5m
    noDataState: OK
    execErrState: Error
    annotations: {summary: "$$labels of $FROM_ENVIRONMENT"}
    labels: {severity: page}
    dashboardUid: d
    panelId: 3
    data:
    - {refId: A, datasourceUid: prom, relativeTimeRange: {from: 600, to: 0}, model: {expr: up}}
contactPoints:
- orgId: 1
  name: pager
  receivers:
  - {uid: p1, type: webhook, settings: {url: "http://x", password: $FROM_ENVIRONMENT}}
templates:
- {orgId: 1, name: t, template: 'hello'}
muteTimes:
- {orgId: 1, name: night, time_intervals: [{times: [{start_time: "00:00", end_time: "06:00"}]}]}
policies:
- {orgId: 1, receiver: pager, group_by: [alertname], routes: [{object_matchers: [[a, '=', b]], mute_time_intervals: [night]}]}
"""


def test_alerting(grafana: Instance) -> None:
    file = grafana.provisioning / "alerting" / "a.yaml"
    file.write_text(ALERTING)
    grafana.start()
    rule = grafana.get(f"{ROOT}/alert-rules/r1").json()
    assert (rule["provenance"], rule["for"], rule["annotations"]["summary"]) == ("file", "5m", "$labels of value")
    assert rule["annotations"]["__dashboardUid__"] == "d" and grafana.get(f"/api/folders/{rule['folderUID']}").json()["title"] == "Alerts"
    exported = grafana.get(f"{ROOT}/contact-points/export?name=pager&decrypt=true&format=json").json()
    assert exported["contactPoints"][0]["receivers"][0]["settings"]["password"] == "value"
    for kind in ("contact-points", "templates", "mute-timings"):
        assert {one["provenance"] for one in grafana.get(f"{ROOT}/{kind}").json()} <= {"file", ""}
    assert grafana.get(f"{ROOT}/policies").json()["provenance"] == "file"
    for headers in ({}, {"X-Disable-Provenance": "true"}):
        assert grafana.put(f"{ROOT}/alert-rules/r1", rule, headers=headers).status_code == 409
        assert grafana.put(f"{ROOT}/policies", {"receiver": "pager"}, headers=headers).status_code == 409
        assert grafana.put(f"{ROOT}/templates/t", {"template": "x"}, headers=headers).status_code == 409
        assert (
            grafana.put(
                f"{ROOT}/contact-points/p1", {"name": "pager", "type": "webhook", "settings": {"url": "x"}}, headers=headers
            ).status_code
            == 409
        )
        assert grafana.delete(f"{ROOT}/folder/{rule['folderUID']}/rule-groups/g", headers=headers).status_code == 409
    assert grafana.delete(f"{ROOT}/policies").status_code == 409
    file.write_text("apiVersion: 1\n")
    grafana.post("/api/admin/provisioning/alerting/reload").raise_for_status()
    assert grafana.get(f"{ROOT}/alert-rules/r1").status_code == 200, "what a file no longer names stays"
    file.write_text(
        "resetPolicies: [1]\ndeleteRules: [{orgId: 1, uid: r1}]\ndeleteContactPoints: [{orgId: 1, uid: p1}]\n"
        "deleteTemplates: [{orgId: 1, name: t}]\ndeleteMuteTimes: [{orgId: 1, name: night}]\n"
    )
    assert grafana.post("/api/admin/provisioning/alerting/reload").json() == {"message": "Alerting config reloaded"}
    assert grafana.get(f"{ROOT}/alert-rules").json() == [] and grafana.get(f"{ROOT}/templates").json() == []
    assert [one["name"] for one in grafana.get(f"{ROOT}/contact-points").json()] == ["grafana-default-email"]
    assert grafana.get(f"{ROOT}/policies").json()["receiver"] == "grafana-default-email"


def test_export_is_what_files_take(grafana: Instance) -> None:
    file = grafana.provisioning / "alerting" / "a.yaml"
    file.write_text(ALERTING)
    grafana.start()
    before = grafana.get(f"{ROOT}/alert-rules/export").text
    points = grafana.get(f"{ROOT}/contact-points/export?decrypt=true").text
    for kind, text in (("a", before), ("b", points)):
        (grafana.provisioning / "alerting" / f"{kind}.yaml").write_text(text.replace("$", "$$"))
    grafana.post("/api/admin/provisioning/alerting/reload").raise_for_status()
    assert grafana.get(f"{ROOT}/alert-rules/export").text == before
    assert grafana.get(f"{ROOT}/contact-points/export?decrypt=true").text == points
