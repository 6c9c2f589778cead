"""A disk of its own for a component's data, which test hosts have none of: what fills it leaves everything else alone."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from ansible_collections.monitoring.ha.plugins.module_utils.catalogue import Component

from tests.scenario.stack import Stack

#: MiB that are left beside what is there.
ROOM = 1024


@contextlib.contextmanager
def own_disk(stack: Stack, host: str, component: Component, back: str) -> Iterator[None]:
    """For as long as the block runs. back: what is done to the data of before, which have seen nothing since, before it goes on there."""
    unit, data = component.unit, component.data
    moved = f"""set -e
systemctl stop {unit}
mkdir /run/own
mount -t tmpfs -o size=$(($(du -sm {data} | cut -f 1) + {ROOM}))m tmpfs /run/own
cp -a {data}/. /run/own/
chown --reference={data} /run/own
chmod --reference={data} /run/own
mount --move /run/own {data}
rmdir /run/own
systemctl start {unit}"""
    try:
        stack.run(host, moved)
        yield
    finally:
        stack.run(host, f"systemctl stop {unit}; umount -l {data}; {back}; systemctl start {unit}")
