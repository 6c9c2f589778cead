"""Grafana from a repository of packages instead of its archive."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.scenario.grafana import Visitor
from tests.scenario.site import play, ran
from tests.scenario.stack import Stack

HOSTS = ("mon1", "mon2", "mon3")
REPOSITORY = "/srv/grafana-apt"
#: Packs what runs as the vendor packs it: programs below /usr/share/grafana, a unit that starts by itself, a configuration of its own.
PACK = f"""
set -e
export DEBIAN_FRONTEND=noninteractive GNUPGHOME=/root/packing
apt-get update -q && apt-get install -q -y --no-install-recommends gnupg dpkg-dev
mkdir -p -m 0700 $GNUPGHOME; mkdir -p {REPOSITORY}; cd {REPOSITORY}
for version in 12.4.0 12.4.1; do
  rm -rf /tmp/deb; mkdir -p /tmp/deb/DEBIAN /tmp/deb/usr/share /tmp/deb/lib/systemd/system
  cp -aL /opt/monitoring-ha/grafana/current /tmp/deb/usr/share/grafana
  echo "$version" > /tmp/deb/usr/share/grafana/PACKAGED
  touch -d "2026-01-01 ${{version##*.}} days" /tmp/deb/usr/share/grafana/bin/grafana
  printf '[Service]\\nExecStart=/usr/share/grafana/bin/grafana server\\n[Install]\\nWantedBy=multi-user.target\\n' \\
    > /tmp/deb/lib/systemd/system/grafana-server.service
  printf 'Package: grafana\\nVersion: %s\\nArchitecture: all\\nMaintainer: nobody <a@example.org>\\nDescription: it\\n' "$version" \\
    > /tmp/deb/DEBIAN/control
  printf '#!/bin/sh\\nset -e\\nmkdir -p /etc/grafana\\n[ -e /etc/grafana/grafana.ini ] || echo "[server]" > /etc/grafana/grafana.ini
chown -R root:grafana /etc/grafana\\nsystemctl daemon-reload\\nsystemctl enable grafana-server || true\\n' > /tmp/deb/DEBIAN/postinst
  chmod 0755 /tmp/deb/DEBIAN/postinst
  dpkg-deb --root-owner-group --build /tmp/deb grafana_"$version"_all.deb
done
gpg --batch --passphrase '' --quick-generate-key 'Packer <packer@example.org>' ed25519 sign never
gpg --armor --export > key.asc
dpkg-scanpackages --multiversion . > Packages
apt-ftparchive release . > Release || printf 'Date: %s\\nSHA256:\\n %s %s Packages\\n' "$(date -Ru)" \\
  "$(sha256sum Packages | cut -d' ' -f1)" "$(stat -c %s Packages)" > Release
gpg --batch --clearsign -o InRelease Release
chmod -R a+rX {REPOSITORY}
"""


def programs(stack: Stack) -> dict[str, str]:
    """Host → program of the Grafana that runs there."""
    ask = "systemctl show -p ExecStart --value grafana.service | sed -n 's/.*path=\\([^ ]*\\) ;.*/\\1/p'"
    return {host: stack.run(host, ask).strip() for host in HOSTS}


def packaged(stack: Stack) -> set[str]:
    return {stack.run(host, "dpkg-query --show --showformat '${Version}' grafana") for host in HOSTS}


@pytest.fixture(scope="module")
def variables(stack: Stack) -> Iterator[dict[str, Any]]:
    """The repository on every host, and what an inventory says of it; the archive again afterwards."""
    stack.run("mon1", PACK)
    content, _about = stack.container("mon1").get_archive(REPOSITORY)
    data = b"".join(content)
    for host in HOSTS[1:]:
        assert stack.container(host).put_archive("/srv", data)
    key = stack.run("mon1", f"cat {REPOSITORY}/key.asc")
    own = {"grafana_apt_repository": f"file:{REPOSITORY}", "grafana_apt_suite": "./", "grafana_apt_key": key}
    yield {"grafana_source": "apt", "grafana_version": "12.4.0", **own}
    ran("site", "--tags", "dashboards")
    assert all(path.startswith("/opt/monitoring-ha/grafana/") for path in programs(stack).values())


def test_the_package_runs_and_a_second_run_changes_nothing(stack: Stack, variables: dict[str, Any]) -> None:
    ran("site", "--tags", "dashboards", variables=variables)
    assert set(programs(stack).values()) == {"/usr/share/grafana/bin/grafana"} and packaged(stack) == {"12.4.0"}
    assert {stack.run(host, "systemctl is-enabled grafana-server", check=False).strip() for host in HOSTS} == {"masked"}
    assert Visitor(stack).administrator().get("/api/org")["id"] == 1
    again = play("site", "--tags", "dashboards", variables=variables)
    assert again.code == 0 and again.changed == {}, again.output


def test_another_version_is_taken_by_one_instance_after_the_other(stack: Stack, variables: dict[str, Any]) -> None:
    starts = {host: stack.run(host, "systemctl show -p InvocationID --value grafana") for host in HOSTS}
    ran("site", "--tags", "dashboards", variables={**variables, "grafana_version": "12.4.1"})
    assert packaged(stack) == {"12.4.1"}
    assert all(stack.run(host, "systemctl show -p InvocationID --value grafana") != starts[host] for host in HOSTS)
    assert Visitor(stack).administrator().get("/api/org")["id"] == 1


def test_a_repository_without_a_version_is_told_before_anything_is_touched(stack: Stack, variables: dict[str, Any]) -> None:
    done = play("site", "--tags", "preflight", variables={**variables, "grafana_version": ""})
    assert done.code == 2 and any("grafana_version is not named" in message for message in done.failures), done.failures
