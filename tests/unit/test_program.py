"""Programs of the collection's that run on hosts without Ansible: they have all that they import."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from ansible.errors import AnsibleLookupError
from ansible_collections.monitoring.ha.plugins.lookup.program import files

ROLES = Path(__file__).resolve().parent.parent.parent / "roles"
#: Role → names of modules, as it gives them.
NAMED = {
    path.parent.parent.name: re.findall(r"'(\w+)'", found[1])
    for path in (*ROLES.glob("*/vars/main.yml"), *ROLES.glob("*/tasks/main.yml"))
    if (found := re.search(r"query\('monitoring\.ha\.program', ([^)]*)\)", path.read_text(encoding="utf-8")))
}


def test_both_databases_have_one() -> None:
    assert set(NAMED) == {"postgresql", "mariadb"}


@pytest.mark.parametrize("role", NAMED)
def test_a_program_starts_with_what_its_role_gives_it(tmp_path: Path, role: str) -> None:
    for its in files(NAMED[role]):
        path = tmp_path / its["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(its["content"] if "content" in its else Path(its["src"]).read_text(encoding="utf-8"), encoding="utf-8")
    program = yaml.safe_load((ROLES / role / "vars" / "main.yml").read_text(encoding="utf-8"))[f"{role}_program"]
    # Without packages of the controller's, so that nothing comes from another place.
    command = [sys.executable, "-S", "-c", f"import {program}"]
    done = subprocess.run(command, env={"PYTHONPATH": str(tmp_path / "lib")}, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_name_that_is_none_is_refused() -> None:
    with pytest.raises(AnsibleLookupError, match="no module 'nowhere'"):
        files(["https", "nowhere"])
