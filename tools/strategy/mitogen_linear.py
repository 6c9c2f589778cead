"""Mitogen's linear strategy as this project wants it.

- On all processors: Mitogen ties its multiplexer to the first one and everything else to the others. On a machine of two, all workers, and
  whatever they start (a container engine, a build), would share one while the other idles.
- Knowing where collections are: Mitogen looks for all of them in every worker anew, which takes longer than most tasks.
- With this collection's plugins loaded before workers are forked, which would load them anew for every task.
"""

from pathlib import Path
from typing import Any

import ansible_mitogen.affinity
import ansible_mitogen.loaders
import ansible_mitogen.planner
import ansible_mitogen.strategy
from ansible.collections.list import list_collection_dirs
from ansible.plugins.loader import action_loader, filter_loader, lookup_loader

ansible_mitogen.affinity.policy = ansible_mitogen.affinity.Policy()  # type: ignore[assignment]
PLUGINS = Path(__file__).parents[2] / "plugins"
for kind, loader in {"action": action_loader, "filter": filter_loader, "lookup": lookup_loader}.items():
    for plugin in sorted((PLUGINS / kind).glob("[a-z]*.py")):
        loader.get(f"monitoring.ha.{plugin.stem}", class_only=True)
COLLECTIONS = {path.decode() for path in list_collection_dirs()}


def load_collections(invocation: Any) -> None:
    """Where the modules of a task, and what they import, may be."""
    invocation._extra_sys_paths |= COLLECTIONS


ansible_mitogen.planner._load_collections = load_collections


class StrategyModule(ansible_mitogen.strategy.StrategyMixin, ansible_mitogen.loaders.strategy_loader.get("linear", class_only=True)):  # type: ignore[misc]
    """As Mitogen's."""
