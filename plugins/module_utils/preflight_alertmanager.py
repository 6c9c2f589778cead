# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What can be known of paging before a host is touched: from the inventory alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ansible_collections.monitoring.ha.plugins.module_utils import durations
from ansible_collections.monitoring.ha.plugins.module_utils.preflight import Finding, Site


def routes(
    route: Mapping[str, Any], inherited: str, path: str = "alertmanager_config.route"
) -> Iterator[tuple[str, Mapping[str, Any], str]]:
    """(path, route, group_interval) of a route and everything below it."""
    interval = str(route.get("group_interval", inherited))
    yield path, route, interval
    children = route.get("routes")
    for number, child in enumerate(children if isinstance(children, (list, tuple)) else ()):
        if isinstance(child, Mapping):
            yield from routes(child, interval, f"{path}.routes[{number}]")


def receivers(site: Site) -> Iterator[Finding]:
    """Every page has a receiver. Alertmanager says so, too, but when most of the stack has been set up."""
    config = site.of_all("alertmanager_config")
    if not isinstance(config, Mapping) or not site.groups.get("alertmanager"):
        return
    root, given = config.get("route"), config.get("receivers")
    if not isinstance(root, Mapping) or not root.get("receiver"):
        yield Finding("receiver", "", "alertmanager_config.route has no receiver", "write route: {receiver: name, …}")
        return
    names = [str(its.get("name")) for its in given if isinstance(its, Mapping)] if isinstance(given, (list, tuple)) else []
    for path, route, _interval in routes(root, ""):
        name = route.get("receiver")
        if name is not None and str(name) not in names:
            remedy = f"add it to alertmanager_config.receivers{', or name one of ' + ', '.join(names) if names else ''}"
            yield Finding("receiver", "", f"{path}.receiver is {str(name)!r}, which is not there", remedy)


def notification_intervals(site: Site) -> Iterator[Finding]:
    """A member that waits for those before it must not wait past its own next turn: it would notify of what is long resolved."""
    config = site.of_all("alertmanager_config")
    count = len(site.groups.get("alertmanager", []))
    if not isinstance(config, Mapping) or not isinstance(config.get("route"), Mapping) or count < 2:
        return
    try:
        wait = (count - 1) * durations.seconds(site.of_all("alertmanager_peer_timeout") or "15s")
    except ValueError as error:
        yield Finding("group_interval", "", f"alertmanager_peer_timeout: {error}", "correct it")
        return
    for path, _route, interval in routes(config["route"], "5m"):
        try:
            long_enough = durations.seconds(interval) > wait
        except ValueError as error:
            yield Finding("group_interval", "", f"{path}.group_interval: {error}", "correct it")
            continue
        if not long_enough:
            remedy = f"make it longer than {wait:g}s (members but one, times alertmanager_peer_timeout), or that timeout shorter"
            yield Finding("group_interval", "", f"group_interval {interval} of {path} lets members page twice", remedy)


def exchange(site: Site) -> Iterator[Finding]:
    """A member has to hear of a page, gossip's loss included, before its own turn to send it."""
    if len(site.groups.get("alertmanager", [])) < 2:
        return
    names = ("alertmanager_exchange_interval", "alertmanager_peer_timeout")
    try:
        often, turn = (durations.seconds(site.of_all(name) or default) for name, default in zip(names, ("5s", "15s"), strict=True))
    except ValueError as error:
        yield Finding("exchange_interval", "", f"one of {', '.join(names)}: {error}", "correct it")
        return
    if often >= turn:
        remedy = f"make it shorter than alertmanager_peer_timeout, {turn:g}s"
        yield Finding("exchange_interval", "", f"alertmanager_exchange_interval {often:g}s lets members page twice", remedy)


CHECKS: tuple[Callable[[Site], Iterator[Finding]], ...] = (receivers, notification_intervals, exchange)
