# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What objects of one kind need from each other before they can be written: names that are unique, parts that belong to one of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from .kinds.base import Item, Kind
from .organisation import Org


@dataclass
class Ties:
    """What is gathered while the objects of a kind are compared."""

    kind: Kind
    org: Org
    #: Claim to the key of the object that has it in Grafana, and to what of that object has it.
    held: dict[str, tuple[str, str]] = field(default_factory=dict)
    #: Part to the key of the object that it is in, in Grafana.
    places: dict[str, str] = field(default_factory=dict)
    #: Key of an object that is to be written to its name, its claims and its parts.
    wanted: dict[str, tuple[str, dict[str, str], set[str]]] = field(default_factory=dict)

    def found(self, live: Item) -> None:
        """An object of Grafana."""
        self.held |= {claim: (live.key, holder) for claim, holder in self.kind.claims(self.org, live).items()}
        self.places |= dict.fromkeys(self.kind.parts(live), live.key)

    def asked(self, item: Item) -> None:
        """An object that is to be written."""
        self.wanted[item.key] = item.name, self.kind.claims(self.org, item), self.kind.parts(item)

    def takes(self) -> dict[str, set[str]]:
        """Key of an object to the keys of those that parts of it are in so far."""
        found = {}
        for key, (_name, _claims, parts) in self.wanted.items():
            if losers := {self.places[part] for part in parts if part in self.places} - {key}:
                found[key] = losers
        return found

    def clashes(self) -> list[tuple[str, str, str]]:
        """(key of an object that is to be written, a claim of it, key of another one that has it in Grafana)."""
        return [
            (key, claim, self.held[claim][0])
            for key, (_name, claims, _parts) in self.wanted.items()
            for claim, holder in claims.items()
            # What has the claim itself, such as a rule that moves along, is not in the way.
            if claim in self.held and self.held[claim][0] != key and self.held[claim][1] != holder
        ]

    def gives_up(self, key: str, claim: str) -> bool:
        """Whether an object no longer has a claim once it is written."""
        return key in self.wanted and self.wanted[key][1].get(claim) != self.held[claim][1]

    def clash(self, key: str, claim: str) -> str:
        """A sentence for people about a claim that stays where it is; empty where Grafana may have it so."""
        name = self.wanted[key][0]
        if not self.kind.insists(self.org):
            return ""
        return self.kind.clash(key, name, claim, *self.held[claim])


def takers_first(keys: list[str], takes: Mapping[str, set[str]]) -> list[str]:
    """The keys in such an order that whoever takes a part of another one comes before it, as that one would delete the part.

    Where several take from each other in a circle, one of them has to come too late.
    """
    found: dict[str, None] = {}
    begun: set[str] = set()

    def visit(key: str, takers: Callable[[str], list[str]]) -> None:
        if key in begun:
            return
        begun.add(key)
        for taker in takers(key):
            visit(taker, takers)
        found[key] = None

    for one in keys:
        visit(one, lambda loser: [key for key in keys if loser in takes.get(key, ())])
    return list(found)
