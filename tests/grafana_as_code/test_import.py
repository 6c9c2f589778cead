"""Import makes Grafana equal to a tree, and says beforehand what stands in the way."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.monitoring.ha.plugins.module_utils.grafana import importer, options
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.errors import Blocked, GrafanaError, Incomplete
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.kinds import DEFAULT, KINDS
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.kinds.dashboards import DashboardKind
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.kinds.data_sources import DataSourceKind
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.kinds.people import TeamKind
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.kinds.rules import RuleGroupKind

from tests.stand_in.databases import DatabaseServer
from tests.stand_in.instances import Make, database_section

from .content import SECRETS, fill, panel, rule, v2
from .site import Site, changed, contents, objects

NewSite = Callable[..., Site]
EDITABLE = {"X-Disable-Provenance": "true"}


def path_of(tree: Path, pattern: str) -> Path:
    (found,) = tree.rglob(pattern)
    return found


def edit(path: Path, **members: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **members}))


@pytest.fixture
def filled(site: Site) -> Site:
    fill(site.instance, site.number)
    return site


# --- secrets ---------------------------------------------------------------------------------------------------------


def decrypted(site: Site) -> str:
    return json.dumps(site.get("/api/v1/provisioning/contact-points/export?decrypt=true&format=json"))


def test_no_secret_is_in_the_tree(filled: Site) -> None:
    everything = b"".join(contents(filled.export()).values()).decode()
    for kinds in SECRETS.values():
        for fields in kinds.values():
            assert not [value for value in fields.values() if value in everything]
    assert "REDACTED" not in everything


def test_missing_secrets_are_named_before_anything_is_written(filled: Site, other: Site) -> None:
    other.fill.user("someone")
    tree, before = filled.export(), objects(other.export("before"))
    given = {"data_sources": {"Metrics": {"basicAuthPassword": "x"}}}
    with pytest.raises(Blocked) as caught:
        other.bring(tree, filled.name, secrets=given)
    named = {problem.partition("secrets.")[2] for problem in caught.value.problems}
    lacking = ("data_sources.Metrics.httpHeaderValue1", "contact_points.on call.password", "contact_points.on call.url")
    assert named == {f"{path} is missing" for path in lacking}
    assert objects(other.export("after")) == before


def test_secrets_arrive_and_are_kept(filled: Site, other: Site) -> None:
    other.fill.user("someone")
    tree = filled.export()
    other.bring(tree, filled.name)
    assert "pager-password" in decrypted(other) and "https://hooks.example/secret-path" in decrypted(other)
    edit(
        path_of(tree, "on-call.*.json"),
        integrations=[
            {**one, "disableResolveMessage": True} for one in json.loads(path_of(tree, "on-call.*.json").read_text())["integrations"]
        ],
    )
    done = other.bring(tree, filled.name, secrets={})
    assert changed(done) == {("updated", "contact_points", "on call")}, "stored secrets need not be given again"
    assert "pager-password" in decrypted(other) and "REDACTED" not in decrypted(other)
    fresh = {"contact_points": {"cp1": {"password": "rotated"}}}
    assert not other.bring(tree, filled.name, secrets=fresh).changed
    assert other.bring(tree, filled.name, secrets=fresh, always=True).changed
    assert "rotated" in decrypted(other) and "pager-password" not in decrypted(other)


def test_a_placeholder_in_a_file_is_a_missing_secret(filled: Site, other: Site) -> None:
    """As other programs write it."""
    other.fill.user("someone")
    tree = filled.export()
    point = {"uid": "x", "type": "webhook", "settings": {"url": "http://x", "password": "[REDACTED]"}}
    edit(path_of(tree, "on-call.*.json"), integrations=[point])
    with pytest.raises(Blocked, match=r"secrets\.contact_points\.on call\.password is missing"):
        other.bring(tree, filled.name, secrets={"data_sources": SECRETS["data_sources"]})


# --- what is written -------------------------------------------------------------------------------------------------


def test_prune_only_on_demand(site: Site) -> None:
    fill(site.instance, site.number)
    tree = site.export()
    site.fill.folder("extra", "extra")
    site.fill.dashboard("extra", "extra", "extra")
    site.fill.send("POST", "/api/library-elements", {"uid": "more", "name": "more", "kind": 1, "folderUid": "extra", "model": {}})
    site.fill.send("POST", "/api/teams", {"name": "extra"})
    site.fill.send("POST", "/api/datasources", {"uid": "extra", "name": "extra", "type": "loki", "access": "proxy"})
    groups = "/api/v1/provisioning/folder/extra/rule-groups/extra"
    site.fill.send("PUT", groups, {"interval": 60, "rules": [rule("extra", "extra")]}, **EDITABLE)
    assert not site.bring(tree, site.name).changed
    planned = site.plan(tree, site.name, prune=True)
    kinds = {"folders", "dashboards", "library_panels", "teams", "data_sources", "alert_rules"}
    assert {(action, kind) for action, kind, _key in changed(planned)} == {("deleted", kind) for kind in kinds}
    assert changed(site.bring(tree, site.name, prune=True)) == changed(planned)
    assert objects(site.export("after")) == objects(tree)


def test_a_folder_is_never_deleted_with_something_in_it(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = site.export(selection={"kinds": ["folders"]})
    site.fill.folder("around", "around")
    for uid in ("f", "rules", "empty"):
        site.fill.folder(uid, uid, "around")
    site.fill.dashboard("d", "d", "f")
    body = {"interval": 60, "rules": [rule("r", "r")]}
    site.fill.send("PUT", "/api/v1/provisioning/folder/rules/rule-groups/g", body, **EDITABLE)
    expected = {("skipped", "folders", uid) for uid in ("around", "f", "rules")}
    assert changed(site.plan(tree, site.name, prune=True)) == {*expected, ("deleted", "folders", "empty")}
    with monkeypatch.context() as patch:
        meanwhile(patch, lambda: site.fill.dashboard("late", "late", "empty"))
        with pytest.raises(Incomplete, match="folder is not empty"):
            site.bring(tree, site.name, prune=True, client={"retries": 1})
    site.fill.send("DELETE", "/api/dashboards/uid/late")
    assert changed(site.bring(tree, site.name, prune=True)) == {*expected, ("deleted", "folders", "empty")}
    assert {one["uid"] for one in site.get("/api/folders?parentUid=around")} == {"f", "rules"}
    assert site.get("/api/dashboards/uid/d")["dashboard"]["title"] == "d"


def test_what_leaves_the_choice_is_moved(site: Site) -> None:
    site.fill.folder("shop", "Shop")
    site.fill.folder("platform", "Platform")
    site.fill.dashboard("dd", "Delivery", "shop")
    site.fill.dashboard("elsewhere", "Elsewhere", "platform")
    tree = site.export()
    moved, near = path_of(tree, "dashboards/*/delivery.dd.json"), path_of(tree, "dashboards/*/elsewhere.elsewhere.json")
    moved.rename(near.with_name(moved.name))
    chosen = {"folders": ["Shop"]}
    assert changed(site.bring(tree, site.name, selection=chosen, prune=True)) == {("updated", "dashboards", "dd")}
    assert site.get("/api/dashboards/uid/dd")["meta"]["folderUid"] == "platform"
    assert not site.bring(tree, site.name, selection=chosen, prune=True).changed


def test_files_laid_into_a_tree_of_a_choice(site: Site) -> None:
    site.fill.folder("shop", "Shop")
    site.fill.dashboard("orders", "Orders", "shop")
    tree = site.export(selection={"folders": ["Shop"]})
    path = path_of(tree, "organisation.json").with_name("dashboards") / "Downloaded" / "mine.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"uid": "mine", "title": "Mine"}))
    site.bring(tree, site.name, prune=True)
    assert {hit["title"] for hit in site.get("/api/search")} == {"Shop", "Orders", "Downloaded", "Mine"}
    assert not site.bring(tree, site.name, prune=True).changed


def test_moves_and_new_titles(filled: Site) -> None:
    tree = filled.export()
    filled.fill.send("POST", "/api/folders/level1/move", {"parentUid": ""})
    filled.fill.send("PUT", "/api/folders/level2", {"title": "renamed", "overwrite": True})
    filled.fill.dashboard("same1", "other title", "level2")
    filled.fill.dashboard("same2", "the same title")
    done = filled.bring(tree, filled.name)
    found = {(plan.folder_path(change.stub.folder), change.key) for plan, change in done.changes() if change.moved and change.stub}
    assert {key for _from, key in found} >= {"level1", "same1", "same2"}
    assert objects(filled.export("after")) == objects(tree)


def test_folders_that_change_places(site: Site) -> None:
    site.fill.folder("a", "A")
    site.fill.folder("b", "B", "a")
    tree = site.export()
    site.fill.send("POST", "/api/folders/b/move", {"parentUid": ""})
    site.fill.send("POST", "/api/folders/a/move", {"parentUid": "b"})
    site.bring(tree, site.name)
    assert objects(site.export("after")) == objects(tree)


def test_the_plan_shows_every_line(filled: Site) -> None:
    tree = filled.export()
    filled.fill.dashboard("same1", "changed title", "level0")
    planned = filled.plan(tree, filled.name)
    ((plan, change),) = planned.changes()
    text = plan.diff(change)
    assert '-  "title": "changed title",' in text.splitlines() and '+  "title": "the same title",' in text.splitlines()
    assert text.startswith(f"--- {filled.name}/dashboards/Level 0/changed title")
    backwards = plan.diff(change, towards_tree=False)
    assert '+  "title": "changed title",' in backwards.splitlines()
    ((before),) = options.diffs(planned)
    assert json.loads(before["before"])["title"] == "changed title" and json.loads(before["after"])["title"] == "the same title"


def test_drift(filled: Site) -> None:
    tree = filled.export()
    filled.fill.dashboard("new", "new", "level0")
    filled.fill.dashboard("same1", "changed", "level0")
    filled.fill.send("DELETE", "/api/dashboards/uid/same2")
    given = {"provenance": "keep", "datasource_map": {}, "inputs": {}, "unknown_users": "fail", "organisation_map": {}, "organisations": []}
    request = options.request({**given, "kinds": ["dashboards"]}, drift=True)
    with filled.client() as client:
        found = options.drifted(importer.plan(client, tree, request))
    keys = {word: [one["key"] for one in objects] for word, objects in found["differences"].items()}
    assert keys == {"added": ["new"], "changed": ["same1"], "removed": ["same2"]} and found["drifted"]


def test_what_somebody_saves_meanwhile_is_not_overwritten(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(20):
        site.fill.dashboard(f"d{number}", f"wanted {number}")
    tree = site.export()
    for number in range(20):
        site.fill.dashboard(f"d{number}", f"drifted {number}")
    real, lock = DashboardKind.update, threading.Lock()
    done: list[str] = []

    def late(self: DashboardKind, org: Any, item: Any, live: Any) -> None:
        # Between the plan and the write.
        with lock:
            if not done:
                done.append(item.key)
                site.fill.dashboard(item.key, "saved by somebody else")
        real(self, org, item, live)

    monkeypatch.setattr(DashboardKind, "update", late)
    with pytest.raises(Incomplete, match="somebody else has changed it") as caught:
        site.bring(tree, site.name)
    (failure,) = caught.value.failures
    assert failure.key == done[0]
    titles = {hit["uid"]: hit["title"] for hit in site.get("/api/search?type=dash-db")}
    assert titles.pop(done[0]) == "saved by somebody else" and all(title.startswith("wanted") for title in titles.values())
    assert changed(site.bring(tree, site.name)) == {("updated", "dashboards", done[0])}, "the next run does the rest"


def meanwhile(patch: pytest.MonkeyPatch, action: Callable[[], None]) -> None:
    """Something that happens between the plan and the first write."""
    real = importer._Carrier.run

    def run(self: importer._Carrier) -> None:
        action()
        real(self)

    patch.setattr(importer._Carrier, "run", run)


def made(to: Site) -> None:
    """Something of each kind that prune deletes."""
    send, root = to.fill.send, "/api/v1/provisioning"
    to.fill.folder("f", "f")
    to.fill.folder("rules", "rules")
    to.fill.dashboard("d", "d")
    source(to, "m", "m")
    send("POST", "/api/library-elements", {"uid": "l", "name": "l", "kind": 1, "model": {"title": "l"}})
    send("PUT", f"{root}/templates/t", {"template": '{{ define "t" }}0{{ end }}'}, **EDITABLE)
    send("POST", f"{root}/mute-timings", {"name": "m", "time_intervals": [{"weekdays": ["monday"]}]}, **EDITABLE)
    point(to, "cp", "cp")
    send("PUT", f"{root}/folder/rules/rule-groups/g", {"interval": 60, "rules": [rule("r", "r")]}, **EDITABLE)
    send("POST", "/api/playlists", {"name": "p", "interval": "1m", "items": []})
    send("PUT", "/api/org/preferences", {"theme": "dark"})
    send("POST", "/api/annotations", {"time": 1000, "text": "note"})
    send("POST", "/api/teams", {"name": "t"})
    send("POST", "/api/serviceaccounts", {"name": "s", "role": "Viewer"})


def changed_by_hand(to: Site) -> None:
    """Each of them as somebody saves it anew."""
    send, root = to.fill.send, "/api/v1/provisioning"
    send("PUT", "/api/folders/f", {"title": "new", "overwrite": True})
    to.fill.dashboard("d", "new")
    source(to, "m", "m", "PUT", url="http://new")
    send("PATCH", "/api/library-elements/l", {"name": "l", "kind": 1, "model": {"title": "new"}, "version": 1})
    send("PUT", f"{root}/templates/t", {"template": '{{ define "t" }}1{{ end }}'}, **EDITABLE)
    send("PUT", f"{root}/mute-timings/m", {"name": "m", "time_intervals": [{"weekdays": ["friday"]}]}, **EDITABLE)
    settings = {"url": "https://new.example.org", "password": "[REDACTED]"}
    send("PUT", f"{root}/contact-points/cp", {"name": "cp", "type": "webhook", "settings": settings}, **EDITABLE)
    send("PUT", f"{root}/folder/rules/rule-groups/g", {"interval": 60, "rules": [rule("r", "new")]}, **EDITABLE)
    (playlist,) = to.get("/api/playlists")
    send("PUT", f"/api/playlists/{playlist['uid']}", {"name": "p", "interval": "2m", "items": []})
    send("PUT", "/api/org/preferences", {"theme": "light"})
    (note,) = to.get("/api/annotations?type=annotation")
    send("PATCH", f"/api/annotations/{note['id']}", {"text": "new"})
    (team,) = to.get("/api/teams/search")["teams"]
    send("PUT", f"/api/teams/{team['id']}", {"name": "t", "email": "new@example.org"})
    (account,) = to.get("/api/serviceaccounts/search")["serviceAccounts"]
    send("PATCH", f"/api/serviceaccounts/{account['id']}", {"name": "s", "role": "Editor"})


def test_what_somebody_saves_meanwhile_is_not_pruned(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = {"kinds": [*DEFAULT, "annotations"]}
    tree = site.export(selection=chosen)
    made(site)

    def save() -> None:
        changed_by_hand(site)
        site.export("saved", selection=chosen)

    with monkeypatch.context() as patch:
        meanwhile(patch, save)
        with pytest.raises(Incomplete) as caught:
            site.bring(tree, site.name, prune=True, keep_going=True, selection=chosen, client={"retries": 1})
    kept = {one.kind for one in caught.value.failures if "somebody else has changed it" in one.message}
    assert kept == {name for name, kind in KINDS.items() if kind.prunable}
    assert objects(site.export("after", selection=chosen)) == objects(site.directory / "saved")
    site.bring(tree, site.name, prune=True, selection=chosen)
    assert objects(site.export("pruned", selection=chosen)) == objects(tree), "the next run deletes it"


def test_playlists_and_preferences_that_somebody_saves_meanwhile(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.fill.send("POST", "/api/playlists", {"name": "p", "interval": "1m", "items": []})
    site.fill.send("PUT", "/api/org/preferences", {"theme": "dark"})
    team = site.fill.send("POST", "/api/teams", {"name": "t"})["teamId"]
    site.fill.send("PUT", f"/api/teams/{team}/preferences", {"theme": "dark"})
    tree = site.export()
    (listed,) = site.get("/api/playlists")

    def save(interval: str, theme: str, of_team: dict[str, str]) -> None:
        site.fill.send("PUT", f"/api/playlists/{listed['uid']}", {"name": "p", "interval": interval, "items": []})
        site.fill.send("PUT", "/api/org/preferences", {"theme": theme})
        site.fill.send("PUT", f"/api/teams/{team}/preferences", of_team)

    save("2m", "light", {})
    with monkeypatch.context() as patch:
        meanwhile(patch, lambda: save("3m", "system", {"theme": "light"}))
        with pytest.raises(Incomplete, match="somebody else has changed it") as caught:
            site.bring(tree, site.name, keep_going=True)
    assert {(one.kind, one.key) for one in caught.value.failures} == {
        ("playlists", "p"),
        ("preferences", "organisation"),
        ("preferences", "team t"),
    }
    assert site.get("/api/playlists")[0]["interval"] == "3m" and site.get("/api/org/preferences")["theme"] == "system"
    assert site.get(f"/api/teams/{team}/preferences")["theme"] == "light"
    site.bring(tree, site.name)
    assert objects(site.export("after")) == objects(tree)


def test_playlists_of_one_name_are_told_apart_by_their_uids(site: Site) -> None:
    """Their numbers shift with each one that changes or goes."""
    for interval in ("1m", "2m", "3m"):
        site.fill.send("POST", "/api/playlists", {"name": "p", "interval": interval, "items": []})
    tree = site.export()
    for listed, interval in zip(site.get("/api/playlists"), ("5m", "4m", "6m"), strict=True):
        site.fill.send("PUT", f"/api/playlists/{listed['uid']}", {"name": "p", "interval": interval, "items": []})
    site.bring(tree, site.name)
    assert objects(site.export("after")) == objects(tree)
    for path in (tree / path for path in contents(tree) if "playlists" in path):
        path.unlink()
    site.bring(tree, site.name, prune=True)
    assert site.get("/api/playlists") == []


@pytest.mark.parametrize("keep_going", [False, True])
def test_a_refused_object_does_not_hide_the_others(site: Site, other: Site, keep_going: bool) -> None:
    site.fill.folder("f", "f")
    site.fill.dashboard("big", "x" * 100, "f", description="y" * 1_200_000)
    site.fill.dashboard("small", "small", "f")
    site.fill.send("POST", "/api/playlists", {"name": "p", "interval": "1m", "items": []})
    tree = site.export()
    other.instance.faults(dashboard_limit_mb=1)
    try:
        with pytest.raises(Incomplete) as caught:
            other.bring(tree, site.name, keep_going=keep_going)
    finally:
        other.instance.delete("/-/stand-in/faults")
    assert [(one.kind, one.key, one.status) for one in caught.value.failures if one.kind == "dashboards"] == [("dashboards", "big", 413)]
    assert [hit["uid"] for hit in other.get("/api/search?type=dash-db")] == ["small"]
    assert len(other.get("/api/playlists")) == int(keep_going)
    other.bring(tree, site.name)
    assert objects(other.export("after")) == objects(tree)


# --- names and uids that are taken -----------------------------------------------------------------------------------


def point(to: Site, uid: str, name: str, method: str = "POST") -> None:
    settings = {"url": "https://example.org", "password": "[REDACTED]" if method == "PUT" else f"secret-of-{uid}"}
    path = "/api/v1/provisioning/contact-points" + ("" if method == "POST" else f"/{uid}")
    to.fill.send(method, path, {"uid": uid, "name": name, "type": "webhook", "settings": settings}, **EDITABLE)


def route(to: Site, *receivers: str) -> None:
    routes = [{"receiver": one, "object_matchers": [["to", "=", one]]} for one in receivers]
    to.fill.send("PUT", "/api/v1/provisioning/policies", {"receiver": "grafana-default-email", "routes": routes}, **EDITABLE)


@pytest.mark.parametrize("prune", [False, True])
def test_a_contact_point_that_was_renamed(site: Site, prune: bool) -> None:
    """Its integrations are taken back, with the secrets that nobody has to give again."""
    for uid in ("cp1", "cp2"):
        point(site, uid, "on call")
    route(site, "on call")
    site.fill.folder("f", "f")
    rules = [rule("r", "r", notification_settings={"receiver": "on call"})]
    site.fill.send("PUT", "/api/v1/provisioning/folder/f/rule-groups/g", {"interval": 60, "rules": rules}, **EDITABLE)
    tree = site.export()
    for uid in ("cp1", "cp2"):
        point(site, uid, "pager", "PUT")
    site.bring(tree, site.name, secrets={}, prune=prune)
    assert objects(site.export("after")) == objects(tree)
    assert "secret-of-cp1" in decrypted(site) and "secret-of-cp2" in decrypted(site)
    assert not site.bring(tree, site.name, secrets={}, prune=prune).changed


def test_an_integration_that_moved_to_another_contact_point(site: Site) -> None:
    """Whoever gets it is written before the one that loses it, which would delete it."""
    point(site, "cp1", "a")
    point(site, "cp2", "z")
    point(site, "cp3", "z")
    route(site, "a", "z")
    tree = site.export()
    point(site, "cp3", "a", "PUT")
    site.bring(tree, site.name, secrets={})
    assert objects(site.export("after")) == objects(tree) and "secret-of-cp3" in decrypted(site)


def test_integrations_that_changed_places(site: Site) -> None:
    """Nothing is deleted on the way, so no secret is lost."""
    for uid, name in (("cp1", "a"), ("cp2", "a"), ("cp3", "z"), ("cp4", "z")):
        point(site, uid, name)
    tree = site.export()
    point(site, "cp1", "z", "PUT")
    point(site, "cp3", "a", "PUT")
    before = objects(site.export("before"))
    with pytest.raises(Blocked, match="have integrations of each other"):
        site.bring(tree, site.name, secrets={})
    assert objects(site.export("after")) == before


def source(to: Site, uid: str, name: str, method: str = "POST", **more: Any) -> None:
    path = "/api/datasources" + ("" if method == "POST" else f"/uid/{uid}")
    to.fill.send(method, path, {"uid": uid, "name": name, "type": "prometheus", "access": "proxy", **more})


@pytest.mark.parametrize("default", [False, True])
def test_a_data_source_that_was_made_again(site: Site, default: bool) -> None:
    source(site, "m", "Prom", isDefault=default)
    tree = site.export()
    site.fill.send("DELETE", "/api/datasources/uid/m")
    source(site, "again", "Prom", isDefault=default)
    with pytest.raises(Blocked, match=r"datasource_map: \{m: again\}"):
        site.bring(tree, site.name)
    done = site.bring(tree, site.name, prune=True)
    assert changed(done) == {("deleted", "data_sources", "again"), ("created", "data_sources", "m")}
    assert objects(site.export("after")) == objects(tree)


def test_data_sources_that_changed_their_names(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    secret: dict[str, Any] = {"basicAuth": True, "secureJsonData": {"basicAuthPassword": "kept"}}
    for uid, name in (("a", "A"), ("b", "B"), ("c", "C")):
        source(site, uid, name, **secret)
    tree = site.export()
    for uid, name in (("a", "x"), ("b", "A"), ("c", "B"), ("a", "C")):
        source(site, uid, name, "PUT", basicAuth=True)
    with monkeypatch.context() as patch:
        patch.setattr(DataSourceKind, "update", cut_off(DataSourceKind.update, after=4))
        with pytest.raises(KeyboardInterrupt):
            site.bring(tree, site.name, secrets={})
    site.bring(tree, site.name, secrets={})
    assert objects(site.export("after")) == objects(tree), "also after an interruption, and with the secrets"
    source(site, "b", "x", "PUT")
    source(site, "d", "B")
    with pytest.raises(Blocked, match="'B' has the uid d in Grafana, and b in the tree"):
        site.bring(tree, site.name, secrets={})
    site.bring(tree, site.name, secrets={}, prune=True)
    assert objects(site.export("after")) == objects(tree)


def cut_off(real: Callable[..., None], after: int) -> Callable[..., None]:
    """A write that works so many times, and then the run ends."""
    done: list[str] = []

    def write(*arguments: Any) -> None:
        if len(done) == after:
            raise KeyboardInterrupt
        real(*arguments)
        done.append("written")

    return write


def group(to: Site, name: str, *rules: tuple[str, str]) -> None:
    body = {"interval": 60, "rules": [rule(uid, title) for uid, title in rules]}
    to.fill.send("PUT", f"/api/v1/provisioning/folder/f/rule-groups/{name}", body, **EDITABLE)


@pytest.mark.parametrize("release", ["11.6.0", "12.4.0", "13.0.1"])
def test_folders_with_descriptions(release: str, new_site: NewSite) -> None:
    """Grafana 11 takes them, and never shows them."""
    site, shown = new_site(release), release != "11.6.0"
    site.fill.folder("f", "F")
    site.fill.send("POST", "/api/folders", {"uid": "g", "title": "G", "description": "what it is for"})
    tree = site.export(selection={"kinds": ["folders"]})
    assert ("description" in json.loads(path_of(tree, "g.g.json").read_text())) == shown
    edit(path_of(tree, "g.g.json"), title="Other", description="what else it is for", parentUid="f")
    site.bring(tree, site.name)
    assert not site.bring(tree, site.name).changed
    found = site.get("/api/folders/g")
    assert (found["title"], found["parentUid"]) == ("Other", "f")
    if shown:
        path = f"/apis/folder.grafana.app/v1beta1/namespaces/{site.fill.namespace}/folders/g"
        assert site.get(path)["spec"]["description"] == "what else it is for"


def test_a_rule_that_was_made_again_in_another_group(new_site: NewSite) -> None:
    """Before Grafana 12 its title is in the way."""
    site = new_site("11.6.0")
    site.fill.folder("f", "f")
    group(site, "a", ("u1", "one"), ("u2", "two"))
    group(site, "b", ("u3", "three"))
    tree = site.export()
    group(site, "a", ("u1", "one"))
    group(site, "new", ("u9", "two"))
    with pytest.raises(Blocked, match=r"rule group 'a': the rule u9 of the group 'new' has the title 'two'"):
        site.bring(tree, site.name)
    site.bring(tree, site.name, prune=True)
    assert objects(site.export("after")) == objects(tree)
    group(site, "a", ("u1", "one"))
    group(site, "b", ("u3", "three"), ("u9", "two"))
    site.bring(tree, site.name)
    assert objects(site.export("after")) == objects(tree), "the other group gives the title up"
    group(site, "b", ("u3", "x"))
    group(site, "a", ("u1", "three"), ("u2", "two"))
    group(site, "b", ("u3", "one"))
    site.bring(tree, site.name)
    assert objects(site.export("after")) == objects(tree), "titles that changed places"


@pytest.mark.parametrize(("version", "to"), [("11.6.0", "a"), ("13.0.1", "a"), ("13.0.1", "z"), ("13.0.1", "other folder")])
def test_a_rule_that_moved_to_another_group(version: str, to: str, new_site: NewSite) -> None:
    """It is moved back rather than made again, and the group that it leaves has not been changed by somebody else."""
    site = new_site(version)
    site.fill.folder("f", "f")
    site.fill.folder("g", "g")
    for name in ("a", "m", "z"):
        group(site, name, (f"{name}1", f"{name} one"), (f"{name}2", f"{name} two"))
    tree = site.export()
    numbers = {one["uid"]: one["id"] for one in site.get("/api/v1/provisioning/alert-rules")}
    group(site, "m", ("m1", "m one"))
    if to == "other folder":
        body = {"interval": 60, "rules": [rule("m2", "m two"), rule("new", "new")]}
        site.fill.send("PUT", "/api/v1/provisioning/folder/g/rule-groups/m", body, **EDITABLE)
    else:
        group(site, to, (f"{to}1", "changed too"), (f"{to}2", f"{to} two"), ("m2", "m two"))
    numbers |= {one["uid"]: one["id"] for one in site.get("/api/v1/provisioning/alert-rules")}
    site.bring(tree, site.name, prune=True)
    assert objects(site.export("after")) == objects(tree)
    assert {one["uid"]: one["id"] for one in site.get("/api/v1/provisioning/alert-rules")}.items() <= numbers.items()


def test_rules_of_a_file_without_uids(site: Site, other: Site) -> None:
    site.fill.folder("f", "f")
    group(site, "g", ("r1", "one"), ("r2", "two"))
    tree = site.export()
    path = path_of(tree, "alert_rules/*/g.*.json")
    found = json.loads(path.read_text())["rules"]
    edit(path, rules=[{name: value for name, value in one.items() if name != "uid"} for one in found])
    other.bring(tree, site.name)
    assert not other.bring(tree, site.name).changed


def test_a_group_that_somebody_else_changes(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """What no other group takes a rule from is not overwritten, and what could not be taken is not deleted."""
    site.fill.folder("f", "f")
    for name in ("a", "z"):
        group(site, name, (f"{name}1", f"{name} one"), (f"{name}2", f"{name} two"))
    tree = site.export()
    group(site, "a", ("a1", "a one"))
    group(site, "z", ("z1", "z one"), ("a2", "a two"))
    real = RuleGroupKind.update

    def late(self: RuleGroupKind, org: Any, item: Any, live: Any) -> None:
        if item.name == "a":
            group(site, "a", ("a1", "saved meanwhile"))
        real(self, org, item, live)

    with monkeypatch.context() as patch:
        patch.setattr(RuleGroupKind, "update", late)
        with pytest.raises(Incomplete) as caught:
            site.bring(tree, site.name)
    assert [one.key for one in caught.value.failures] == ["f/a", "f/z"] and "takes a part of it" in str(caught.value)
    titles = {one["title"]: one["ruleGroup"] for one in site.get("/api/v1/provisioning/alert-rules")}
    assert titles == {"saved meanwhile": "a", "z one": "z", "a two": "z"}
    site.bring(tree, site.name)
    assert objects(site.export("after")) == objects(tree)


def test_titles_may_be_the_same(site: Site) -> None:
    """Since Grafana 12 nothing has to go first."""
    site.fill.folder("f", "f")
    group(site, "a", ("u1", "same"))
    group(site, "b", ("u2", "same"))
    tree = site.export()
    site.fill.send("DELETE", "/api/v1/provisioning/folder/f/rule-groups/b", **EDITABLE)
    site.bring(tree, site.name)
    assert objects(site.export("after")) == objects(tree)


# --- to another Grafana ----------------------------------------------------------------------------------------------


def test_data_sources_are_mapped(filled: Site, other: Site) -> None:
    other.fill.user("someone")
    tree = filled.export()
    for uid, name in (("there", "Metrics"), ("second", "Second")):
        other.fill.send("POST", "/api/datasources", {"uid": uid, "name": name, "type": "prometheus", "access": "proxy"})
    planned = other.plan(tree, filled.name)
    assert [problem for problem in planned.problems if "datasource_map: {metrics: there}" in problem], "a name that is taken is told"
    with pytest.raises(Blocked, match="no data source 'nowhere'"):
        other.bring(tree, filled.name, datasource_map={"Metrics": "nowhere"})
    mapping = {"Metrics": "there"}
    other.bring(tree, filled.name, datasource_map=mapping)
    assert not other.bring(tree, filled.name, datasource_map=mapping, prune=False).changed
    found = json.dumps(other.get("/api/dashboards/uid/same1")) + json.dumps(other.get("/api/v1/provisioning/alert-rules"))
    found += json.dumps(other.get("/api/library-elements/lib"))
    assert '"uid": "there"' in found and '"datasourceUid": "there"' in found and '"metrics"' not in found
    assert {one["uid"] for one in other.get("/api/datasources")} == {"there", "second", "other"}
    other.bring(tree, filled.name, datasource_map=mapping, prune=True)
    assert {one["uid"] for one in other.get("/api/datasources")} == {"there", "other"}, "what is mapped to is not pruned"


def test_data_sources_that_refer_to_others_are_mapped(site: Site, other: Site) -> None:
    """So are the variables of v2 dashboards; what a data source is itself stays."""
    source(site, "logs", "Logs", jsonData={"derivedFields": [{"name": "t", "datasourceUid": "traces"}], "alertmanagerUid": "traces"})
    links = {"tracesToLogsV2": {"datasourceUid": "logs"}, "serviceMap": {"datasourceUid": "metrics"}}
    source(site, "traces", "Traces", jsonData=links)
    source(site, "metrics", "Metrics", jsonData={"exemplarTraceIdDestinations": [{"name": "id", "datasourceUid": "traces"}]})
    spec = v2("new", "new")
    variable = {"kind": "DatasourceVariable", "spec": {"name": "ds", "pluginId": "tempo", "current": {"text": "Traces", "value": "traces"}}}
    path = f"/apis/dashboard.grafana.app/v2beta1/namespaces/{site.fill.namespace}/dashboards"
    site.fill.send("POST", path, {**spec, "spec": {**spec["spec"], "variables": [variable]}})
    tree = site.export()
    source(other, "there", "Tempo")
    mapping = {"Traces": "there"}
    other.bring(tree, site.name, datasource_map=mapping)
    found = {one["uid"]: one["jsonData"] for one in other.get("/api/datasources")}
    assert found == {
        "there": {},
        "logs": {"derivedFields": [{"name": "t", "datasourceUid": "there"}], "alertmanagerUid": "there"},
        "metrics": {"exemplarTraceIdDestinations": [{"name": "id", "datasourceUid": "there"}]},
    }
    path = f"/apis/dashboard.grafana.app/v2beta1/namespaces/{other.fill.namespace}/dashboards/new"
    assert other.get(path)["spec"]["variables"][0]["spec"]["current"] == {"text": "Tempo", "value": "there"}
    assert not other.bring(tree, site.name, datasource_map=mapping).changed


def shared(tree: Path, **inputs: Any) -> None:
    """A dashboard that was exported for sharing, put into a tree by hand."""
    dashboard = {
        "__inputs": [
            {"name": "DS_M", "label": "m", "type": "datasource", "pluginId": "prometheus", "pluginName": "Prometheus"},
            {"name": "DS_EXPRESSION", "label": "Expression", "type": "datasource", "pluginId": "__expr__"},
            {"name": "VAR_X", "type": "constant", "label": "x", "value": "ten"},
        ],
        "__elements": {"brought": {"name": "Brought", "uid": "brought", "kind": 1, "model": {"datasource": {"uid": "${DS_M}"}}}},
        "__requires": [{"type": "grafana", "id": "grafana", "name": "Grafana", "version": "12.0.0"}],
        "title": "Shared",
        "panels": [{"id": 1, "title": "${VAR_X} and $__rate_interval ${var:csv}", "datasource": {"type": "prometheus", "uid": "${DS_M}"}}],
        "links": [{"title": "${DS_EXPRESSION}"}],
    }
    path = tree / "Org" / "dashboards" / "By hand" / "shared.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(dashboard))


def test_dashboards_exported_for_sharing(site: Site, tmp_path: Path) -> None:
    shared(tmp_path / "hand")
    with pytest.raises(Blocked, match="input DS_M has no value"):
        site.bring(tmp_path / "hand", "Org")
    for uid in ("one", "two"):
        site.fill.send("POST", "/api/datasources", {"uid": uid, "name": uid, "type": "prometheus", "access": "proxy"})
    with pytest.raises(Blocked, match="input DS_M has no value"):
        site.bring(tmp_path / "hand", "Org")
    site.fill.folder("known", "By hand")
    site.bring(tmp_path / "hand", "Org", inputs={"DS_M": "two"})
    (hit,) = site.get("/api/search?type=dash-db")
    assert hit["folderUid"] == "known", "the folder of that title is the one that is there"
    dashboard = site.get(f"/api/dashboards/uid/{hit['uid']}")["dashboard"]
    assert dashboard["panels"][0]["datasource"]["uid"] == "two"
    assert dashboard["panels"][0]["title"] == "ten and $__rate_interval ${var:csv}"
    assert not [name for name in dashboard if name.startswith("__")] and dashboard["links"] == [{"title": "__expr__"}]
    assert site.get("/api/library-elements/brought")["result"]["model"]["datasource"]["uid"] == "two"
    assert not site.bring(tmp_path / "hand", "Org", inputs={"DS_M": "two"}).changed, "no second copy"


def test_a_tree_put_together_by_hand(site: Site, tmp_path: Path) -> None:
    shared(tmp_path / "hand")
    wrapped = {"dashboard": {"id": 7, "uid": "w", "version": 3, "title": "As the API answers"}, "meta": {"folderUid": ""}}
    (tmp_path / "hand" / "Org" / "dashboards" / "wrapped.json").write_text(json.dumps(wrapped))
    site.fill.send("POST", "/api/datasources", {"uid": "m", "name": "m", "type": "prometheus", "access": "proxy"})
    site.fill.dashboard("stays", "stays")
    site.bring(tmp_path / "hand", "Org")
    assert {hit["title"] for hit in site.get("/api/search")} == {"By hand", "Shared", "As the API answers", "stays"}
    assert not site.bring(tmp_path / "hand", "Org").changed


@pytest.mark.parametrize(("choice", "marks"), [("keep", {"", "api"}), ("api", {"api"}), ("none", {""})])
def test_provenance(choice: str, marks: set[str], filled: Site, other: Site) -> None:
    other.fill.user("someone")
    tree = filled.export()
    other.bring(tree, filled.name, provenance=choice)
    root = "/api/v1/provisioning"
    for collection in ("alert-rules", "templates"):
        assert {one["provenance"] for one in other.get(f"{root}/{collection}")} == marks
    points = [one["provenance"] for one in other.get(f"{root}/contact-points") if one["name"] == "on call"]
    assert set(points) == ({"api"} if choice == "api" else {""})
    assert not other.bring(tree, filled.name, provenance=choice).changed
    if choice == "api":
        with pytest.raises(Blocked, match="cannot become editable again"):
            other.bring(tree, filled.name, provenance="none")


def test_unknown_users(filled: Site, other: Site) -> None:
    tree = filled.export()
    other.fill.user("else")
    with pytest.raises(Blocked, match="no user 'someone'"):
        other.bring(tree, filled.name)
    other.bring(tree, filled.name, skip_unknown_users=True)
    assert not other.bring(tree, filled.name, skip_unknown_users=True).changed
    team = other.get("/api/teams/search")["teams"][0]
    assert other.get(f"/api/teams/{team['id']}/members") == []


def test_teams_and_accounts_that_are_not_there(filled: Site, other: Site) -> None:
    """What names them is told before anything is written, left out on demand, and fine where the tree brings them along."""
    other.fill.user("someone")
    tree = filled.export()
    named = {"kinds": ["folders", "dashboards", "folder_permissions", "dashboard_permissions", "preferences"]}
    with pytest.raises(Blocked) as caught:
        other.bring(tree, filled.name, selection=named)
    problems = "; ".join(caught.value.problems)
    for lacking in (
        "'level0': the organisation has no team 'ops / night'",
        "has no service account 'robot'",
        "preferences: the organisation",
    ):
        assert lacking in problems
    assert other.get("/api/folders") == [] == other.get("/api/search"), "nothing was written"
    other.bring(tree, filled.name, selection=named, skip_unknown_users=True)
    assert not other.bring(tree, filled.name, selection=named, skip_unknown_users=True).changed
    own = [one for one in other.get("/api/folders/level0/permissions") if not one.get("inherited")]
    assert {one.get("userLogin") or one.get("role") for one in own} == {"someone", "Viewer"}
    assert not other.plan(tree, filled.name).problems, "this plan creates them"
    other.bring(tree, filled.name)
    assert objects(other.export("after")) == objects(tree)
    path_of(tree, "teams/*.json").unlink()
    assert not other.plan(tree, filled.name).problems, "it stays"
    pruned = other.plan(tree, filled.name, prune=True)
    assert ("deleted", "teams", "ops / night") in changed(pruned)
    with pytest.raises(Blocked, match="has no team 'ops / night'"):
        edit(path_of(tree, "preferences/team*.json"), theme="dark")
        other.bring(tree, filled.name, prune=True)


def test_a_team_that_goes_in_the_middle_is_a_failure(filled: Site, other: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    other.fill.user("someone")
    tree = filled.export()
    monkeypatch.setattr(TeamKind, "create", lambda *_arguments: None)
    with pytest.raises(Incomplete) as caught:
        other.bring(tree, filled.name, keep_going=True)
    failed = {(one.kind, one.key, one.status) for one in caught.value.failures}
    assert failed == {("folder_permissions", "level0", 0), ("preferences", "team ops / night", 0)}
    assert "Grafana lacks 'ops / night'" in str(caught.value)
    monkeypatch.undo()
    other.bring(tree, filled.name)
    assert objects(other.export("after")) == objects(tree), "the next run does the rest"


def test_what_is_provisioned_from_files(make: Make, postgres: DatabaseServer, tmp_path: Path) -> None:
    instance = make("13.0.1", {"database": database_section(postgres, postgres.new_database())})
    lines = ["apiVersion: 1", "datasources:", "  - {name: Filed, uid: filed, type: prometheus, access: proxy, url: http://here}"]
    (instance.provisioning / "datasources" / "x.yaml").write_text("\n".join(lines))
    instance.start()
    filed = Site(instance, 1, "Main Org.", tmp_path)
    tree = filed.export()
    assert not filed.bring(tree).changed, "what is equal is no problem"
    edit(path_of(tree, "filed.filed.json"), url="http://elsewhere")
    with pytest.raises(Blocked, match="'Filed' is provisioned from a file"):
        filed.bring(tree)
    done = filed.bring(tree, skip_locked=True)
    assert changed(done) == {("skipped", "data_sources", "filed")} and not done.changed
    assert [change.reason for _plan, change in done.changes()] == ["data source 'Filed' is provisioned from a file"]


def test_a_broken_file_is_named(filled: Site, other: Site) -> None:
    tree = filled.export()
    path_of(tree, "dashboards/*/the-same-title.same1.json").write_text('{"title": ')
    with pytest.raises(GrafanaError, match=r"the-same-title\.same1\.json: not JSON"):
        other.bring(tree, filled.name)


def test_two_files_for_one_object(site: Site, other: Site) -> None:
    site.fill.dashboard("x", "x")
    tree = site.export()
    path = path_of(tree, "dashboards/x.x.json")
    path.with_name("copy.json").write_bytes(path.read_bytes())
    with pytest.raises(GrafanaError, match="holds the same object"):
        other.bring(tree, site.name)


def test_library_panels_can_be_chosen_alone(filled: Site, other: Site) -> None:
    tree = filled.export()
    done = other.bring(tree, filled.name, selection={"kinds": ["library_panels"]})
    assert changed(done) == {("created", "library_panels", "lib"), ("created", "folders", "level0"), ("created", "folders", "level1")}
    assert other.get("/api/library-elements/lib")["result"]["model"]["title"] == panel(7, "shared")["title"]


@pytest.mark.parametrize("renamed", [False, True])
@pytest.mark.parametrize("whole_kind", [False, True])
def test_permissions_that_could_not_be_read_stay(whole_kind: bool, renamed: bool, site: Site, other: Site) -> None:
    """No file for an object's permissions means none, but not where the export could not read them."""
    target = other if renamed else site
    for one in {site.number: site, target.number: target}.values():
        for uid in ("unread", "none"):
            one.fill.folder(uid, uid)
            one.fill.send("POST", f"/api/folders/{uid}/permissions", {"items": []})
    path = "/api/folders/unread/permissions"
    site.instance.faults(error_rate=1, error_status=403, paths=f"^{path}$")
    try:
        tree = site.export(keep_going=True)
    finally:
        site.instance.delete("/-/stand-in/faults")
    assert [(one.kind, one.key) for one in site.exported.failures] == [("folder_permissions", "unread")]
    if whole_kind:
        manifest = json.loads((tree / "manifest.json").read_text())
        manifest["failures"][0]["key"] = "*"
        edit(tree / "manifest.json", **manifest)
    for uid in ("unread", "none"):
        target.fill.send("POST", f"/api/folders/{uid}/permissions", {"items": [{"role": "Viewer", "permission": 1}]})
    result = target.bring(tree, site.name)
    assert [one["role"] for one in target.get(path)] == ["Viewer"], "nothing is known of these"
    assert changed(result) == (set() if whole_kind else {("updated", "folder_permissions", "none")})
    with pytest.raises(Blocked, match="prune: the tree lacks 1 objects"):
        target.bring(tree, site.name, prune=True)
