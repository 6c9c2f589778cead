"""An organisation of an instance, as tests use it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.monitoring.ha.plugins.module_utils.grafana import exporter, importer
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.client import Client, Connection
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.desired import Choices
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.secret_store import SecretStore
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.selection import Selection

from tests.stand_in.instances import ADMIN, Instance

from .content import SECRETS, Filler


def contents(root: Path) -> dict[str, bytes]:
    """Path to bytes of every file below a directory."""
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def objects(root: Path) -> dict[str, bytes]:
    """The same for the objects of a tree with one organisation, whatever it is called."""
    return {path.partition("/")[2]: content for path, content in contents(root).items() if path.count("/") >= 2}


@dataclass
class Site:
    instance: Instance
    number: int
    name: str
    directory: Path
    connection: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def create(cls, instance: Instance, name: str, directory: Path) -> Site:
        answer = instance.post("/api/orgs", {"name": name})
        answer.raise_for_status()
        return cls(instance, answer.json()["orgId"], name, directory)

    @property
    def fill(self) -> Filler:
        return Filler(self.instance, self.number)

    def get(self, path: str) -> Any:
        return self.fill.send("GET", path)

    def client(self, **options: Any) -> Client:
        values = {"url": self.instance.url, "user": ADMIN[0], "password": ADMIN[1], "pause": 0.01, "retries": 3}
        return Client(Connection(**{**values, **self.connection, **options}), SecretStore(SECRETS).all())

    def export(
        self, name: str = "tree", *, selection: dict[str, Any] | None = None, client: dict[str, Any] | None = None, **options: Any
    ) -> Path:
        """Exports to a directory of that name, and returns it."""
        with self.client(**(client or {})) as opened:
            self.exported = exporter.export(
                opened, self.directory / name, wanted=[self.name], selection=Selection.of(selection or {}), **options
            )
        return self.directory / name

    def request(
        self, source: str = "", *, selection: dict[str, Any] | None = None, secrets: Any = SECRETS, always: bool = False, **choices: Any
    ) -> importer.Request:
        """A request to bring a tree with one organisation, called ``source`` there, into this one."""
        keep_going = choices.pop("keep_going", False)
        return importer.Request(
            targets={source: self.name} if source else {},
            selection=Selection.of(selection or {}),
            choices=Choices(**choices),
            secrets=SecretStore(secrets, always),
            keep_going=keep_going,
        )

    def plan(self, tree: Path, source: str = "", **options: Any) -> importer.Imported:
        with self.client() as opened:
            return importer.plan(opened, tree, self.request(source, **options))

    def bring(self, tree: Path, source: str = "", *, client: dict[str, Any] | None = None, **options: Any) -> importer.Imported:
        with self.client(**(client or {})) as opened:
            return importer.carry_out(opened, tree, self.request(source, **options))


def outcomes(result: importer.Imported) -> dict[str, int]:
    """How many objects of all kinds were created, updated, unchanged, deleted and skipped."""
    found: dict[str, int] = {}
    for kinds in result.summary().values():
        for counts in kinds.values():
            for outcome, number in counts.items():
                found[outcome] = found.get(outcome, 0) + number
    return found


def changed(result: importer.Imported) -> set[tuple[str, str, str]]:
    """(action, kind, key) of every change."""
    return {(change.action, change.kind, change.key) for _plan, change in result.changes()}
