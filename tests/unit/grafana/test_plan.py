"""What an import does to a Grafana, and above all what it does not delete."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.errors import Incomplete

from .small import Grafana, Org, changed, running


@pytest.fixture
def grafana() -> Iterator[Grafana]:
    with running() as small:
        yield small


@pytest.fixture
def shop(grafana: Grafana) -> Grafana:
    """Two folders, and two dashboards in one of them."""
    grafana.main.folder("shop", "Shop")
    grafana.main.folder("platform", "Platform")
    grafana.main.dashboard("orders", "Orders", "shop")
    grafana.main.dashboard("dd", "Delivery", "shop")
    return grafana


def edit(tree: Path, pattern: str, **members: Any) -> None:
    (path,) = tree.rglob(pattern)
    path.write_text(json.dumps({**json.loads(path.read_text()), **members}))


def lay(tree: Path, path: str, **content: Any) -> None:
    """A file of somebody's own."""
    (tree / path).parent.mkdir(parents=True, exist_ok=True)
    (tree / path).write_text(json.dumps(content))


def move(tree: Path, pattern: str, directory: str) -> None:
    (path,) = tree.rglob(pattern)
    (tree / directory).mkdir(parents=True, exist_ok=True)
    path.rename(tree / directory / path.name)


# --- what is chosen --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prune", [False, True])
@pytest.mark.parametrize("there", [False, True])
def test_a_dashboard_that_leaves_the_chosen_folder(prune: bool, there: bool, shop: Grafana, tmp_path: Path) -> None:
    """It is moved, to a folder that is made where it is missing; what is chosen by neither place is left alone."""
    shop.export(tmp_path / "tree")
    move(tmp_path / "tree", "delivery.dd.json", "main/dashboards/platform.platform")
    shop.main.dashboard("elsewhere", "Elsewhere", "platform")
    if not there:
        del shop.main.folders["platform"], shop.main.dashboards["elsewhere"]
    planned = changed(shop.plan(tmp_path / "tree", folders=["Shop"], prune=prune))
    assert planned == {("updated", "dashboards", "dd")} | (set() if there else {("created", "folders", "platform")})
    shop.bring(tmp_path / "tree", folders=["Shop"], prune=prune)
    assert shop.main.where() == {"orders": "shop", "dd": "platform"} | ({"elsewhere": "platform"} if there else {})
    assert not shop.bring(tmp_path / "tree", folders=["Shop"], prune=prune).changed


@pytest.mark.parametrize("chosen", [{}, {"names": ["Ord*"]}])
def test_a_dashboard_with_a_new_title(chosen: dict[str, list[str]], shop: Grafana, tmp_path: Path) -> None:
    """The export chose it by the old one, or the import does."""
    shop.export(tmp_path / "tree", {} if chosen else {"names": ["Ord*"]})
    edit(tmp_path / "tree", "orders.orders.json", title="Sales")
    assert changed(shop.bring(tmp_path / "tree", prune=True, **chosen)) == {("updated", "dashboards", "orders")}
    assert shop.main.dashboards["orders"]["dashboard"]["title"] == "Sales" and "dd" in shop.main.dashboards


def test_folders_that_leave_the_chosen_one(shop: Grafana, tmp_path: Path) -> None:
    shop.main.folder("sub", "Sub", "shop")
    shop.export(tmp_path / "tree")
    move(tmp_path / "tree", "sub.sub.json", "main/folders/platform.platform")
    del shop.main.folders["platform"]
    done = shop.bring(tmp_path / "tree", folders=["Shop"], prune=True)
    assert changed(done) == {("created", "folders", "platform"), ("updated", "folders", "sub")}
    assert shop.main.folders["sub"]["parentUid"] == "platform"


def test_a_rule_that_leaves_the_chosen_folder(shop: Grafana, tmp_path: Path) -> None:
    """Its group there is another one, and not chosen: so the rule stays where it is."""
    shop.main.group("shop", "g", "r")
    shop.main.group("shop", "old", "gone")
    shop.export(tmp_path / "tree")
    move(tmp_path / "tree", "g.*.json", "main/alert_rules/platform.platform")
    next((tmp_path / "tree").rglob("old.*.json")).unlink()
    done = shop.bring(tmp_path / "tree", folders=["Shop"], prune=True)
    assert changed(done) == {("skipped", "alert_rules", "shop/g"), ("deleted", "alert_rules", "shop/old")}
    (skipped,) = [change for _plan, change in done.changes() if change.action == "skipped"]
    assert skipped.reason == "the tree has something of it in 'g', which is not chosen"
    shop.bring(tmp_path / "tree", prune=True)
    assert shop.main.groups.keys() == {("platform", "g")}


def test_what_is_beyond_the_choice_is_neither_written_nor_deleted(shop: Grafana, tmp_path: Path) -> None:
    shop.export(tmp_path / "tree", {"folders": ["Shop"]})
    shop.main.dashboard("orders", "changed", "shop")
    shop.main.dashboard("new", "new", "shop")
    shop.main.dashboard("other", "other", "platform")
    assert changed(shop.plan(tmp_path / "tree", prune=True, names=["Del*"])) == set()
    assert changed(shop.plan(tmp_path / "tree", prune=True)) == {("updated", "dashboards", "orders"), ("deleted", "dashboards", "new")}


def test_a_data_source_that_is_mapped_away_stays(grafana: Grafana, tmp_path: Path) -> None:
    for uid in ("a", "b", "c"):
        grafana.main.source(uid, f"source {uid}")
    grafana.export(tmp_path / "tree")
    grafana.main.source("new", "new")
    done = grafana.bring(tmp_path / "tree", datasource_map={"a": "b"}, prune=True)
    assert changed(done) == {("deleted", "data_sources", "new")} and grafana.main.sources.keys() == {"a", "b", "c"}


# --- what was laid into a tree by hand -------------------------------------------------------------------------------


@pytest.mark.parametrize("chosen", [{"kinds": ["data_sources"]}, {"folders": ["Shop"]}, {"names": ["Ord*"]}])
def test_files_laid_into_a_tree_of_a_choice(chosen: dict[str, list[str]], shop: Grafana, tmp_path: Path) -> None:
    """The choice of the export says what is missing in the tree, not what is there. Nothing is known of their permissions."""
    shop.export(tmp_path / "tree", chosen)
    lay(tmp_path / "tree", "main/dashboards/Downloaded/mine.json", uid="mine", title="Mine")
    lay(tmp_path / "tree", "main/data_sources/metrics.json", uid="metrics", name="Metrics", type="prometheus")
    shop.main.dashboard("beyond", "Beyond", "platform")
    done = shop.bring(tmp_path / "tree", prune=True)
    made = {(action, kind) for action, kind, _key in changed(done)}
    assert made == {("created", "folders"), ("created", "dashboards"), ("created", "data_sources")}
    folder = shop.main.where()["mine"]
    assert shop.main.folders[folder]["title"] == "Downloaded" and {"orders", "dd", "beyond"} <= shop.main.dashboards.keys()
    assert not shop.bring(tmp_path / "tree", prune=True).changed


def test_folders_around_what_an_export_chose_are_only_made(shop: Grafana, tmp_path: Path) -> None:
    shop.main.folder("deep", "Deep", "shop")
    shop.main.dashboard("d", "d", "deep")
    shop.export(tmp_path / "tree", {"folders": ["Shop/Deep"]})
    shop.main.folder("shop", "Shop, renamed")
    assert not shop.plan(tmp_path / "tree", prune=True).changed
    edit(tmp_path / "tree", "folders/shop.shop.json", title="Shop, by hand")
    assert changed(shop.plan(tmp_path / "tree", prune=True)) == {("updated", "folders", "shop")}


def test_a_folder_of_the_title_of_a_directory_is_not_pruned(shop: Grafana, tmp_path: Path) -> None:
    shop.export(tmp_path / "tree")
    lay(tmp_path / "tree", "main/dashboards/Downloaded/mine.json", uid="mine", title="Mine")
    shop.main.folder("known", "Downloaded")
    assert changed(shop.bring(tmp_path / "tree", prune=True)) == {("created", "dashboards", "mine")}
    assert shop.main.where()["mine"] == "known"


def test_a_shared_dashboard_that_is_not_chosen(shop: Grafana, tmp_path: Path) -> None:
    """Nothing has to be known of its inputs, and nothing comes along with it."""
    shop.export(tmp_path / "tree")
    inputs = [{"name": "DS_X", "type": "datasource", "pluginId": "loki"}]
    panel = {"lib": {"name": "Lib", "uid": "lib", "model": {}}}
    lay(tmp_path / "tree", "main/dashboards/shared.json", uid="shared", title="Shared", __inputs=inputs, __elements=panel)
    lay(tmp_path / "tree", "main/dashboards/mine.json", uid="mine", title="Mine")
    planned = shop.plan(tmp_path / "tree", names=["Mine"])
    assert changed(planned) == {("created", "dashboards", "mine")} and not planned.problems
    whole = shop.plan(tmp_path / "tree")
    assert ("created", "library_panels", "lib") in changed(whole)
    assert whole.problems == ["main: main/dashboards/shared.json: input DS_X has no value: give one in inputs"]
    there = {"uid": "lib", "name": "Lib", "kind": 1, "model": {}, "version": 1}
    shop.main.answers["/api/library-elements"] = {"result": {"elements": [there, {**there, "uid": "more"}], "totalCount": 2}}
    assert ("deleted", "library_panels", "more") in changed(shop.plan(tmp_path / "tree", prune=True))
    for choice in ({}, {"names": ["Lib"]}, {"kinds": ["library_panels"]}):
        assert "lib" not in {key for _action, _kind, key in changed(shop.plan(tmp_path / "tree", prune=True, **choice))}


# --- folders that are pruned -----------------------------------------------------------------------------------------


def reasons(grafana: Grafana, tree: Path, **given: Any) -> dict[str, str]:
    """Uid of every folder that stays to the reason; the import has left just these."""
    planned = grafana.plan(tree, prune=True, **given)
    assert changed(grafana.bring(tree, prune=True, **given)) == changed(planned)
    found = {change.key: change.reason for _plan, change in planned.changes() if change.kind == "folders" and change.action == "skipped"}
    assert grafana.main.folders.keys() == {"shop", "platform"} | found.keys()
    return found


@pytest.fixture
def nested(shop: Grafana, tmp_path: Path) -> Grafana:
    """Folders that are not in the tree, one in the other, and a data source that goes after them."""
    shop.export(tmp_path / "tree")
    shop.main.folder("outer", "Outer")
    shop.main.folder("inner", "Inner", "outer")
    shop.main.folder("empty", "Empty", "outer")
    shop.main.source("new", "new")
    return shop


def test_a_folder_with_what_is_not_meant_inside(nested: Grafana, tmp_path: Path) -> None:
    nested.main.group("inner", "g", "r")
    kinds = {"kinds": ["folders", "dashboards", "data_sources"]}
    found = reasons(nested, tmp_path / "tree", **kinds)
    assert found == {"inner": "alert_rules 'g' stays in it", "outer": "folders 'Inner' stays in it"}
    assert not nested.main.sources, "the rest is deleted"
    assert not nested.bring(tmp_path / "tree", prune=True, **kinds).changed


def test_a_folder_with_a_dashboard_beyond_the_choice_inside(nested: Grafana, tmp_path: Path) -> None:
    nested.main.dashboard("kept", "Kept", "inner")
    nested.main.dashboard("mine", "Inner mine", "inner")
    found = reasons(nested, tmp_path / "tree", names=["Inner*", "Outer", "Empty"])
    assert found == {"inner": "dashboards 'Kept' stays in it", "outer": "folders 'Inner' stays in it"}


def test_a_folder_with_a_provisioned_dashboard_inside(nested: Grafana, tmp_path: Path) -> None:
    nested.main.dashboard("filed", "Filed", "inner")
    nested.main.dashboards["filed"]["meta"]["provisioned"] = True
    found = reasons(nested, tmp_path / "tree", provisioned="skip")
    assert found == {"inner": "dashboards 'Filed' stays in it", "outer": "folders 'Inner' stays in it"}


def test_a_folder_whose_content_moves_or_goes_is_deleted(nested: Grafana, tmp_path: Path) -> None:
    nested.main.dashboard("orders", "Orders", "inner")
    nested.main.folder("platform", "Platform", "inner")
    nested.main.group("outer", "g", "r")
    assert reasons(nested, tmp_path / "tree") == {}


def test_who_may_not_see_rules(nested: Grafana, tmp_path: Path) -> None:
    nested.refused["GET", "/api/v1/provisioning/alert-rules"] = 403
    assert reasons(nested, tmp_path / "tree", kinds=["folders"]) == {}


def test_rules_without_uids(shop: Grafana, tmp_path: Path) -> None:
    """They get the same ones in every run."""
    shop.export(tmp_path / "tree")
    rules = [{"title": "one"}, {"title": "two", "uid": "given"}, {"title": "three", "uid": ""}]
    lay(tmp_path / "tree", "main/alert_rules/Own/g.json", title="g", interval=60, rules=rules)
    shop.bring(tmp_path / "tree")
    (group,) = shop.main.groups.values()
    one, two, three = (rule["uid"] for rule in group["rules"])
    assert two == "given" and len({one, two, three}) == 3
    assert not shop.bring(tmp_path / "tree").changed


# --- failures --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("keep_going", [False, True])
def test_a_failure_ends_the_run(keep_going: bool, shop: Grafana, tmp_path: Path) -> None:
    """Before the next organisation is touched, unless the rest was asked for."""
    shop.main.source("s", "S")
    shop.orgs[2] = Org("second")
    shop.orgs[2].dashboard("d", "D")
    shop.export(tmp_path / "tree", {}, "all")
    shop.main.sources.clear()
    del shop.orgs[2]
    shop.refused["POST", "/api/datasources"] = 400
    with pytest.raises(Incomplete) as caught:
        shop.bring(tmp_path / "tree", on_error="continue" if keep_going else "fail")
    assert [one.key for one in caught.value.failures] == ["s"]
    assert {org.name for org in shop.orgs.values()} == ({"main", "second"} if keep_going else {"main"})
    assert not keep_going or shop.orgs[2].dashboards.keys() == {"d"}
