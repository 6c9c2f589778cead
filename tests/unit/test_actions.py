"""Actions take what their documentation says, and nothing else."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest
import yaml

from tools.steps import ROOT

ACTIONS = sorted(path.stem for path in (ROOT / "plugins" / "action").glob("*.py") if path.stem != "__init__")
COLLECTION = "ansible_collections.monitoring.ha.plugins"


def documented(path: Path) -> set[str]:
    """Options, also those that it shares with others."""
    found = re.search(r'DOCUMENTATION = r"""(.*?)"""', path.read_text(encoding="utf-8"), re.DOTALL)
    assert found
    text = yaml.safe_load(found[1])
    shared = [ROOT / "plugins" / "doc_fragments" / f"{name.split('.')[2]}.py" for name in text.get("extends_documentation_fragment", ())]
    return set(text["options"]).union(*map(documented, shared))


@pytest.mark.parametrize("name", ACTIONS)
def test_an_action_knows_the_options_of_its_documentation(name: str) -> None:
    action = importlib.import_module(f"{COLLECTION}.action.{name}").ActionModule
    assert set(action._VALID_ARGS) == documented(ROOT / "plugins" / "modules" / f"{name}.py")
