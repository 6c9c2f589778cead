"""grafana.ini and provisioning files: what is written is what arrives, or one clear line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.monitoring.ha.plugins.filter.grafana_ini import grafana_ini
from ansible_collections.monitoring.ha.plugins.module_utils.preflight import Site
from ansible_collections.monitoring.ha.plugins.plugin_utils import grafana, lock

from tests.grafana_stand_in.provisioning import files as reader
from tests.grafana_stand_in.settings import ini, settings

AWKWARD = [
    "plain",
    "a#b;c",
    '"quoted"',
    "'quoted'",
    "`ticked`",
    '"""',
    'ends in a quote"',
    "a\\",
    "  blanks  ",
    "two\nlines",
    "k=v: x",
    "[section]",
    "100%",
    "#;\"'\\$%{} and a blank",
    "é",
]


def arrived(text: str, section: str, option: str, directory: Path) -> str:
    """What the dialect of grafana.ini makes of it, files included."""
    found = ini.parse(text.replace(grafana.SECRETS, str(directory)))
    return settings.expand(ini.interpolate(found, section, found[section][option]), {})


@pytest.mark.parametrize("value", AWKWARD)
def test_a_value_arrives_as_it_is(value: str, tmp_path: Path) -> None:
    text, secrets = grafana.render({"smtp": {"from_name": value, "host": "after"}})
    assert not secrets
    assert arrived(text, "smtp", "from_name", tmp_path) == value
    assert arrived(text, "smtp", "host", tmp_path) == "after"


@pytest.mark.parametrize("value", [value for value in AWKWARD if value == value.strip()] + ["${HOME}", 'both """ and `'])
def test_a_secret_arrives_as_it_is_and_is_in_no_other_file(value: str, tmp_path: Path) -> None:
    text, secrets = grafana.render({"database": {"password": value}})
    assert value not in text or value == "plain"
    for name, content in secrets.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    assert arrived(text, "database", "password", tmp_path) == value


@pytest.mark.parametrize(
    ("section", "option", "value", "secret"),
    [
        ("security", "secret_key", "x", True),
        ("auth.github", "client_secret", "x", True),
        ("rendering", "renderer_token", "x", True),
        ("database", "url", "postgres://u:p@h/d", True),
        ("remote_cache", "connstr", "addr=h,password=x", True),
        ("tracing.opentelemetry.otlp", "address", "http://u:p@h", True),
        ("auth.generic_oauth", "token_url", "https://sso.example.org/token", False),
        ("auth.generic_oauth", "use_refresh_token", True, False),
        ("users", "password_hint", "ask me", False),
        ("server", "cert_key", "/etc/key", False),
        ("security", "secret_key", "$__file{/run/key}", False),
        ("smtp", "password", "", False),
    ],
)
def test_secrets_are_known_by_their_names(section: str, option: str, value: Any, secret: bool) -> None:
    assert bool(grafana.render({section: {option: value}})[1]) is secret


def test_what_no_quotes_can_hold_is_refused_with_the_way_out() -> None:
    with pytest.raises(grafana.IniError, match=r"smtp\.from_name.*grafana_secret_files"):
        grafana.render({"smtp": {"from_name": '#"""`'}})
    with pytest.raises(grafana.IniError, match=r"database\.password.*blank"):
        grafana.render({"database": {"password": " x"}})


def test_kinds_of_values_and_what_is_taken_away() -> None:
    text, _secrets = grafana.render(
        {"instance_name": "a", "users": {"allow_sign_up": False, "hidden_users": ["x", "y"], "home_page": None}}
    )
    assert text == "instance_name = a\n\n[users]\nallow_sign_up = false\nhidden_users = x,y\n"


@pytest.mark.parametrize(
    ("ini", "words"),
    [
        ({"sever": {"http_port": 1}}, ["section 'sever'", "server"]),
        ({"server": {"http_prot": 1}}, ["option 'http_prot' in section 'server'", "http_port"]),
        ({"database": {"smtp_nothing": 1}}, ["smtp_nothing", "reference"]),
        ({"server": {"allow_sign_up": 1}}, ["allow_sign_up", "it belongs to auth.azuread"]),
        ({"instance_nam": "x"}, ["outside of a section", "instance_name"]),
    ],
)
def test_a_misspelt_name_is_told_with_the_nearest_one(ini: dict[str, Any], words: list[str]) -> None:
    site = Site({"all": ["a", "b"], "grafana": ["a", "b"]}, {host: {"grafana_ini": ini} for host in "ab"})
    found = [str(finding) for finding in grafana.options(site)]
    assert len(found) == 1 and all(word in found[0] for word in words), found


@pytest.mark.parametrize("variable", grafana.BELONGING)
def test_an_organisation_that_is_not_there_is_told(variable: str) -> None:
    items = [{"organisation": name} for name in ("Main Org.", "Sales", "Sles", None)]
    its = {"grafana_organisations": ["Sales"], variable: [*items, {}]}
    (found,) = grafana.organisations(Site({"all": ["a"], "grafana": ["a"]}, {"a": its}))
    assert str(found) == f"{variable}[2].organisation is 'Sles', which is not there: add it to grafana_organisations [{variable}]"


GOOD_KEY, DEFAULT_KEY = "ieR4Ziu9phoGh7Ee", "SW2YcwTIb9zpOOhoPsMm"
V1 = "secrets_manager.encryption.secret_key.v1"


def guarded(a: Any, b: Any) -> list[str]:
    """Findings about secrets of two instances with these options."""
    own = {"grafana_secret_key": GOOD_KEY, "grafana_admin_password": "ooxu4Zaigh2Ee"}
    site = Site({"all": ["a", "b"], "grafana": ["a", "b"]}, {"a": {**own, "grafana_ini": a}, "b": {**own, "grafana_ini": b}})
    return [str(finding) for finding in grafana.secrets(site)]


@pytest.mark.parametrize(
    ("ini", "words"),
    [
        ({"security": {"secret_key": DEFAULT_KEY}}, "grafana_ini.security.secret_key is one that everybody tries"),
        ({V1: {"secret_key": DEFAULT_KEY}}, f"grafana_ini.{V1}.secret_key is one that everybody tries"),
        ({"security": {"admin_password": "admin"}}, "grafana_ini.security.admin_password is one that everybody tries"),
        ({"security": {"admin_password": "aeC4ahS"}}, "grafana_ini.security.admin_password is too short"),
        ({"security": {"secret_key": None}}, "grafana_ini.security.secret_key is missing"),
        ({V1: None}, f"grafana_ini.{V1}.secret_key is missing"),
    ],
)
def test_a_default_in_place_of_the_roles_secret_is_refused(ini: dict[str, Any], words: str) -> None:
    (line,) = guarded(ini, ini)
    assert words in line and line.endswith("]") and DEFAULT_KEY not in line


def test_secrets_of_options_are_the_same_for_all_instances() -> None:
    (line,) = guarded({"security": {"secret_key": "Zei7ohPhahm4Quae9Eim"}}, {})
    assert line.startswith("grafana_ini.security.secret_key differs between the hosts of grafana: set it once")
    assert guarded({"security": {"secret_key": GOOD_KEY}}, {}) == []


@pytest.mark.parametrize("value", ["Zei7ohPhahm4Quae9Eim", "$__file{/run/key}", "{{ grafana_secret_key }}"])
def test_other_secrets_of_options_are_all_right(value: str) -> None:
    ini = {"security": {"secret_key": value, "admin_password": value}, V1: {"secret_key": value}, "database": {"max_open_conn": 1}}
    assert guarded(ini, ini) == []


def test_a_misspelt_name_is_refused_where_the_file_is_written() -> None:
    """It may stand in what only the role can put together."""
    with pytest.raises(AnsibleFilterError, match=r"section 'databse'.*database.*; .*option 'http_prot'.*http_port"):
        grafana_ini({"databse": {"host": "a"}, "server": {"http_prot": 1}})
    assert grafana_ini({"server": {"newer": 1}}, ["grafana_ini:server.newer"])


def test_grafana_knows_every_name_that_the_role_itself_writes() -> None:
    own = yaml.safe_load((lock.ROOT / "roles" / "grafana" / "vars" / "main.yml").read_text(encoding="utf-8"))["grafana_own_ini"]
    assert "security" in own and not list(grafana.misspelt(own))


def test_names_that_are_free_are_not_judged() -> None:
    assert not list(
        grafana.misspelt(
            {
                "feature_toggles": {"somethingNew": True},
                "plugin.my-plugin": {"anything": 1},
                "server.custom_response_headers": {"X-Site": "a"},
                "smtp": {"enabled": True},
            }
        )
    )


def provisioned(kind: str, **given: Any) -> Any:
    """One of the files, as Grafana reads it."""
    arguments: dict[str, Any] = {"datasources": [], "folders": [], "alerting": {}, "organisations": {}, **given}
    entries = {entry["path"]: entry for entry in grafana.provisioning(**arguments)}
    return reader.expanded(yaml.safe_load(entries[f"provisioning/{kind}/monitoring-ha.yml"]["content"]))


def test_dollars_arrive_and_files_stay_possible(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("from a file", encoding="utf-8")
    rule = {"name": "g", "rules": [{"annotations": {"summary": "{{ $labels.host }} costs $5"}}]}
    assert provisioned("alerting", alerting={"groups": [rule]})["groups"] == [rule]
    source = {"name": "s", "secureJsonData": {"password": f"$__file{{{tmp_path}/password}}", "other": "a$b"}}
    assert provisioned("datasources", datasources=[source])["datasources"][0]["secureJsonData"] == {
        "password": "from a file",
        "other": "a$b",
    }


def test_only_what_holds_a_secret_hides() -> None:
    def hidden(**given: Any) -> set[str]:
        arguments: dict[str, Any] = {"datasources": [], "folders": [], "alerting": {}, "organisations": {}, **given}
        return {entry["path"].split("/")[1] for entry in grafana.provisioning(**arguments) if entry.get("secret")}

    assert hidden(datasources=[{"name": "s"}]) == set()
    assert hidden(datasources=[{"name": "s", "secureJsonData": {"a": "b"}}]) == {"datasources"}
    assert hidden(alerting={"contactPoints": [{"name": "c"}]}) == {"alerting"}


def test_an_organisation_is_told_by_its_name() -> None:
    sources = [{"name": "s"}, {"name": "t", "organisation": "Network"}, {"name": "u", "organisation": "New"}]
    found = provisioned("datasources", datasources=sources, organisations={"Network": 7, "New": 0})["datasources"]
    assert [(its["name"], its.get("orgId")) for its in found] == [("s", None), ("t", 7)]
    with pytest.raises(grafana.ProvisioningError, match=r"Nowhere.*grafana_organisations"):
        provisioned("datasources", datasources=[{"name": "s", "organisation": "Nowhere"}])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, ["no .json file"]),
        ("{", ["no dashboard"]),
        ('{"title": "x"}', ["no uid"]),
        ('{"uid": "x", "__inputs": [{"name": "DS"}]}', ["__inputs"]),
    ],
)
def test_a_dashboard_that_would_not_show_is_told(content: str | None, words: list[str], tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "one.json").write_text(content, encoding="utf-8")
    site = Site({"all": ["a"], "grafana": ["a"]}, {"a": {"grafana_dashboards": [{"folder": "f", "directory": str(tmp_path)}]}})
    found = [str(finding) for finding in grafana.dashboards(site)]
    assert len(found) == 1 and all(word in found[0] for word in words), found
