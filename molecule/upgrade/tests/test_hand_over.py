"""The virtual address moves as it does in an upgrade, under many clients, and no request of theirs is cut off."""

from __future__ import annotations

import base64
import http.client
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from tests.scenario.stack import Stack, wait_for

SCRIPT = Path(__file__).parents[3] / "roles" / "upgrade" / "files" / "hand_over.sh"
#: Requests a second, each on a connection of its own. Where the address just moves, one or two of them were cut off in most moves.
RATE = 50
MOVES = 6
#: Seconds that a client waits: the second until it is heard again, and time to spare for a machine that runs all hosts.
PATIENCE = 8.0
#: Tells what the script has left in the filter of packets.
LEFT = "nft list tables 2>/dev/null | grep hand_over; iptables -S INPUT 2>/dev/null | grep DROP"


def asked(stack: Stack, context: ssl.SSLContext) -> str:
    """What went wrong with one request; empty when nothing did."""
    query, url = stack.endpoints["query"], urlsplit(stack.endpoints["query"]["url"])
    who = base64.b64encode(f"{query['user']}:{query['password']}".encode()).decode()
    connection = http.client.HTTPSConnection(str(url.hostname), url.port, timeout=PATIENCE, context=context)
    try:
        connection.request("GET", "/api/v1/query?query=vector(1)", headers={"Authorization": f"Basic {who}"})
        answer = connection.getresponse()
        answer.read()
        return "" if answer.status == 200 else f"{answer.status}"
    except (OSError, http.client.HTTPException) as error:
        return repr(error)
    finally:
        connection.close()


@contextmanager
def many_clients(stack: Stack) -> Iterator[list[str]]:
    """Requests at that rate for as long as this lasts; a line for each of them: what went wrong, and when."""
    context = ssl.create_default_context(cafile=stack.endpoints["ca"])
    found: list[str] = []
    ended = threading.Event()

    def ask() -> None:
        began = time.time()
        wrong = asked(stack, context)
        found.append(wrong and f"{began:.2f}: {wrong}")

    with ThreadPoolExecutor(4 * RATE) as pool:

        def keep_asking() -> None:
            while not ended.wait(1 / RATE):
                pool.submit(ask)

        asking = threading.Thread(target=keep_asking)
        asking.start()
        try:
            yield found
        finally:
            ended.set()
            asking.join()


def is_elsewhere(stack: Stack, before: str) -> bool:
    return stack.holder() not in ("", before)


def test_nothing_is_cut_off_when_the_address_moves(stack: Stack) -> None:
    address, port = stack.endpoints["vip"], urlsplit(stack.endpoints["query"]["url"]).port
    wait_for("a holder of the address", stack.holder, 60)
    with many_clients(stack) as found:
        time.sleep(2)
        for _ in range(MOVES):
            holder = stack.holder()
            said = stack.run(holder, f"set -- {address} {port}\n{SCRIPT.read_text(encoding='utf-8')}")
            assert "handed over" in said
            wait_for("another holder", partial(is_elsewhere, stack, holder), 10)
            assert not stack.run(holder, LEFT, check=False)
            stack.run(holder, "systemctl start keepalived")
            time.sleep(2)
    assert len(found) > MOVES * 4 * RATE / 2, "too few requests to tell"
    assert not [wrong for wrong in found if wrong]
