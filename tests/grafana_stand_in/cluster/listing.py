"""What lists show. Normally what the database holds; with the lag fault, what a node's own index would hold by now."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from ..database.dialect import Row
from ..database.session import Session
from ..times import now_ms

if TYPE_CHECKING:
    from ..application import Application

_SQL = {
    "folder": 'SELECT "id", "uid", "title", "parent_uid" AS "folder_uid", "updated", "written_by", "written_at" FROM '
    '"folder" WHERE "org_id" = ?',
    "dashboard": (
        'SELECT "id", "uid", "title", "slug", "folder_uid", "tags", "updated", "written_by", "written_at" FROM '
        '"dashboard" WHERE "org_id" = ?'
    ),
}
_REMEMBER_MS = 600_000

Key = tuple[int, str]


def mark_deleted(session: Session, node: str, org_id: int, kind: str, uid: str) -> None:
    """Says who deleted what and when, for the nodes that lag."""
    session.insert("deleted_item", org_id=org_id, kind=kind, uid=uid, written_by=node, written_at=now_ms())


class Listing:
    def __init__(self, app: Application) -> None:
        self._app = app
        self._lock = threading.Lock()
        self._index: dict[Key, dict[str, Row]] = {}

    def rows(self, session: Session, org_id: int, kind: str) -> list[Row]:
        fresh = session.rows(_SQL[kind], org_id)
        lag = int(self._app.faults.plan.list_lag_seconds * 1000)
        if lag <= 0:
            if self._index:
                self._index.clear()
            return fresh
        return self._lagging(session, (org_id, kind), fresh, now_ms() - lag)

    def _lagging(self, session: Session, key: Key, fresh: list[Row], horizon: int) -> list[Row]:
        own = self._app.node
        sql = 'SELECT "uid" FROM "deleted_item" WHERE "org_id" = ? AND "kind" = ? AND "written_by" <> ? AND "written_at" > ?'
        unseen_deletions = set(session.column(sql, *key, own, horizon))
        with self._lock:
            before = self._index.get(key, {})
            now: dict[str, Row] = {}
            for row in fresh:
                uid = row["uid"]
                if row["written_by"] == own or row["written_at"] <= horizon:
                    now[uid] = row
                elif uid in before:
                    now[uid] = before[uid]
            for uid, row in before.items():
                if uid not in now and uid in unseen_deletions:
                    now[uid] = row
            self._index[key] = now
            return list(now.values())

    def forget_deleted(self) -> None:
        with self._app.database() as session:
            session.execute('DELETE FROM "deleted_item" WHERE "written_at" < ?', now_ms() - _REMEMBER_MS)

    def start_lagging(self) -> None:
        """Takes what is there now as what the node already knows."""
        self._index.clear()
        if self._app.faults.plan.list_lag_seconds <= 0:
            return
        with self._app.database() as session:
            for org_id in session.column('SELECT "id" FROM "org"'):
                for kind, sql in _SQL.items():
                    self._index[org_id, kind] = {row["uid"]: row for row in session.rows(sql, org_id)}

    def follow(self) -> None:
        """Keeps the index of a lagging node moving when nobody asks it anything."""
        if self._app.faults.plan.list_lag_seconds <= 0:
            return
        with self._app.database() as session:
            for org_id in session.column('SELECT "id" FROM "org"'):
                for kind in _SQL:
                    self.rows(session, org_id, kind)
