"""Secrets at rest: a stream cipher made of HMAC-SHA256 in counter mode, and a tag, both under keys derived from secret_key."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets


class WrongKey(Exception):
    """The value was written under another secret_key."""


class Box:
    def __init__(self, secret_key: str) -> None:
        root = hashlib.sha256(secret_key.encode()).digest()
        self._cipher = hmac.digest(root, b"cipher", "sha256")
        self._seal = hmac.digest(root, b"seal", "sha256")

    def _stream(self, nonce: bytes, data: bytes) -> bytes:
        out = bytearray()
        for block in range(0, len(data), 32):
            key = hmac.digest(self._cipher, nonce + block.to_bytes(8, "big"), "sha256")
            out += bytes(a ^ b for a, b in zip(data[block : block + 32], key, strict=False))
        return bytes(out)

    def encrypt(self, text: str) -> str:
        nonce = secrets.token_bytes(16)
        data = self._stream(nonce, text.encode("utf-8", "surrogatepass"))
        tag = hmac.digest(self._seal, nonce + data, "sha256")
        return base64.b64encode(nonce + tag + data).decode()

    def decrypt(self, sealed: str) -> str:
        try:
            raw = base64.b64decode(sealed, validate=True)
        except ValueError as error:
            raise WrongKey("cannot decode") from error
        nonce, tag, data = raw[:16], raw[16:48], raw[48:]
        if not hmac.compare_digest(tag, hmac.digest(self._seal, nonce + data, "sha256")):
            raise WrongKey("cannot decrypt: the secret_key is not the one this was encrypted with")
        return self._stream(nonce, data).decode("utf-8", "surrogatepass")

    def encrypt_map(self, values: dict[str, str]) -> str:
        return json.dumps({name: self.encrypt(value) for name, value in values.items()})

    def decrypt_map(self, stored: str | None) -> dict[str, str]:
        return {name: self.decrypt(value) for name, value in json.loads(stored or "{}").items()}
