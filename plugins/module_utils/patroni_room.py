# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The daemon beside Patroni that hands PostgreSQL's lead over when its disk is full. Runs on the member, without Ansible.

Patroni lets a member lead for as long as its PostgreSQL runs, also when that has no room to write.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from dataclasses import dataclass

from ansible_collections.monitoring.ha.plugins.module_utils.https import Unanswered
from ansible_collections.monitoring.ha.plugins.module_utils.patroni import Cluster, PatroniError

#: Seconds between two looks, after an attempt that failed, for an answer, and for a switch-over.
LOOK, AGAIN, ANSWER, SWITCH = 1.0, 5.0, 3.0, 60.0
#: PostgreSQL's log may have a disk of its own.
LOG = "pg_wal"
MIB = 1024 * 1024


@dataclass
class Room:
    """A member's. data: PostgreSQL's directory. least: bytes below which the disk counts as full.

    handed: it has handed over, and has not had twice that much since. Whoever has done so keeps what comes back: where nobody has
    room, it must not go round.
    """

    data: str
    least: int
    handed: bool = False

    def full(self) -> bool:
        """One look. A directory that is not there yet has room."""
        left = float("inf")
        for path in (self.data, os.path.join(self.data, LOG)):
            with contextlib.suppress(FileNotFoundError):
                its = os.statvfs(path)
                left = min(left, its.f_bavail * its.f_frsize)
        if left >= 2 * self.least:
            self.handed = False
        return left < self.least


class Watch:
    """A member's. cluster: at least the Patroni beside it."""

    def __init__(self, name: str, cluster: Cluster, room: Room) -> None:
        self.name, self.cluster, self.room = name, cluster, room
        self._said = ""

    @classmethod
    def of(cls, path: str) -> Watch:
        """By the file that the role writes."""
        with open(path, encoding="utf-8") as file:
            its = json.load(file)
        return cls(its["name"], Cluster.of(its), Room(its["data"], int(its["least_room"]) * MIB))

    def leads(self) -> bool:
        return self.cluster.client(self.name, ANSWER).request("GET", "/primary")[0] == 200

    def step(self) -> float:
        """One look, and what follows from it; seconds until the next one.

        Patroni chooses who takes over: nobody who lags, as a full standby does.
        """
        if not self.room.full() or self.room.handed or not self.leads():
            return LOOK
        self.cluster.change(self.name, "POST", "/switchover", {"leader": self.name}, SWITCH)
        self.room.handed = True
        # Each time that it happens, however long ago the last one was.
        self._said = ""
        self.say("no room on the disk of its data: it has handed the lead over")
        return LOOK

    def safely(self) -> float:
        """The same; whatever goes wrong may go well in a while."""
        try:
            return self.step()
        except (PatroniError, Unanswered, OSError) as error:
            self.say(f"no room on the disk of its data: {error}")
            return AGAIN

    def say(self, words: str) -> None:
        """What is the same as before is not said again."""
        if words != self._said:
            sys.stdout.write(f"{words}\n")
            sys.stdout.flush()
        self._said = words


def main() -> None:
    watch = Watch.of(sys.argv[1])
    while True:
        time.sleep(watch.safely())


if __name__ == "__main__":
    main()
