"""How fast dashboards leave a Grafana and come into one, beside other exporters and beside the limit.

All contenders make their requests to the same instance in the same run, with the same added latency for each answer:

- ``sequential``: one request after the other over one connection, as a script with ``requests.Session`` does it.
- ``grafana-client``: the library of that name, which does the same with its own API.
- ``grafana-backup``: the program of that name; a connection for each request.
- ``grafana-wtf``: the program of that name, as it searches all dashboards with as many connections as ours. It reads and keeps nothing.
- ``community.grafana``: the module ``grafana_dashboard``, a task for each dashboard. The time for a dashboard is taken from 10 and 40 of
  them, and counted for all.
- ``limit``: the same requests as ours, from a bare client with as many connections, which keeps nothing.

Each contender runs in a process of its own, whose peak of memory is measured; what takes no longer than some seconds runs three times,
and the median counts. The programs that the project does not need itself
are installed below ``build/peers``. Adds to ``build/benchmarks/grafana_transfer.json`` and prints a Markdown table. The instance is
Grafana's stand-in, on a PostgreSQL of its own. Run with ``PYTHONPATH=.:build/collections python benchmarks/grafana_transfer.py``.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import requests
import requests.adapters

from tests.stand_in.databases import Postgres
from tests.stand_in.instances import ADMIN, Instance, database_section

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "ansible_collections.monitoring.ha.plugins.module_utils.grafana"
RELEASE = "13.0.1"
CONNECTIONS = 8
PANELS = 12
PEERS = ROOT / "build" / "peers"
#: Each in an environment of its own, as they want different libraries of the same name.
PACKAGES = {"grafana-backup": "1.4.2", "grafana-wtf": "0.25.1"}
#: Dashboards by which the time of a task is taken.
FEW, MANY = 10, 40
#: What takes no longer, in seconds, runs ``TIMES``: a moment of the disk or of another program would count for too much of it.
SHORT, TIMES = 10.0, 3
#: What ours has to reach: times as fast as sequential at 5 ms, share of the limit, MB at 5,000 dashboards.
EXPECTED = {"sequential": 10.0, "limit": 0.7, "memory": 200.0}


@dataclass
class Run:
    """One measurement. seconds: of wall time. memory: peak of resident memory in MB, of the contender's process alone."""

    task: str
    contender: str
    dashboards: int
    latency_ms: float
    seconds: float
    memory: float


# --- contenders, each in a process of its own ------------------------------------------------------------------------


def session(connections: int = 1) -> requests.Session:
    found = requests.Session()
    found.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=connections, pool_block=True))
    found.auth, found.trust_env = (os.environ["GRAFANA_USER"], os.environ["GRAFANA_PASSWORD"]), False
    return found


def got(http: requests.Session, url: str) -> Any:
    answer = http.get(url, timeout=120)
    answer.raise_for_status()
    return answer.json()


def sequential_export(url: str, directory: Path) -> None:
    """Every dashboard, one after the other, each to its file."""
    http = session()
    for hit in got(http, f"{url}/api/search?type=dash-db&limit=5000"):
        found = got(http, f"{url}/api/dashboards/uid/{hit['uid']}")
        (directory / f"{hit['uid']}.json").write_text(json.dumps(found["dashboard"], sort_keys=True, indent=2))


def library_export(url: str, directory: Path) -> None:
    """The same with grafana-client."""
    from grafana_client import GrafanaApi

    api = GrafanaApi.from_url(url, credential=(os.environ["GRAFANA_USER"], os.environ["GRAFANA_PASSWORD"]), timeout=120)
    for hit in api.search.search_dashboards(type_="dash-db", limit=5000):
        found = api.dashboard.get_dashboard(hit["uid"])
        (directory / f"{hit['uid']}.json").write_text(json.dumps(found["dashboard"], sort_keys=True, indent=2))


def program(name: str) -> str:
    return str(PEERS / name / "bin" / name)


def token(url: str) -> str:
    """Of a service account made for it."""
    http, name = session(), f"benchmark-{time.time_ns()}"
    account = http.post(f"{url}/api/serviceaccounts", json={"name": name, "role": "Admin"}, timeout=120).json()["id"]
    return str(http.post(f"{url}/api/serviceaccounts/{account}/tokens", json={"name": name}, timeout=120).json()["key"])


def backup_export(url: str, directory: Path) -> None:
    """``grafana-backup save`` of the dashboards."""
    # Its check of the credentials asks for what Grafana 12 and later do not have.
    settings = directory / "settings.json"
    settings.write_text(json.dumps({"general": {"api_auth_check": False, "debug": False}}))
    variables = {
        "GRAFANA_URL": url,
        "GRAFANA_TOKEN": token(url),
        "BACKUP_DIR": str(directory / "backup"),
    }
    command = [program("grafana-backup"), "save", "--components=dashboards", f"--config={settings}", "--no-archive"]
    subprocess.run(command, env={**os.environ, **variables}, check=True, stdout=subprocess.DEVNULL)
    if not any(directory.rglob("*.dashboard")):
        raise RuntimeError("grafana-backup wrote nothing")


def wtf_export(url: str, directory: Path) -> None:
    """``grafana-wtf find`` of what no dashboard holds: all of them are read."""
    count = len(got(session(), f"{url}/api/search?type=dash-db&limit=5000"))
    words = ("find", "nowhere-to-be-found", f"--grafana-url={url}", f"--grafana-token={token(url)}", "--cache-ttl=0", "--drop-cache")
    environment = {**os.environ, "HOME": str(directory), "XDG_CACHE_HOME": str(directory)}
    command = [program("grafana-wtf"), *words, f"--concurrency={CONNECTIONS}"]
    done = subprocess.run(command, env=environment, cwd=directory, check=True, capture_output=True, text=True)
    if f"{count} dashboard" not in done.stdout + done.stderr:
        raise RuntimeError(f"grafana-wtf did not read all {count} dashboards: {(done.stdout + done.stderr)[-500:]}")


def tasks(url: str, directory: Path, state: str, uids: Sequence[str]) -> float:
    """Seconds that a playbook takes for some dashboards."""
    own = {"grafana_url": url, "grafana_user": os.environ["GRAFANA_USER"], "grafana_password": os.environ["GRAFANA_PASSWORD"]}
    more: dict[str, object] = {"uid": "{{ item }}"} if state == "export" else {"overwrite": True}
    module: dict[str, object] = {**own, **more, "state": state, "path": f"{directory}/files/{{{{ item }}}}.json"}
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "vars": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable},
        "tasks": [{"community.grafana.grafana_dashboard": module, "loop": list(uids)}],
    }
    (directory / "files").mkdir(exist_ok=True)
    (directory / "play.yml").write_text(json.dumps([play]))
    started = time.monotonic()
    command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", "localhost,", str(directory / "play.yml")]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    subprocess.run(command, cwd=directory, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - started


def counted(url: str, directory: Path, state: str, uids: Sequence[str]) -> float:
    """Seconds for all dashboards, from those for a few and for some more."""
    few, many = (tasks(url, directory, state, uids[:number]) for number in (FEW, MANY))
    return few + (many - few) / (MANY - FEW) * (len(uids) - FEW)


def collection_export(url: str, directory: Path) -> float:
    """``grafana_dashboard`` with ``state: export``."""
    return counted(url, directory, "export", [hit["uid"] for hit in got(session(), f"{url}/api/search?type=dash-db&limit=5000")])


def collection_import(url: str, directory: Path) -> float:
    """``grafana_dashboard`` with ``state: present``."""
    found = list(dashboards_of(directory))
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "files").mkdir()
        for one in found[:MANY]:
            (Path(name) / "files" / f"{one['uid']}.json").write_text(json.dumps({"dashboard": one}))
        return counted(url, Path(name), "present", [one["uid"] for one in found])


def ours_export(url: str, directory: Path, *more: str) -> None:
    from ansible_collections.monitoring.ha.plugins.module_utils.grafana.cli import main

    words = ["export", str(directory / "tree"), "--url", url, "--max-connections", str(CONNECTIONS), *more]
    if main(words):
        raise SystemExit(1)


def limit_export(url: str, directory: Path) -> None:
    """The pages that ours reads, with nothing done to them."""
    http, token = session(), ""
    while True:
        page = got(http, f"{url}/apis/dashboard.grafana.app/v0alpha1/namespaces/default/dashboards?limit=100&continue={token}")
        token = page["metadata"].get("continue", "")
        if not token:
            break
    got(http, f"{url}/apis/folder.grafana.app/v1/namespaces/default/folders?limit=500")


def limit_all(url: str, directory: Path) -> None:
    """The same with the permissions of every dashboard, several at a time."""
    http = session(CONNECTIONS)
    limit_export(url, directory)
    uids = [hit["uid"] for hit in got(http, f"{url}/api/search?type=dash-db&limit=5000")]
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        for _ in pool.map(lambda uid: http.get(f"{url}/api/dashboards/uid/{uid}/permissions", timeout=120).raise_for_status(), uids):
            pass


def dashboards_of(directory: Path) -> Iterator[dict[str, Any]]:
    for path in sorted((directory / "source").rglob("dashboards/**/*.json")):
        yield json.loads(path.read_text())


def sent(http: requests.Session, url: str, dashboard: dict[str, Any]) -> None:
    http.post(f"{url}/api/dashboards/db", json={"dashboard": {**dashboard, "id": None}, "overwrite": True}, timeout=120).raise_for_status()


def sequential_import(url: str, directory: Path) -> None:
    http = session()
    for dashboard in dashboards_of(directory):
        sent(http, url, dashboard)


def library_import(url: str, directory: Path) -> None:
    from grafana_client import GrafanaApi

    api = GrafanaApi.from_url(url, credential=(os.environ["GRAFANA_USER"], os.environ["GRAFANA_PASSWORD"]), timeout=120)
    for dashboard in dashboards_of(directory):
        api.dashboard.update_dashboard({"dashboard": {**dashboard, "id": None}, "overwrite": True})


def limit_import(url: str, directory: Path) -> None:
    http = session(CONNECTIONS)
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        for _ in pool.map(lambda dashboard: sent(http, url, dashboard), dashboards_of(directory)):
            pass


def ours_import(url: str, directory: Path) -> None:
    from ansible_collections.monitoring.ha.plugins.module_utils.grafana.cli import main

    words = ["import", str(directory / "source"), "--url", url, "--max-connections", str(CONNECTIONS), "--kind", "dashboards", "--json"]
    if main(words):
        raise SystemExit(1)


CONTENDERS: dict[str, dict[str, Callable[[str, Path], float | None]]] = {
    "export dashboards": {
        "ours": lambda url, directory: ours_export(url, directory, "--kind", "dashboards"),
        "limit": limit_export,
        "sequential": sequential_export,
        "grafana-client": library_export,
        "grafana-backup": backup_export,
        "grafana-wtf": wtf_export,
        "community.grafana": collection_export,
    },
    "export with permissions": {
        "ours": lambda url, directory: ours_export(url, directory, "--kind", "dashboards", "--kind", "dashboard_permissions"),
        "limit": limit_all,
    },
    "import dashboards": {
        "ours": ours_import,
        "limit": limit_import,
        "sequential": sequential_import,
        "grafana-client": library_import,
        "community.grafana": collection_import,
    },
}
#: Contenders that run in processes of their own once more.
OUTSIDE = {"grafana-backup", "grafana-wtf", "community.grafana"}


# --- measuring -------------------------------------------------------------------------------------------------------


def measured(task: str, contender: str, url: str, directory: Path) -> tuple[float, float]:
    """(seconds without the start of Python, MB) of a contender in a process of its own."""
    command = [sys.executable, __file__, "--contender", f"{task}:{contender}", "--url", url, "--directory", str(directory)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{task}, {contender}: {done.stderr[-2000:]}")
    seconds, memory = json.loads(done.stdout.splitlines()[-1])
    return seconds, memory


def contend(name: str, url: str, directory: Path) -> None:
    task, _colon, contender = name.partition(":")
    started = time.monotonic()
    seconds = CONTENDERS[task][contender](url, directory) or time.monotonic() - started
    # What the process was before it became this program does not count.
    own = int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss if contender in OUTSIDE else own
    print(json.dumps([round(seconds, 3), round(peak / 1024, 1)]))


def dashboard(number: int) -> dict[str, Any]:
    """About ten kilobytes, as dashboards of people are."""
    query = 'sum by (instance, mode) (rate(node_cpu_seconds_total{job="node", mode!="idle"}[$__rate_interval]))'
    source = {"type": "prometheus", "uid": "metrics"}
    panels = [
        {
            "id": one,
            "title": f"Panel {one}",
            "type": "timeseries",
            "gridPos": {"h": 8, "w": 12, "x": 0, "y": one},
            "datasource": source,
            "fieldConfig": {"defaults": {"unit": "percentunit", "custom": {"lineWidth": 1, "fillOpacity": 10}}, "overrides": []},
            "options": {"legend": {"displayMode": "table", "placement": "right", "calcs": ["mean", "max"]}},
            "targets": [{"refId": ref, "expr": query, "datasource": source, "legendFormat": "{{instance}}"} for ref in "AB"],
        }
        for one in range(PANELS)
    ]
    return {"uid": f"d{number:05}", "title": f"Dashboard {number}", "schemaVersion": 41, "panels": panels, "tags": ["generated"]}


@contextmanager
def instance(postgres: Postgres) -> Iterator[Instance]:
    one = Instance(RELEASE, {"database": database_section(postgres, postgres.new_database())}).start()
    try:
        yield one
    finally:
        one.close()


def fill(one: Instance, count: int) -> None:
    http = session(CONNECTIONS)
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        for _ in pool.map(lambda number: sent(http, one.url, dashboard(number)), range(count)):
            pass


def install() -> None:
    """The other programs."""
    for name, version in PACKAGES.items():
        if not Path(program(name)).exists():
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(PEERS / name)], check=True)
            subprocess.run([str(PEERS / name / "bin" / "pip"), "install", "--quiet", f"{name}=={version}"], check=True)


def measure(counts: list[int], latencies: list[float], slow: bool) -> Iterator[Run]:
    """All contenders of all tasks, one after the other."""
    install()
    postgres = Postgres()
    os.environ["GRAFANA_USER"], os.environ["GRAFANA_PASSWORD"] = ADMIN
    try:
        for count in counts:
            with instance(postgres) as source, tempfile.TemporaryDirectory() as kept:
                fill(source, count)
                ours_export(source.url, Path(kept), "--kind", "dashboards")
                (Path(kept) / "tree").rename(Path(kept) / "source")
                for latency in latencies:
                    for task, contenders in CONTENDERS.items():
                        for contender in contenders:
                            if count > 1000 and contender not in ("ours", "limit") and not slow:
                                continue
                            yield median_run(partial(one_run, postgres, source, Path(kept), task, contender, count, latency))
    finally:
        postgres.close()


def one_run(postgres: Postgres, source: Instance, kept: Path, task: str, contender: str, count: int, latency: float) -> Run:
    def run(one: Instance, directory: Path) -> Run:
        one.faults(latency_ms=latency, paths="^/api") if latency else one.delete("/-/stand-in/faults")
        seconds, memory = measured(task, contender, one.url, directory)
        one.delete("/-/stand-in/faults")
        return Run(task, contender, count, latency, seconds, memory)

    if task.startswith("export"):
        directory = Path(tempfile.mkdtemp())
        try:
            return run(source, directory)
        finally:
            shutil.rmtree(directory)
    with instance(postgres) as target:
        return run(target, kept)


def median_run(run: Callable[[], Run]) -> Run:
    """The one of the middle, by its time, of several short ones."""
    runs = [run()]
    while runs[0].seconds < SHORT and len(runs) < TIMES:
        runs.append(run())
    return sorted(runs, key=lambda one: one.seconds)[len(runs) // 2]


def verdicts(runs: list[Run]) -> list[str]:
    """What is expected of an export, and what was seen."""
    found = {(run.contender, run.dashboards, run.latency_ms): run for run in runs if run.task == "export dashboards"}
    lines = []
    for (contender, count, latency), own in found.items():
        if contender != "ours":
            continue
        sequential, limit = found.get(("sequential", count, latency)), found[("limit", count, latency)]
        seen = [f"{limit.seconds / own.seconds:.2f} of the limit ({EXPECTED['limit']:g} expected)"]
        if sequential:
            seen.append(f"{sequential.seconds / own.seconds:.1f} times as fast as sequential ({EXPECTED['sequential']:g} expected at 5 ms)")
        seen.append(f"{own.memory:.0f} MB ({EXPECTED['memory']:g} at most)")
        lines.append(f"Export of {count} dashboards at {latency:g} ms: {', '.join(seen)}")
    return lines


def table(runs: list[Run]) -> str:
    lines = ["| task | dashboards | latency | contender | seconds | times as long as ours | memory |", "|---|---|---|---|---|---|---|"]
    own = {(run.task, run.dashboards, run.latency_ms): run.seconds for run in runs if run.contender == "ours"}
    for run in runs:
        ratio = run.seconds / own[run.task, run.dashboards, run.latency_ms]
        cells = [
            run.task,
            f"{run.dashboards}",
            f"{run.latency_ms:g} ms",
            run.contender,
            f"{run.seconds:.2f}",
            f"{ratio:.2f}",
            f"{run.memory:.0f} MB",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dashboards", type=int, nargs="+", default=[1000, 5000])
    parser.add_argument("--latency", type=float, nargs="+", default=[0, 5, 20], help="milliseconds added to each answer")
    parser.add_argument("--slow", action="store_true", help="the sequential contenders with more than 1,000 dashboards too")
    parser.add_argument("--contender", help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    parser.add_argument("--directory", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.contender:
        contend(arguments.contender, arguments.url, arguments.directory)
        return
    runs = []
    for run in measure(arguments.dashboards, arguments.latency, arguments.slow):
        print(asdict(run), file=sys.stderr, flush=True)
        runs.append(run)
    report = ROOT / "build" / "benchmarks" / "grafana_transfer.json"
    report.parent.mkdir(parents=True, exist_ok=True)
    # What was measured before with other numbers stays.
    done = {(run.dashboards, run.latency_ms) for run in runs}
    before = [Run(**one) for one in json.loads(report.read_text())["runs"]] if report.exists() else []
    runs = [run for run in before if (run.dashboards, run.latency_ms) not in done] + runs
    report.write_text(json.dumps({"expected": EXPECTED, "runs": [asdict(run) for run in runs]}, indent=2) + "\n")
    print(table(runs), *verdicts(runs), sep="\n")


if __name__ == "__main__":
    main()
