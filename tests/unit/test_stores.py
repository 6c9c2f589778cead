"""What a query engine waits for before it starts, and without which it is not asked."""

from __future__ import annotations

import json
import os
import re
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from ansible_collections.monitoring.ha.plugins.module_utils.catalogue import STORE_REACHED

from tests.unit import identities
from tests.unit.servers import Answer, serve

PROGRAM = Path(__file__).resolve().parent.parent.parent / "roles" / "thanos" / "files" / "stores.py"

#: Seconds after which a program that waits is given up.
GIVEN_UP = 60


def waited(
    directory: Path,
    pki: identities.Site,
    seconds: float,
    *ports: int,
    name: str = "localhost",
    scrape: float = 600,
    asked: float = 0,
    before: bool = True,
    given_up: float = GIVEN_UP,
) -> tuple[float, str]:
    """How long the program took, and what it said. before: one was reached before, since the host has started."""
    certificate, key = pki.files("controller")
    tls = {"ca_file": pki.ca, "cert_file": certificate, "key_file": key}
    settings = directory / "stores.json"
    members = {f"127.0.0.1:{port}": name for port in ports}
    settings.write_text(json.dumps({"seconds": seconds, "scrape": scrape, "asked": asked, "tls": tls, "members": members}))
    run = directory / "run"
    run.mkdir(exist_ok=True)
    if before:
        (run / "reached").touch()
    start = time.monotonic()
    command = [sys.executable, "-I", str(PROGRAM), str(settings)]
    environment = {**os.environ, "RUNTIME_DIRECTORY": str(run)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=given_up, check=True)
    return time.monotonic() - start, done.stdout


@contextmanager
def rejecting() -> Iterator[int]:
    """Like the proxy of a member that is not ready: a connection is accepted, and ended at once."""
    with socket.create_server(("127.0.0.1", 0)) as door:

        def reject() -> None:
            while True:
                try:
                    door.accept()[0].close()
                except OSError:
                    return

        threading.Thread(target=reject, daemon=True).start()
        yield door.getsockname()[1]
        door.shutdown(socket.SHUT_RDWR)


def test_one_that_is_there_is_enough(tmp_path: Path, pki: identities.Site) -> None:
    with serve(lambda _request: Answer(), pki.context()) as server, rejecting() as port:
        assert waited(tmp_path, pki, 600, port, server.port)[1] == ""


def test_where_the_host_has_just_started_one_that_is_there_may_have_too(tmp_path: Path, pki: identities.Site) -> None:
    with serve(lambda _request: Answer(), pki.context()) as server:
        took, said = waited(tmp_path, pki, 600, server.port, scrape=3, before=False)
        assert took >= 3
        assert said == ""
        # It remembers for the next time, which does not wait for ten minutes.
        assert waited(tmp_path, pki, 600, server.port, before=False)[1] == ""


def test_whoever_rejects_or_is_somebody_else_is_not_there_and_the_wait_has_an_end(tmp_path: Path, pki: identities.Site) -> None:
    with serve(lambda _request: Answer(), pki.context()) as server, rejecting() as port:
        for ports, name in ((port,), "localhost"), ((server.port,), "mon1"):
            took, said = waited(tmp_path, pki, 1, *ports, name=name, before=False)
            assert took >= 1
            assert said == "no sidecar within 1 s; answers come from what other stores have\n"
        # Nothing is remembered of that: the next one is a first one still, and waits.
        with pytest.raises(subprocess.TimeoutExpired):
            waited(tmp_path, pki, 1, port, server.port, before=False, given_up=3)


@contextmanager
def coming(pki: identities.Site, *shakes: bool) -> Iterator[tuple[int, list[bool]]]:
    """Shakes hands or not, one after the other as told, and with everybody after that: (port, what is left of that)."""
    left = list(shakes)
    with socket.create_server(("127.0.0.1", 0)) as door:

        def come() -> None:
            while True:
                try:
                    client = door.accept()[0]
                    if left and not left.pop(0):
                        client.close()
                        continue
                    with pki.context().wrap_socket(client, server_side=True):
                        pass
                except ssl.SSLError:
                    continue
                except OSError:
                    return

        threading.Thread(target=come, daemon=True).start()
        yield door.getsockname()[1], left
        door.shutdown(socket.SHUT_RDWR)


def test_one_that_comes_later_is_seen_and_given_the_time_to_see_its_targets(tmp_path: Path, pki: identities.Site) -> None:
    with coming(pki, False) as (port, left):
        took, said = waited(tmp_path, pki, 600, port, scrape=3)
    assert not left
    assert took >= 3
    assert said == ""


def test_one_that_a_proxy_takes_for_well_until_it_has_asked_it_is_waited_for(tmp_path: Path, pki: identities.Site) -> None:
    with coming(pki, False, True, *[False] * 5) as (port, left):
        took, said = waited(tmp_path, pki, 600, port, scrape=1, asked=3)
    assert not left
    # Five looks in vain came after the first hand.
    assert took >= 3 + 5 * 0.2
    assert said == ""


def test_where_there_is_no_sidecar_nothing_is_waited_for(tmp_path: Path, pki: identities.Site) -> None:
    assert waited(tmp_path, pki, 600)[1] == ""


REACHED = (
    '{"name":"127.0.2.11:10901","lastCheck":"2026-01-01T00:00:00Z","lastError":null,"labelSets":[{"store":"a"}],"minTime":1,"maxTime":2}'
)
LOST = REACHED.replace("null", r'"rpc error: \"lastError\":null"')


@pytest.mark.parametrize(
    ("kinds", "taken"),
    [
        ({}, False),
        ({"sidecar": [REACHED], "store": [REACHED]}, True),
        ({"sidecar": [LOST, REACHED], "store": [LOST]}, True),
        ({"sidecar": [LOST, REACHED]}, True),
        ({"query": [LOST], "sidecar": [REACHED], "store": [LOST]}, True),
        # Only history, where more is known of.
        ({"sidecar": [LOST, LOST], "store": [REACHED]}, False),
        ({"query": [REACHED], "sidecar": [LOST]}, False),
        ({"query": [REACHED], "sidecar": [LOST], "store": [REACHED]}, False),
        ({"sidecar": [LOST]}, False),
        # Sites that have no sidecar, or whose engine has forgotten them.
        ({"store": [LOST, REACHED]}, True),
        ({"query": [REACHED]}, True),
        ({"store": [LOST]}, False),
    ],
)
def test_an_engine_is_taken_that_reaches_a_sidecar_or_whatever_else_there_is(kinds: dict[str, list[str]], taken: bool) -> None:
    said = ",".join(f'"{kind}":[{",".join(stores)}]' for kind, stores in kinds.items())
    assert bool(re.search(STORE_REACHED, f'{{"status":"success","data":{{{said}}}}}')) == taken
