"""All routes: importing a module registers what it answers."""

from __future__ import annotations

from importlib import import_module

from .web.routing import ROUTES

_MODULES = (
    "api.admin",
    "api.alert_export",
    "api.alert_rules",
    "api.alertmanager",
    "api.annotations",
    "api.correlations",
    "api.dashboard_import",
    "api.dashboard_versions",
    "api.dashboards",
    "api.datasource_queries",
    "api.datasources",
    "api.faults",
    "api.folders",
    "api.frontend",
    "api.health",
    "api.library",
    "api.login",
    "api.notifications",
    "api.org_users",
    "api.orgs",
    "api.playlists",
    "api.preferences",
    "api.quotas",
    "api.ruler",
    "api.search",
    "api.service_accounts",
    "api.snapshots",
    "api.teams",
    "api.users",
    "apis.dashboards",
    "apis.discovery",
    "apis.folders",
    "apis.notifications",
)

for _name in _MODULES:
    import_module(f".{_name}", __package__)

__all__ = ["ROUTES"]
