"""Every role's argument_specs say exactly what its defaults do."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROLES = sorted(path.name for path in (Path(__file__).parents[2] / "roles").iterdir() if path.is_dir())


def load(role: str, file: str) -> Any:
    return yaml.safe_load((Path(__file__).parents[2] / "roles" / role / file).read_text(encoding="utf-8"))


def options(role: str) -> dict[str, Any]:
    found: dict[str, Any] = load(role, "meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    return found


@pytest.mark.parametrize("role", ROLES)
def test_same_keys_and_values(role: str) -> None:
    defaults = load(role, "defaults/main.yml")
    specified = options(role)
    optional = {name: option for name, option in specified.items() if not option.get("required")}
    assert set(optional) == set(defaults)
    differing = {name for name, option in optional.items() if normal(option["default"]) != normal(defaults[name])}
    assert not differing


def normal(value: Any) -> Any:
    """Folded strings of YAML differ in blanks only."""
    return " ".join(value.split()) if isinstance(value, str) else value


@pytest.mark.parametrize("role", ROLES)
def test_every_option_is_typed_and_described(role: str) -> None:
    for name, option in options(role).items():
        assert option.get("type"), f"{name} has no type"
        assert option.get("description"), f"{name} has no description"
        assert name.startswith(f"{role}_"), f"{name} lacks the role's prefix"
        if option["type"] == "list":
            assert option.get("elements"), f"{name} does not say what its elements are"


@pytest.mark.parametrize(
    ("role", "option", "files"),
    [("grafana", "grafana_stack_dashboards", "dashboards/*.json"), ("prometheus", "prometheus_stack_rules", "rules/*.yml")],
)
def test_what_comes_with_a_role_is_what_can_be_chosen(role: str, option: str, files: str) -> None:
    found = (Path(__file__).parents[2] / "roles" / role / "files").glob(files)
    assert options(role)[option]["choices"] == sorted(path.stem for path in found)


def uses(kind: str) -> list[tuple[str, str, str]]:
    """(file, option, what follows it) of each place where a role uses an option of a type."""
    names = "|".join(name for role in ROLES for name, option in options(role).items() if option["type"] == kind)
    found = re.compile(rf"\b({names})\b(?!:)(.*)")
    roles = Path(__file__).parents[2] / "roles"
    files = [path for place in ("tasks", "vars", "templates") for path in roles.glob(f"*/{place}/*")]
    return [(path.name, its[1], its[2]) for path in files for its in found.finditer(path.read_text(encoding="utf-8"))]


def test_false_is_not_taken_for_true() -> None:
    """The command line gives text, and any text is true."""
    assert not [its for its in uses("bool") if not its[2].startswith((" | bool", " says"))]


def test_text_is_not_counted_with() -> None:
    assert not [its for its in uses("int") if re.match(r"\s*[-+*/<>]", its[2].replace("}}", ""))]
