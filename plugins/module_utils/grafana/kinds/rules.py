# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Alert rule groups."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from .. import names
from ..canonical import Json, without
from ..client import segment
from ..errors import Conflict, TreeError
from ..organisation import Org
from . import provenance
from .base import Item, Kind, Live, required
from .dashboards import has_resources
from .rule_content import comparable, completed

_RULES = "/api/v1/provisioning/alert-rules"
#: Given by the server, or by the place of the rule.
_GIVEN = ("id", "orgID", "updated", "provenance", "folderUID", "ruleGroup", "version", "guid", "updatedBy")


class RuleGroupKind(Kind):
    """Alert rules with the interval and the order that their group gives them; a file holds one group."""

    name = "alert_rules"
    foldered = True
    parallel = False
    divisible = True

    def read_all(self, org: Org) -> Iterator[Live]:
        def groups() -> list[tuple[str, str]]:
            return sorted({(rule["folderUID"], rule["ruleGroup"]) for rule in org.get(_RULES)})

        return org.each(
            self.name,
            groups(),
            lambda place: _live(org.get(_path(*place))),
            lambda place: (_key(*place), place[1]),
            lambda: {_key(*place) for place in groups()},
        )

    def places(self, org: Org) -> Iterator[tuple[str, str]]:
        yield from ((rule["ruleGroup"], rule["folderUID"]) for rule in org.get(_RULES))

    def read(self, org: Org, key: str) -> Live | None:
        answer = org.find(_path(*key.split("/", 1)))
        return None if answer is None or not answer.get("rules") else _live(answer)

    def create(self, org: Org, item: Item) -> None:
        # The same request creates and updates; a group that somebody has made by now is not to be replaced.
        if self.read(org, item.key) is not None:
            raise Conflict("PUT", _path(item.folder, item.name), 409, "there is a group of this name by now")
        self._put(org, item)

    def update(self, org: Org, item: Item, live: Live) -> None:
        now = self.read(org, item.key)
        if now is not None and now.digest != live.digest:
            raise Conflict("PUT", _path(item.folder, item.name), 409, "changed meanwhile")
        self._put(org, item)

    def _put(self, org: Org, item: Item) -> None:
        place = {"folderUID": item.folder, "ruleGroup": item.name}
        body = {
            "title": item.name,
            "folderUid": item.folder,
            "interval": item.body["interval"],
            "rules": [{**rule, **place} for rule in item.body["rules"]],
        }
        org.write("PUT", _path(item.folder, item.name), body, headers=provenance.headers(item.body))

    def delete(self, org: Org, live: Live) -> None:
        # Its rules have moved to another group.
        org.remove(_path(live.folder, live.name), headers=provenance.headers(live.body))

    def file_name(self, item: Item) -> str:
        return names.of_name(item.name)

    def claims(self, org: Org, item: Item) -> dict[str, str]:
        # Before Grafana 12, titles are unique within a folder.
        if has_resources(org):
            return {}
        return {f"{item.folder}/{rule.get('title')}": str(rule.get("uid", "")) for rule in item.body["rules"]}

    def clash(self, key: str, name: str, claim: str, at: str, holder: str) -> str:
        group, title = at.partition("/")[2], claim.partition("/")[2]
        return (
            f"rule group {name!r}: the rule {holder} of the group {group!r} has the title {title!r} in Grafana, and titles are unique "
            f"within a folder: delete or rename it (prune deletes it if the tree lacks it)"
        )

    def parts(self, item: Item) -> set[str]:
        # A group that is written takes its rules out of the groups that they are in.
        return {rule["uid"] for rule in item.body["rules"] if rule.get("uid")}

    def aside(self, live: Live) -> Item:
        rules = [{**rule, "title": f"{rule['title'][:140]} ({rule['uid']})"} for rule in live.body["rules"]]
        return replace(live, body={**live.body, "rules": rules})

    def parse(self, body: Json, folder: str, path: str) -> Item:
        title, rules = required(body, "title", path), body.get("rules")
        if not isinstance(rules, list) or not rules or not isinstance(body.get("interval"), int):
            raise TreeError(f"{path}: a rule group needs rules and an interval in seconds")
        if not folder:
            raise TreeError(f"{path}: a rule group has to be in a folder")
        # Grafana would give a new uid to a rule that brings none, in every run.
        known = [completed({**rule, "uid": rule.get("uid") or names.derived_uid(path, str(number))}) for number, rule in enumerate(rules)]
        return Item(_key(folder, title), title, _body(title, body["interval"], known, provenance.marked(body)), folder)

    def same(self, one: Item, other: Item) -> bool:
        return super().same(one, other) or _comparable(one).digest == _comparable(other).digest


def _key(folder: str, group: str) -> str:
    return f"{folder}/{group}"


def _path(folder: str, group: str) -> str:
    return f"/api/v1/provisioning/folder/{segment(folder)}/rule-groups/{segment(group)}"


def _rule(rule: Json) -> Json:
    kept = without(rule, *_GIVEN)
    # An empty mapping and none at all are the same to Grafana; which one it sends depends on its version.
    return {name: value for name, value in kept.items() if name not in ("labels", "annotations") or value}


def _comparable(group: Item) -> Item:
    return replace(group, body={**group.body, "rules": [comparable(rule) for rule in group.body["rules"]]})


def _body(title: str, interval: int, rules: list[Json], mark: Json) -> Json:
    return {"title": title, "interval": interval, "rules": [_rule(rule) for rule in rules], **mark}


def _live(group: Json) -> Live:
    rules: list[Json] = group["rules"]
    first = rules[0] if rules else {}
    title, folder = group["title"], group["folderUid"]
    body = _body(title, group["interval"], rules, provenance.marked(first))
    return Live(_key(folder, title), title, body, folder, locked=provenance.locked(f"rule group {title!r}", first))
