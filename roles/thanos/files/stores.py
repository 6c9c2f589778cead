"""``stores.py SETTINGS``: waits until the first of a query engine's sidecars can be reached, or has been waited for long enough.

Runs before the engine, which is at once ready and answers out of whatever stores it has by then. SETTINGS is a file of JSON:
``seconds`` to wait, ``tls`` (paths ``ca_file``, ``cert_file``, ``key_file``), ``members``, by ``address:port`` the name in the certificate,
``scrape``: the seconds in which a Prometheus has seen every target, ``asked``: those in which a proxy that has just started asks each
member for the first time, and takes it for well until then. A file in ``RUNTIME_DIRECTORY``, which is gone when the host starts anew,
says that this is not the engine's first start since then.
"""

import json
import os
import pathlib
import socket
import ssl
import sys
import time
from collections.abc import Mapping

#: Seconds for a handshake, between two rounds, and between two once somebody was reached, who is to stay so.
PATIENCE = 1.0
PAUSE = 0.2
PAUSE_REACHED = 1.0


def reached(authority: str, name: str, tls: ssl.SSLContext) -> bool:
    """Whether a member shakes hands. The proxy on the way accepts a connection to one that is not ready, and ends it."""
    address, _separator, port = authority.rpartition(":")
    try:
        with socket.create_connection((address, int(port)), PATIENCE) as plain, tls.wrap_socket(plain, server_hostname=name):
            return True
    except OSError:
        return False


def wait(members: Mapping[str, str], tls: ssl.SSLContext, seconds: float, scrape: float, asked: float, first: bool) -> bool:
    """Whether one was reached in time, and still is once the proxy has asked it.

    One that had to be waited for has just started, and what its Prometheus has is old; and where all hosts have lost their power, so it
    is with one that was a moment faster than this engine.
    """
    begun, fresh = time.monotonic(), scrape if first else 0.0
    since = 0.0
    while True:
        now = time.monotonic()
        if any(reached(authority, name, tls) for authority, name in members.items()):
            since = since or now
            if not fresh or now > since + max(fresh, asked):
                return True
        elif now > begun + seconds:
            return False
        else:
            since, fresh = 0.0, scrape
        time.sleep(PAUSE_REACHED if since else PAUSE)


def main() -> None:
    its = json.loads(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"))
    tls = ssl.create_default_context(cafile=its["tls"]["ca_file"])
    tls.load_cert_chain(its["tls"]["cert_file"], its["tls"]["key_file"])
    tls.set_alpn_protocols(["h2"])
    before = pathlib.Path(os.environ["RUNTIME_DIRECTORY"], "reached")
    if not its["members"]:
        return
    if wait(its["members"], tls, its["seconds"], its["scrape"], its["asked"], not before.exists()):
        before.touch()
    else:
        print(f"no sidecar within {its['seconds']:g} s; answers come from what other stores have")


if __name__ == "__main__":
    main()
