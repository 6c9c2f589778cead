"""The alerting configuration of an organisation: one row, read whole and written whole."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..database.session import Session
from ..security.tokens import digest
from ..times import now_ms
from ..web.message import dumps

if TYPE_CHECKING:
    from ..application import Application

Json = dict[str, Any]
DEFAULT_RECEIVER = "grafana-default-email"


def default_policy() -> Json:
    return {"receiver": DEFAULT_RECEIVER, "group_by": ["grafana_folder", "alertname"]}


@dataclass
class Configuration:
    org_id: int
    # Integrations; several may share a name and are one contact point then. `secure` holds encrypted settings.
    contact_points: list[Json]
    policy: Json
    policy_provenance: str = ""
    templates: list[Json] = field(default_factory=list)
    mute_timings: list[Json] = field(default_factory=list)
    # Resources by their names, of which nothing but the resource API knows. Nobody is notified by them.
    resources: dict[str, dict[str, Json]] = field(default_factory=dict)
    version: int = 0

    @classmethod
    def default(cls, org_id: int) -> Configuration:
        email = {
            # The same on every node, before anything was stored.
            "uid": "d" + digest(f"default-{org_id}")[:13],
            "name": DEFAULT_RECEIVER,
            "type": "email",
            "settings": {"addresses": "<example@email.com>"},
            "secure": {},
            "disableResolveMessage": False,
            "provenance": "",
        }
        return cls(org_id, [email], default_policy())

    @classmethod
    def load(cls, session: Session, org_id: int, *, lock: bool = False) -> Configuration:
        """With `lock` nobody else changes it before this transaction ends."""
        sql = 'SELECT "data", "version" FROM "alert_configuration" WHERE "org_id" = ?'
        row = session.row(sql, org_id)
        if row is not None and lock:
            row = session.row(f"{sql} FOR UPDATE", org_id)
        if row is None:
            return cls.default(org_id)
        return cls(org_id, **json.loads(row["data"]), version=row["version"])

    def save(self, session: Session, app: Application) -> None:
        data = {
            "contact_points": self.contact_points,
            "policy": self.policy,
            "policy_provenance": self.policy_provenance,
            "templates": self.templates,
            "mute_timings": self.mute_timings,
            "resources": self.resources,
        }
        values = {"data": dumps(data), "version": self.version + 1, "updated": now_ms()}
        if self.version:
            session.update("alert_configuration", {"org_id": self.org_id}, **values)
        else:
            session.add("alert_configuration", org_id=self.org_id, **values)
        self.version += 1
        # This node's Alertmanager has it at once; the others' have it when they poll.
        session.after_commit(lambda: app.alertmanagers.apply(self))

    @property
    def receivers(self) -> set[str]:
        return {point["name"] for point in self.contact_points}

    @property
    def interval_names(self) -> set[str]:
        return {timing["name"] for timing in self.mute_timings}

    def routes(self) -> list[Json]:
        """Every route of the tree, the root first."""
        found, waiting = [], [self.policy]
        while waiting:
            route = waiting.pop(0)
            found.append(route)
            waiting.extend(route.get("routes") or [])
        return found


def reset_policy(configuration: Configuration) -> None:
    """Back to the default tree, whose receiver has to exist."""
    tree = default_policy()
    if tree["receiver"] not in configuration.receivers:
        configuration.contact_points.append(Configuration.default(configuration.org_id).contact_points[0])
    configuration.policy, configuration.policy_provenance = tree, ""


def version_of(item: Json) -> str:
    """The version of a template or mute timing is a mark of its content."""
    content = {key: value for key, value in item.items() if key not in ("provenance", "version")}
    return digest(json.dumps(content, sort_keys=True))[:16]
