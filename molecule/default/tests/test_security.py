"""Nothing answers a stranger."""

from __future__ import annotations

import re
import socket
import ssl

import pytest
import requests

from tests.scenario.stack import Stack

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


@pytest.mark.parametrize("host", ["mon1", "mon2", "mon3"])
def test_every_port_refuses_a_stranger(stack: Stack, host: str) -> None:
    ports = listening(stack, host)
    assert len(ports) > 8
    for address, port in sorted(ports):
        if port in OWN_HANDSHAKE:
            continue
        target = reachable(stack, host, address)
        try:
            answer = requests.get(f"https://{target}:{port}/", verify=False, timeout=5)
        except (requests.exceptions.SSLError, requests.exceptions.ConnectionError):
            continue
        assert answer.status_code in (401, 403), f"{host} {address}:{port} answered a stranger: {answer.status_code}"


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
