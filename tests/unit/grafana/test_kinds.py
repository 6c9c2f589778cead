"""An object of Grafana and its file are the same object."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.errors import TreeError
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.kinds import contact_points, furnishings

DEFAULT = "grafana-default-email"


def webhook(**settings: Any) -> dict[str, Any]:
    return {"name": DEFAULT, "uid": "by chance", "type": "webhook", "settings": settings}


@pytest.mark.parametrize(
    "integrations",
    [
        # With the placeholder the other one comes first, as ``[`` is less than a letter.
        [webhook(password="[REDACTED]", url="http://b"), webhook(password="plain", url="http://a")],
        [webhook(http={"token": "[REDACTED]"}, url="http://b"), webhook(http={"token": "t"}, url="http://a")],
        [webhook(url="http://a"), {**webhook(url="http://a"), "disableResolveMessage": True}],
    ],
)
def test_the_default_contact_point(integrations: list[dict[str, Any]]) -> None:
    """Its integrations have uids by their places among each other, whatever is shown of secrets."""
    live = contact_points._live(DEFAULT, integrations)
    assert contact_points._live(DEFAULT, integrations[::-1]).body == live.body
    file = json.loads(live.content)
    assert contact_points.ContactPointKind().parse(file, "", "path").body == live.body
    assert contact_points.ContactPointKind().parse({**file, "integrations": file["integrations"][::-1]}, "", "path").body == live.body


def test_an_annotation_without_a_text() -> None:
    kind, live = furnishings.AnnotationKind(), furnishings._annotation({"id": 1, "time": 1000, "text": "", "tags": ["x"]})
    assert kind.file_name(live).startswith("1000-untitled.")
    assert kind.parse(json.loads(live.content), "", "path").key == live.key
    with pytest.raises(TreeError, match="path: text is no text"):
        kind.parse({"time": 1000, "text": 5}, "", "path")
