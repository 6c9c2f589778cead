"""Password hashes, and a short memory of what was verified: the hash is slow on purpose, the request rate is not."""

from __future__ import annotations

import hashlib
import hmac
import secrets

_ITERATIONS = 10_000
_REMEMBERED = 1000


def new_salt() -> str:
    return secrets.token_hex(5)


def encode(password: str, salt: str) -> str:
    return hashlib.pbkdf2_hmac("sha256", password.encode("utf-8", "replace"), salt.encode(), _ITERATIONS, 50).hex()


class Verifier:
    def __init__(self) -> None:
        self._verified: dict[bytes, None] = {}
        self._key = secrets.token_bytes(32)

    def verify(self, password: str, salt: str, stored: str) -> bool:
        # The stored hash is part of the key: a changed password is not remembered.
        mark = hmac.digest(self._key, f"{stored}\0{password}".encode("utf-8", "replace"), "sha256")
        if mark in self._verified:
            return True
        if not hmac.compare_digest(encode(password, salt), stored):
            return False
        if len(self._verified) >= _REMEMBERED:
            self._verified.clear()
        self._verified[mark] = None
        return True
