"""What the modules document is what they take, and the command line takes the same."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest
import yaml
from ansible_collections.monitoring.ha.plugins.doc_fragments.grafana import ModuleDocFragment
from ansible_collections.monitoring.ha.plugins.module_utils.grafana import cli, options
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.kinds import KINDS

MODULES = {"grafana_export": options.EXPORT, "grafana_import": options.IMPORT, "grafana_diff": options.DIFF}


def documented(name: str) -> dict[str, Any]:
    module = import_module(f"ansible_collections.monitoring.ha.plugins.modules.{name}")
    text = yaml.safe_load(module.DOCUMENTATION)
    found: dict[str, Any] = {}
    for fragment in text["extends_documentation_fragment"]:
        suffix = fragment.removeprefix("monitoring.ha.grafana").lstrip(".").upper() or "DOCUMENTATION"
        found |= yaml.safe_load(getattr(ModuleDocFragment, suffix))["options"]
    found |= text.get("options", {})
    return found


@pytest.mark.parametrize("name", MODULES)
def test_documentation_tells_the_truth(name: str) -> None:
    found, spec = documented(name), MODULES[name]
    assert found.keys() == spec.keys()
    for option, described in found.items():
        for member in ("type", "default", "choices", "elements", "required"):
            assert described.get(member) == spec[option].get(member), (option, member)


def test_kinds_are_all_documented() -> None:
    assert yaml.safe_load(ModuleDocFragment.SELECTION)["options"]["kinds"]["choices"] == list(KINDS)


def test_secrets_are_marked() -> None:
    assert {name for name, one in options.IMPORT.items() if one.get("no_log")} == {"password", "token", "secrets"}


@pytest.mark.parametrize("command", ["export", "import", "diff"])
def test_command_line_takes_what_the_modules_take(command: str) -> None:
    parsed = vars(cli.parser().parse_args([command, "tree", "--url", "http://x"]))
    spec = MODULES[f"grafana_{command}"]
    names = {"password": "password_file", "token": "token_file", "dest": "tree", "src": "tree"}
    assert not {names.get(name, name) for name in spec} - parsed.keys()
    for name in set(spec) & parsed.keys() - {"url", "user"}:
        default = spec[name].get("default")
        assert (parsed[name] or None) == (default or None), name
