"""What a dialect has to offer, and the connections themselves."""

from __future__ import annotations

import ssl
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import unquote, urlsplit

from ..settings.settings import Settings, SettingsError

Row = dict[str, Any]
CONNECT_TIMEOUT = 10.0


class Connection(ABC):
    """One connection in autocommit mode; transactions are begun and ended with statements."""

    opened: float = 0.0
    broken: bool = False

    @abstractmethod
    def run(self, sql: str, arguments: Sequence[Any]) -> tuple[list[str], list[Any], int]:
        """Returns column names, rows and the number of rows touched."""

    @abstractmethod
    def insert(self, sql: str, arguments: Sequence[Any]) -> int:
        """Runs an INSERT and returns the id it made."""

    @abstractmethod
    def lock(self, name: str, wait: float) -> bool:
        """Takes a lock that lives as long as this connection."""

    @abstractmethod
    def unlock(self, name: str) -> None: ...

    @abstractmethod
    def close(self) -> None: ...


class Dialect(ABC):
    name: str
    column_types: ClassVar[dict[str, str]]
    table_suffix = ""

    @abstractmethod
    def connect(self) -> Connection: ...

    @abstractmethod
    def after_explicit_id(self, connection: Connection, table: str) -> None:
        """Lets the next generated id follow one that was given explicitly."""


class _Context(ssl.SSLContext):
    """Expects the name that the configuration gives the server's certificate, whatever address was dialled."""

    expected_name = ""

    def wrap_socket(self, *arguments: Any, **options: Any) -> ssl.SSLSocket:
        if self.expected_name:
            options["server_hostname"] = self.expected_name
        return super().wrap_socket(*arguments, **options)


@dataclass(frozen=True)
class Target:
    """What [database] names."""

    kind: str
    host: str
    port: int
    name: str
    user: str
    password: str
    ssl_mode: str
    ca: str
    certificate: str
    key: str
    server_name: str
    isolation_level: str

    @classmethod
    def of(cls, settings: Settings) -> Target:
        def option(key: str) -> str:
            return settings.text("database", key)

        kind, host, name, user, password = option("type"), option("host"), option("name"), option("user"), option("password")
        if url := option("url"):
            parts = urlsplit(url)
            kind = parts.scheme
            host = parts.netloc.rpartition("@")[2]
            name = parts.path.lstrip("/").partition("?")[0]
            user, password = unquote(parts.username or ""), unquote(parts.password or "")
        kind = {"postgresql": "postgres"}.get(kind, kind)
        if kind == "sqlite3":
            raise SettingsError("database type sqlite3 is not supported here: use mysql or postgres")
        if kind not in ("mysql", "postgres"):
            raise SettingsError(f"unknown database type: {kind}")
        ssl_mode = option("ssl_mode")
        known = (
            ("disable", "require", "verify-ca", "verify-full") if kind == "postgres" else ("true", "false", "skip-verify", "disable", "")
        )
        if ssl_mode not in known:
            raise SettingsError(f"unsupported sslmode {ssl_mode!r} for {kind}")
        if host.startswith("/"):
            address, port = host, "0"
        elif host.startswith("["):
            address, _, port = host[1:].partition("]")
            port = port.lstrip(":")
        else:
            address, _, port = host.partition(":")
        if not port.isdecimal() and port:
            raise SettingsError(f"database host {host!r} has no valid port")
        return cls(
            kind,
            address or "127.0.0.1",
            int(port or (5432 if kind == "postgres" else 3306)),
            name,
            user,
            password,
            ssl_mode,
            option("ca_cert_path"),
            option("client_cert_path"),
            option("client_key_path"),
            option("server_cert_name"),
            option("isolation_level"),
        )

    def tls(self, *, verify: bool, names: bool) -> ssl.SSLContext:
        """An unreadable or unusable certificate is found here, before the first connection."""
        context = _Context(ssl.PROTOCOL_TLS_CLIENT)
        context.expected_name = self.server_name
        context.check_hostname = verify and names
        context.verify_mode = ssl.CERT_REQUIRED if verify else ssl.CERT_NONE
        try:
            if verify:
                if self.ca:
                    context.load_verify_locations(cadata=Path(self.ca).read_text(encoding="ascii"))
                else:
                    context.load_default_certs()
            if self.certificate:
                context.load_cert_chain(self.certificate, self.key or None)
        except (OSError, ssl.SSLError, UnicodeDecodeError) as error:
            raise SettingsError(f"cannot use the certificates of [database]: {error}") from error
        return context


def of(settings: Settings) -> Dialect:
    target = Target.of(settings)
    if target.kind == "postgres":
        from .postgres import Postgres

        return Postgres(target)
    from .mysql import MySQL

    return MySQL(target)
