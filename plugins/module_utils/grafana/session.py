# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Pooled connections as an address and its options ask for."""

from __future__ import annotations

import base64
import contextlib
import os
import ssl
import uuid
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

# Where it is missing, the client says so.
with contextlib.suppress(ImportError):
    import requests
    import requests.adapters
    import requests.utils

from . import RUN_HEADER
from .deadlines import Deadlines
from .errors import GrafanaError

if TYPE_CHECKING:
    from .client import Connection

#: What the other side says of our certificate, and we of its: nothing of that passes by itself.
_DISTRUST = {
    "CERTIFICATE_VERIFY_FAILED",
    "SSLV3_ALERT_BAD_CERTIFICATE",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
    # How TLS 1.2 says that there was none.
    "SSLV3_ALERT_HANDSHAKE_FAILURE",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED",
    "TLSV1_ALERT_UNKNOWN_CA",
}


def check(connection: Connection) -> None:
    """GrafanaError for an address that is none, and for files of TLS that are not there or not what they have to be."""
    try:
        parts = urlsplit(connection.url)
        # Names have limits of their own.
        name = (parts.hostname or "").encode("idna")
        wrong = parts.scheme not in ("http", "https") or not name or parts.port == 0
    except ValueError:
        wrong = True
    if wrong or any(sign.isspace() for sign in connection.url):
        raise GrafanaError(f"url: {connection.url!r} is no address with http:// or https://, a host, and a port if it has one")
    if parts.scheme == "https":
        _check_files(connection)


def _check_files(connection: Connection) -> None:
    ca, certificate, key = connection.ca, connection.certificate, connection.key
    for option, path in (("ca", ca), ("certificate", certificate), ("key", key)):
        if path and not (option == "ca" and Path(path).is_dir()):
            _loaded(option, path, Path(path).read_bytes)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if ca and not Path(ca).is_dir():
        _loaded("ca", ca, partial(context.load_verify_locations, ca))
    if certificate:
        # Nobody is there to be asked for a passphrase.
        _loaded("certificate", certificate, partial(context.load_cert_chain, certificate, key or None, password=""))


def _loaded(option: str, path: str, load: Callable[[], object]) -> None:
    try:
        load()
    except ssl.SSLError as error:
        what = "and key that belong together" if option == "certificate" else "of an authority"
        raise GrafanaError(f"{option}: {path}: no certificate {what}, in PEM ({error.reason or error})") from None
    except OSError as error:
        raise GrafanaError(f"{option}: {path}: {error.strerror}") from None


def session(connection: Connection, deadlines: Deadlines) -> requests.Session:
    """Connections with the credentials, whose requests have deadlines."""
    made = requests.Session()
    made.mount(f"{urlsplit(connection.url).scheme}://", _adapter(connection, deadlines))
    # Asking the environment at every request is slow, and .netrc would replace the credentials.
    made.proxies.update(requests.utils.get_environ_proxies(connection.url))
    made.trust_env = False
    bundle = connection.ca or os.environ.get("REQUESTS_CA_BUNDLE", "")
    made.verify = (bundle or True) if connection.verify else False
    if connection.certificate:
        made.cert = (connection.certificate, connection.key) if connection.key else connection.certificate
    made.headers.update({"Accept": "application/json", "User-Agent": "monitoring.ha", RUN_HEADER: uuid.uuid4().hex})
    if connection.token:
        made.headers["Authorization"] = f"Bearer {connection.token}"
    else:
        pair = base64.b64encode(f"{connection.user}:{connection.password}".encode()).decode()
        made.headers["Authorization"] = f"Basic {pair}"
    return made


def _adapter(connection: Connection, deadlines: Deadlines) -> requests.adapters.HTTPAdapter:
    class Adapter(requests.adapters.HTTPAdapter):
        """Pools with connections that are looked after, straight to Grafana or through a proxy."""

        def init_poolmanager(self, *arguments: Any, **named: Any) -> None:
            super().init_poolmanager(*arguments, **named)
            self.poolmanager.pool_classes_by_scheme = deadlines.pools(self.poolmanager.pool_classes_by_scheme)

        def proxy_manager_for(self, *arguments: Any, **named: Any) -> Any:
            manager = super().proxy_manager_for(*arguments, **named)
            manager.pool_classes_by_scheme = deadlines.pools(manager.pool_classes_by_scheme)
            return manager

    return Adapter(pool_connections=1, pool_maxsize=connection.max_connections, pool_block=True, max_retries=0)


def lacking(headers: Mapping[str, str], content: bytes) -> int:
    """Bytes that were announced and have not come. Old releases of urllib3 take what there is for the whole."""
    announced = headers.get("Content-Length", "")
    if not announced.isdecimal() or headers.get("Content-Encoding"):
        return 0
    return max(0, int(announced) - len(content))


def distrusted(error: BaseException) -> bool:
    """Whether a certificate was not believed, which is at the bottom of what the library raises."""
    seen: list[object] = [error]
    for one in seen:
        if isinstance(one, ssl.SSLError) and one.reason in _DISTRUST:
            return True
        if isinstance(one, ssl.CertificateError):
            return True
        if isinstance(one, BaseException):
            seen += [inner for inner in (*one.args, one.__cause__, one.__context__, getattr(one, "reason", None)) if inner not in seen]
    return False
