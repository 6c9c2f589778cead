"""Which Grafana is played, and what that release does differently from its neighbours."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path


@dataclass(frozen=True)
class Release:
    version: str

    @classmethod
    def of_home(cls, home: Path) -> Release:
        return cls((home / "VERSION").read_text().strip())

    @cached_property
    def number(self) -> tuple[int, int, int]:
        found = re.match(r"v?(\d+)\.(\d+)(?:\.(\d+))?", self.version)
        if found is None:
            raise ValueError(f"not a version of Grafana: {self.version!r}")
        return int(found[1]), int(found[2]), int(found[3] or 0)

    @cached_property
    def commit(self) -> str:
        return hashlib.sha1(self.version.encode(), usedforsecurity=False).hexdigest()[:10]

    def since(self, major: int, minor: int = 0) -> bool:
        return self.number >= (major, minor, 0)

    @property
    def numeric_datasource_routes(self) -> bool:
        return not self.since(13)

    @property
    def starred_in_meta(self) -> bool:
        return not self.since(13, 1)

    @property
    def legacy_api_converts_v2(self) -> bool:
        """From 13 on /api answers a v2 dashboard in the v1 shape, with losses; 12 refuses with 406."""
        return self.since(13)

    @property
    def save_conflict_is_409(self) -> bool:
        return self.since(13, 1)

    @property
    def folder_conflict_is_412(self) -> bool:
        return self.since(12)

    @property
    def versions_in_envelope(self) -> bool:
        return self.since(12)

    @property
    def provenance_conflict_is_409(self) -> bool:
        return self.since(12)

    @property
    def checks_datasource_uid(self) -> bool:
        return self.since(12)

    @property
    def checks_datasource_uid_of_path(self) -> bool:
        return self.since(12, 3)

    @property
    def library_names_unique(self) -> bool:
        return not self.since(13, 1)

    @property
    def rule_titles_unique(self) -> bool:
        """Within a folder."""
        return not self.since(12)

    @property
    def rule_endpoints_deprecated(self) -> bool:
        return self.since(13)

    @property
    def notification_endpoints_deprecated(self) -> bool:
        return self.since(13, 1)

    @property
    def alertmanager_config_delete(self) -> bool:
        return not self.since(13)

    @property
    def health_names_apiserver(self) -> bool:
        return self.since(13)

    @property
    def single_node_evaluation(self) -> bool:
        return self.since(13)

    @cached_property
    def dashboard_api_versions(self) -> tuple[str, ...]:
        """Preferred version first, as discovery lists them."""
        if self.since(13):
            return ("v1", "v0alpha1", "v1beta1", "v2alpha1", "v2beta1", "v2")
        if self.since(12):
            return ("v1beta1", "v0alpha1", "v2alpha1", "v2beta1")
        return ("v0alpha1",)

    @cached_property
    def folder_api_versions(self) -> tuple[str, ...]:
        if self.since(13):
            return ("v1", "v1beta1")
        return ("v1beta1",) if self.since(12) else ("v0alpha1",)

    @cached_property
    def notification_api_versions(self) -> tuple[str, ...]:
        return ("v1beta1",) if self.since(13) else ()

    @cached_property
    def playlist_api_versions(self) -> tuple[str, ...]:
        return ("v1", "v0alpha1") if self.since(13) else ("v0alpha1",)
