# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who provisioned an object of alerting, and what that means for changes."""

from __future__ import annotations

from ..canonical import Json

#: Sent where the object is to stay editable in Grafana's user interface.
EDITABLE = {"X-Disable-Provenance": "true"}
MEMBER = "provenance"
_FILE = "file"


def marked(found: Json) -> Json:
    """The mark as it stands in a tree: ``api`` where the user interface may not edit, nothing otherwise.

    What was provisioned from a file counts as locked; a tree cannot make it come from a file elsewhere.
    """
    return {MEMBER: "api"} if found.get(MEMBER) else {}


def headers(body: Json) -> dict[str, str]:
    """Headers that make Grafana store the mark of ``body``."""
    return {} if body.get(MEMBER) else EDITABLE


def locked(what: str, found: Json) -> str:
    """Why the API may not change an object at all."""
    return f"{what} is provisioned from a file" if found.get(MEMBER) == _FILE else ""


def refused(what: str, wanted: Json, stored: Json) -> list[str]:
    """Why a change of the mark is refused: what the API provisioned never becomes editable again, except rule groups."""
    if stored.get(MEMBER) and not wanted.get(MEMBER):
        return [f"{what} is locked against the user interface in Grafana, and cannot become editable again: import it with provenance api"]
    return []
