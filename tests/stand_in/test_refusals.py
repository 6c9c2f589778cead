"""What Grafana refuses to start with, the stand-in refuses too, and says why."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from .databases import DatabaseServer
from .instances import Instance, Make, Refused, database_section

VERSION = "12.4.0"
SOURCE = "apiVersion: 1\ndatasources:\n- {name: %s, uid: %s, type: prometheus, access: proxy, url: 'http://127.0.0.1:9'}\n"
POINT = "contactPoints:\n- orgId: 1\n  name: pager\n  receivers: [{uid: pager, type: webhook, settings: {url: 'http://127.0.0.1:9'}}]\n"


@pytest.fixture
def start(make: Make, postgres: DatabaseServer) -> Callable[..., Instance]:
    database = database_section(postgres, postgres.new_database())

    def attempt(files: dict[str, str] | None = None, **sections: dict[str, str]) -> Instance:
        sections["database"] = {**database, **sections.get("database", {})}
        instance = make(VERSION, sections)
        for name, text in (files or {}).items():
            (instance.provisioning / name).write_text(text)
        return instance.start()

    return attempt


def refused(start: Callable[..., Instance], words: str, *arguments: object, **sections: dict[str, str]) -> None:
    with pytest.raises(Refused) as caught:
        start(*arguments, **sections)
    assert words in str(caught.value)
    assert "Failed to start grafana" in str(caught.value)


def test_protocol_and_certificates(start: Callable[..., Instance], tmp_path: Path) -> None:
    refused(start, "cert_file and cert_key cannot be empty", server={"protocol": "https"})
    nowhere = {"protocol": "https", "cert_file": str(tmp_path / "no.pem"), "cert_key": str(tmp_path / "no.key")}
    refused(start, "cannot use the certificate of [server]", server=nowhere)
    refused(start, "is not supported here", server={"protocol": "socket"})


def test_database_that_is_not_there(start: Callable[..., Instance]) -> None:
    refused(start, "Can't create a connection", database={"host": "127.0.0.1:1"})
    refused(start, 'database "elsewhere" does not exist', database={"name": "elsewhere"})


def test_redis_gossip(start: Callable[..., Instance]) -> None:
    refused(start, "ha_redis_address is not supported here", unified_alerting={"ha_redis_address": "127.0.0.1:6379"})


def test_data_source_files(start: Callable[..., Instance]) -> None:
    refused(start, "Datasource provisioning error: failure to parse file", {"datasources/a.yaml": "a: [b"})
    two = SOURCE % ("a", "a") + "- {name: b, type: prometheus, isDefault: true}\n- {name: c, type: prometheus, isDefault: true}\n"
    refused(start, "Only one datasource per organization can be marked as default", {"datasources/a.yaml": two})
    start({"datasources/a.yaml": SOURCE % ("old", "same")}).stop()
    refused(start, "data source with the same uid already exists", {"datasources/a.yaml": SOURCE % ("new", "same")})
    with_delete = SOURCE % ("new", "same") + "deleteDatasources: [{name: old, orgId: 1}]\n"
    assert start({"datasources/a.yaml": with_delete}).get("/api/datasources/uid/same").json()["name"] == "new"


def test_alerting_files(start: Callable[..., Instance]) -> None:
    policy = "policies: [{orgId: 1, receiver: pager}]\n"
    start({"alerting/a.yaml": POINT + policy}).stop()
    gone = "deleteContactPoints: [{orgId: 1, uid: pager}]\n"
    refused(start, "alerting.notifications.contact-points.referenced", {"alerting/a.yaml": gone})
    start({"alerting/a.yaml": "resetPolicies: [1]\n" + gone}).stop()
    refused(start, "receiver 'nobody' does not exist", {"alerting/a.yaml": "policies: [{orgId: 1, receiver: nobody}]\n"})


def test_dashboard_providers(start: Callable[..., Instance]) -> None:
    refused(start, "path param is not a string", {"dashboards/a.yaml": "apiVersion: 1\nproviders: [{name: a, type: file}]\n"})
    refused(start, "type ftp is not supported", {"dashboards/a.yaml": "providers: [{name: a, type: ftp, options: {path: /x}}]\n"})
    twice = "providers: [{name: a, options: {path: /x}}, {name: a, options: {path: /y}}]\n"
    refused(start, "provider name 'a' is not unique", {"dashboards/a.yaml": twice})
    both = "providers: [{name: a, folder: f, options: {path: /x, foldersFromFilesStructure: true}}]\n"
    refused(start, "should be empty using 'foldersFromFilesStructure'", {"dashboards/a.yaml": both})


def test_command_line(start: Callable[..., Instance]) -> None:
    instance = start()
    instance.sections["log"] = {"mode": "console"}
    instance.stop()
    (instance.home / "conf" / "defaults.ini").unlink()
    with pytest.raises(Refused, match="could not find config defaults"):
        instance.start()
