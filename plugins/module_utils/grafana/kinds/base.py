# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What all kinds have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from .. import names
from ..canonical import Json, dumps, sha256
from ..errors import Conflict, TreeError
from ..organisation import Org


@dataclass(frozen=True)
class Item:
    """An object as it stands in a tree.

    key: what it is known by in its organisation, on every instance. name: what people call it. body: its canonical
    content. folder: uid of the folder it is in, empty at the root.
    """

    key: str
    name: str
    body: Json
    folder: str = ""

    @property
    def content(self) -> bytes:
        """Bytes of its file."""
        return dumps(self.body)

    @property
    def digest(self) -> str:
        """The same for the same content in the same folder."""
        return sha256(self.folder.encode() + b"\0" + self.content)


@dataclass(frozen=True)
class Live(Item):
    """An object as it stands in Grafana. handle: what writes need, such as a version. locked: why the API may not change it."""

    handle: Any = None
    locked: str = ""


AnyItem = TypeVar("AnyItem", bound=Item)


class Kind(ABC):
    """One sort of objects: how they are listed, read, compared and written.

    Writes raise Conflict where somebody was faster, and Uncertain where the outcome is not known; the importer then
    reads the object again.
    """

    #: Name of its directory, and in options and results.
    name = ""
    #: Whether its objects are in folders.
    foldered = False
    #: Whether several may be written at a time.
    parallel = True
    #: Whether only an explicit wish exports it.
    on_request = False
    #: Whether prune may delete its objects.
    prunable = True
    #: Whether one write takes several requests, which may get stuck half-way.
    in_steps = False
    #: Whether its objects have parts, which may move from one to another.
    divisible = False
    #: Whether others may use an object until they are written themselves, so that it cannot be deleted before its kind is written.
    lingers = False
    #: Whether several objects may share a name, and are told apart by ``numbered``.
    shares_names = False
    #: Kind whose objects it describes; one without a file then has none of it.
    about = ""
    #: Kinds whose objects Grafana changes by itself when an object of this kind takes a part of another one.
    stirs: tuple[str, ...] = ()

    @abstractmethod
    def read_all(self, org: Org) -> Iterator[Live]:
        """Every object of the organisation; failures go to ``org.fail``."""

    def beyond(self, org: Org) -> list[tuple[str, str]]:
        """What Grafana has of this sort and no kind holds: what it is, and its name."""
        return []

    def read(self, org: Org, key: str) -> Live | None:
        """One object as it is now, None where there is none. Where Grafana cannot be asked for one, all are looked through."""
        return next((live for live in self.read_all(org) if live.key == key), None)

    def as_is(self, org: Org, live: Live) -> Live | None:
        """What was read as ``live``, as it is now; None where it is gone."""
        return self.read(org, live.key)

    def places(self, org: Org) -> Iterator[tuple[str, str]]:
        """Name and folder of every object."""
        yield from ((live.name, live.folder) for live in self.read_all(org))

    @abstractmethod
    def create(self, org: Org, item: Item) -> None: ...

    @abstractmethod
    def update(self, org: Org, item: Item, live: Live) -> None:
        """Makes ``live`` equal to ``item``, unless it has changed since it was read: Conflict."""

    def unchanged(self, org: Org, item: Item, live: Live, method: str, path: str) -> Live:
        """The object as it is now; Conflict for a write of ``method`` to ``path`` when that is not what was read as ``live``.

        Nor is it a conflict when it is ``item`` already, as after a write that has worked and whose answer was lost.
        """
        now = self.as_is(org, live)
        if now is None or now.digest not in (live.digest, item.digest):
            raise Conflict(method, path, 409, "changed meanwhile")
        return now

    def remove(self, org: Org, live: Live) -> None:
        """Deletes what was read as ``live``, unless it has changed since: Conflict."""
        now = self.as_is(org, live)
        if now is None:
            return
        if not self.same(now, live):
            raise Conflict("DELETE", f"{self.name} {live.key}", 409, "changed meanwhile")
        self.delete(org, now)

    def delete(self, org: Org, live: Live) -> None:
        raise NotImplementedError

    def has_file(self, item: Item) -> bool:
        """Whether there is anything to write down."""
        return True

    def file_name(self, item: Item) -> str:
        """Name of its file without the suffix."""
        return names.of_uid(item.name, item.key)

    def parse(self, body: Json, folder: str, path: str) -> Item:
        """The object in a file. path: of the file, for messages and for uids that it lacks. TreeError when it is none."""
        return Item(required(body, "uid", path), required(body, "title", path), body, folder)

    def same(self, one: Item, other: Item) -> bool:
        """Whether two have the same content in the same place."""
        return one.digest == other.digest

    def equal(self, org: Org, wanted: Item, live: Live) -> bool:
        """Whether nothing has to be written."""
        return self.same(wanted, live)

    def claims(self, org: Org, item: Item) -> dict[str, str]:
        """What only one object may have, such as a name, to what of this object has it."""
        return {}

    def insists(self, org: Org) -> bool:
        """Whether Grafana is known to refuse an object that has a claim which another one keeps."""
        return True

    def clash(self, key: str, name: str, claim: str, at: str, holder: str) -> str:
        """Why an object cannot have a claim that ``holder``, of the object ``at``, has and keeps."""
        raise NotImplementedError

    def aside(self, live: Live) -> Item:
        """An object without what it claims, until it is its turn to be written: others need that first."""
        raise NotImplementedError

    def parts(self, item: Item) -> set[str]:
        """What belongs to one object at a time, and comes along from another one when this one is written."""
        return set()

    def entangled(self, order: list[str], takes: Mapping[str, set[str]]) -> list[str]:
        """Why objects cannot take parts of each other in this order, a sentence each. takes: key to the keys of those that lose."""
        return []

    def missing(self, org: Org, wanted: Item, live: Live | None) -> list[str]:
        """Secrets that are neither given nor stored, as paths below ``secrets``."""
        return []

    def problems(self, org: Org, wanted: Item, live: Live | None) -> list[str]:
        """Why the object cannot be written, a sentence each."""
        return [live.locked] if live is not None and live.locked else []


def required(body: Json, member: str, path: str) -> str:
    """A text that a file has to have; TreeError otherwise."""
    value = body.get(member)
    if not isinstance(value, str) or not value:
        raise TreeError(f"{path}: {member} is missing")
    return value


def renamed(live: Live, length: int) -> Item:
    """An object that has given up its name. length: as much of that as leaves room for the key within what Grafana takes."""
    name = f"{live.name[:length]} ({live.key})"
    return replace(live, name=name, body={**live.body, "name": name})


def numbered(items: Iterable[AnyItem]) -> Iterator[AnyItem]:
    """Gives objects that share a name keys of their own, in an order that only their content decides."""
    seen: Counter[str] = Counter()
    for item in sorted(items, key=lambda one: (one.name, one.content)):
        seen[item.name] += 1
        number = seen[item.name]
        yield item if number == 1 else replace(item, key=f"{item.key}#{number}")
