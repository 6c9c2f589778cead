"""The whole stack on three hosts of this machine, from nothing; and every trace of it gone again.

``python -m tools.demo up | down [--image]``
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from pathlib import Path

from tools import grafana
from tools.steps import ROOT, Failed, Steps

INVENTORY = "inventories/demo"
STATE = ROOT / "build" / "demo"
FAST = {"ANSIBLE_STRATEGY": os.environ.get("ANSIBLE_STRATEGY", "mitogen_linear")}


def play(name: str, *arguments: str) -> list[str]:
    """The command that runs a playbook of the collection against the demo's inventory."""
    return [str(Path(sys.executable).with_name("ansible-playbook")), "-i", INVENTORY, f"playbooks/{name}.yml", *arguments]


def up() -> None:
    """From a fresh clone to a running stack; run again it changes nothing."""
    kind = grafana.prepare()
    steps = Steps(4)
    steps.step("Releases: archives, or builds where none can be had", "demo-releases", play("mirror"))
    steps.step("Hosts: container engine, image, three hosts", "demo-hosts", play("test_hosts"))
    site = steps.step("Stack: the whole site", "demo-site", play("site"), environment=FAST)
    steps.step("Verification: every member and front end, seen from outside", "demo-verify", play("verify"), environment=FAST)
    print("\n" + summary(site.output))
    if kind == "stand-in":
        print("Grafana cannot be downloaded here: its address leads to a stand-in, which has the API and no pages.")
    query = json.loads((STATE / "endpoints.json").read_text(encoding="utf-8"))["query"]
    print(f"Passwords and URLs for programs: {STATE / 'endpoints.json'}")
    print("Try it:")
    print(f"  curl --cacert {STATE}/pki/ca.pem --user {query['user']}:$(cat {STATE}/secrets/admin) '{query['url']}/api/v1/query?query=up'")
    print("  docker kill ha-demo-mon1        # one host loses power; docker start brings it back")
    print("  make demo-down                  # everything gone again")


def summary(output: str) -> str:
    """The table at the end of the site's output."""
    lines = output.splitlines()
    start = next((n for n, line in enumerate(lines) if line.startswith("What runs where")), len(lines))
    return "\n".join(line for line in lines[start:] if line[:1] in ("W", "H", " ") and not line.startswith("  ok"))


def down(image: bool) -> None:
    """Hosts, network, state, and on request the image."""
    steps = Steps(1)
    removal = ["-e", "test_hosts_state=absent", "-e", f"test_hosts_remove_image={str(image).lower()}"]
    steps.step("Hosts and network removed", "demo-down", play("test_hosts", *removal))
    shutil.rmtree(STATE, ignore_errors=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("verb", choices=["up", "down"])
    parser.add_argument("--image", action="store_true", help="remove the hosts' image too")
    arguments = parser.parse_args()
    try:
        up() if arguments.verb == "up" else down(arguments.image)
    except Failed as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
