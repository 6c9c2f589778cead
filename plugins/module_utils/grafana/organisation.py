# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An organisation: where its requests go, what it knows about itself, and what happens to objects that cannot be read."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, TypeVar

from .canonical import Json
from .client import Client, Query
from .errors import ApiError, Failure, GrafanaError, Incomplete, NotFound, Unsupported, status_of
from .folder_tree import Folders
from .secret_store import SecretStore
from .selection import Selection

T = TypeVar("T")
R = TypeVar("R")

DASHBOARD_GROUP, FOLDER_GROUP, NOTIFICATION_GROUP = "dashboard.grafana.app", "folder.grafana.app", "notifications.alerting.grafana.app"


@dataclass
class Org:
    """One organisation as one client sees it.

    number: id in this Grafana. header: whether requests name it (a token cannot choose). release: version of Grafana,
    empty where it is hidden. apis: group to the versions it is served in. keep_going: failures are collected, not raised.
    """

    client: Client
    number: int
    name: str
    header: bool
    release: str = ""
    apis: Mapping[str, Collection[str]] = field(default_factory=dict)
    keep_going: bool = False
    secrets: SecretStore = field(default_factory=SecretStore)
    selection: Selection = field(default_factory=Selection)
    folders: Folders = field(default_factory=Folders)
    #: The data sources as they were when a plan was made.
    sources: list[Json] = field(default_factory=list)
    #: The integrations of all contact points, once they have been listed.
    integrations: list[Json] = field(default_factory=list)
    #: Uid to title and folder of every dashboard, once they have been listed.
    dashboards: dict[str, tuple[str, str]] | None = None
    #: Kind (teams or service_accounts) to the names of those that there are once what is planned has been written.
    holders: Callable[[str], Collection[str]] = field(default=lambda _kind: ())
    failures: list[Failure] = field(default_factory=list)
    #: Kind to the number of objects that are listed, as far as they have been.
    expected: dict[str, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def namespace(self) -> str:
        return "default" if self.number == 1 else f"org-{self.number}"

    def before(self, *number: int) -> bool:
        """Whether Grafana is known to be older than a release, given as its first numbers."""
        known = re.match(r"(\d+)\.(\d+)", self.release)
        return known is not None and tuple(map(int, known.groups())) < number

    def _headers(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        own = {"X-Grafana-Org-Id": str(self.number)} if self.header else {}
        return {**own, **(more or {})}

    def get(self, path: str, query: Query | None = None) -> Any:
        """JSON of a GET in this organisation."""
        return self.client.get(path, query, self._headers())

    def find(self, path: str) -> Any:
        """The same, None where there is nothing."""
        try:
            return self.get(path)
        except NotFound:
            return None

    def write(self, method: str, path: str, body: Any = None, query: Query | None = None, headers: Mapping[str, str] | None = None) -> Any:
        """A change in this organisation; see ``Client.write``."""
        return self.client.write(method, path, body, query, self._headers(headers))

    def remove(self, path: str, query: Query | None = None, headers: Mapping[str, str] | None = None) -> None:
        """A DELETE in this organisation. What is gone already has been deleted."""
        with contextlib.suppress(NotFound):
            self.write("DELETE", path, query=query, headers=headers)

    def paged(
        self, path: str, size: int, size_name: str = "limit", member: str = "", query: Query | None = None, key: str = "uid"
    ) -> list[Any]:
        """Items of a list in pages; see ``Client.paged``."""
        return self.client.paged(path, size, size_name, member, query, self._headers(), key)

    def served(self, group: str) -> str:
        """The stable version in which this Grafana serves a group of the resource API, or the one before it; empty for none."""
        return next((version for version in ("v1", "v1beta1") if version in self.apis.get(group, ())), "")

    def resources(self, group: str, version: str, resource: str) -> str:
        """Path of a collection of the resource API."""
        return f"/apis/{group}/{version}/namespaces/{self.namespace}/{resource}"

    def listed(self, path: str, size: int) -> Iterator[Json]:
        """Items of a collection of the resource API, to the end. The next page is fetched while one is worked on."""

        def ask(token: str = "") -> Json:
            page: Json = self.get(path, {"limit": size, **({"continue": token} if token else {})})
            return page

        page = ask()
        while token := (page.get("metadata") or {}).get("continue") or "":
            following = self.client.begin(partial(ask, token))
            yield from page["items"]
            page = following()
        yield from page["items"]

    def wants(self, kind: str, key: str, name: str, folder: str) -> bool:
        """Whether an object is chosen."""
        return self.selection.wants(kind, key, name, folder, self.folders)

    # --- failures ------------------------------------------------------------------------------------------------

    def fail(self, kind: str, key: str, name: str, error: GrafanaError) -> None:
        """Takes note of an object that cannot be read; Incomplete unless the run is to go on without it."""
        failure = Failure(self.name, kind, key, name, status_of(error), str(error))
        with self._lock:
            self.failures.append(failure)
        if not self.keep_going or not isinstance(error, (ApiError, Unsupported)):
            raise Incomplete("not everything could be read", [failure]) from error

    def each(
        self,
        kind: str,
        things: Iterable[T],
        read: Callable[[T], R | None],
        label: Callable[[T], tuple[str, str]],
        still_listed: Callable[[], Collection[str]],
        before: int = 0,
    ) -> Iterator[R]:
        """What ``read`` gives for each of the listed things, several at a time, in order.

        label: key and name of a thing. What is gone when it is asked for has to be gone from ``still_listed`` too, or
        it counts as unreadable. before: how many objects of the kind there are that need not be read by themselves.
        """

        def attempt(thing: T) -> tuple[T, R | None, GrafanaError | None]:
            try:
                return thing, read(thing), None
            except GrafanaError as error:
                return thing, None, error

        listed_things = list(things)
        self.expected[kind] = before + len(listed_things)
        gone: dict[str, tuple[str, GrafanaError]] = {}
        for thing, result, error in self.client.map(attempt, listed_things):
            key, name = label(thing)
            if isinstance(error, NotFound):
                gone[key] = name, error
            elif error is not None:
                self.fail(kind, key, name, error)
            elif result is not None:
                yield result
        for attempt_number in range(self.client.connection.retries if gone else 0):
            listed = still_listed()
            gone = {key: value for key, value in gone.items() if key in listed}
            if not gone:
                return
            *_others, (_name, last) = gone.values()
            self.client.wait(attempt_number, last)
        for key, (name, error) in gone.items():
            self.fail(kind, key, name, error)

    # --- who is who ----------------------------------------------------------------------------------------------

    @cached_property
    def logins(self) -> dict[str, int]:
        """Login name of every member to the number of the user."""
        return {user["login"]: user["userId"] for user in self.get("/api/org/users")}

    def accounts(self) -> list[Json]:
        """The service accounts as they are now."""
        return self.paged("/api/serviceaccounts/search", 1000, "perpage", "serviceAccounts", key="id")

    def teams(self) -> list[Json]:
        """The teams as they are now."""
        return self.paged("/api/teams/search", 1000, "perpage", "teams", key="id")

    @cached_property
    def account_names(self) -> dict[int, str]:
        """Number of every service account to its name."""
        return {account["id"]: account["name"] for account in self.accounts()}

    @cached_property
    def account_numbers(self) -> dict[str, int]:
        return {name: number for number, name in self.account_names.items()}

    @cached_property
    def team_numbers(self) -> dict[str, int]:
        return {team["name"]: team["id"] for team in self.teams()}

    def forget(self) -> None:
        """Who is who is asked anew: accounts or teams were written."""
        for name in ("logins", "account_names", "account_numbers", "team_numbers"):
            self.__dict__.pop(name, None)
