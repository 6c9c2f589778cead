"""Tables. A column is `name type`; types are serial, int, flag, key (short, may be indexed) and text."""

from __future__ import annotations

from dataclasses import dataclass

from .dialect import Dialect


@dataclass(frozen=True)
class Table:
    name: str
    columns: str
    primary: str = ""
    unique: tuple[str, ...] = ()
    index: tuple[str, ...] = ()

    def statements(self, dialect: Dialect) -> list[str]:
        parts = []
        for column in self.columns.split(", "):
            name, kind = column.split(" ")
            null = "" if kind in ("serial", "text") else " NOT NULL"
            parts.append(f'"{name}" {dialect.column_types[kind]}{null}')
        if self.primary:
            parts.append(f"PRIMARY KEY ({_names(self.primary)})")
        made = [f'CREATE TABLE IF NOT EXISTS "{self.name}" ({", ".join(parts)}){dialect.table_suffix}']
        for kind, groups in (("UNIQUE INDEX", self.unique), ("INDEX", self.index)):
            for number, group in enumerate(groups):
                prefix = "uqe" if kind.startswith("UNIQUE") else "idx"
                made.append(f'CREATE {kind} "{prefix}_{self.name}_{number}" ON "{self.name}" ({_names(group)})')
        return made


def _names(columns: str) -> str:
    return ", ".join(f'"{name}"' for name in columns.split(", "))


# What a lagging node has not yet seen is told by who wrote a row and when.
_WRITTEN = "written_by key, written_at int"
_STAMPS = "created int, updated int"

TABLES = (
    Table("org", f"id serial, name key, address text, {_STAMPS}", unique=("name",)),
    Table(
        "user",
        "id serial, uid key, login key, email key, name key, password key, salt key, org_id int, is_admin flag, is_disabled flag, "
        f"is_service_account flag, theme key, last_seen_at int, {_STAMPS}",
        unique=("login", "email", "uid"),
    ),
    Table("org_user", f"id serial, org_id int, user_id int, role key, {_STAMPS}", unique=("org_id, user_id",), index=("user_id",)),
    Table(
        "user_auth_token",
        "id serial, user_id int, auth_token key, prev_auth_token key, auth_token_seen flag, user_agent key, client_ip key, "
        "rotated_at int, seen_at int, created_at int, updated_at int, revoked_at int",
        unique=("auth_token",),
        index=("prev_auth_token", "user_id"),
    ),
    Table(
        "api_key",
        "id serial, org_id int, service_account_id int, name key, key_hash key, expires int, last_used_at int, "
        "is_revoked flag, created int",
        unique=("key_hash", "org_id, name"),
    ),
    Table("login_attempt", "id serial, username key, created int", index=("username",)),
    Table(
        "temp_user",
        "id serial, org_id int, code key, email key, name key, role key, status key, invited_by int, created int",
        unique=("code",),
    ),
    Table("team", f"id serial, org_id int, uid key, name key, email key, {_STAMPS}", unique=("org_id, name", "org_id, uid")),
    Table(
        "team_member", "id serial, org_id int, team_id int, user_id int, permission int", unique=("team_id, user_id",), index=("user_id",)
    ),
    Table("preferences", "org_id int, user_id int, team_id int, data text", primary="org_id, user_id, team_id"),
    Table("quota", "org_id int, user_id int, target key, limit_value int", primary="org_id, user_id, target"),
    Table(
        "folder",
        "id serial, org_id int, uid key, title key, description text, parent_uid key, version int, created_by int, "
        f"updated_by int, {_STAMPS}, {_WRITTEN}",
        unique=("org_id, uid",),
        index=("org_id, parent_uid",),
    ),
    Table(
        "dashboard",
        "id serial, org_id int, uid key, title text, slug text, folder_uid key, tags text, version int, api_version key, plugin_id key, "
        f"data text, message text, created_by int, updated_by int, {_STAMPS}, {_WRITTEN}",
        unique=("org_id, uid",),
        index=("org_id, folder_uid",),
    ),
    Table(
        "dashboard_version",
        "id serial, dashboard_id int, version int, parent_version int, restored_from int, api_version key, created "
        "int, created_by int, message text, data text",
        unique=("dashboard_id, version",),
    ),
    Table(
        "dashboard_provisioning",
        "dashboard_id int, org_id int, name key, external_id text, check_sum key, updated int, allow_ui_updates flag",
        primary="dashboard_id",
    ),
    Table("deleted_item", "id serial, org_id int, kind key, uid key, written_by key, written_at int", index=("org_id, written_at",)),
    Table("star", "user_id int, org_id int, dashboard_uid key", primary="user_id, org_id, dashboard_uid"),
    Table(
        "permission",
        "id serial, org_id int, kind key, resource_uid key, role key, user_id int, team_id int, level int, created int, updated int",
        unique=("org_id, kind, resource_uid, role, user_id, team_id",),
    ),
    Table(
        "library_element",
        "id serial, org_id int, folder_uid key, uid key, name key, kind int, type key, description text, model text, "
        f"version int, created_by int, updated_by int, {_STAMPS}",
        unique=("org_id, uid",),
    ),
    Table(
        "library_element_connection",
        "id serial, element_id int, connection_id int, created int, created_by int",
        unique=("element_id, connection_id",),
        index=("connection_id",),
    ),
    Table(
        "data_source",
        "id serial, org_id int, uid key, name key, type key, access key, url text, database_name text, user_name text, basic_auth flag, "
        "basic_auth_user text, with_credentials flag, is_default flag, read_only flag, provisioned_by key, json_data "
        f"text, secure_json_data text, version int, {_STAMPS}",
        unique=("org_id, uid", "org_id, name"),
    ),
    Table(
        "correlation",
        "id serial, org_id int, uid key, source_uid key, target_uid key, label text, description text, type key, "
        "config text, provisioned flag",
        unique=("org_id, source_uid, uid",),
    ),
    Table(
        "annotation",
        "id serial, org_id int, user_id int, dashboard_uid key, panel_id int, time int, time_end int, text text, tags "
        f"text, data text, {_STAMPS}",
        index=("org_id, time",),
    ),
    Table(
        "dashboard_snapshot",
        f"id serial, org_id int, name text, snapshot_key key, delete_key key, user_id int, expires int, dashboard text, {_STAMPS}",
        unique=("snapshot_key", "delete_key"),
    ),
    Table("playlist", f"id serial, org_id int, uid key, name key, interval_text key, items text, {_STAMPS}", unique=("org_id, uid",)),
    Table(
        "alert_rule",
        "id serial, org_id int, uid key, title key, folder_uid key, rule_group key, position int, interval_seconds "
        "int, provenance key, version int, data text, updated int",
        unique=("org_id, uid",),
        index=("org_id, folder_uid, rule_group", "org_id, folder_uid, title"),
    ),
    Table("alert_configuration", "org_id int, data text, version int, updated int", primary="org_id"),
    Table("alert_silence", "org_id int, id_text key, data text, updated int", primary="org_id, id_text"),
)
