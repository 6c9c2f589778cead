"""grafana.ini and its surroundings, read as Grafana reads them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.grafana_stand_in.database.dialect import Target
from tests.grafana_stand_in.provisioning.files import expanded
from tests.grafana_stand_in.settings import ini, settings
from tests.grafana_stand_in.settings.settings import Settings, SettingsError

from .instances import make_home


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return make_home(tmp_path, "12.4.0")


def load(home: Path, text: str, arguments: tuple[str, ...] = (), environment: dict[str, str] | None = None) -> Settings:
    path = home / "grafana.ini"
    path.write_text(text)
    return settings.load(home, path, arguments, environment or {})


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("password = plain", "plain"),
        ("password = cut;here", "cut"),
        ("password = cut # comment", "cut"),
        ('password = """keeps#all;of it"""', "keeps#all;of it"),
        ("password = `keeps#all;of it`", "keeps#all;of it"),
        ('password = "quoted"', "quoted"),
        ("password: colon", "colon"),
        ("password = one\\\n two", "onetwo"),
        ('password = """two\nlines"""', "two\nlines"),
    ],
)
def test_values(line: str, value: str) -> None:
    assert ini.parse(f"; comment\n# comment\n[database]\n{line}\n")["database"]["password"] == value


@pytest.mark.parametrize("text", ["[server", "[server]\nno delimiter", "[server]\n= value", '[server]\nkey = """open'])
def test_what_cannot_be_parsed_is_named(home: Path, text: str) -> None:
    with pytest.raises(SettingsError, match="failed to parse"):
        load(home, text)


def test_interpolation_looks_in_the_section_and_then_at_the_top() -> None:
    sections = ini.parse("base = top\n[server]\ndomain = d.example\n")
    assert ini.interpolate(sections, "server", "http://%(domain)s/%(base)s/%(unknown)s") == "http://d.example/top/%(unknown)s"


def test_defaults_file_environment_and_arguments_in_this_order(home: Path) -> None:
    found = load(
        home,
        "[server]\nhttp_port = 1\ndomain = file.example\n[paths]\nplugins =\n[own]\nunknown = file\n",
        ("default.paths.data=/var/lib/x", "default.server.http_port=9", "log.level=debug"),
        {"GF_SERVER_DOMAIN": "environment.example", "GF_SERVER_NEW_KEY": "x", "GF_OWN_UNKNOWN": "environment"},
    )
    assert found.text("server", "http_port") == "1"
    assert found.text("server", "domain") == "environment.example"
    assert found.text("server", "root_url") == "http://environment.example:1/"
    assert found.text("paths", "data") == "/var/lib/x"
    assert found.text("log", "level") == "debug"
    assert found.text("paths", "plugins") == "data/plugins", "an empty value does not take the default away"
    assert found.text("server", "new_key") == "", "the environment sets known keys only"
    assert found.text("own", "unknown") == "environment"


def test_dots_and_dashes_in_names_of_the_environment() -> None:
    assert settings.environment_name("auth.basic", "enabled") == "GF_AUTH_BASIC_ENABLED"
    assert settings.environment_name("DEFAULT", "instance_name") == "GF_DEFAULT_INSTANCE_NAME"


def test_expansion(home: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("from file\n")
    text = f"[database]\npassword = $__file{{{secret}}}\nuser = $__env{{DB_USER}}\nname = ${{DB_NAME}}\nhost = ${{UNSET}}\n"
    found = load(home, text, environment={"DB_USER": "u", "DB_NAME": "n"})
    assert [found.text("database", key) for key in ("password", "user", "name", "host")] == ["from file", "u", "n", ""]
    with pytest.raises(SettingsError, match="failed to expand"):
        load(home, "[database]\npassword = $__file{/nowhere}\n")


@pytest.mark.parametrize(("text", "length"), [("90", 90), ("1m30s", 90), ("2h", 7200), ("500ms", 0.5), ("1d", 86400), ("", 0)])
def test_durations(text: str, length: float) -> None:
    assert settings.seconds(text) == length


def test_database_by_url(home: Path) -> None:
    target = Target.of(load(home, "[database]\nurl = postgres://u:p%40ss@db.example:6432/grafana\n"))
    assert (target.kind, target.host, target.port, target.name, target.user, target.password) == (
        "postgres",
        "db.example",
        6432,
        "grafana",
        "u",
        "p@ss",
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("type = oracle", "unknown database type: oracle"),
        ("type = sqlite3", "sqlite3 is not supported here"),
        ("type = postgres\nssl_mode = perhaps", "unsupported sslmode"),
        ("type = postgres\nhost = db:port", "no valid port"),
        ("type = postgres\nssl_mode = verify-full\nca_cert_path = /nowhere", "cannot use the certificates"),
    ],
)
def test_refused_databases(home: Path, text: str, words: str) -> None:
    from tests.grafana_stand_in.database import dialect

    with pytest.raises(SettingsError, match=words):
        dialect.of(load(home, f"[database]\n{text}\n"))


def test_provisioning_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAME", "value")
    assert expanded({"a": ["$NAME", "${NAME}!", "$$NAME", "$__env{NAME}", "cost: $", 1]}) == {
        "a": ["value", "value!", "$NAME", "value", "cost: $", 1]
    }
