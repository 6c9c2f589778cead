"""What a route asks of its caller."""

from __future__ import annotations

from dataclasses import dataclass

from ..web.errors import ApiError, denied, unauthorized
from .identity import Identity

VIEWER, EDITOR, ADMIN = 1, 2, 3


@dataclass(frozen=True)
class Need:
    """The lowest role that has `action`, or server administration."""

    action: str = ""
    rank: int = 0
    public: bool = False
    server_admin: bool = False

    def refusal(self, identity: Identity | None) -> ApiError | None:
        if self.public:
            return None
        if identity is None:
            return unauthorized()
        if self.server_admin:
            return None if identity.server_admin else denied(self.action)
        return None if identity.rank >= self.rank else denied(self.action)


PUBLIC = Need(public=True)
SIGNED_IN = Need()


def viewer(action: str) -> Need:
    return Need(action, VIEWER)


def editor(action: str) -> Need:
    return Need(action, EDITOR)


def admin(action: str) -> Need:
    return Need(action, ADMIN)


def server_admin(action: str) -> Need:
    return Need(action, server_admin=True)
