"""Who may change what somebody provisioned."""

from __future__ import annotations

from ..release import Release
from ..web.context import Context
from ..web.errors import ApiError, classic, errutil

API, FILE, NONE = "api", "file", ""


def sent(context: Context) -> str:
    """The presence of the header counts, not its value."""
    return NONE if "x-disable-provenance" in context.request.headers else API


def mismatch(release: Release, stored: str, wanted: str) -> ApiError:
    if release.provenance_conflict_is_409:
        return errutil(409, "alerting.provenanceMismatch", f"cannot update with provided provenance '{wanted}', needs '{stored}'")
    return classic(500, f"cannot change provenance from '{stored}' to '{wanted}'")


def check(release: Release, stored: str, wanted: str) -> None:
    if stored not in (NONE, wanted):
        raise mismatch(release, stored, wanted)


def check_group(release: Release, stored: str, wanted: str) -> None:
    """Replacing a whole rule group may also take the mark away that the API left."""
    if (stored, wanted) != (API, NONE):
        check(release, stored, wanted)
