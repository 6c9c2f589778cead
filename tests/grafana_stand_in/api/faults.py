"""The faults of this instance, for tests."""

from __future__ import annotations

import re
from typing import Any

from ..cluster.faults import Plan
from ..identity.access import server_admin
from ..web.context import Context
from ..web.errors import bad_request
from ..web.routing import route

_NEED = server_admin("server:faults")


@route("GET", "/-/stand-in/faults", _NEED)
def show(context: Context) -> dict[str, Any]:
    return context.app.faults.describe()


@route("PUT", "/-/stand-in/faults", _NEED)
def change(context: Context) -> dict[str, Any]:
    try:
        plan = Plan.of(context.body.fields)
    except (ValueError, TypeError, re.error) as error:
        raise bad_request(str(error)) from error
    context.app.faults.set(plan)
    # The index of a lagging node holds what was there before.
    context.session.commit()
    context.app.listing.start_lagging()
    return context.app.faults.describe()


@route("DELETE", "/-/stand-in/faults", _NEED)
def clear(context: Context) -> dict[str, Any]:
    context.app.faults.set(Plan())
    return context.app.faults.describe()
