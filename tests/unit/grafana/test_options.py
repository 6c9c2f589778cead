"""What the modules document is what they take, and the command line takes the same."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest
import yaml
from ansible_collections.monitoring.ha.plugins.doc_fragments.grafana import ModuleDocFragment
from ansible_collections.monitoring.ha.plugins.module_utils.grafana import cli, given, options
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.errors import GrafanaError
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.kinds import KINDS
from ansible_collections.monitoring.ha.plugins.module_utils.grafana.selection import Selection

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


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"kinds": "dashboards"}, "v.kinds is text, not a list of texts: write it as [dashboards]"),
        ({"kinds": ["dashboard"]}, "v.kinds has no choice 'dashboard': did you mean dashboards?"),
        ({"kinds": {"dashboards": True}}, "v.kinds is a mapping, not a list of texts: write it as [one, another]"),
        ({"names": ["a", ["b"]]}, "v.names is a list, not a list of texts"),
        ({"names": ["a", ""]}, "v.names has an empty entry: remove it"),
        ({"on_error": "go on"}, "v.on_error has no choice 'go on': known are continue, fail"),
        ({"on_error": True}, "v.on_error is true, not text"),
        ({"retries": "many"}, "v.retries is text, not a whole number"),
        ({"retries": True}, "v.retries is true, not a whole number"),
        ({"timeout": "nan"}, "v.timeout is text, not a number"),
        ({"verify": "perhaps"}, "v.verify is text, not true or false"),
        ({"ca": 5}, "v.ca is 5, not a path"),
        ({"kind": ["dashboards"]}, "v has an unknown option 'kind': did you mean kinds?"),
        ({"url": None}, "v has no url: add it"),
    ],
)
def test_options_that_no_module_has_looked_at(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(GrafanaError) as caught:
        given.taken({"url": "http://x", "dest": "/x", **wrong}, options.EXPORT, "v")
    assert str(caught.value).startswith(words) and "; " not in str(caught.value)


def test_they_get_types_and_defaults() -> None:
    found = given.taken(
        {"url": "http://x", "dest": "/x", "retries": "3", "timeout": 2, "verify": "no", "kinds": None, "names": [5]}, options.EXPORT, "v"
    )
    assert (found["retries"], found["timeout"], found["verify"], found["kinds"], found["names"]) == (3, 2.0, False, [], ["5"])
    assert found.keys() == options.EXPORT.keys() and found["on_error"] == "fail"


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ({"kinds": "dashboards"}, "kinds is 'dashboards', not a list"),
        ({"names": "Node *"}, "names is 'Node \\*', not a list"),
        ({"kinds": ["dashboard"]}, "there is no kind 'dashboard', the nearest are 'dashboards'"),
    ],
)
def test_a_choice_of_nothing_is_none(chosen: dict[str, Any], words: str) -> None:
    with pytest.raises(GrafanaError, match=words):
        Selection.of(chosen)
