"""TLS: to the database, and from browsers."""

from __future__ import annotations

import shutil
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.grafana_stand_in.database import dialect
from tests.grafana_stand_in.database.errors import ConnectionLost, DatabaseError
from tests.grafana_stand_in.settings import settings

from .databases import DatabaseServer, MariaDB, Postgres
from .instances import Make, database_section
from .upstream import Authority

VERSION = "12.4.0"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("stranger"))


def files(authority: Authority) -> dict[str, Path]:
    certificate, key = authority.leaf("server")
    return {"ca.pem": authority.ca, "server.pem": certificate, "server.key": key}


@pytest.fixture(scope="module")
def postgres_tls(authority: Authority) -> Iterator[DatabaseServer]:
    server = Postgres(files(authority))
    server.execute("CREATE ROLE secured LOGIN SUPERUSER PASSWORD 's3cret#;%'")
    rules = (
        "hostssl all secured 127.0.0.1/32 scram-sha-256 clientcert=verify-ca\nhostnossl all secured 127.0.0.1/32 "
        "reject\nhost all all 127.0.0.1/32 trust\n"
    )
    (server.directory / "data" / "pg_hba.conf").write_text(rules)
    server.execute("SELECT pg_reload_conf()")
    time.sleep(0.3)
    yield server
    server.close()


@pytest.fixture(scope="module")
def mariadb_tls(authority: Authority) -> Iterator[DatabaseServer]:
    server = MariaDB(files(authority))
    server.execute("CREATE USER 'secured'@'127.0.0.1' IDENTIFIED BY 's3cret#;%' REQUIRE X509")
    server.execute("GRANT ALL ON *.* TO 'secured'@'127.0.0.1'")
    yield server
    server.close()


@pytest.mark.parametrize("kind", ["postgres", "mysql"])
def test_database(
    make: Make, postgres_tls: DatabaseServer, mariadb_tls: DatabaseServer, authority: Authority, stranger: Authority, kind: str
) -> None:
    server, checked = (postgres_tls, "verify-full") if kind == "postgres" else (mariadb_tls, "true")
    unchecked = "require" if kind == "postgres" else "skip-verify"
    certificate, key = authority.leaf("client")
    own = {"user": "secured", "password": "s3cret#;%", "client_cert_path": str(certificate), "client_key_path": str(key)}
    base = {**database_section(server, server.new_database()), **own}

    def connect(**more: str) -> None:
        instance = make(VERSION, {"database": {**base, **more}})
        connection = dialect.of(settings.load(instance.home, instance.write_configuration())).connect()
        assert connection.run("SELECT 1", ())[1][0][0] == 1
        connection.close()

    connect(ssl_mode=checked, ca_cert_path=str(authority.ca))
    connect(ssl_mode=unchecked)
    connect(ssl_mode=checked, ca_cert_path=str(authority.ca), server_cert_name="localhost")
    with pytest.raises(ConnectionLost, match="certificate verify failed"):
        connect(ssl_mode=checked, ca_cert_path=str(stranger.ca))
    with pytest.raises(ConnectionLost, match="Hostname mismatch"):
        connect(ssl_mode=checked, ca_cert_path=str(authority.ca), server_cert_name="elsewhere.example")
    without: tuple[dict[str, str], ...] = (
        {"ssl_mode": "disable" if kind == "postgres" else "false"},
        {"ssl_mode": unchecked, "client_cert_path": "", "client_key_path": ""},
        {"ssl_mode": unchecked, "password": "wrong"},
    )
    for missing in without:
        with pytest.raises(DatabaseError):
            connect(**missing)
    instance = make(VERSION, {"database": {**base, "ssl_mode": checked, "ca_cert_path": str(authority.ca)}}).start()
    assert instance.get("/api/org").status_code == 200


def test_https_and_a_certificate_that_is_renewed(make: Make, postgres: DatabaseServer, authority: Authority, tmp_path: Path) -> None:
    def install(name: str) -> None:
        for source, target in zip(authority.leaf(name), ("cert.pem", "key.pem"), strict=True):
            shutil.copy(source, tmp_path / target)

    install("first")
    server = {
        "protocol": "https",
        "cert_file": str(tmp_path / "cert.pem"),
        "cert_key": str(tmp_path / "key.pem"),
        "certs_watch_interval": "1s",
    }
    instance = make(VERSION, {"database": database_section(postgres, postgres.new_database()), "server": server}).start()
    assert requests.get(f"{instance.url}/api/health", verify=str(authority.ca), timeout=5).status_code == 200
    address = ("127.0.0.1", int(instance.sections["server"]["http_port"]))
    before = ssl.get_server_certificate(address)
    time.sleep(1.1)
    install("second")
    requests.get(f"{instance.url}/api/health", verify=str(authority.ca), timeout=5)
    assert ssl.get_server_certificate(address) != before, "without a restart"


def test_sub_path_and_compression(make: Make, postgres: DatabaseServer) -> None:
    server = {"root_url": "https://cluster.example/grafana/", "serve_from_sub_path": "true"}
    sections = {"database": {**database_section(postgres, postgres.new_database()), "max_open_conn": "1"}, "server": server}
    instance = make("13.0.1", sections).start()
    assert instance.get("/grafana/api/health").status_code == 200 and instance.get("/api/health").status_code == 200
    page = requests.get(f"{instance.url}/grafana/dashboards", allow_redirects=False, timeout=5)
    assert page.headers["Location"] == "/grafana/login"
    assert requests.get(f"{instance.url}/api/org", auth=("admin", "wrong"), timeout=5).status_code == 401, "with one connection only"
    long = {"dashboard": {"uid": "x", "title": "x", "text": "x" * 5000}}
    instance.post("/api/dashboards/db", long).raise_for_status()
    packed = instance.get("/api/dashboards/uid/x")
    assert packed.headers["Content-Encoding"] == "gzip" and packed.json()["dashboard"]["text"] == "x" * 5000
    plain = instance.get("/api/dashboards/uid/x", headers={"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in plain.headers and plain.json() == packed.json()
