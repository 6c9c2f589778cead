"""The stack's dashboards: canonical, complete, and every expression is one."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from tests.scenario import dashboards
from tests.unit.test_rules import promtool, run
from tools.steps import ROOT

__all__ = ["promtool"]
each_file = pytest.mark.parametrize("file", dashboards.FILES, ids=lambda file: file.stem)


@each_file
def test_it_is_canonical(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert text == json.dumps(json.loads(text), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


@each_file
def test_nothing_in_it_belongs_to_one_grafana(file: Path) -> None:
    its = dashboards.read(file)
    assert its["uid"] == f"monitoring-ha-{file.stem}"
    assert not {"id", "version", "iteration", "__inputs", "__requires"} & set(its)
    used = {json.dumps(target["datasource"]) for panel in its["panels"] for target in panel.get("targets", [])}
    assert used == {json.dumps({"type": "prometheus", "uid": "${datasource}"})}


@each_file
def test_panels_are_told_apart_and_do_not_overlap(file: Path) -> None:
    its = dashboards.read(file)["panels"]
    assert len({panel["id"] for panel in its}) == len(its)
    shown = [panel["title"] for panel in its]
    assert len(set(shown)) == len(shown)
    taken: set[tuple[int, int]] = set()
    for panel in its:
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
        assert not cells & taken and max(x for x, _ in cells) < 24, panel["title"]
        taken |= cells


def test_every_expression_is_one(promtool: Path, tmp_path: Path) -> None:
    found = [(panel, letter, text) for panel in dashboards.PANELS for letter, text in panel.expressions.items()]
    rules = [{"record": f"panel:{number}", "expr": text} for number, (_, _, text) in enumerate(found)]
    (tmp_path / "panels.yml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}), encoding="utf-8")
    run(promtool, "check", "rules", tmp_path / "panels.yml")


def test_the_role_knows_every_dashboard() -> None:
    chosen = (ROOT / "roles" / "grafana" / "vars" / "main.yml").read_text(encoding="utf-8")
    table = chosen[chosen.index("grafana_stack_dashboards_applicable: ") :]
    assert sorted(re.findall(r"^        '(\w+)': \[", table, re.MULTILINE)) == [file.stem for file in dashboards.FILES]
