"""The authority on the controller: who gets what, and when it is made anew. The files are read back with the system's own TLS."""

from __future__ import annotations

import os
import ssl
import stat
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.monitoring.ha.plugins.module_utils import certificates
from ansible_collections.monitoring.ha.plugins.module_utils.certificates import CertificateError, Issued, Settings, Wanted
from ansible_collections.monitoring.ha.plugins.module_utils.https import Client, Unanswered

from tests.unit.identities import Site
from tests.unit.plays import Play
from tests.unit.servers import serve, texts
from tools.steps import ROOT

NOW = datetime.now(certificates.UTC)
MON1 = Wanted("mon1", ("mon1", "192.0.2.11", "127.0.0.1", "localhost"))


def ensure(directory: Path, *hosts: Wanted, now: datetime = NOW, save: bool = True, **more: Any) -> dict[str, Issued]:
    _authority, issued = certificates.ensure(Settings(str(directory), **more), hosts or (MON1,), now, save=save)
    return issued


def reason(directory: Path, *hosts: Wanted, **more: Any) -> str:
    """Why the first host's certificate is made anew; empty when it is kept."""
    return next(iter(ensure(directory, *hosts, **more).values())).reason


def refusal(directory: Path, *hosts: Wanted, **more: Any) -> str:
    with pytest.raises(CertificateError) as error:
        ensure(directory, *hosts, **more)
    return str(error.value)


def host_file(directory: Path, name: str, host: str = "mon1") -> Path:
    return directory / "hosts" / host / name


def modes(directory: Path) -> set[int]:
    return {stat.S_IMODE(p.stat().st_mode) for p in directory.rglob("*") if p.is_file()}


# --- making and keeping --------------------------------------------------------------------------------------------


def test_a_new_authority_and_a_leaf(tmp_path: Path) -> None:
    issued = ensure(tmp_path)["mon1"]
    assert issued.reason == "new" and issued.present
    assert issued.names == ["localhost", "mon1", "127.0.0.1", "192.0.2.11"]
    assert {p.name for p in host_file(tmp_path, "").iterdir()} == {"ca.pem", "host.pem", "host.key", "host-bundle.pem", "certificates.prom"}
    assert modes(tmp_path) == {0o600}


def test_a_leaf_serves_as_server_and_client_and_is_believed_by_the_authority(tmp_path: Path) -> None:
    ensure(tmp_path, MON1, Wanted("server", MON1.names), Wanted("controller", ("controller",)))
    site = Site(tmp_path)
    with serve(texts({"/": "well"}), site.context()) as server:
        assert site.client(server.port).text("/") == "well"


def test_the_bundle_is_certificate_and_key(tmp_path: Path) -> None:
    ensure(tmp_path)
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(host_file(tmp_path, "host-bundle.pem"))


def test_a_second_run_changes_nothing(tmp_path: Path) -> None:
    ensure(tmp_path)
    before = {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in tmp_path.rglob("*") if p.is_file()}
    assert reason(tmp_path) == ""
    assert {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in tmp_path.rglob("*") if p.is_file()} == before


def test_check_mode_writes_nothing(tmp_path: Path) -> None:
    issued = ensure(tmp_path / "pki", save=False)["mon1"]
    assert issued.reason == "new" and not issued.present and not (tmp_path / "pki").exists()
    ensure(tmp_path / "pki")
    issued = ensure(tmp_path / "pki", now=NOW + timedelta(days=80), save=False)["mon1"]
    assert issued.reason.startswith("expires") and issued.present
    assert reason(tmp_path / "pki") == ""


@pytest.mark.parametrize(("days", "renewed"), [(0, False), (59, False), (61, True), (89, True), (120, True)])
def test_a_leaf_is_renewed_in_the_last_third_of_its_life(tmp_path: Path, days: int, renewed: bool) -> None:
    ensure(tmp_path)
    assert bool(reason(tmp_path, now=NOW + timedelta(days=days))) is renewed


def test_a_renewed_leaf_has_a_new_key_under_the_same_authority(tmp_path: Path) -> None:
    first = ensure(tmp_path)["mon1"]
    ca, key = (tmp_path / "ca.pem").read_bytes(), host_file(tmp_path, "host.key").read_bytes()
    second = ensure(tmp_path, now=NOW + timedelta(days=80))["mon1"]
    assert second.fingerprint != first.fingerprint and second.not_after > first.not_after
    assert (tmp_path / "ca.pem").read_bytes() == ca and host_file(tmp_path, "host.key").read_bytes() != key


def test_a_leaf_never_outlives_the_authority(tmp_path: Path) -> None:
    ensure(tmp_path, ca_days=100)
    later = NOW + timedelta(days=80)
    issued = ensure(tmp_path, ca_days=100, now=later)["mon1"]
    assert issued.not_after == (NOW + timedelta(days=100)).strftime("%Y-%m-%dT%H:%M:%SZ")
    # It cannot be made any longer, so that it is not made anew in every run.
    assert reason(tmp_path, ca_days=100, now=later + timedelta(days=5)) == ""


@pytest.mark.parametrize(
    ("hosts", "more", "words"),
    [
        ((Wanted("mon1", (*MON1.names, "192.0.2.100")),), {}, "names changed"),
        ((Wanted("mon1", MON1.names[:-1]),), {}, "names changed"),
        ((MON1,), {"days": 30}, "longer than asked"),
    ],
)
def test_a_leaf_is_made_anew_when_it_has_to_be_another(tmp_path: Path, hosts: tuple[Wanted, ...], more: dict[str, Any], words: str) -> None:
    ensure(tmp_path)
    assert words in reason(tmp_path, *hosts, **more)
    assert reason(tmp_path, *hosts, **more) == ""


@pytest.mark.parametrize("damage", ["key of another", "no key", "nonsense", "other authority", "missing bundle"])
def test_a_damaged_identity_is_mended(tmp_path: Path, damage: str) -> None:
    ensure(tmp_path, MON1, Wanted("mon2", ("mon2",)))
    if damage == "key of another":
        host_file(tmp_path, "host.key").write_bytes(host_file(tmp_path, "host.key", "mon2").read_bytes())
    elif damage == "no key":
        host_file(tmp_path, "host.key").unlink()
    elif damage == "nonsense":
        host_file(tmp_path, "host.pem").write_text("nonsense", encoding="utf-8")
    elif damage == "other authority":
        (tmp_path / "ca.pem").unlink()
        (tmp_path / "ca.key").unlink()
    else:
        host_file(tmp_path, "host-bundle.pem").unlink()
    assert reason(tmp_path) != ""
    assert reason(tmp_path) == ""
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(host_file(tmp_path, "host-bundle.pem"))


def test_expiry_dates_are_metrics(tmp_path: Path) -> None:
    ensure(tmp_path)
    text = host_file(tmp_path, "certificates.prom").read_text(encoding="utf-8")
    assert f'{{certificate="host"}} {int((NOW + timedelta(days=90)).timestamp())}\n' in text
    assert 'certificate="ca"' in text


# --- the authority's key -------------------------------------------------------------------------------------------


def test_a_passphrase_protects_the_authority(tmp_path: Path) -> None:
    ensure(tmp_path, passphrase=b"open sesame")
    assert b"ENCRYPTED" in (tmp_path / "ca.key").read_bytes()
    assert reason(tmp_path, passphrase=b"open sesame") == ""
    assert "ca.key" in refusal(tmp_path) and "passphrase" in refusal(tmp_path)
    assert "wrong" in refusal(tmp_path, passphrase=b"another")


def test_a_key_that_is_not_the_authoritys_is_refused(tmp_path: Path) -> None:
    ensure(tmp_path / "a")
    ensure(tmp_path / "b")
    (tmp_path / "a" / "ca.key").write_bytes((tmp_path / "b" / "ca.key").read_bytes())
    assert "is not the key of" in refusal(tmp_path / "a")


def test_a_key_without_its_certificate_is_not_replaced(tmp_path: Path) -> None:
    """It may be all that is left of the authority that the hosts trust."""
    ensure(tmp_path)
    (tmp_path / "ca.pem").unlink()
    assert "restore it" in refusal(tmp_path)
    assert (tmp_path / "ca.key").exists() and not (tmp_path / "ca.pem").exists()


def test_without_the_authoritys_key_what_is_there_is_kept_and_nothing_new_is_signed(tmp_path: Path) -> None:
    ensure(tmp_path)
    (tmp_path / "ca.key").unlink()
    assert reason(tmp_path) == ""
    assert "CA's key is not here" in refusal(tmp_path, MON1, Wanted("mon2", ("mon2",)))


def test_a_key_that_others_may_read_is_closed(tmp_path: Path) -> None:
    ensure(tmp_path)
    (tmp_path / "ca.key").chmod(0o644)
    ensure(tmp_path)
    assert modes(tmp_path) == {0o600}


def test_an_expired_authority_is_named(tmp_path: Path) -> None:
    ensure(tmp_path)
    assert "expired" in refusal(tmp_path, now=NOW + timedelta(days=3651))


def test_a_further_authority_is_trusted(tmp_path: Path) -> None:
    """While hosts get certificates of a new one."""
    ensure(tmp_path / "old")
    ensure(tmp_path / "new", trust=(str(tmp_path / "old" / "ca.pem"),))
    assert host_file(tmp_path / "new", "ca.pem").read_text(encoding="utf-8").count("BEGIN CERTIFICATE") == 2


def test_hosts_do_not_lose_the_authority_that_they_trust(tmp_path: Path) -> None:
    before, lost = tmp_path / "before", tmp_path / "lost"
    ensure(before)
    theirs = (Wanted("mon1", MON1.names, trusts=(before / "ca.pem").read_text()), Wanted("new", ("new",)))
    assert reason(before, *theirs) == ""
    said = refusal(lost, *theirs)
    assert "is not the one that mon1 trust" in said and str(lost) in said and "pki_trust" in said
    # Nothing was made that the next run would take for the authority.
    assert not (lost / "ca.pem").exists() and not (lost / "ca.key").exists()
    assert reason(lost, *theirs, trust=(str(before / "ca.pem"),)) == "new"
    assert refusal(tmp_path / "again", *theirs) and reason(tmp_path / "again", *theirs, replace=True) == "new"


# --- the user's own files ------------------------------------------------------------------------------------------


def own(directory: Path, names: tuple[str, ...] = MON1.names, host: str = "mon1") -> Wanted:
    """A certificate and key from elsewhere."""
    ensure(directory, Wanted(host, names))
    return Wanted("mon1", MON1.names, str(host_file(directory, "host.pem", host)), str(host_file(directory, "host.key", host)))


def test_the_users_own_files_are_taken_as_they_are(tmp_path: Path) -> None:
    wanted = own(tmp_path / "corporate")
    ca = str(tmp_path / "corporate" / "ca.pem")
    issued = ensure(tmp_path / "pki", wanted, ca=ca)["mon1"]
    assert issued.reason == "new"
    assert host_file(tmp_path / "pki", "host.pem").read_bytes() == Path(wanted.certificate).read_bytes()
    assert host_file(tmp_path / "pki", "ca.pem").read_bytes() == Path(ca).read_bytes()
    assert not (tmp_path / "pki" / "ca.key").exists()
    assert reason(tmp_path / "pki", wanted, ca=ca) == ""


def test_own_files_that_cannot_work_are_refused_with_the_reason(tmp_path: Path) -> None:
    wanted = own(tmp_path / "corporate")
    other = own(tmp_path / "other")
    ca = str(tmp_path / "corporate" / "ca.pem")
    short = own(tmp_path / "short", ("mon1",))
    cases = [
        (Wanted("mon1", MON1.names, wanted.certificate, other.key), ca, "is not the key of"),
        (other, ca, "is not signed by the CA"),
        (Wanted("mon1", MON1.names, wanted.certificate), ca, "only one of the two"),
        (Wanted("mon1", MON1.names, "/nowhere.pem", wanted.key), ca, "/nowhere.pem: no such file"),
        (Wanted("mon1", MON1.names, wanted.key, wanted.key), ca, "not a PEM certificate"),
        (Wanted("mon1", MON1.names, wanted.certificate, wanted.certificate), ca, "not a PEM private key"),
        (short, str(tmp_path / "short" / "ca.pem"), "lacks the names"),
        (MON1, ca, "CA's key is not here"),
    ]
    for its, authority, words in cases:
        assert words in refusal(tmp_path / "pki", its, ca=authority), words
    assert "expired" in refusal(tmp_path / "pki", wanted, ca=ca, now=NOW + timedelta(days=91))


@pytest.mark.parametrize("name", ["", "..", "a/b"])
def test_a_name_that_would_lead_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    assert "cannot name a directory" in refusal(tmp_path, Wanted(name, ("x",)))


def test_names_of_people_and_addresses() -> None:
    found = certificates.texts(certificates.general_names(["Mön.example", "B", "2001:db8::1", "192.0.2.1", "b", "", "10.0.0.1"]))
    assert found == ["b", "xn--mn-fka.example", "10.0.0.1", "192.0.2.1", "2001:db8::1"]


# --- as a role calls it --------------------------------------------------------------------------------------------


def test_the_module(play: Play, tmp_path: Path) -> None:
    hosts = [{"name": "mon1", "names": list(MON1.names)}, {"name": "controller", "names": ["controller"]}]
    common = {"directory": str(tmp_path / "pki"), "hosts": hosts}
    played = play.run(
        [
            {"name": "Check mode", "monitoring.ha.certificates": common, "check_mode": True},
            {"name": "Made", "monitoring.ha.certificates": common},
            {"name": "Again", "monitoring.ha.certificates": common},
            {"name": "Too short", "monitoring.ha.certificates": {**common, "days": 0}, "ignore_errors": True},
            {"name": "Passphrase", "monitoring.ha.certificates": {**common, "ca_passphrase": "open sesame"}, "ignore_errors": True},
        ]
    )
    assert played.result("Check mode")["changed"] and not played.result("Check mode")["hosts"]["mon1"]["present"]
    made = played.result("Made")
    assert made["changed"] and made["ca"]["created"] and os.path.isfile(made["ca"]["path"])
    assert not played.result("Again")["changed"]
    assert "days is 0" in played.message("Too short")
    assert "not encrypted" in played.message("Passphrase") and "sesame" not in played.said


def test_without_the_controllers_identity_members_are_closed(tmp_path: Path) -> None:
    ensure(tmp_path, Wanted("server", MON1.names))
    with serve(texts({"/": "well"}), Site(tmp_path).context()) as server, pytest.raises(Unanswered):
        Client("127.0.0.1", server.port, str(tmp_path / "ca.pem")).text("/")


@pytest.mark.parametrize("own_identity", [False, True])
def test_with_an_authority_of_ones_own_the_controller_looks_at_the_stack_all_the_same(
    play: Play, tmp_path: Path, own_identity: bool
) -> None:
    wanted = own(tmp_path / "corporate", ("::1", "192.0.2.1", *MON1.names))
    role = yaml.safe_load((ROOT / "roles" / "pki" / "tasks" / "main.yml").read_text(encoding="utf-8"))
    variables = {
        name: yaml.safe_load((ROOT / "roles" / "pki" / name / "main.yml").read_text(encoding="utf-8")) for name in ("defaults", "vars")
    }
    host = {
        **{"ansible_connection": "local", "ansible_python_interpreter": sys.executable, "ha_address": "192.0.2.1"},
        **{"pki_certificate": wanted.certificate, "pki_key": wanted.key},
    }
    given = {
        **variables["defaults"],
        **variables["vars"],
        "pki_ca": str(tmp_path / "corporate" / "ca.pem"),
        "pki_directory": str(tmp_path / "pki"),
    }
    for name in ("pki_certificate", "pki_key", "pki_address"):
        del given[name]
    if own_identity:
        person = own(tmp_path / "corporate", ("people.example.org",), "controller")
        given |= {"pki_controller_certificate": person.certificate, "pki_controller_key": person.key}
    inventory = {"all": {"hosts": {"mon1": host}, "children": {"prometheus": {"hosts": {"mon1": {}}}}}}
    done = play.site([{"hosts": "all", "gather_facts": False, "tasks": role[:1]}], inventory=inventory, variables=given)
    assert done.code == 0, done.said
    controller = tmp_path / "pki" / "hosts" / "controller"
    expected = person.certificate if own_identity else wanted.certificate
    assert (controller / "host.pem").read_bytes() == Path(expected).read_bytes()
    assert (controller / "ca.pem").read_bytes() == (tmp_path / "corporate" / "ca.pem").read_bytes()
