"""Generated names and keys."""

from __future__ import annotations

import hashlib
import re
import secrets
import string
import zlib

_ALPHABET = string.ascii_letters + string.digits
_UID = re.compile(r"[a-zA-Z0-9_-]+")


def random_text(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def new_uid() -> str:
    # The first character is a letter, so that a uid is never mistaken for a number.
    return secrets.choice(string.ascii_lowercase) + "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(13))


def valid_uid(uid: str) -> bool:
    return _UID.fullmatch(uid) is not None


def service_account_key() -> str:
    secret = random_text(32)
    return f"glsa_{secret}_{zlib.crc32(secret.encode()):08x}"


def digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()


def slug(title: str) -> str:
    text = re.sub(r"[^\w\- ]", "", title.lower(), flags=re.ASCII).strip()
    return re.sub(r"[\s-]+", "-", text).strip("-") or (digest(title)[:16] if title.strip() else "")
