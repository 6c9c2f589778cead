"""How fast dashboards leave a Grafana and come into one, beside other exporters and beside the limit.

All contenders make their requests to the same instance in the same run, with the same added latency for each answer:

- ``sequential``: one request after the other over one connection, as a script with ``requests.Session`` does it.
- ``grafana-client``: the library of that name, which does the same with its own API.
- ``grafana-backup``: the program of that name, where it is installed; a connection for each request.
- ``limit``: the same requests as ours, from a bare client with as many connections, which keeps nothing.

Each contender runs in a process of its own, whose peak of memory is measured. Writes
``build/benchmarks/grafana_transfer.json`` and prints a Markdown table. The instance is Grafana's stand-in, on a PostgreSQL
of its own. Run with ``PYTHONPATH=.:build/collections python benchmarks/grafana_transfer.py``.
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
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
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
    program = str(Path(sys.executable).with_name("grafana-backup"))
    command = [program, "save", "--components=dashboards", f"--config={settings}", "--no-archive"]
    subprocess.run(command, env={**os.environ, **variables}, check=True, stdout=subprocess.DEVNULL)
    if not any(directory.rglob("*.dashboard")):
        raise RuntimeError("grafana-backup wrote nothing")


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


CONTENDERS: dict[str, dict[str, Callable[[str, Path], None]]] = {
    "export dashboards": {
        "ours": lambda url, directory: ours_export(url, directory, "--kind", "dashboards"),
        "limit": limit_export,
        "sequential": sequential_export,
        "grafana-client": library_export,
        "grafana-backup": backup_export,
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
    },
}


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
    CONTENDERS[task][contender](url, directory)
    seconds = time.monotonic() - started
    # What the process was before it became this program does not count.
    own = int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
    peak = max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss if contender == "grafana-backup" else 0)
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


def available(contender: str) -> bool:
    return contender != "grafana-backup" or Path(sys.executable).with_name(contender).exists()


def measure(counts: list[int], latencies: list[float], slow: bool) -> Iterator[Run]:
    """All contenders of all tasks, one after the other."""
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
                        for contender in filter(available, contenders):
                            if count > 1000 and contender not in ("ours", "limit") and not slow:
                                continue
                            yield one_run(postgres, source, Path(kept), task, contender, count, latency)
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
    report.write_text(json.dumps({"expected": EXPECTED, "runs": [asdict(run) for run in runs]}, indent=2) + "\n")
    print(table(runs))


if __name__ == "__main__":
    main()
