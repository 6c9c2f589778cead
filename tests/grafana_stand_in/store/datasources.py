"""Data sources and their secrets."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from ..database.dialect import Row
from ..database.session import Session
from ..release import Release
from ..security.secrets import Box, WrongKey
from ..security.tokens import new_uid, valid_uid
from ..settings.settings import Settings
from ..times import now_ms
from ..web.binding import Body
from ..web.errors import ApiError, bad_request, classic
from ..web.message import dumps
from . import quotas

_MAX_UID = 40


@dataclass
class Fields:
    """What a caller, or a file, says about a data source."""

    name: str
    type: str
    access: str = "proxy"
    url: str = ""
    uid: str = ""
    user: str = ""
    database: str = ""
    basic_auth: bool = False
    basic_auth_user: str = ""
    with_credentials: bool = False
    is_default: bool = False
    json_data: dict[str, Any] = field(default_factory=dict)
    secure_json_data: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, body: Body) -> Fields:
        return cls(
            name=body.text("name"),
            type=body.text("type"),
            access=body.text("access"),
            url=body.text("url"),
            uid=body.text("uid"),
            user=body.text("user"),
            database=body.text("database"),
            basic_auth=body.flag("basicAuth"),
            basic_auth_user=body.text("basicAuthUser"),
            with_credentials=body.flag("withCredentials"),
            is_default=body.flag("isDefault"),
            json_data=body.object("jsonData") or {},
            secure_json_data=body.text_map("secureJsonData"),
        )

    def columns(self) -> Row:
        return {
            "name": self.name,
            "type": self.type,
            "access": self.access or "proxy",
            "url": self.url,
            "user_name": self.user,
            "database_name": self.database,
            "basic_auth": self.basic_auth,
            "basic_auth_user": self.basic_auth_user,
            "with_credentials": self.with_credentials,
            "is_default": self.is_default,
            "json_data": dumps(self.json_data),
        }


def not_found() -> ApiError:
    return classic(404, "Data source not found")


def find(session: Session, org_id: int, **where: Any) -> Row | None:
    conditions = " AND ".join(f'"{name}" = ?' for name in where)
    return session.row(f'SELECT * FROM "data_source" WHERE "org_id" = ? AND {conditions}', org_id, *where.values())


def get(session: Session, org_id: int, **where: Any) -> Row:
    row = find(session, org_id, **where)
    if row is None:
        raise not_found()
    return row


def rows(session: Session, org_id: int) -> list[Row]:
    return session.rows('SELECT * FROM "data_source" WHERE "org_id" = ? ORDER BY LOWER("name"), "id"', org_id)


def secure_fields(box: Box, row: Row) -> dict[str, bool]:
    """Which secrets are set. Under another secret_key none can be shown to be."""
    try:
        return {name: True for name in box.decrypt_map(row["secure_json_data"])}
    except WrongKey:
        return {}


def check(release: Release, fields: Fields) -> None:
    if not fields.name or not fields.type:
        raise bad_request()
    if release.checks_datasource_uid and fields.uid and (len(fields.uid) > _MAX_UID or not valid_uid(fields.uid)):
        raise bad_request("invalid format of UID")
    if fields.url:
        try:
            parts = urlsplit(fields.url if "://" in fields.url else f"http://{fields.url}")
            usable = bool(parts.netloc or parts.path) and parts.port != -1
        except ValueError:
            usable = False
        if not usable or any(ord(c) < 33 for c in fields.url):
            raise bad_request(f"Validation error, invalid URL: {fields.url!r}")


def create(
    session: Session,
    box: Box,
    release: Release,
    settings: Settings,
    org_id: int,
    fields: Fields,
    *,
    provisioned_by: str = "",
    read_only: bool = False,
) -> Row:
    check(release, fields)
    quotas.check(session, settings, org_id, "data_source")
    limit = settings.number("datasources", "datasource_limit", 5000)
    if session.value('SELECT count(*) FROM "data_source" WHERE "org_id" = ?', org_id) >= limit > 0:
        raise classic(500, f"reached the limit of data sources ({limit})")
    _check_unique(session, org_id, fields.name, fields.uid)
    now = now_ms()
    number = session.insert(
        "data_source",
        org_id=org_id,
        uid=fields.uid or new_uid(),
        **fields.columns(),
        secure_json_data=box.encrypt_map(fields.secure_json_data),
        read_only=read_only,
        provisioned_by=provisioned_by,
        version=1,
        created=now,
        updated=now,
    )
    _only_default(session, org_id, number, fields.is_default)
    return get(session, org_id, id=number)


def _check_unique(session: Session, org_id: int, name: str, uid: str, own: int = 0) -> None:
    if session.value('SELECT count(*) FROM "data_source" WHERE "org_id" = ? AND "name" = ? AND "id" <> ?', org_id, name, own):
        raise classic(409, "data source with the same name already exists")
    if uid and session.value('SELECT count(*) FROM "data_source" WHERE "org_id" = ? AND "uid" = ? AND "id" <> ?', org_id, uid, own):
        raise classic(409, "data source with the same uid already exists")


def update(
    session: Session,
    box: Box,
    release: Release,
    row: Row,
    fields: Fields,
    *,
    version: int | None = None,
    provisioned_by: str | None = None,
    read_only: bool | None = None,
) -> Row:
    """Secrets that are not named stay; the others are replaced."""
    check(release, fields)
    if version is not None and version != row["version"]:
        raise classic(409, "Datasource has already been updated by someone else. Please reload and try again")
    _check_unique(session, row["org_id"], fields.name, fields.uid, row["id"])
    kept = json.loads(row["secure_json_data"] or "{}")
    kept |= json.loads(box.encrypt_map(fields.secure_json_data))
    session.update(
        "data_source",
        {"id": row["id"]},
        uid=fields.uid or row["uid"],
        **fields.columns(),
        secure_json_data=json.dumps(kept),
        read_only=row["read_only"] if read_only is None else read_only,
        provisioned_by=row["provisioned_by"] if provisioned_by is None else provisioned_by,
        version=row["version"] + 1,
        updated=now_ms(),
    )
    _only_default(session, row["org_id"], row["id"], fields.is_default)
    return get(session, row["org_id"], id=row["id"])


def _only_default(session: Session, org_id: int, number: int, is_default: bool) -> None:
    if is_default:
        sql = 'UPDATE "data_source" SET "is_default" = 0 WHERE "org_id" = ? AND "id" <> ? AND "is_default" = 1'
        session.execute(sql, org_id, number)


def delete(session: Session, row: Row) -> None:
    session.delete("correlation", org_id=row["org_id"], source_uid=row["uid"])
    session.delete("data_source", id=row["id"])
