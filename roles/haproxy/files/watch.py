"""``watch.py SOCKET``: tells systemd every second that HAProxy works, as long as it does.

Runs beside HAProxy in its service, which has ``WatchdogSec``. SOCKET is that of HAProxy's master, which hands the question
on to the process that does the work.
"""

import contextlib
import os
import socket
import sys
import time

#: Seconds for an answer, and between two questions.
PATIENCE = 1


def answers(path: str) -> bool:
    """Whether the process that does the work says anything."""
    with socket.socket(socket.AF_UNIX) as asking:
        asking.settimeout(PATIENCE)
        try:
            asking.connect(path)
            asking.sendall(b"@1 show info\n")
            return bool(asking.recv(1))
        except OSError:
            return False


def tell(words: bytes, address: str) -> None:
    """Says something to systemd; what does not arrive, as while systemd starts itself anew, is said again a second later.

    address: as in ``NOTIFY_SOCKET``.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as telling, contextlib.suppress(OSError):
        telling.sendto(words, address.replace("@", "\0", 1))


def main() -> None:
    while True:
        if answers(sys.argv[1]):
            tell(b"WATCHDOG=1", os.environ["NOTIFY_SOCKET"])
        time.sleep(PATIENCE)


if __name__ == "__main__":
    main()
