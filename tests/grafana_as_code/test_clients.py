"""Side by side with other clients: what they keep, ours brings back, and what ours keeps, they bring back, as far as they go."""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from grafana_client import GrafanaApi

from benchmarks.grafana_transfer import PACKAGES, install, program
from tests.stand_in.databases import DatabaseServer
from tests.stand_in.instances import ADMIN, Instance, Make, database_section

from .content import AWKWARD, Filler, panel
from .site import Site, objects
from .test_modules import play

Start = Callable[[], Site]


@pytest.fixture
def start(make: Make, postgres: DatabaseServer, tmp_path: Path) -> Start:
    """Makes empty Grafanas, of a release that all of these clients know."""

    def one() -> Site:
        instance = make("11.6.0", {"database": database_section(postgres, postgres.new_database())}).start()
        return Site(instance, 1, "Main Org.", tmp_path / str(instance.url.rpartition(":")[2]))

    return one


def fill(instance: Instance) -> None:
    """What all of them know: folders, data sources, library panels and classic dashboards."""
    to = Filler(instance)
    to.send("POST", "/api/datasources", {"uid": "metrics", "name": "Metrics", "type": "prometheus", "access": "proxy", "url": "http://x"})
    for number, title in enumerate(AWKWARD):
        to.folder(f"folder{number}", title[:180])
        to.dashboard(f"in-folder{number}", title, f"folder{number}", version=3)
        to.dashboard(f"in-root{number}", title)
    library = {"uid": "lib", "name": "shared / panel", "kind": 1, "folderUid": "folder0", "model": panel(7, "shared")}
    to.send("POST", "/api/library-elements", library)
    to.dashboard("uses-library", "uses the library", panels=[{"id": 3, "libraryPanel": {"uid": "lib", "name": "shared / panel"}}])


KINDS = {"kinds": ["data_sources", "folders", "library_panels", "dashboards"]}


def tree(directory: Path, kinds: dict[str, list[Any]]) -> Path:
    """A tree put together from what another program keeps."""
    for kind, bodies in kinds.items():
        (directory / "Main Org." / kind).mkdir(parents=True)
        for number, body in enumerate(bodies):
            (directory / "Main Org." / kind / f"{number}.json").write_text(json.dumps(body))
    return directory


def placed(found: dict[str, bytes]) -> dict[str, bytes]:
    """Only what was brought."""
    return {path: content for path, content in found.items() if path.partition("/")[0] in KINDS["kinds"]}


def client(site: Site) -> Any:
    return GrafanaApi.from_url(site.instance.url, credential=ADMIN)


def test_grafana_client_to_ours(start: Start, tmp_path: Path) -> None:
    old, new = start(), start()
    fill(old.instance)
    api = client(old)
    folders = [api.folder.get_folder(one["uid"]) for one in api.folder.get_all_folders()]
    kept = {
        "folders": folders,
        "data_sources": [api.datasource.get_datasource_by_uid(one["uid"]) for one in api.datasource.list_datasources()],
        # Which it does not know.
        "library_panels": old.instance.get("/api/library-elements?perPage=100").json()["result"]["elements"],
        "dashboards": [api.dashboard.get_dashboard(one["uid"]) for one in api.search.search_dashboards(type_="dash-db")],
    }
    new.bring(tree(tmp_path / "kept", kept), secrets={})
    assert placed(objects(new.export(selection=KINDS))) == placed(objects(old.export(selection=KINDS)))
    assert not new.bring(tmp_path / "kept", secrets={}).changed


def test_ours_to_grafana_client(start: Start) -> None:
    old, new = start(), start()
    fill(old.instance)
    source, api = old.export(selection=KINDS), client(new)
    for path in sorted(source.rglob("folders/*.json")):
        folder = json.loads(path.read_text())
        api.folder.create_folder(folder["title"], folder["uid"])
    for path in sorted(source.rglob("data_sources/*.json")):
        api.datasource.create_datasource(json.loads(path.read_text()))
    new.bring(source, selection={"kinds": ["library_panels"]})
    for path in sorted(source.rglob("dashboards/**/*.json")):
        folder = path.parent.name.rpartition(".")[2] if path.parent.name != "dashboards" else ""
        api.dashboard.update_dashboard({"dashboard": json.loads(path.read_text()), "folderUid": folder, "overwrite": True})
    assert placed(objects(new.export(selection=KINDS))) == placed(objects(source))


def module(site: Site, state: str, **arguments: Any) -> dict[str, Any]:
    own = {"grafana_url": site.instance.url, "grafana_user": ADMIN[0], "grafana_password": ADMIN[1]}
    return {"community.grafana.grafana_dashboard": {**own, "state": state, **arguments}}


def test_community_grafana_to_ours_and_back(start: Start, tmp_path: Path) -> None:
    """Its module knows dashboards; everything else is there already."""
    old, new, third = start(), start(), start()
    fill(old.instance)
    dashboards = {"kinds": ["dashboards"]}
    for site in (new, third):
        site.bring(old.export(selection=KINDS), selection={"kinds": ["data_sources", "folders", "library_panels"]})
    uids = [hit["uid"] for hit in old.instance.get("/api/search?type=dash-db").json()]
    kept = tmp_path / "kept" / "Main Org." / "dashboards"
    kept.mkdir(parents=True)
    results = play(tmp_path, [module(old, "export", uid=uid, path=str(kept / f"{uid}.json")) for uid in uids[:6]])
    assert not [result for result in results if result.get("failed")]
    new.bring(tmp_path / "kept")
    first, wanted = objects(new.export(selection=dashboards)), objects(old.export(selection=dashboards))
    mine = {path: content for path, content in first.items() if path.startswith("dashboards/")}
    assert len(mine) == 6 and all(wanted[path] == content for path, content in mine.items())
    # And the other way round.
    tasks = []
    for path in sorted(path for path in old.export(selection=dashboards).rglob("dashboards/*.json"))[:6]:
        tasks.append(module(third, "present", path=str(path), overwrite=True, uid=path.stem.rpartition(".")[2]))
    results = play(tmp_path, tasks)
    assert not [result for result in results if result.get("failed")], results
    third_ones = {path: content for path, content in objects(third.export(selection=dashboards)).items() if path.startswith("dashboards/")}
    assert len(third_ones) == 6 and all(wanted[path] == content for path, content in third_ones.items())


def token(site: Site) -> str:
    account = site.instance.post("/api/serviceaccounts", {"name": "peer", "role": "Admin"}).json()["id"]
    return str(site.instance.post(f"/api/serviceaccounts/{account}/tokens", {"name": "peer"}).json()["key"])


def backup(site: Site, directory: Path, *words: str) -> None:
    """``grafana-backup``, which is installed where it is missing."""
    try:
        install()
    except (OSError, subprocess.CalledProcessError):
        pytest.skip(f"grafana-backup {PACKAGES['grafana-backup']} cannot be installed")
    directory.mkdir(exist_ok=True)
    settings = directory / "settings.json"
    settings.write_text(json.dumps({"general": {"api_auth_check": False, "debug": False}}))
    variables = {"GRAFANA_URL": site.instance.url, "GRAFANA_TOKEN": token(site), "BACKUP_DIR": str(directory / "out")}
    command = [program("grafana-backup"), *words, f"--config={settings}"]
    done = subprocess.run(command, env={**os.environ, **variables}, cwd=directory, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_grafana_backup_to_ours_and_back(start: Start, tmp_path: Path) -> None:
    old, new, third = start(), start(), start()
    fill(old.instance)
    backup(old, tmp_path / "save", "save", "--components=folders,dashboards,datasources,library-elements", "--no-archive")
    endings = {"folders": "folder", "dashboards": "dashboard", "data_sources": "datasource", "library_panels": "library_element"}
    kept = {kind: [json.loads(path.read_text()) for path in (tmp_path / "save").rglob(f"*.{end}")] for kind, end in endings.items()}
    assert len(kept["dashboards"]) == 2 * len(AWKWARD) + 1 and len(kept["folders"]) == len(AWKWARD)
    new.bring(tree(tmp_path / "kept", kept), secrets={})
    assert placed(objects(new.export(selection=KINDS))) == placed(objects(old.export(selection=KINDS)))
    # The other way round, dashboards of the root: its restore wants an archive with answers of the API.
    with tarfile.open(tmp_path / "backup.tar.gz", "w:gz") as archive:
        for path in sorted(old.export(selection=KINDS).rglob("dashboards/*.json")):
            body = json.loads(path.read_text())
            answer = tmp_path / f"{body['uid']}.dashboard"
            answer.write_text(json.dumps({"dashboard": body, "meta": {"folderId": 0, "folderUid": "", "folderUrl": ""}}))
            archive.add(answer, f"dashboards/now/{answer.name}")
    backup(third, tmp_path / "restore", "restore", "--components=dashboards", str(tmp_path / "backup.tar.gz"))
    found = {path: content for path, content in objects(third.export(selection={"kinds": ["dashboards"]})).items() if "dashboards/" in path}
    wanted = objects(old.export(selection=KINDS))
    assert len(found) == len(AWKWARD) + 1 and all(wanted[path] == content for path, content in found.items())
