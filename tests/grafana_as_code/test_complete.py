"""Complete, or failed: every object that Grafana lists is in the tree, or named."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.monitoring.ha.plugins.module_utils.grafana import exporter
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.client import Client, Connection
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.errors import (
    ApiError,
    Blocked,
    GrafanaError,
    Incomplete,
    TimeLimit,
    TreeError,
)
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.kinds.base import Live
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.kinds.folders import FolderKind
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.organisation import Org
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.selection import Selection

from tests.stand_in.databases import DatabaseServer
from tests.stand_in.instances import ADMIN, Instance

from .content import fill, panel
from .proxy import proxy
from .site import Site, changed, contents, objects

NewSite = Callable[..., Site]


@pytest.fixture(autouse=True)
def quiet(released: Callable[[str], Instance]) -> Iterator[None]:
    yield
    released("13.0.1").delete("/-/stand-in/faults").raise_for_status()


@pytest.mark.parametrize("release", ["11.6.0", "13.0.1"])
def test_more_than_a_page_of_everything(release: str, new_site: NewSite, postgres: DatabaseServer) -> None:
    """Beyond the 5,000 of the search, and the pages of everything else."""
    site = new_site(release)
    number, database = site.number, site.instance.sections["database"]["name"]
    data, stamps = "'{\"title\":\"Dashboard ' || n || '\"}'", "'', 1, 1, 0, 0, 'x', 0"
    postgres.execute(
        'INSERT INTO "dashboard" ("org_id", "uid", "title", "slug", "folder_uid", "tags", "version", "api_version", "plugin_id", "data", '
        '"message", "created_by", "updated_by", "created", "updated", "written_by", "written_at") '
        f"SELECT {number}, 'd' || n, 'Dashboard ' || n, 's', '', '[]', 1, 'v0alpha1', '', {data}, {stamps} "
        "FROM generate_series(1, 5150) n",
        database,
    )
    for one in range(130):
        site.fill.send("POST", "/api/library-elements", {"uid": f"l{one}", "name": f"l{one}", "kind": 1, "model": panel(1, "x")})
    tree = site.export(selection={"kinds": ["dashboards", "library_panels"]})
    assert site.exported.counts[site.name] == {"library_panels": 130, "dashboards": 5150}
    assert len(list((tree).rglob("dashboards/*.json"))) == 5150


@pytest.mark.parametrize("change", ["deleted", "created"])
def test_library_panels_that_change_between_two_pages(change: str, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """All those after it move by one place: over the border of the pages, and out of sight or twice into it."""

    def create(name: str) -> None:
        site.fill.send("POST", "/api/library-elements", {"uid": name, "name": name, "kind": 1, "model": panel(1, "x")})

    for number in range(101):
        create(f"l{number:03}")
    get, pages = Client.get, []

    def meanwhile(self: Client, path: str, query: Any = None, headers: Any = None) -> Any:
        answer = get(self, path, query, headers)
        if path == "/api/library-elements":
            pages.append(query["page"])
            if len(pages) == 1:
                create("a") if change == "created" else site.fill.send("DELETE", "/api/library-elements/l000")
        return answer

    monkeypatch.setattr(Client, "get", meanwhile)
    tree = site.export(selection={"kinds": ["library_panels"]})
    expected = {f"l{number:03}" for number in range(101)}
    expected = expected | {"a"} if change == "created" else expected - {"l000"}
    assert {json.loads(content)["uid"] for path, content in objects(tree).items()} == expected
    assert pages[:2] == [1, 2] and len(pages) > 2


def test_more_teams_and_accounts_than_a_page(site: Site, postgres: DatabaseServer) -> None:
    database = site.instance.sections["database"]["name"]
    postgres.execute(
        'INSERT INTO "team" ("org_id", "uid", "name", "email", "created", "updated") '
        f"SELECT {site.number}, '{site.number}-' || n, 'Team ' || n, '', 0, 0 FROM generate_series(1, 1010) n",
        database,
    )
    site.export(selection={"kinds": ["teams"]})
    assert site.exported.counts[site.name] == {"teams": 1010}


@pytest.mark.parametrize(
    ("kind", "key", "path"),
    [
        ("data_sources", "metrics", "/api/datasources/uid/metrics"),
        ("dashboards", "new-schema", "/apis/dashboard.grafana.app/v2beta1/.*/dashboards/new-schema"),
        ("alert_rules", "level0/plain", "/api/v1/provisioning/folder/level0/rule-groups/plain"),
        ("dashboard_permissions", "same1", "/api/dashboards/uid/same1/permissions"),
        ("contact_points", "*", "/api/v1/provisioning/contact-points"),
        ("teams", "ops / night", "/api/teams/.*/members"),
    ],
)
@pytest.mark.parametrize("status", [403, 500])
def test_what_cannot_be_read_is_named(kind: str, key: str, path: str, status: int, site: Site) -> None:
    fill(site.instance, site.number)
    tree = site.export()
    before = contents(tree)
    site.fill.dashboard("later", "created later")
    site.instance.faults(error_rate=1, error_status=status, paths=f"^{path}$")
    with pytest.raises(Incomplete) as caught:
        site.export()
    (failure,) = caught.value.failures
    assert (failure.kind, failure.key, failure.status) == (kind, key, status) and failure.organisation == site.name
    assert contents(tree) == before, "the tree that was there stays"

    site.export(keep_going=True)
    assert [(one.kind, one.key, one.status) for one in site.exported.failures] == [(kind, key, status)]
    manifest = json.loads((tree / "manifest.json").read_text())
    assert [(one["kind"], one["key"], one["status"]) for one in manifest["failures"]] == [(kind, key, status)]
    site.instance.delete("/-/stand-in/faults")
    with pytest.raises(Blocked, match="prune: the tree lacks 1 objects"):
        site.bring(tree, site.name, prune=True)


def test_what_no_kind_holds_is_named(site: Site) -> None:
    """Grafana 13 has it in its resource API alone."""
    root = f"/apis/notifications.alerting.grafana.app/v1beta1/namespaces/{site.fill.namespace}"
    site.export()
    assert not site.exported.failures, "the tree that every organisation has is exported"
    site.fill.send("POST", f"{root}/routingtrees", {"metadata": {"name": "night"}, "spec": {}})
    with pytest.raises(Incomplete, match="routing_trees night: it is of no kind"):
        site.export()
    site.fill.send("POST", f"{root}/inhibitionrules", {"metadata": {"name": "quiet"}, "spec": {}})
    tree = site.export(keep_going=True)
    assert [(one.kind, one.key) for one in site.exported.failures] == [("routing_trees", "night"), ("inhibition_rules", "quiet")]
    assert len(json.loads((tree / "manifest.json").read_text())["failures"]) == 2
    assert not site.bring(tree, site.name).changed
    site.export("others", selection={"kinds": ["contact_points"]})
    assert not site.exported.failures


def test_listed_and_not_there(new_site: NewSite, postgres: DatabaseServer) -> None:
    """A dashboard that the list shows, and whose own address says 404, is not skipped."""
    site = new_site("11.6.0")
    site.fill.dashboard("ghost", "ghost")
    site.instance.faults(error_rate=1, error_status=404, paths="^/api/dashboards/uid/ghost$")
    try:
        with pytest.raises(Incomplete, match="dashboards ghost"):
            site.export()
    finally:
        site.instance.delete("/-/stand-in/faults")


def test_retry_after_is_honoured(site: Site) -> None:
    import time

    site.fill.dashboard("x", "x")
    site.instance.faults(error_rate=0.5, error_status=429, retry_after=1, seed=3, paths="/api/org/preferences")
    started = time.monotonic()
    site.export(client={"retries": 20, "pause": 0.001}, selection={"kinds": ["preferences"]})
    requests_seen = site.instance.get("/-/stand-in/faults").json()["requests"]
    assert time.monotonic() - started >= requests_seen - 1


def test_time_limit(site: Site) -> None:
    fill(site.instance, site.number)
    site.instance.faults(latency_ms=300)
    with pytest.raises(TimeLimit, match="not done after 1 s"):
        site.export(client={"time_limit": 1.0})
    assert not (site.directory / "tree").exists()


def test_slow_answers_time_out(site: Site) -> None:
    site.instance.faults(latency_ms=1500, paths="^/api/teams/search")
    with pytest.raises(GrafanaError, match=r"no answer within 0\.5 s"):
        site.export(client={"timeout": 0.5, "retries": 1})


def test_wrong_credentials(site: Site) -> None:
    with pytest.raises(ApiError, match="401 Invalid API key"):
        site.export(client={"user": "", "password": "", "token": "glsa_wrong"})


def test_no_secret_in_any_message(site: Site) -> None:
    with pytest.raises(GrafanaError) as caught:
        site.export(client={"url": site.instance.url.replace("http://", "http://user:pw-in-url@"), "password": "not the password"})
    assert "not the password" not in str(caught.value)
    assert "not the password" not in repr(site.client(password="not the password").connection)


def test_a_token_reaches_its_own_organisation(site: Site, other: Site) -> None:
    site.fill.dashboard("x", "in the token's organisation")
    account = site.fill.send("POST", "/api/serviceaccounts", {"name": "backup", "role": "Admin"})["id"]
    key = site.fill.send("POST", f"/api/serviceaccounts/{account}/tokens", {"name": f"t{account}"})["key"]
    with Client(Connection(site.instance.url, token=key)) as client:
        done = exporter.export(client, site.directory / "by-token")
        assert list(done.counts) == [site.name] and done.counts[site.name]["dashboards"] == 1
        with pytest.raises(GrafanaError, match="a token belongs to one organisation"):
            exporter.export(client, site.directory / "others", wanted=[other.name])


def test_too_few_rights_are_not_an_empty_tree(site: Site) -> None:
    account = site.fill.send("POST", "/api/serviceaccounts", {"name": "reader", "role": "Viewer"})["id"]
    key = site.fill.send("POST", f"/api/serviceaccounts/{account}/tokens", {"name": f"t{account}"})["key"]
    with Client(Connection(site.instance.url, token=key)) as client, pytest.raises(Incomplete, match=r"service_accounts.*403"):
        exporter.export(client, site.directory / "tree")
    assert not (site.directory / "tree").exists()


def test_an_unknown_organisation(site: Site) -> None:
    with site.client() as client, pytest.raises(GrafanaError, match="no organisation 'Nobody'"):
        exporter.export(client, site.directory / "tree", wanted=["Nobody"])


def test_a_directory_with_something_else_in_it(site: Site) -> None:
    precious = site.directory / "tree" / "precious.txt"
    precious.parent.mkdir()
    precious.write_text("x")
    with pytest.raises(TreeError, match="holds something else"):
        site.export()
    assert precious.read_text() == "x"


def test_not_grafana_at_all(tmp_path: Path) -> None:
    with Client(Connection("http://127.0.0.1:9", *ADMIN, retries=0)) as client, pytest.raises(GrafanaError, match="refused"):
        exporter.export(client, tmp_path / "tree")


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ({"kinds": ["playlists"]}, {"playlists": 3}),
        ({"folders": ["level1"], "kinds": ["folders", "dashboards"]}, {"folders": 4, "dashboards": 11}),
        ({"folders": ["Level 0/Level 1/Level 2/Level 3"], "kinds": ["dashboards"]}, {"dashboards": 10, "folders": 4}),
        ({"names": ["the same*"], "kinds": ["dashboards"]}, {"dashboards": 2, "folders": 1}),
        ({"names": ["uses*"]}, {"dashboards": 1, "dashboard_permissions": 1}),
    ],
)
def test_a_choice(chosen: dict[str, Any], expected: dict[str, int], site: Site) -> None:
    fill(site.instance, site.number)
    tree = site.export(selection=chosen)
    counts = {kind: number for kind, number in site.exported.counts[site.name].items() if number}
    assert counts == expected
    listed = objects(tree)
    for kind, number in expected.items():
        assert len([path for path in listed if path.startswith(f"{kind}/")]) == number
    assert not site.plan(tree, site.name, prune=True).changed, "what was not exported is not missing"


def test_a_chosen_folder_that_is_nowhere(site: Site, other: Site) -> None:
    """It is an error, not an empty tree in the place of the one that was there."""
    site.fill.folder("ops", "Operations")
    site.fill.folder("db", "Databases", "ops")
    site.fill.dashboard("d", "d", "db")
    tree = site.export(selection={"folders": ["Operations/Databases"]})
    before = contents(tree)
    assert "dashboards/operations.ops/databases.db/d.d.json" in objects(tree)
    with pytest.raises(GrafanaError, match="there is no folder 'Operations/Database', the nearest are 'Operations/Databases'") as caught:
        site.export(selection={"folders": ["ops", "Operations/Database"]})
    assert "'ops'" not in str(caught.value) and contents(tree) == before
    with pytest.raises(GrafanaError, match="there is no folder 'Operations/Database'"):
        site.plan(tree, site.name, selection={"folders": ["Operations/Database"]})

    # In one of several organisations is enough; and in the tree, where Grafana is still empty.
    with site.client() as client:
        done = exporter.export(client, tree, wanted=[site.name, other.name], selection=Selection.of({"folders": ["db"]}))
    assert (done.counts[site.name]["dashboards"], done.counts[other.name]["dashboards"]) == (1, 0)
    one = site.export("one", selection={"folders": ["ops"]})
    assert ("created", "dashboards", "d") in changed(other.plan(one, site.name, selection={"folders": ["Operations/Databases"]}))
    other.fill.folder("only-there", "Only there")
    assert not other.plan(one, site.name, selection={"folders": ["Only there"]}).changed


def test_annotations_on_request(site: Site, other: Site) -> None:
    for one in (site, other):
        one.fill.dashboard("d", "d")
    for number in range(12):
        body = {"dashboardUID": "d", "panelId": 1, "time": 1000 + number // 4, "text": f"deploy {number % 3}", "tags": ["x"]}
        site.fill.send("POST", "/api/annotations", body)
    site.fill.send("POST", "/api/annotations", {"time": 1000, "timeEnd": 2000, "text": "twice"})
    site.fill.send("POST", "/api/annotations", {"time": 1000, "timeEnd": 2000, "text": "twice"})
    assert "annotations" not in {path.split("/")[0] for path in objects(site.export())}
    tree = site.export("annotated", selection={"kinds": ["annotations"]})
    assert site.exported.counts[site.name] == {"annotations": 14}
    other.bring(tree, site.name)
    assert not other.bring(tree, site.name).changed
    assert objects(other.export("copy", selection={"kinds": ["annotations"]})) == objects(tree)


def test_no_more_connections_than_allowed(site: Site) -> None:
    fill(site.instance, site.number)
    for allowed in (1, 3):
        with proxy([int(site.instance.sections["server"]["http_port"])]) as address:
            site.export(client={"url": address.url, "max_connections": allowed})
            assert address.most == allowed


def made_meanwhile(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """As soon as all folders have been listed there is another one, with a folder and a dashboard in it."""
    listed = FolderKind.read_all

    def read_all(self: FolderKind, org: Org) -> Iterator[Live]:
        yield from list(listed(self, org))
        monkeypatch.setattr(FolderKind, "read_all", listed)
        site.fill.folder("newf", "New / folder")
        site.fill.folder("inner", "Inner", "newf")
        site.fill.dashboard("d", "d", "inner")

    monkeypatch.setattr(FolderKind, "read_all", read_all)


@pytest.mark.parametrize("release", ["11.6.0", "13.0.1"])
def test_a_folder_that_no_list_has_shown(release: str, new_site: NewSite, monkeypatch: pytest.MonkeyPatch) -> None:
    site = new_site(release)
    made_meanwhile(site, monkeypatch)
    tree = site.export()
    assert {"folders/new-folder.newf.json", "folders/new-folder.newf/inner.inner.json"} <= objects(tree).keys()
    assert "dashboards/new-folder.newf/inner.inner/d.d.json" in objects(tree)
    assert objects(site.export("again")) == objects(tree)
    assert not site.plan(tree, site.name, prune=True).changed


@pytest.mark.parametrize("release", ["11.6.0", "13.0.1"])
@pytest.mark.parametrize("hidden", ["newf", "inner"])
def test_a_folder_that_cannot_be_read(hidden: str, release: str, new_site: NewSite, other: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named, and what is in it stays there: in a folder of its uid, not in one that is called like its directory."""
    strict, site = new_site(release), new_site(release)
    site.instance.faults(error_rate=1, error_status=403, paths=f"^/apis?/.*folders/{hidden}$")
    try:
        made_meanwhile(strict, monkeypatch)
        with pytest.raises(Incomplete, match=f"folders {hidden}"):
            strict.export()
        made_meanwhile(site, monkeypatch)
        tree = site.export(keep_going=True)
    finally:
        site.instance.delete("/-/stand-in/faults")
    assert [(one.kind, one.key, one.status) for one in site.exported.failures] == [("folders", hidden, 403)]
    result = site.bring(tree, site.name)
    assert not {change for change in changed(result) if change[1] in ("folders", "dashboards")}

    made = other.bring(tree, site.name)
    assert any(f"could not read folder {hidden!r}" in warning for warning in made.warnings)
    assert other.get("/api/dashboards/uid/d")["meta"]["folderUid"] == "inner"
    assert not other.bring(tree, site.name).changed
