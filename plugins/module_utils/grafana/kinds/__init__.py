# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Every kind, in the order in which an import writes them: what others refer to comes first."""

from __future__ import annotations

from .base import Kind
from .contact_points import ContactPointKind
from .dashboards import DashboardKind
from .data_sources import DataSourceKind
from .folders import FolderKind
from .furnishings import AnnotationKind, PlaylistKind, PreferenceKind
from .library import LibraryPanelKind
from .notifications import MuteTimingKind, PolicyKind, TemplateKind
from .people import ServiceAccountKind, TeamKind
from .permissions import DashboardPermissionKind, FolderPermissionKind
from .rules import RuleGroupKind

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        ServiceAccountKind(),
        TeamKind(),
        DataSourceKind(),
        FolderKind(),
        LibraryPanelKind(),
        DashboardKind(),
        TemplateKind(),
        MuteTimingKind(),
        ContactPointKind(),
        PolicyKind(),
        RuleGroupKind(),
        PlaylistKind(),
        FolderPermissionKind(),
        DashboardPermissionKind(),
        PreferenceKind(),
        AnnotationKind(),
    )
}
#: What is meant where no kind is chosen.
DEFAULT = tuple(name for name, kind in KINDS.items() if not kind.on_request)
