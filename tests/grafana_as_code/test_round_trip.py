"""Grafana → tree → empty Grafana → tree: the two trees are the same, byte for byte."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.monitoring.ha.plugins.module_utils.grafana import exporter, importer
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.errors import Blocked

from tests.stand_in.databases import DatabaseServer, MariaDB
from tests.stand_in.instances import Make, database_section

from .conftest import RELEASE, RELEASES
from .content import AWKWARD, fill
from .site import Site, changed, contents, objects, outcomes

NewSite = Callable[..., Site]


def versions(site: Site) -> dict[str, int]:
    hits = site.get("/api/search?type=dash-db")
    return {hit["uid"]: site.get(f"/api/dashboards/uid/{hit['uid']}/versions")["versions"][0]["version"] for hit in hits}


@pytest.mark.parametrize("release", RELEASES)
def test_equal_byte_for_byte(release: str, new_site: NewSite) -> None:
    source, target = new_site(release), new_site(release)
    fill(source.instance, source.number, v2_dashboards=not release.startswith("11."))
    target.fill.user("someone")
    first = source.export("first")
    before = contents(first)
    source.export("first")
    assert not source.exported.changes and contents(first) == before, "nothing has changed in between"
    planned = target.plan(first, source.name)
    assert not planned.problems and objects(target.export("empty")).keys() < objects(first).keys(), "a plan writes nothing"
    done = target.bring(first, source.name)
    assert changed(done) == changed(planned)
    assert objects(target.export("second")) == objects(first)
    again = target.bring(first, source.name)
    assert not again.changed and outcomes(again)["unchanged"] == sum(outcomes(done).values())
    if not release.startswith("11."):
        assert set(versions(target).values()) == {1}, "no dashboard got a second version"


def test_on_mariadb(make: Make, tmp_path: Path) -> None:
    server = MariaDB()
    try:
        instance = make(RELEASE, {"database": database_section(server, server.new_database())}).start()
        source, target = Site.create(instance, "a", tmp_path), Site.create(instance, "b", tmp_path)
        fill(instance, source.number)
        target.fill.user("someone")
        first = source.export("first")
        target.bring(first, source.name)
        assert objects(target.export("second")) == objects(first)
    finally:
        server.close()


@pytest.mark.parametrize(("old", "new"), [("11.6.0", "12.4.0"), ("12.4.0", "13.0.1"), ("13.0.1", "13.2.1")])
def test_to_a_newer_release(old: str, new: str, new_site: NewSite) -> None:
    source, target = new_site(old), new_site(new)
    fill(source.instance, source.number, v2_dashboards=not old.startswith("11."))
    target.fill.user("someone")
    first = source.export("first")
    target.bring(first, source.name)
    assert objects(target.export("second")) == objects(first)


def test_schema_that_an_older_release_does_not_serve(new_site: NewSite) -> None:
    source, target = new_site("13.0.1"), new_site("12.4.0")
    source.fill.dashboard_v2("new", "the newest", version="v2")
    source.fill.dashboard("old", "classic")
    planned = target.plan(source.export(), source.name)
    assert planned.problems == [f"{target.name}: dashboard 'the newest' is of the schema v2, which Grafana 12.4.0 does not serve"]
    with pytest.raises(Blocked, match="schema v2"):
        target.bring(source.directory / "tree", source.name)
    assert target.get("/api/search") == [], "nothing was written"


def test_order_of_creation_does_not_matter(new_site: NewSite) -> None:
    one, two = new_site(), new_site()
    for site, step in ((one, 1), (two, -1)):
        for number in range(9)[::step]:
            site.fill.folder(f"f{number}", f"Folder {number % 2}")
            site.fill.dashboard(f"d{number}", "same", f"f{number}", links=[{"b": 1, "a": [1.0, 2.5, 1e3]}])
            site.fill.send("POST", "/api/playlists", {"name": f"p{number % 3}", "interval": "1m", "items": []})
            site.fill.send("POST", "/api/datasources", {"uid": f"s{number}", "name": f"S{number}", "type": "loki", "access": "proxy"})
    assert objects(one.export("one")) == objects(two.export("two"))


def test_what_is_in_the_tree(site: Site) -> None:
    fill(site.instance, site.number)
    tree = site.export()
    manifest = json.loads((tree / "manifest.json").read_text())
    listed = contents(tree)
    assert manifest["files"] == {path: hashlib.sha256(content).hexdigest() for path, content in listed.items() if path != "manifest.json"}
    assert manifest["grafana"] == RELEASE
    (described,) = manifest["organisations"].values()
    assert described["name"] == site.name and described["counts"]["dashboards"] == len(site.get("/api/search?type=dash-db"))
    assert described["counts"]["folders"] == len(site.get("/api/search?type=dash-folder"))
    for path, content in listed.items():
        parsed = json.loads(content)
        assert content == (json.dumps(parsed, sort_keys=True, indent=2, ensure_ascii=False) + "\n").encode(), path
        if "/dashboards/" in path and "apiVersion" not in parsed:
            assert not {"id", "version", "iteration"} & parsed.keys() and parsed["schemaVersion"] == 39
        assert all(len(part.encode()) <= 255 and part.isprintable() for part in path.split("/"))
    titles = {json.loads(content)["title"] for path, content in listed.items() if "/dashboards/" in path and "in-awkward" in path}
    # Grafana takes the blanks around a title away.
    assert titles == {title.strip() for title in AWKWARD}
    new_schema = [json.loads(content) for path, content in listed.items() if "/dashboards/" in path and path.endswith(".new-schema.json")]
    assert [(one["apiVersion"], one["kind"], one["metadata"]) for one in new_schema] == [
        ("dashboard.grafana.app/v2beta1", "Dashboard", {"name": "new-schema"})
    ]


def test_a_move_and_a_new_title_are_a_rename(site: Site) -> None:
    site.fill.folder("here", "Here")
    site.fill.folder("there", "There")
    site.fill.dashboard("x", "Before", "here")
    before = objects(site.export(selection={"kinds": ["dashboards"]}))
    site.fill.dashboard("x", "Before", "there")
    after = objects(site.export(selection={"kinds": ["dashboards"]}))
    gone, come = "dashboards/here.here/before.x.json", "dashboards/there.there/before.x.json"
    assert gone in before.keys() - after.keys() and come in after.keys() - before.keys()
    assert before[gone] == after[come], "a move changes no byte"
    site.fill.dashboard("x", "After", "there")
    renamed = objects(site.export(selection={"kinds": ["dashboards"]}))["dashboards/there.there/after.x.json"]
    assert len(set(renamed.splitlines()) - set(after[come].splitlines())) == 1, "a new title changes its line"


def test_all_organisations(make: Make, tmp_path: Path, postgres: DatabaseServer) -> None:
    one, two = (make(RELEASE, {"database": database_section(postgres, postgres.new_database())}).start() for _ in range(2))
    for name in ("Second", "third/one"):
        site = Site.create(one, name, tmp_path)
        site.fill.folder("f", name)
        site.fill.dashboard_v2("d", name, "f")
    fill(one)
    main, target = Site(one, 1, "Main Org.", tmp_path), Site(two, 1, "Main Org.", tmp_path)
    with main.client() as client:
        done = exporter.export(client, tmp_path / "one", wanted=["all"])
    assert {name: counts["dashboards"] for name, counts in done.counts.items()} == {"Main Org.": 25, "Second": 1, "third/one": 1}
    target.fill.user("someone")
    with target.client() as client:
        assert sorted(importer.plan(client, tmp_path / "one", target.request()).created) == ["Second", "third/one"]
        assert [org["name"] for org in two.get("/api/orgs").json()] == ["Main Org."], "planning creates none"
        brought = importer.carry_out(client, tmp_path / "one", target.request())
        assert sorted(brought.created) == ["Second", "third/one"]
        assert not importer.carry_out(client, tmp_path / "one", target.request()).changed
        exporter.export(client, tmp_path / "two", wanted=["all"])
    assert contents(tmp_path / "one") == contents(tmp_path / "two"), "the manifests too"
