"""Nothing answers a stranger."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
from datetime import UTC, datetime

import pytest
import requests
from ansible_collections.monitoring.ha.plugins.module_utils import certificates

from tests.scenario.stack import Stack

#: Where people log in at the daemon itself: its front page is for everybody, everything behind it for nobody without a login.
OWN_LOGIN = {3000: "/api/org"}
#: Protocols that authenticate with a shared secret of their own: Garage's RPC.
OWN_HANDSHAKE = {3901}


def listening(stack: Stack, host: str) -> set[tuple[str, int]]:
    """(address, port) of every TCP listener that is not on loopback."""
    found = set()
    for line in stack.run(host, "ss -Hltn").splitlines():
        address, port = line.split()[3].rsplit(":", 1)
        if not re.match(r"127\.|\[::1\]|\[::ffff:127\.", address):
            found.add((address, int(port)))
    return found


def reachable(stack: Stack, host: str, address: str) -> str:
    return stack.hosts[host] if address in ("0.0.0.0", "*", "[::]") else address


@pytest.fixture(scope="module")
def forged(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """(certificate, key) of a member, signed by an authority of the same name that is not the stack's."""
    now = datetime.now(UTC)
    wanted = certificates.Wanted(name="mon1", names=("mon1",))
    certificate, key = certificates.make_leaf(wanted, certificates.make_authority("monitoring.ha CA", 30, now), 30, now)
    directory = tmp_path_factory.mktemp("forged")
    (directory / "host.pem").write_bytes(certificates.pem(certificate))
    (directory / "host.key").write_bytes(certificates.key_pem(key))
    return str(directory / "host.pem"), str(directory / "host.key")


@pytest.mark.parametrize("known", ["nobody", "a forged member"])
@pytest.mark.parametrize("host", ["mon1", "mon2", "mon3"])
def test_every_port_refuses_a_stranger(stack: Stack, forged: tuple[str, str], host: str, known: str) -> None:
    ports = listening(stack, host)
    assert len(ports) > 8
    for address, port in sorted(ports):
        if port in OWN_HANDSHAKE:
            continue
        target = reachable(stack, host, address)
        try:
            answer = requests.get(
                f"https://{target}:{port}{OWN_LOGIN.get(port, '/')}", verify=False, timeout=5, cert=None if known == "nobody" else forged
            )
        except (requests.exceptions.SSLError, requests.exceptions.ConnectionError):
            continue
        assert answer.status_code in (401, 403), f"{host} {address}:{port} answered a stranger: {answer.status_code}"


@pytest.mark.parametrize("host", ["mon1", "mon2", "mon3"])
def test_a_handshake_of_its_own_ends_without_the_secret(stack: Stack, host: str) -> None:
    ports = {(address, port) for address, port in listening(stack, host) if port in OWN_HANDSHAKE}
    assert ports
    for address, port in ports:
        with socket.create_connection((reachable(stack, host, address), port), timeout=5) as raw:
            raw.settimeout(15)
            raw.sendall(bytes(256))
            with contextlib.suppress(ConnectionError):
                while raw.recv(4096):
                    pass


@pytest.mark.parametrize("host", ["mon1", "mon2", "mon3"])
def test_nothing_listens_for_datagrams(stack: Stack, host: str) -> None:
    found = [line.split()[3] for line in stack.run(host, "ss -Hlun").splitlines()]
    assert not [address for address in found if not address.startswith("127.")]


@pytest.mark.parametrize("host", ["mon1", "mon2", "mon3"])
def test_no_port_speaks_plain_text_or_old_tls(stack: Stack, host: str) -> None:
    for address, port in sorted(listening(stack, host)):
        if port in OWN_HANDSHAKE:
            continue
        target = reachable(stack, host, address)
        with socket.create_connection((target, port), timeout=5) as raw:
            raw.sendall(b"GET / HTTP/1.0\r\n\r\n")
            raw.settimeout(5)
            try:
                reply = raw.recv(4096)
            except (ConnectionError, TimeoutError):
                reply = b""
        assert not re.match(rb"HTTP/\S+ 2\d\d", reply), f"{host} {address}:{port} speaks plain HTTP"
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises((ssl.SSLError, ConnectionError)), socket.create_connection((target, port), timeout=5) as raw:
            context.wrap_socket(raw)


def test_wrong_password_is_refused(stack: Stack) -> None:
    for name in ("query", "alertmanager"):
        url = stack.endpoints[name]["url"]
        assert requests.get(url, verify=stack.endpoints["ca"], auth=("admin", "wrong"), timeout=5).status_code == 401
        assert requests.get(url, verify=stack.endpoints["ca"], timeout=5).status_code == 401
