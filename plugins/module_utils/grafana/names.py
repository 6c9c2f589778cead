# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Names of files and directories: readable, safe on every file system, and never the same for two objects."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from urllib.parse import quote, unquote

_MAX_BYTES = 80
_SEPARATORS = re.compile(r"[^\w]+|_+")


def readable(title: str) -> str:
    """A title as part of a file name: letters and digits of any script, ``-`` between them; ``untitled`` when none is left."""
    text = unicodedata.normalize("NFC", title).lower()
    text = _SEPARATORS.sub("-", text).strip("-")
    cut = text.encode()[:_MAX_BYTES].decode(errors="ignore").strip("-")
    return cut or "untitled"


def mark(key: str) -> str:
    """Eight hexadecimal digits that stand for a name that cannot be part of a file name."""
    return hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()[:8]


def of_uid(title: str, uid: str) -> str:
    """``<readable>.<uid>``; characters that no uid should have are percent-encoded."""
    return f"{readable(title)}.{quote(uid, safe='')}"


def of_name(name: str) -> str:
    """``<readable>.<mark>``, for what has no uid."""
    return f"{readable(name)}.{mark(name)}"


def uid_of(part: str) -> str:
    """The uid in a directory's name; empty when it has none."""
    _title, dot, uid = part.rpartition(".")
    return unquote(uid) if dot else ""


def organisation(name: str) -> str:
    """The directory of an organisation; marked where the readable form is not the whole name."""
    plain = readable(name)
    return plain if plain == name else f"{plain}.{mark(name)}"


def derived_uid(*parts: str) -> str:
    """A uid for a file that brings none: the same file gets the same one in every run."""
    return "f" + hashlib.sha256("\0".join(parts).encode(errors="surrogatepass")).hexdigest()[:13]
