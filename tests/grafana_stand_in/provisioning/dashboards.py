"""Dashboards from files: providers that look into directories, again and again."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..database.dialect import Row
from ..database.session import Session
from ..log import Logger
from ..security.tokens import digest
from ..store import dashboards, folders
from ..store.dashboards import Command
from ..store.folders import Author
from ..web.binding import Body
from ..web.errors import ApiError
from .files import ProvisioningError, org_of, read, reason

if TYPE_CHECKING:
    from ..application import Application

_LOGGER = "provisioning.dashboard"


@dataclass
class Provider:
    name: str
    org_id: int
    folder: str
    folder_uid: str
    path: Path
    from_structure: bool
    disable_deletion: bool
    allow_ui_updates: bool
    interval: float
    due: float = 0.0


def providers(directory: Path) -> list[Provider]:
    found: list[Provider] = []
    try:
        for path, body in read(directory / "dashboards", _LOGGER):
            # The oldest form is a bare list, which is not accepted any more.
            found.extend(_provider(path, item) for item in body.objects("providers"))
    except ApiError as error:
        raise ProvisioningError(f"Dashboard provisioning error: {reason(error)}") from error
    except ProvisioningError as error:
        raise ProvisioningError(f"Dashboard provisioning error: {error}") from error
    names = [(provider.org_id, provider.name) for provider in found]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ProvisioningError(f"Dashboard provisioning error: provider name {twice[0][1]!r} is not unique")
    return found


def _provider(path: Path, item: Body) -> Provider:
    options = Body(item.object("options") or {})
    kind, where = item.text("type", "file") or "file", options.text("path") or options.text("folder")
    if kind != "file":
        raise ProvisioningError(f"{path.name}: type {kind} is not supported")
    if not where:
        raise ProvisioningError(f"{path.name}: failed to load dashboards, path param is not a string")
    from_structure = options.flag("foldersFromFilesStructure")
    if from_structure and (item.text("folder") or item.text("folderUid")):
        raise ProvisioningError(f"{path.name}: 'folder' and 'folderUID' should be empty using 'foldersFromFilesStructure' option")
    return Provider(
        name=item.text("name"),
        org_id=org_of(item),
        folder=item.text("folder"),
        folder_uid=item.text("folderUid"),
        path=Path(where),
        from_structure=from_structure,
        disable_deletion=item.flag("disableDeletion"),
        allow_ui_updates=item.flag("allowUiUpdates"),
        interval=max(1.0, float(item.integer("updateIntervalSeconds", 10) or 10)),
    )


class Scanner:
    """One look into the directory of a provider."""

    def __init__(self, app: Application, session: Session, provider: Provider) -> None:
        self._app = app
        self._session = session
        self._provider = provider
        self._author = Author(0, app.node)
        self._log = Logger(_LOGGER)

    def scan(self) -> None:
        provider, session = self._provider, self._session
        provider.due = time.monotonic() + provider.interval
        if not provider.path.is_dir():
            self._log.error("Cannot read directory", error=f"stat {provider.path}: no such file or directory")
            return
        known = {
            row["external_id"]: row
            for row in session.rows(
                'SELECT p.*, d."uid" FROM "dashboard_provisioning" p JOIN "dashboard" d ON d."id" = p."dashboard_id" '
                'WHERE p."org_id" = ? AND p."name" = ?',
                provider.org_id,
                provider.name,
            )
        }
        seen = set()
        for path in _files(provider.path):
            external = str(path.relative_to(provider.path))
            seen.add(external)
            try:
                self._file(path, external, known.get(external))
            except (ApiError, ValueError, OSError) as error:
                text = reason(error) if isinstance(error, ApiError) else str(error)
                self._log.error("failed to save dashboard", file=path, error=text)
        for external in sorted(set(known) - seen):
            self._gone(known[external])

    def _file(self, path: Path, external: str, known: Row | None) -> None:
        raw = path.read_bytes()
        check_sum = hashlib.sha256(raw).hexdigest()
        if known is not None and known["check_sum"] == check_sum:
            if bool(known["allow_ui_updates"]) != self._provider.allow_ui_updates:
                where = {"dashboard_id": known["dashboard_id"]}
                self._session.update("dashboard_provisioning", where, allow_ui_updates=self._provider.allow_ui_updates)
            return
        spec, version = _content(json.loads(raw))
        if not spec.get("uid"):
            # The same file is the same dashboard on every node.
            spec["uid"] = known["uid"] if known else "f" + digest(f"{self._provider.name}/{external}")[:13]
        command = Command(spec, self._folder(path), "", overwrite=True, api_version=version, provisioner=True)
        row = dashboards.save(self._session, self._app.release, self._app.settings, self._provider.org_id, self._author, command)
        self._session.put(
            "dashboard_provisioning",
            {"dashboard_id": row["id"]},
            org_id=self._provider.org_id,
            name=self._provider.name,
            external_id=external,
            check_sum=check_sum,
            updated=row["updated"],
            allow_ui_updates=self._provider.allow_ui_updates,
        )

    def _folder(self, path: Path) -> str:
        provider = self._provider
        title, uid = provider.folder, provider.folder_uid
        if provider.from_structure:
            title = "" if path.parent == provider.path else path.parent.name
        if not title or (title == "General" and not uid):
            return ""
        return folder_by_title(self._app, self._session, provider.org_id, self._author, title, uid)

    def _gone(self, known: Row) -> None:
        if self._provider.disable_deletion:
            self._session.delete("dashboard_provisioning", dashboard_id=known["dashboard_id"])
            return
        row = self._session.row('SELECT * FROM "dashboard" WHERE "id" = ?', known["dashboard_id"])
        if row is not None:
            dashboards.erase(self._session, row, self._author)


def folder_by_title(app: Application, session: Session, org_id: int, author: Author, title: str, uid: str = "") -> str:
    """The folder at the root with this title, made if there is none: with the same uid, whichever node makes it."""
    if uid:
        if not folders.exists(session, org_id, uid):
            folders.create(session, app.release, org_id, author, title=title, uid=uid)
        return uid
    sql = 'SELECT "uid" FROM "folder" WHERE "org_id" = ? AND "title" = ? AND "parent_uid" = ? ORDER BY "id" LIMIT 1'
    found: str | None = session.value(sql, org_id, title, "")
    if found is not None:
        return found
    made: str = folders.create(session, app.release, org_id, author, title=title, uid="f" + digest(f"folder/{title}")[:13])["uid"]
    return made


def _files(directory: Path) -> Iterator[Path]:
    for parent, _, names in sorted(os.walk(directory, followlinks=True)):
        for name in sorted(names):
            if name.endswith(".json"):
                yield Path(parent) / name


def _content(document: Any) -> tuple[dict[str, Any], str]:
    """A bare dashboard, or a resource; and the version it is stored in."""
    if not isinstance(document, dict):
        raise ValueError("a dashboard is an object")
    version = document.get("apiVersion")
    if isinstance(version, str) and version.startswith("dashboard.grafana.app/") and isinstance(document.get("spec"), dict):
        metadata = document.get("metadata")
        name = metadata.get("name", "") if isinstance(metadata, dict) else ""
        return {**document["spec"], "uid": name}, version.partition("/")[2]
    if dashboards.is_v2_spec(document):
        raise ValueError("a dashboard in the v2 shape has to be a resource")
    return {**document, "id": None}, "v0alpha1"
