"""What Grafana refuses to start with, the stand-in refuses too, and says why."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.grafana_stand_in.log import SINK
from tests.grafana_stand_in.release import Release
from tests.grafana_stand_in.server import REFUSALS
from tests.grafana_stand_in.server import Instance as Server
from tests.grafana_stand_in.settings import settings

from .databases import DatabaseServer
from .instances import Instance, Make, Refused, database_section

VERSION = "12.4.0"
SOURCE = "apiVersion: 1\ndatasources:\n- {name: %s, uid: %s, type: prometheus, access: proxy, url: 'http://127.0.0.1:9'}\n"
POINT = "contactPoints:\n- orgId: 1\n  name: pager\n  receivers: [{uid: pager, type: webhook, settings: {url: 'http://127.0.0.1:9'}}]\n"


Prepare = Callable[..., Instance]


@pytest.fixture
def prepare(make: Make, postgres: DatabaseServer) -> Prepare:
    database = database_section(postgres, postgres.new_database())

    def instance(files: dict[str, str] | None = None, **sections: dict[str, str]) -> Instance:
        sections["database"] = {**database, **sections.get("database", {})}
        made = make(VERSION, sections)
        for name, text in (files or {}).items():
            (made.provisioning / name).write_text(text)
        return made

    return instance


@pytest.fixture(autouse=True)
def own_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is tried in this process leaves its log alone."""
    monkeypatch.setattr(SINK, "configure", lambda *_: None)


def attempt(instance: Instance) -> None:
    """A start as far as the listening socket, in this process: that is quicker."""
    Server(settings.load(instance.home, instance.write_configuration()), Release(VERSION)).server.close()


def refused(words: str, instance: Instance) -> None:
    with pytest.raises(REFUSALS) as caught:
        attempt(instance)
    assert words in str(caught.value)


def test_how_a_refusal_looks(prepare: Prepare) -> None:
    with pytest.raises(Refused) as caught:
        prepare(database={"host": "127.0.0.1:1"}).start()
    assert 'level=error msg="Failed to start grafana" error="pq: Can\'t create a connection' in str(caught.value)


def test_protocol_and_certificates(prepare: Prepare, tmp_path: Path) -> None:
    refused("cert_file and cert_key cannot be empty", prepare(server={"protocol": "https"}))
    nowhere = {"protocol": "https", "cert_file": str(tmp_path / "no.pem"), "cert_key": str(tmp_path / "no.key")}
    refused("cannot use the certificate of [server]", prepare(server=nowhere))
    refused("is not supported here", prepare(server={"protocol": "socket"}))


def test_database_that_is_not_there(prepare: Prepare) -> None:
    refused("Can't create a connection", prepare(database={"host": "127.0.0.1:1"}))
    refused('database "elsewhere" does not exist', prepare(database={"name": "elsewhere"}))


def test_redis_gossip(prepare: Prepare) -> None:
    refused("ha_redis_address is not supported here", prepare(unified_alerting={"ha_redis_address": "127.0.0.1:6379"}))


def test_data_source_files(prepare: Prepare) -> None:
    refused("Datasource provisioning error: failure to parse file", prepare({"datasources/a.yaml": "a: [b"}))
    two = SOURCE % ("a", "a") + "- {name: b, type: prometheus, isDefault: true}\n- {name: c, type: prometheus, isDefault: true}\n"
    refused("Only one datasource per organization can be marked as default", prepare({"datasources/a.yaml": two}))
    attempt(prepare({"datasources/a.yaml": SOURCE % ("old", "same")}))
    refused("data source with the same uid already exists", prepare({"datasources/a.yaml": SOURCE % ("new", "same")}))
    with_delete = SOURCE % ("new", "same") + "deleteDatasources: [{name: old, orgId: 1}]\n"
    assert prepare({"datasources/a.yaml": with_delete}).start().get("/api/datasources/uid/same").json()["name"] == "new"


def test_alerting_files(prepare: Prepare) -> None:
    policy = "policies: [{orgId: 1, receiver: pager}]\n"
    attempt(prepare({"alerting/a.yaml": POINT + policy}))
    gone = "deleteContactPoints: [{orgId: 1, uid: pager}]\n"
    refused("alerting.notifications.contact-points.referenced", prepare({"alerting/a.yaml": gone}))
    attempt(prepare({"alerting/a.yaml": "resetPolicies: [1]\n" + gone}))
    refused("receiver 'nobody' does not exist", prepare({"alerting/a.yaml": "policies: [{orgId: 1, receiver: nobody}]\n"}))


def test_dashboard_providers(prepare: Prepare) -> None:
    refused("path param is not a string", prepare({"dashboards/a.yaml": "apiVersion: 1\nproviders: [{name: a, type: file}]\n"}))
    refused("type ftp is not supported", prepare({"dashboards/a.yaml": "providers: [{name: a, type: ftp, options: {path: /x}}]\n"}))
    twice = "providers: [{name: a, options: {path: /x}}, {name: a, options: {path: /y}}]\n"
    refused("provider name 'a' is not unique", prepare({"dashboards/a.yaml": twice}))
    both = "providers: [{name: a, folder: f, options: {path: /x, foldersFromFilesStructure: true}}]\n"
    refused("should be empty using 'foldersFromFilesStructure'", prepare({"dashboards/a.yaml": both}))


def test_home_without_defaults(prepare: Prepare) -> None:
    instance = prepare()
    (instance.home / "conf" / "defaults.ini").unlink()
    with pytest.raises(Refused, match="could not find config defaults"):
        instance.start()
