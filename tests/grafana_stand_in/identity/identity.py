"""A caller."""

from __future__ import annotations

from dataclasses import dataclass

ROLES = ("None", "Viewer", "Editor", "Admin")
NO_ORG = -1


@dataclass(frozen=True)
class Identity:
    kind: str
    user_id: int
    uid: str
    login: str
    name: str
    email: str
    org_id: int
    role: str
    server_admin: bool = False
    # The row of user_auth_token, where a cookie brought the caller in.
    session_id: int = 0

    @property
    def rank(self) -> int:
        return ROLES.index(self.role) if self.role in ROLES else 0

    @property
    def is_user(self) -> bool:
        return self.kind == "user"


ANONYMOUS_NOBODY = Identity("anonymous", 0, "", "", "", "", NO_ORG, "None")
