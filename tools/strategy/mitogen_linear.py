"""Mitogen's linear strategy on all processors.

Mitogen ties its multiplexer to the first processor and everything else to the remaining ones. On a machine of two, all workers, and
whatever they start (a container engine, a build), would share one while the other idles.
"""

import ansible_mitogen.affinity
import ansible_mitogen.loaders
import ansible_mitogen.strategy

ansible_mitogen.affinity.policy = ansible_mitogen.affinity.Policy()


class StrategyModule(ansible_mitogen.strategy.StrategyMixin, ansible_mitogen.loaders.strategy_loader.get("linear", class_only=True)):  # type: ignore[misc]
    """As Mitogen's."""
