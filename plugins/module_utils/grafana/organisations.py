# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which organisations there are, and how to get at one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from .client import Client
from .errors import ApiError, Denied, GrafanaError
from .organisation import Org
from .paging import ORGANISATIONS
from .paging import organisations as numbered

ALL = "all"


def instance(client: Client) -> tuple[str, dict[str, frozenset[str]]]:
    """(release, group to versions of the resource API) of Grafana. The release is empty where Grafana hides it.

    GrafanaError when the resource API does not answer although the release has it, as the other one tells less.
    """
    release = str((client.get("/api/health") or {}).get("version", ""))
    try:
        groups = client.get("/apis")["groups"]
    except ApiError as error:
        if error.status not in (403, 404):
            raise
        if _has_resources(release):
            raise GrafanaError(f"{error}: Grafana {release} has /apis, which whatever is in front of it has to let through") from error
        groups = []
    return release, {group["name"]: frozenset(one["version"] for one in group["versions"]) for group in groups}


def _has_resources(release: str) -> bool:
    """Whether a release is known to have the resource API: 12 and later."""
    major = release.partition(".")[0]
    return major.isdecimal() and int(major) >= 12


def current(client: Client, release: str, apis: dict[str, frozenset[str]]) -> Org:
    """The organisation that the credentials lead to."""
    found = client.get("/api/org")
    return Org(client, found["id"], found["name"], not client.connection.token, release, apis)


def listed(client: Client, wanted: Sequence[str], release: str, apis: dict[str, frozenset[str]]) -> Iterator[Org]:
    """Organisations by name or id, ``all`` for all of them; the one of the credentials where none is named.

    GrafanaError when there is none of that name, or when the credentials do not reach it: before anything of any is read.
    """
    own = current(client, release, apis)
    if not wanted or list(wanted) in ([own.name], [str(own.number)]):
        yield own
        return
    known = every(client)
    for name in wanted:
        if name != ALL and name not in known and name not in map(str, known.values()):
            raise GrafanaError(f"there is no organisation {name!r}")
    chosen = [(name, number) for name, number in sorted(known.items()) if ALL in wanted or name in wanted or str(number) in wanted]
    found = [Org(client, number, name, True, release, apis) for name, number in chosen]
    check_all_reached(found, own)
    yield from found


def check_all_reached(orgs: Iterable[Org], own: Org) -> None:
    """``check_reached`` for all that there are; the user's own is reached without a word of it."""
    for org in orgs:
        if org.number not in (0, own.number):
            check_reached(org)


def check_reached(org: Org) -> None:
    """GrafanaError unless Grafana acts in the organisation that requests name.

    Where it does not, lists are empty, and nothing says so, or they are those of the user's own organisation.
    """
    try:
        there = org.get("/api/org").get("id")
    except ApiError as error:
        if error.status >= 500 or error.status == 429:
            raise
        there, why = None, f" ({error})"
    else:
        why = f" (Grafana answers for the organisation of id {there} instead of {org.number})"
    if there != org.number:
        raise GrafanaError(
            f"organisation {org.name!r}: the user is no member of it, or something in front of Grafana drops X-Grafana-Org-Id: "
            f"add {org.client.connection.user!r} to its users, as an administrator, and let that header through{why}"
        )


def every(client: Client) -> dict[str, int]:
    """Name to id of all organisations. GrafanaError for credentials that may not see them, and for a list that lacks the own one."""
    if client.connection.token:
        raise GrafanaError("a token belongs to one organisation: use the user and password of a server administrator for others")
    try:
        known = numbered(lambda page: client.get("/api/orgs", {"perpage": ORGANISATIONS, "page": page}))
    except Denied as error:
        raise GrafanaError(f"only a server administrator can see all organisations: {error}") from error
    own = client.get("/api/org")
    if own["id"] not in known.values():
        # Nothing can be said of the rest of such a list either.
        raise GrafanaError(f"the list of organisations lacks {own['name']!r}, which the credentials belong to")
    return known


def create(client: Client, name: str) -> int:
    """Makes an organisation, whose administrator the user becomes; its id."""
    number: int = client.write("POST", "/api/orgs", {"name": name})["orgId"]
    return number
