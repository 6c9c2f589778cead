"""Data sources from files."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from ..api.correlations import create_from
from ..database.session import Session
from ..log import Logger
from ..store import datasources
from ..store.datasources import Fields
from ..web.binding import Body
from ..web.errors import ApiError
from .files import ProvisioningError, org_of, read, reason

if TYPE_CHECKING:
    from ..application import Application

_LOGGER = "provisioning.datasources"


def provision(app: Application, session: Session, directory: Path) -> None:
    try:
        documents = list(read(directory / "datasources", _LOGGER))
        _check_defaults([body for _, body in documents])
        for path, body in documents:
            _apply(app, session, path, body)
    except ApiError as error:
        raise ProvisioningError(f"Datasource provisioning error: {reason(error)}") from error
    except ProvisioningError as error:
        raise ProvisioningError(f"Datasource provisioning error: {error}") from error


def _check_defaults(documents: list[Body]) -> None:
    counted: dict[int, int] = {}
    for body in documents:
        for item in body.objects("datasources"):
            if item.flag("isDefault"):
                counted[org_of(item)] = counted.get(org_of(item), 0) + 1
    if any(count > 1 for count in counted.values()):
        raise ProvisioningError("datasource.yaml config is invalid. Only one datasource per organization can be marked as default")


def _apply(app: Application, session: Session, path: Path, body: Body) -> None:
    log = Logger(_LOGGER)
    for gone in body.objects("deleteDatasources"):
        row = datasources.find(session, org_of(gone), name=gone.text("name"))
        if row is not None:
            datasources.delete(session, row)
            log.info("deleted datasource based on configuration", name=row["name"])
    wanted = {(org_of(item), item.text("name")) for item in body.objects("datasources")}
    if body.flag("prune"):
        for row in session.rows('SELECT * FROM "data_source" WHERE "provisioned_by" = ?', path.name):
            if (row["org_id"], row["name"]) not in wanted:
                datasources.delete(session, row)
                log.info("deleted datasource that is no longer in its file", name=row["name"])
    for item in body.objects("datasources"):
        _put(app, session, path, item, log)


def _put(app: Application, session: Session, path: Path, item: Body, log: Logger) -> None:
    org_id, name = org_of(item), item.text("name")
    if not name or not item.text("type"):
        raise ProvisioningError(f"{path.name}: a data source needs a name and a type")
    if session.value('SELECT count(*) FROM "org" WHERE "id" = ?', org_id) == 0:
        raise ProvisioningError(f"{path.name}: org with id {org_id} not found")
    secrets = item.object("secureJsonData") or {}
    item.fields["secureJsonData"] = {key: str(value) for key, value in secrets.items() if value is not None}
    fields = Fields.of(item)
    row = datasources.find(session, org_id, name=name)
    read_only = not item.flag("editable")
    if row is None:
        # Every node gives the same uid to a data source whose file names none.
        fields.uid = fields.uid or "P" + hashlib.sha256(name.encode()).hexdigest()[:16].upper()
        row = datasources.create(session, app.box, app.release, app.settings, org_id, fields, provisioned_by=path.name, read_only=read_only)
        log.info("inserting datasource from configuration", name=name, uid=row["uid"])
    else:
        row = datasources.update(session, app.box, app.release, row, fields, provisioned_by=path.name, read_only=read_only)
        log.debug("updating datasource from configuration", name=name, uid=row["uid"])
    session.delete("correlation", org_id=org_id, source_uid=row["uid"], provisioned=True)
    for correlation in item.objects("correlations"):
        create_from(session, org_id, row, correlation, provisioned=True)
