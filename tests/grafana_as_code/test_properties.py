"""Whatever an organisation holds comes back the same, whoever wrote it in whatever order.

``GRAFANA_EXAMPLES`` is the number of organisations that are made up; 15 by default.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from .site import Site, objects

EXAMPLES = int(os.environ.get("GRAFANA_EXAMPLES", "15"))
#: What the database of the stand-in takes: no NUL, no half surrogates.
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30)
TITLE = TEXT.map(lambda text: (text.strip() or "x")[:100])
UID = st.text("abcdefgXYZ0123-_", min_size=1, max_size=40)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=10,
)

#: What the server gives, or the test does.
GIVEN = ("id", "uid", "version", "title", "iteration", "tags")


@dataclass
class Content:
    """Folders as (uid, title, number of the parent or -1), dashboards as (uid, title, number of the folder or -1, members)."""

    folders: list[tuple[str, str, int]] = field(default_factory=list)
    dashboards: list[tuple[str, str, int, dict[str, Any]]] = field(default_factory=list)
    playlists: list[tuple[str, list[str]]] = field(default_factory=list)
    templates: dict[str, str] = field(default_factory=dict)
    sources: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)


@st.composite
def organisations(draw: st.DrawFn) -> Content:
    uids = draw(st.lists(UID, unique_by=str.lower, min_size=1, max_size=8))
    cut = draw(st.integers(0, min(len(uids), 4)))
    folders = [(uid, draw(TITLE), draw(st.integers(-1, number - 1))) for number, uid in enumerate(uids[:cut]) if uid != "general"]
    members = st.dictionaries(
        TEXT.filter(lambda name: name not in ("id", "uid", "version", "title", "iteration", "tags")), VALUES, max_size=4
    )
    dashboards = [(uid, draw(TITLE), draw(st.integers(-1, len(folders) - 1)), draw(members)) for uid in uids[cut:]]
    playlists = draw(st.lists(st.tuples(TITLE, st.lists(UID, max_size=3)), max_size=3))
    name = st.text("abc ./%?#ä\N{FIRE}", min_size=1, max_size=12).map(str.strip).filter(lambda text: text not in ("", ".", ".."))
    templates = draw(st.dictionaries(name, st.text("abc \n\N{FIRE}", min_size=1, max_size=20).filter(str.strip), max_size=2))
    sources = [(uid, f"{number} {draw(TITLE)}", draw(st.dictionaries(TEXT, VALUES, max_size=2))) for number, uid in enumerate(uids[:2])]
    return Content(folders, dashboards, playlists, templates, sources)


def write(site: Site, content: Content) -> None:
    fill = site.fill
    for uid, title, parent in content.folders:
        fill.folder(uid, title, content.folders[parent][0] if parent >= 0 else "")
    for uid, title, folder, members in content.dashboards:
        place = content.folders[folder][0] if folder >= 0 else ""
        fill.send("POST", "/api/dashboards/db", {"dashboard": {**members, "uid": uid, "title": title}, "folderUid": place})
    for name, values in content.playlists:
        items = [{"type": "dashboard_by_uid", "value": value, "order": number} for number, value in enumerate(values, 1)]
        fill.send("POST", "/api/playlists", {"name": name, "interval": "5m", "items": items})
    for name, text in content.templates.items():
        fill.send("PUT", f"/api/v1/provisioning/templates/{quote(name, safe='')}", {"template": text})
    for uid, name, data in content.sources:
        fill.send("POST", "/api/datasources", {"uid": uid, "name": name, "type": "loki", "access": "proxy", "jsonData": data})


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(content=organisations())
@example(content=Content(dashboards=[("member", "x", -1, {"dashboard": {"title": "not its own"}})]))
def test_round_trip(new_site: Callable[..., Site], content: Content) -> None:
    source, target = new_site(), new_site()
    write(source, content)
    first = source.export("first")
    counts = source.exported.counts[source.name]
    assert (counts["folders"], counts["dashboards"]) == (len(content.folders), len(content.dashboards))
    assert (counts["playlists"], counts["data_sources"]) == (len(content.playlists), len(content.sources))
    target.bring(first, source.name)
    assert objects(target.export("second")) == objects(first)
    assert not target.bring(first, source.name).changed
