"""Pieces that several answers have in common."""

from __future__ import annotations

import hashlib


def avatar(email: str) -> str:
    return f"/avatar/{hashlib.md5(email.encode('utf-8', 'replace'), usedforsecurity=False).hexdigest()}"


def like(text: str) -> str:
    """A pattern that finds the text anywhere, in lower case."""
    return "%" + text.lower().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
