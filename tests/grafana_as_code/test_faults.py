"""Runs that things go wrong in: each either does all of its work, or fails and leaves what the next run completes.

``GRAFANA_FAULT_RUNS`` is the number of runs; 1,000 by default.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.errors import GrafanaError, Incomplete

from tests.stand_in.databases import DatabaseServer
from tests.stand_in.instances import Instance, Make, database_section

from .conftest import RELEASE
from .content import Filler, fill, panel, rule
from .proxy import proxy
from .site import Site, contents, objects

RUNS = int(os.environ.get("GRAFANA_FAULT_RUNS", "1000"))
#: Little patience, so that many runs fail for good.
IMPATIENT = {"retries": 2, "pause": 0.002, "timeout": 5.0}
NewSite = Callable[..., Site]


def small(to: Filler, state: int) -> None:
    """A few objects that depend on each other; what they are depends on ``state``."""
    editable = {"X-Disable-Provenance": "true"}
    to.folder("a", "A")
    to.folder("b", f"B{state}", "a" if state else "")
    to.send("POST", "/api/datasources", {"uid": "metrics", "name": "m", "type": "prometheus", "access": "proxy", "url": f"http://h{state}"})
    to.send("POST", "/api/library-elements", {"uid": "lib", "name": f"l{state}", "kind": 1, "folderUid": "a", "model": panel(1, "l")})
    to.dashboard("d1", f"one {state}", "b", panels=[{"id": 1, "libraryPanel": {"uid": "lib", "name": "l"}}])
    to.dashboard("d2", "two", "a" if state else "")
    to.dashboard(f"only{state}", "only here", "b")
    to.dashboard_v2("v2", f"new {state}", "a")
    root = "/api/v1/provisioning"
    to.send("PUT", f"{root}/templates/t", {"template": f'{{{{ define "t" }}}}{state}{{{{ end }}}}'}, **editable)
    to.send("POST", f"{root}/mute-timings", {"name": f"m{state}", "time_intervals": []}, **editable)
    for number in range(2 + state):
        point = {"uid": f"cp{number}", "name": "cp", "type": "email", "settings": {"addresses": f"{state}@example.org"}}
        to.send("POST", f"{root}/contact-points", point, **editable)
    route = {"receiver": "cp", "object_matchers": [["a", "=", "b"]], "mute_time_intervals": [f"m{state}"]}
    to.send("PUT", f"{root}/policies", {"receiver": "cp", "routes": [route]}, **editable)
    to.send("PUT", f"{root}/folder/b/rule-groups/g", {"interval": 60 + 10 * state, "rules": [rule("r", f"r{state}")]}, **editable)
    team = to.send("POST", "/api/teams", {"name": f"team{state}"})["teamId"]
    to.send("POST", "/api/serviceaccounts", {"name": "robot", "role": "Editor" if state else "Viewer"})
    for number in range(6):
        to.send("POST", "/api/playlists", {"name": f"p{number}", "interval": f"{state + 1}m", "items": []})
    to.send("POST", "/api/folders/a/permissions", {"items": [{"teamId": team, "permission": 2}]})
    to.send("PUT", "/api/org/preferences", {"theme": ("dark", "light")[state], "homeDashboardUID": "d2"})


def faults(chance: random.Random, requests: int) -> dict[str, Any]:
    """A plan in which something goes wrong within about so many requests."""
    sort = chance.choice(["status", "before", "after", "slow", "both"])
    plan: dict[str, Any] = {"seed": chance.randrange(1 << 30)}
    if sort in ("status", "both"):
        plan |= {"error_rate": chance.choice([0.02, 0.1, 0.3, 0.6]), "error_status": chance.choice([429, 500, 502, 503, 504])}
    if sort in ("before", "after", "both"):
        plan |= {"drop_requests": sorted(chance.sample(range(1, requests), chance.randint(1, 8))), "drop_after": sort == "after"}
    if sort == "slow":
        plan |= {"body_bytes_per_second": 200_000, "latency_ms": 2}
    if chance.random() < 0.3:
        plan["methods"] = ["POST", "PUT", "PATCH", "DELETE"]
    return plan


@pytest.fixture(scope="module")
def instance(make_quiet: Callable[[], Instance]) -> Instance:
    return make_quiet()


@pytest.fixture(scope="module")
def make_quiet(postgres: DatabaseServer) -> Iterator[Callable[[], Instance]]:
    made: list[Instance] = []

    def new() -> Instance:
        made.append(Instance(RELEASE, {"database": database_section(postgres, postgres.new_database())}).start())
        return made[-1]

    yield new
    for one in made:
        one.close()


@pytest.fixture(scope="module")
def trees(instance: Instance, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Name of an organisation to its tree, for two states that differ in every kind."""
    root = tmp_path_factory.mktemp("trees")
    found = {}
    for state in (0, 1):
        one = Site.create(instance, f"state{state}", root)
        small(one.fill, state)
        found[one.name] = one.export(one.name)
    return found


def test_exports(instance: Instance, trees: dict[str, Path], tmp_path: Path) -> None:
    """The tree that was there stays, or the right one takes its place; nothing lies around."""
    chance = random.Random(1)
    old, new = contents(trees["state0"]), contents(trees["state1"])
    site = Site(instance, 0, "state1", tmp_path)
    outcomes = {"done": 0, "failed": 0}
    for number in range(RUNS * 3 // 4):
        shutil.rmtree(tmp_path / "tree", ignore_errors=True)
        shutil.copytree(trees["state0"], tmp_path / "tree")
        instance.faults(**faults(chance, 60))
        try:
            site.export(client=IMPATIENT)
        except GrafanaError:
            outcomes["failed"] += 1
            assert contents(tmp_path / "tree") == old, number
        else:
            outcomes["done"] += 1
            assert contents(tmp_path / "tree") == new, number
        assert [path.name for path in tmp_path.iterdir()] == ["tree"], "nothing is left behind"
    instance.delete("/-/stand-in/faults")
    assert min(outcomes.values()) >= min(RUNS // 50, 10), f"both have to be seen: {outcomes}"


def test_imports(instance: Instance, trees: dict[str, Path], tmp_path: Path) -> None:
    """Grafana is what the tree says, or the next run makes it so; nothing is doubled, nothing is lost."""
    chance = random.Random(2)
    site = Site.create(instance, "target", tmp_path)
    outcomes = {"done": 0, "failed": 0}
    for number in range(RUNS // 4):
        source = f"state{number % 2}"
        instance.faults(**faults(chance, 80))
        try:
            # Few connections are soon all taken by writes whose outcome is in doubt.
            site.bring(trees[source], source, client={**IMPATIENT, "max_connections": chance.choice([1, 2, 8])}, prune=True)
        except GrafanaError:
            outcomes["failed"] += 1
            instance.delete("/-/stand-in/faults")
            site.bring(trees[source], source, prune=True)
        else:
            outcomes["done"] += 1
            instance.delete("/-/stand-in/faults")
        planned = site.plan(trees[source], source, prune=True)
        assert not planned.changed, (number, [str(change) for _plan, change in planned.changes()])
        if number % 10 < 2:
            assert objects(site.export()) == objects(trees[source]), number
    assert min(outcomes.values()) >= min(RUNS // 50, 10), f"both have to be seen: {outcomes}"


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("connections", [1, 2])
def test_doubtful_writes_on_all_connections(connections: int, after: bool, instance: Instance, tmp_path: Path) -> None:
    """Whoever looks what became of a write does not wait for those who do the same."""
    source = Site.create(instance, f"played {connections} {after}", tmp_path)
    for number in range(12):
        # Two of each name.
        source.fill.send("POST", "/api/playlists", {"name": f"p{number // 2}", "interval": f"{number + 1}m", "items": []})
    tree = source.export("source")
    target = Site.create(instance, f"{source.name} to", tmp_path)
    instance.faults(drop_requests=[2, 5, 9], drop_after=after, methods=["POST"], paths="^/api/playlists")
    try:
        target.bring(tree, source.name, client={"max_connections": connections, "time_limit": 60.0})
    except Incomplete:
        # One of a name that is written while another one's fate is in doubt may be taken for it.
        instance.delete("/-/stand-in/faults")
        target.bring(tree, source.name)
    finally:
        instance.delete("/-/stand-in/faults")
    assert objects(target.export("target")) == objects(tree)


@pytest.fixture
def pair(make: Make, postgres: DatabaseServer) -> tuple[Instance, Instance]:
    """Two instances on one database."""
    database = database_section(postgres, postgres.new_database())
    one, two = (make(RELEASE, {"database": database}).start() for _ in range(2))
    return one, two


def killed(instance: Instance, after: float) -> threading.Thread:
    """Kills an instance in a while."""

    def kill() -> None:
        time.sleep(after)
        instance.stop(signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    return thread


@pytest.mark.parametrize("after", [0.05, 0.3, 0.8])
def test_an_instance_dies(pair: tuple[Instance, Instance], after: float, tmp_path: Path) -> None:
    """An export and an import through the virtual address go on with the other instance."""
    one, two = pair
    source = Site.create(one, "source", tmp_path)
    fill(one, source.number)
    for number in range(150):
        source.fill.dashboard(f"more{number}", f"more {number}", "level0")
    target = Site.create(one, "target", tmp_path)
    target.fill.user("someone")
    reference = contents(source.export("reference"))
    with proxy([int(site.sections["server"]["http_port"]) for site in pair]) as address:
        patient = {"url": address.url, "pause": 0.05, "retries": 8}
        thread = killed(one, after)
        tree = source.export("tree", client=patient)
        thread.join()
        assert contents(tree) == reference
        one.start()
        thread = killed(one, after)
        target.bring(tree, source.name, client=patient)
        thread.join()
    survivor = Site(two, target.number, target.name, tmp_path)
    assert objects(survivor.export("copy")) == objects(tree)
    versions = survivor.get("/api/dashboards/uid/more1/versions")["versions"]
    assert [one["version"] for one in versions] == [1], "nothing was written twice"


def test_lists_that_lag(pair: tuple[Instance, Instance], tmp_path: Path) -> None:
    """What one instance has just written is in an export through another one, whose own lists do not show it yet."""
    one, two = pair
    two.faults(list_lag_seconds=3600)
    site = Site.create(one, "busy", tmp_path)
    site.fill.folder("f", "new folder")
    site.fill.dashboard("d", "new dashboard", "f")
    lagging = Site(two, site.number, site.name, tmp_path)
    assert lagging.get("/api/search") == [], "the fault is there"
    assert {"folders/new-folder.f.json", "dashboards/new-folder.f/new-dashboard.d.json"} <= objects(lagging.export()).keys()
    ports = [int(instance.sections["server"]["http_port"]) for instance in pair]
    with proxy(ports, spread=True) as address:
        assert objects(site.export("spread", client={"url": address.url})) == objects(lagging.directory / "tree")
