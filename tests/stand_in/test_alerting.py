"""The alerting provisioning API: codes, bodies, provenance, references, exports."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import requests
import yaml

from .instances import Instance

ROOT = "/api/v1/provisioning"
PLAIN = {"X-Disable-Provenance": "true"}
QUERY = {"refId": "A", "datasourceUid": "prom", "model": {"expr": "up"}, "relativeTimeRange": {"from": 600, "to": 0}}
Released = Callable[[str], Instance]


def rule(uid: str, folder: str, **more: Any) -> dict[str, Any]:
    base = {"uid": uid, "title": uid, "folderUID": folder, "ruleGroup": "g", "condition": "A", "data": [QUERY], "for": "60s", "orgID": 1}
    return {**base, "noDataState": "OK", "execErrState": "Error", **more}


@pytest.fixture
def folder(grafana: Instance, name: str) -> str:
    return made_folder(grafana, name)


def made_folder(grafana: Instance, name: str) -> str:
    grafana.post("/api/folders", {"uid": name, "title": name}).raise_for_status()
    return name


def add_rule(grafana: Instance, uid: str, folder: str, headers: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    answer = grafana.post(f"{ROOT}/alert-rules", rule(uid, folder, **more), headers=headers)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_rules(grafana: Instance, folder: str) -> None:
    made = add_rule(grafana, folder, folder, labels={"a": "b"}, annotations={"summary": "s"})
    assert (made["provenance"], made["for"], made["orgID"]) == ("api", "1m", 1)
    assert made["data"][0]["model"] == {"expr": "up", "intervalMs": 1000, "maxDataPoints": 43200}
    path = f"{ROOT}/alert-rules/{folder}"
    assert grafana.get(path).json()["labels"] == {"a": "b"}
    assert any(one["uid"] == folder for one in grafana.get(f"{ROOT}/alert-rules").json())
    changed = grafana.put(path, rule(folder, folder, title="other"))
    assert (changed.status_code, changed.json()["title"]) == (200, "other")
    assert grafana.delete(path).status_code == 204
    assert grafana.delete(path).status_code == 204, "also when it is gone"
    for answer in (grafana.get(path), grafana.put(path, rule(folder, folder))):
        assert (answer.status_code, answer.content) == (404, b"")
    assert len(grafana.post(f"{ROOT}/alert-rules", rule("", folder, title="t")).json()["uid"]) > 3


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"folderUID": "nowhere"}, "invalid alert rule: folder does not exist"),
        ({"folderUID": ""}, "folderUID must be set"),
        ({"data": []}, "invalid alert rule: no queries or expressions are found"),
        ({"condition": "Z"}, "condition Z does not exist"),
        ({"noDataState": "Perhaps"}, "unknown NoData state"),
        ({"for": "soon"}, "not a valid duration"),
        ({"title": ""}, "title must be"),
        ({"uid": "a b"}, "is not acceptable"),
        ({"notification_settings": {"receiver": "nobody"}}, "receiver nobody does not exist"),
    ],
)
def test_refused_rules(grafana: Instance, folder: str, change: dict[str, Any], words: str) -> None:
    answer = grafana.post(f"{ROOT}/alert-rules", {**rule(folder, folder), **change})
    assert answer.status_code == 400 and words in answer.json()["message"]


def test_rules_that_are_taken(released: Released, name: str) -> None:
    for version, bodies in (("11.6.0", ({"title": "new"}, {"uid": "", "title": name})), ("13.0.1", ({"title": "new"},))):
        grafana = released(version)
        folder = made_folder(grafana, name)
        add_rule(grafana, folder, folder)
        for body in bodies:
            answer = grafana.post(f"{ROOT}/alert-rules", {**rule(folder, folder), **body})
            assert answer.status_code == 400 and "[alerting.alert-rule.conflict]" in answer.json()["message"]


def test_titles_need_not_be_unique(grafana: Instance, folder: str) -> None:
    """Since Grafana 12."""
    twins = [rule(f"{folder}a", folder, title="twin"), rule(f"{folder}b", folder, title="twin")]
    for group in ("g", "h"):
        body = {"interval": 60, "rules": [{**one, "uid": one["uid"] + group} for one in twins]}
        assert grafana.put(f"{ROOT}/folder/{folder}/rule-groups/{group}", body).status_code == 200


def test_groups(grafana: Instance, folder: str) -> None:
    path = f"{ROOT}/folder/{folder}/rule-groups/g%2Fh"
    absent = grafana.get(path)
    assert (absent.status_code, absent.json()["messageId"]) == (404, "alerting.alert-rule.notFound")
    body = {"title": "g/h", "folderUid": folder, "interval": 120, "rules": [rule(f"{folder}a", "x"), rule(f"{folder}b", "x")]}
    put = grafana.put(path, body)
    assert (put.status_code, put.json()) == (200, body), "the body comes back"
    found = grafana.get(path).json()
    assert (found["title"], found["interval"], [one["uid"] for one in found["rules"]]) == ("g/h", 120, [f"{folder}a", f"{folder}b"])
    assert {one["folderUID"] for one in found["rules"]} == {folder}, "the path decides"
    swapped = [rule(f"{folder}b", folder, title=f"{folder}a"), rule(f"{folder}a", folder, title=f"{folder}b")]
    assert grafana.put(path, {**body, "rules": swapped}).status_code == 200
    assert [one["title"] for one in grafana.get(path).json()["rules"]] == [f"{folder}a", f"{folder}b"]
    assert grafana.put(path, {"interval": 60}).status_code == 200
    assert grafana.get(path).json()["interval"] == 60 and len(grafana.get(path).json()["rules"]) == 2, "only the interval"
    assert grafana.put(path, {**body, "rules": swapped[:1]}).status_code == 200
    assert grafana.get(f"{ROOT}/alert-rules/{folder}a").status_code == 404, "a rule left out is deleted"
    assert grafana.put(path, {**body, "interval": 15}).status_code == 400
    assert grafana.put(path, {**body, "interval": 0}).status_code == 400
    assert grafana.delete(path).status_code == 204
    assert grafana.delete(path).status_code == 404


def test_interval_of_a_group_is_inherited(grafana: Instance, folder: str) -> None:
    path = f"{ROOT}/folder/{folder}/rule-groups/g"
    add_rule(grafana, f"{folder}a", folder)
    assert grafana.get(path).json()["interval"] == 60
    grafana.put(path, {"interval": 30}).raise_for_status()
    add_rule(grafana, f"{folder}b", folder)
    assert grafana.get(path).json()["interval"] == 30


@pytest.mark.parametrize(("version", "status"), [("11.6.0", 500), ("12.4.0", 409), ("13.0.1", 409)])
def test_provenance_of_single_rules(released: Released, name: str, version: str, status: int) -> None:
    grafana = released(version)
    folder = made_folder(grafana, name)
    add_rule(grafana, name, folder)
    path = f"{ROOT}/alert-rules/{name}"
    for answer in (grafana.put(path, rule(name, folder), headers=PLAIN), grafana.delete(path, headers=PLAIN)):
        assert answer.status_code == status
        if status == 409:
            text = "cannot update with provided provenance '', needs 'api'"
            assert (answer.json()["messageId"], answer.json()["message"]) == ("alerting.provenanceMismatch", text)
        else:
            assert answer.json()["message"] == "cannot change provenance from 'api' to ''"
    group = f"{ROOT}/folder/{folder}/rule-groups/g"
    assert grafana.put(group, {"interval": 60, "rules": [rule(name, folder)]}, headers=PLAIN).status_code == 200
    assert grafana.get(path).json()["provenance"] == "", "the group takes the mark away"
    assert grafana.put(path, rule(name, folder)).json()["provenance"] == "api", "from nothing to anything"


def test_groups_do_not_mix(grafana: Instance, folder: str) -> None:
    add_rule(grafana, f"{folder}a", folder, PLAIN)
    assert grafana.post(f"{ROOT}/alert-rules", rule(f"{folder}b", folder)).status_code == 400


def point(uid: str, **more: Any) -> dict[str, Any]:
    return {"uid": uid, "name": uid, "type": "webhook", "settings": {"url": "http://127.0.0.1:9/hook", "password": "secret"}, **more}


def test_contact_points(grafana: Instance, name: str) -> None:
    made = grafana.post(f"{ROOT}/contact-points", point(name))
    assert made.status_code == 202
    assert made.json()["settings"]["password"] == "[REDACTED]" and made.json()["provenance"] == "api"
    assert grafana.post(f"{ROOT}/contact-points", point(f"{name}b", name=name)).status_code == 202, "a name may be shared"
    found = grafana.get(f"{ROOT}/contact-points?name={name}").json()
    assert [one["uid"] for one in found] == [name, f"{name}b"]
    listed = [one["name"] for one in grafana.get(f"{ROOT}/contact-points").json()]
    assert listed == sorted(listed) and "grafana-default-email" in listed
    clash = grafana.post(f"{ROOT}/contact-points", point(name, name="other"))
    assert (clash.status_code, clash.json()["messageId"]) == (409, "alerting.notifications.contact-points.uidInUse")
    path = f"{ROOT}/contact-points/{name}"
    changed = grafana.put(path, {**found[0], "settings": {**found[0]["settings"], "url": "http://127.0.0.1:9/other"}})
    assert (changed.status_code, changed.json()) == (202, {"message": "contactpoint updated"})
    exported = grafana.get(f"{ROOT}/contact-points/export?name={name}&decrypt=true&format=json").json()
    settings = exported["contactPoints"][0]["receivers"][0]["settings"]
    assert settings == {"url": "http://127.0.0.1:9/other", "password": "secret"}, "the placeholder keeps what is stored"
    assert grafana.put(f"{ROOT}/contact-points/nowhere", point("nowhere")).status_code == 404
    assert grafana.put(path, point(name), headers=PLAIN).status_code == 409
    deleted = grafana.delete(path)
    assert (deleted.status_code, deleted.json()) == (202, {"message": "contactpoint deleted"})


def test_placeholder_of_a_new_contact_point_is_stored(grafana: Instance, name: str) -> None:
    grafana.post(f"{ROOT}/contact-points", point(name, settings={"url": "http://x", "password": "[REDACTED]"})).raise_for_status()
    exported = grafana.get(f"{ROOT}/contact-points/export?name={name}&decrypt=true&format=json").json()
    assert exported["contactPoints"][0]["receivers"][0]["settings"]["password"] == "[REDACTED]"


@pytest.mark.parametrize(
    "change",
    [{"type": "pigeon"}, {"settings": {}}, {"name": ""}, {"settings": None}, {"type": "slack", "settings": {"text": "x"}}, {"uid": "a b"}],
)
def test_refused_contact_points(grafana: Instance, name: str, change: dict[str, Any]) -> None:
    answer = grafana.post(f"{ROOT}/contact-points", {**point(name), **change})
    assert answer.status_code == 400 and "invalid object specification" in answer.json()["message"]


@pytest.fixture
def alone(grafana: Instance, name: str) -> dict[str, str]:
    """Headers of an organisation of its own, since there is one policy tree in each."""
    return {"X-Grafana-Org-Id": str(grafana.post("/api/orgs", {"name": name}).json()["orgId"])}


def test_policies(grafana: Instance, alone: dict[str, str]) -> None:
    path = f"{ROOT}/policies"
    default = {"receiver": "grafana-default-email", "group_by": ["grafana_folder", "alertname"]}
    assert grafana.get(path, headers=alone).json() == default
    grafana.post(f"{ROOT}/contact-points", point("pager"), headers=alone).raise_for_status()
    timing = {"name": "night", "time_intervals": [{"times": [{"start_time": "00:00", "end_time": "06:00"}]}]}
    grafana.post(f"{ROOT}/mute-timings", timing, headers=alone).raise_for_status()
    child = {"receiver": "pager", "object_matchers": [["severity", "=", "page"]], "mute_time_intervals": ["night"], "continue": True}
    tree = {"receiver": "pager", "group_by": ["..."], "routes": [child], "repeat_interval": "1h"}
    put = grafana.put(path, tree, headers=alone)
    assert (put.status_code, put.json()) == (202, {"message": "policies updated"})
    assert grafana.get(path, headers=alone).json() == {**tree, "provenance": "api"}
    assert grafana.put(path, tree, headers={**alone, **PLAIN}).status_code == 409
    used = grafana.delete(f"{ROOT}/contact-points/pager", headers=alone)
    assert (used.status_code, used.json()["messageId"]) == (409, "alerting.notifications.contact-points.referenced")
    used = grafana.delete(f"{ROOT}/mute-timings/night", headers=alone)
    assert (used.status_code, used.json()["messageId"]) == (409, "alerting.notifications.time-intervals.used")
    renamed = grafana.put(f"{ROOT}/contact-points/pager", point("pager", name="beeper"), headers=alone)
    assert renamed.status_code == 202
    assert grafana.get(path, headers=alone).json()["receiver"] == "beeper", "references follow"
    reset = grafana.delete(path, headers=alone)
    assert (reset.status_code, reset.json()) == (202, default)
    assert grafana.delete(f"{ROOT}/contact-points/pager", headers=alone).status_code == 202


@pytest.mark.parametrize(
    "tree",
    [
        {"receiver": "nobody"},
        {},
        {"receiver": "grafana-default-email", "object_matchers": [["a", "=", "b"]]},
        {"receiver": "grafana-default-email", "routes": [{"receiver": "nobody"}]},
        {"receiver": "grafana-default-email", "routes": [{"mute_time_intervals": ["never"]}]},
        {"receiver": "grafana-default-email", "group_interval": "0s"},
        {"receiver": "grafana-default-email", "group_wait": "soon"},
        {"receiver": "grafana-default-email", "routes": [{"object_matchers": [["a", "~", "b"]]}]},
    ],
)
def test_refused_policies(grafana: Instance, alone: dict[str, str], tree: dict[str, Any]) -> None:
    answer = grafana.put(f"{ROOT}/policies", tree, headers=alone)
    assert (answer.status_code, answer.json()["messageId"]) == (400, "alerting.notifications.routes.invalidFormat")


def test_rules_use_contact_points(grafana: Instance, folder: str) -> None:
    grafana.post(f"{ROOT}/contact-points", point(folder)).raise_for_status()
    add_rule(grafana, folder, folder, notification_settings={"receiver": folder})
    used = grafana.delete(f"{ROOT}/contact-points/{folder}")
    assert (used.status_code, used.json()["messageId"]) == (409, "alerting.notifications.contact-points.used-by-rule")


def test_integrations_change_places(grafana: Instance, alone: dict[str, str], folder: str) -> None:
    """What refers to a contact point follows its last integration, also into one that is there."""
    root = f"{ROOT}/contact-points"
    for uid in ("one", "two"):
        grafana.post(root, point(uid, name="pager"), headers=alone).raise_for_status()
    grafana.post("/api/folders", {"uid": folder, "title": folder}, headers=alone).raise_for_status()
    grafana.put(f"{ROOT}/policies", {"receiver": "pager"}, headers=alone).raise_for_status()
    body = rule(f"{folder}r", folder, notification_settings={"receiver": "pager"})
    grafana.post(f"{ROOT}/alert-rules", body, headers=alone).raise_for_status()
    assert grafana.put(f"{root}/one", point("one", name="beeper"), headers=alone).status_code == 202
    assert grafana.get(f"{ROOT}/policies", headers=alone).json()["receiver"] == "pager", "one is left"
    assert grafana.put(f"{root}/two", point("two", name="beeper"), headers=alone).status_code == 202
    assert grafana.get(f"{ROOT}/policies", headers=alone).json()["receiver"] == "beeper"
    (found,) = grafana.get(f"{ROOT}/alert-rules", headers=alone).json()
    assert found["notification_settings"]["receiver"] == "beeper"
    names = {one["uid"]: one["name"] for one in grafana.get(root, headers=alone).json()}
    assert (names["one"], names["two"]) == ("beeper", "beeper")


def test_templates(grafana: Instance, name: str) -> None:
    path = f"{ROOT}/templates/{name}"
    absent = grafana.get(path)
    assert (absent.status_code, absent.json()["messageId"]) == (404, "alerting.notifications.templates.notFound")
    made = grafana.put(path, {"template": "hello {{ .Status }}"})
    assert made.status_code == 202 and set(made.json()) == {"name", "template", "version", "provenance"}
    assert made.json()["template"].startswith(f'{{{{ define "{name}" }}}}\n') and made.json()["template"].endswith("{{ end }}")
    own = '{{ define "x" }}{{ if .A }}b{{ end }}{{ end }}'
    changed = grafana.put(path, {"template": own, "version": made.json()["version"]})
    assert changed.json()["template"] == own
    stale = grafana.put(path, {"template": own, "version": made.json()["version"]})
    assert (stale.status_code, stale.json()["messageId"]) == (409, "alerting.notifications.conflict")
    assert grafana.put(path, {"template": own}, headers=PLAIN).status_code == 409
    for text in ('{{ define "x" }}', "{{ end }}", "{{ .A", ""):
        bad = grafana.put(path, {"template": text})
        assert (bad.status_code, bad.json()["messageId"]) == (400, "alerting.notifications.templates.invalidFormat")
    assert any(one["name"] == name for one in grafana.get(f"{ROOT}/templates").json())
    assert grafana.delete(path).status_code == 204
    assert grafana.delete(path).status_code == 204


def test_mute_timings(grafana: Instance, name: str) -> None:
    interval = {
        "weekdays": ["monday:friday"],
        "times": [{"start_time": "08:00", "end_time": "17:00"}],
        "months": ["1:3"],
        "days_of_month": ["-3:-1"],
    }
    body = {"name": name, "time_intervals": [interval]}
    made = grafana.post(f"{ROOT}/mute-timings", body)
    assert made.status_code == 201 and made.json()["provenance"] == "api" and made.json()["version"]
    taken = grafana.post(f"{ROOT}/mute-timings", body)
    assert (taken.status_code, taken.json()["messageId"]) == (400, "alerting.notifications.time-intervals.nameExists")
    path = f"{ROOT}/mute-timings/{name}"
    assert grafana.get(path).json()["time_intervals"] == [interval]
    changed = grafana.put(path, {"time_intervals": []})
    assert (changed.status_code, changed.json()["name"]) == (202, name)
    stale = grafana.put(path, {"time_intervals": [], "version": made.json()["version"]})
    assert (stale.status_code, stale.json()["messageId"]) == (409, "alerting.notifications.conflict")
    for bad in (
        {"weekdays": ["someday"]},
        {"times": [{"start_time": "25:00", "end_time": "26:00"}]},
        {"months": ["13"]},
        {"location": "Nowhere/Else"},
    ):
        assert grafana.put(path, {"time_intervals": [bad]}).status_code == 400
    absent = grafana.get(f"{ROOT}/mute-timings/nowhere")
    assert (absent.status_code, absent.json()["messageId"]) == (404, "alerting.notifications.time-intervals.notFound")
    assert grafana.put(f"{ROOT}/mute-timings/nowhere", {"time_intervals": []}).status_code == 404
    assert any(one["name"] == name for one in grafana.get(f"{ROOT}/mute-timings").json())
    assert grafana.delete(path).status_code == 204


def test_exports(grafana: Instance, folder: str) -> None:
    add_rule(grafana, folder, folder, annotations={"__dashboardUid__": "d", "__panelId__": "3"})
    path = f"{ROOT}/alert-rules/export?folderUid={folder}"
    answer = grafana.get(path)
    assert "yaml" in answer.headers["Content-Type"]
    group = yaml.safe_load(answer.text)["groups"][0]
    assert (group["folder"], group["name"], group["interval"]) == (folder, "g", "1m")
    assert (group["rules"][0]["uid"], group["rules"][0]["dashboardUid"], group["rules"][0]["panelId"]) == (folder, "d", 3)
    by_header = grafana.get(path, headers={"Accept": "application/json"})
    assert by_header.json() == yaml.safe_load(answer.text) == grafana.get(f"{path}&format=json").json()
    assert 'resource "grafana_rule_group"' in grafana.get(f"{path}&format=hcl").text
    assert "attachment" in grafana.get(f"{path}&download=true").headers["Content-Disposition"]
    nothing = grafana.get(f"{ROOT}/alert-rules/export?folderUid=nowhere")
    assert (nothing.status_code, nothing.content) == (404, b"")
    assert grafana.get(f"{ROOT}/alert-rules/export?group=g").status_code == 400
    assert grafana.get(f"{path}&group=g").status_code == 200
    assert grafana.get(f"{ROOT}/alert-rules/export?ruleUid={folder}").status_code == 200
    assert grafana.get(f"{ROOT}/alert-rules/{folder}/export").status_code == 200
    assert grafana.get(f"{ROOT}/folder/{folder}/rule-groups/g/export").status_code == 200
    assert grafana.get(f"{ROOT}/policies/export?format=json").json()["policies"][0]["orgId"] == 1
    again = grafana.post(f"{ROOT}/alert-rules", json.loads(by_header.text))
    assert again.status_code == 400, "an export cannot be posted back"


def test_exports_of_mute_timings_and_secrets(grafana: Instance, name: str) -> None:
    grafana.post(f"{ROOT}/mute-timings", {"name": name, "time_intervals": [{"weekdays": ["monday"]}]}).raise_for_status()
    document = grafana.get(f"{ROOT}/mute-timings/{name}/export?format=json").json()
    assert document["muteTimes"] == [{"orgId": 1, "name": name, "time_intervals": [{"weekdays": ["monday"]}]}]
    assert grafana.get(f"{ROOT}/mute-timings/export").status_code == 200
    grafana.post("/api/admin/users", {"login": name, "password": "password"}).raise_for_status()
    editor = {"auth": (name, "password")}
    assert grafana.get(f"{ROOT}/contact-points/export", **editor).status_code == 200
    assert grafana.get(f"{ROOT}/contact-points/export?decrypt=true", **editor).status_code == 403


def test_roles(grafana: Instance, folder: str) -> None:
    number = grafana.post("/api/admin/users", {"login": folder, "password": "password"}).json()["id"]
    who = {"auth": (folder, "password")}
    paths = ("alert-rules", "contact-points", "policies", "templates", "mute-timings")
    assert [grafana.get(f"{ROOT}/{path}", **who).status_code for path in paths] == [200] * 5
    assert grafana.post(f"{ROOT}/alert-rules", rule(folder, folder), **who).status_code == 403
    assert grafana.put(f"{ROOT}/policies", {}, **who).status_code == 403
    grafana.call("PATCH", f"/api/org/users/{number}", {"role": "Editor"}).raise_for_status()
    assert grafana.post(f"{ROOT}/alert-rules", rule(folder, folder), **who).status_code == 201
    assert [requests.get(f"{grafana.url}{ROOT}/{path}", timeout=5).status_code for path in paths] == [401] * 5


@pytest.mark.parametrize(("version", "rules", "notifications"), [("12.4.0", False, False), ("13.0.1", True, False), ("13.1.0", True, True)])
def test_deprecation(released: Released, version: str, rules: bool, notifications: bool) -> None:
    grafana = released(version)
    names = {"Warning", "X-API-Deprecation-Date", "X-API-Replacement"}
    assert (names <= set(grafana.get(f"{ROOT}/alert-rules").headers)) == rules
    assert (names <= set(grafana.get(f"{ROOT}/policies").headers)) == notifications


def test_ruler(grafana: Instance, folder: str) -> None:
    path = f"/api/ruler/grafana/api/v1/rules/{folder}"
    alert = {"title": folder, "condition": "A", "data": [QUERY], "no_data_state": "OK", "exec_err_state": "OK"}
    body = {"name": "g", "interval": "1m", "rules": [{"for": "5m", "labels": {"a": "b"}, "annotations": {}, "grafana_alert": alert}]}
    made = grafana.post(path, body)
    assert made.status_code == 202, made.text
    assert len(made.json()["created"]) == 1
    group = grafana.get(f"{path}/g").json()
    assert (group["name"], group["interval"], group["rules"][0]["grafana_alert"]["title"]) == ("g", "1m", folder)
    assert folder in grafana.get("/api/ruler/grafana/api/v1/rules").json() and folder in grafana.get(path).json()
    uid = made.json()["created"][0]
    assert grafana.get(f"{ROOT}/alert-rules/{uid}").json()["provenance"] == "", "what the editor makes is not provisioned"
    states = grafana.get("/api/prometheus/grafana/api/v1/rules").json()["data"]["groups"]
    assert any(one["folderUid"] == folder for one in states)
    assert grafana.delete(f"{path}/g").status_code == 202
    assert grafana.delete(f"{path}/g").status_code == 404
    add_rule(grafana, folder, folder)
    assert grafana.post(path, body).status_code == 400 and grafana.delete(path).status_code == 400


def test_alertmanager(grafana: Instance, released: Released) -> None:
    root = "/api/alertmanager/grafana"
    matchers = [{"name": "alertname", "value": "x", "isRegex": False, "isEqual": True}]
    body = {"matchers": matchers, "startsAt": "2020-01-01T00:00:00Z", "endsAt": "2099-01-01T00:00:00Z", "createdBy": "me", "comment": "c"}
    made = grafana.post(f"{root}/api/v2/silences", body)
    number = made.json()["silenceID"]
    assert made.status_code == 202 and grafana.get(f"{root}/api/v2/silence/{number}").json()["status"]["state"] == "active"
    assert any(one["id"] == number for one in grafana.get(f"{root}/api/v2/silences").json())
    assert grafana.delete(f"{root}/api/v2/silence/{number}").status_code == 200
    assert grafana.get(f"{root}/api/v2/silence/{number}").json()["status"]["state"] == "expired"
    assert grafana.post(f"{root}/api/v2/silences", {**body, "matchers": []}).status_code == 400
    assert grafana.get(f"{root}/api/v2/alerts").json() == []
    assert grafana.get(f"{root}/api/v2/status").json()["cluster"]["status"] == "disabled"
    shown = grafana.get(f"{root}/config/api/v1/alerts").json()
    assert shown["alertmanager_config"]["route"]["receiver"]
    assert grafana.post(f"{root}/config/api/v1/alerts", {}).status_code == 404, "gone since 12.0"
    assert grafana.delete(f"{root}/config/api/v1/alerts").status_code == 404, "gone since 13.0"
    assert released("12.4.0").delete(f"{root}/config/api/v1/alerts").status_code == 202
