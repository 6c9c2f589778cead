# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A small certificate authority in a directory: one CA, one short-lived leaf a host.

Layout::

    ca.pem  ca.key                          the authority (the key 0600, optionally encrypted)
    hosts/<name>/ca.pem                     what the host trusts
    hosts/<name>/{host.pem,host.key}        its identity
    hosts/<name>/host-bundle.pem            both in one file
    hosts/<name>/certificates.prom          expiry dates as metrics

Needs the ``cryptography`` library, on the controller only.
"""

from __future__ import annotations

import contextlib
import fcntl
import ipaddress
import os
import tempfile
import traceback
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

IMPORT_ERROR: str | None = None
try:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
except ImportError:
    IMPORT_ERROR = traceback.format_exc()

# The name in the standard library is younger than the oldest Python that modules are checked with.
UTC = timezone.utc  # noqa: UP017
CLOCK_TOLERANCE = timedelta(hours=1)
NAME_LIMIT = 64
METRIC = "monitoring_ha_certificate_not_after_seconds"


class CertificateError(ValueError):
    """What is wrong with which file, and the remedy."""


@dataclass(frozen=True)
class Wanted:
    """What a host's certificate has to be. With ``certificate`` and ``key`` the host brings its own. renew: made anew whatever it is.

    trusts: the authorities that the host trusts so far, as PEM; empty when it is new.
    """

    name: str
    names: tuple[str, ...]
    certificate: str = ""
    key: str = ""
    renew: bool = False
    trusts: str = ""


@dataclass(frozen=True)
class Settings:
    directory: str
    days: int = 90
    ca_days: int = 3650
    ca_name: str = "monitoring.ha CA"
    passphrase: bytes | None = None
    ca: str = ""
    trust: tuple[str, ...] = ()
    replace: bool = False


@dataclass
class Issued:
    """What was found or made for a host; ``reason`` is empty when nothing had to be done."""

    directory: str
    present: bool
    reason: str = ""
    fingerprint: str = ""
    not_after: str = ""
    names: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Authority:
    """A CA certificate; without ``key`` it signs nothing."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey | None
    reason: str = ""
    others: tuple[x509.Certificate, ...] = ()


# --- files ---------------------------------------------------------------------------------------------------------


def write(path: str, data: bytes) -> None:
    """Replace ``path`` in one step, readable by its owner alone."""
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix="." + os.path.basename(path))
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def read(path: str) -> bytes | None:
    """The file's content, None when there is no such file."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CertificateError(f"{path}: {error.strerror}") from error


def need(path: str) -> bytes:
    data = read(path)
    if data is None:
        raise CertificateError(f"{path}: no such file")
    return data


@contextlib.contextmanager
def locked(directory: str) -> Iterator[None]:
    """Hold the directory's lock: several processes may ask for certificates at once."""
    os.makedirs(directory, mode=0o700, exist_ok=True)
    handle = os.open(os.path.join(directory, ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


# --- names ---------------------------------------------------------------------------------------------------------


def general_names(names: Iterable[str]) -> list[x509.GeneralName]:
    """Addresses as addresses, the rest as DNS names; without duplicates, in a stable order."""
    addresses = set()
    hosts = set()
    for name in (str(n).strip() for n in names):
        if not name:
            continue
        try:
            addresses.add(ipaddress.ip_address(name))
        except ValueError:
            try:
                hosts.add(name.lower() if name.isascii() else name.encode("idna").decode("ascii"))
            except UnicodeError as error:
                raise CertificateError(f"{name!r} is neither an address nor a host name") from error
    found: list[x509.GeneralName] = [x509.DNSName(h) for h in sorted(hosts)]
    found += [x509.IPAddress(a) for a in sorted(addresses, key=lambda a: (a.version, int(a)))]
    return found


def names_of(certificate: x509.Certificate) -> list[x509.GeneralName]:
    try:
        return list(certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound:
        return []


def texts(names: Iterable[x509.GeneralName]) -> list[str]:
    return [str(n.value) for n in names]


# --- certificates --------------------------------------------------------------------------------------------------


def not_after(certificate: x509.Certificate) -> datetime:
    """The end of validity; older releases of the library give it without a time zone."""
    value = getattr(certificate, "not_valid_after_utc", None)
    return value if value is not None else certificate.not_valid_after.replace(tzinfo=UTC)


def not_before(certificate: x509.Certificate) -> datetime:
    value = getattr(certificate, "not_valid_before_utc", None)
    return value if value is not None else certificate.not_valid_before.replace(tzinfo=UTC)


def pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def key_pem(key: Any, passphrase: bytes | None = None) -> bytes:
    protection: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase:
        protection = serialization.BestAvailableEncryption(passphrase)
    data: bytes = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, protection)
    return data


def fingerprint(certificate: x509.Certificate) -> str:
    return certificate.fingerprint(hashes.SHA256()).hex()


def load_certificate(data: bytes, path: str) -> x509.Certificate:
    """The first certificate in ``data``."""
    try:
        return x509.load_pem_x509_certificate(data)
    except ValueError as error:
        raise CertificateError(f"{path}: not a PEM certificate") from error


def load_certificates(data: bytes, path: str) -> list[x509.Certificate]:
    """Every certificate in ``data``."""
    try:
        return x509.load_pem_x509_certificates(data)
    except ValueError as error:
        raise CertificateError(f"{path}: not a PEM certificate") from error


def load_key(data: bytes, path: str, passphrase: bytes | None = None) -> Any:
    """The private key in ``data``; the messages tell a wrong passphrase from a missing one."""
    try:
        return serialization.load_pem_private_key(data, password=passphrase)
    except TypeError as error:
        remedy = "is not encrypted, but a passphrase is set" if passphrase else "is encrypted: set the passphrase"
        raise CertificateError(f"{path}: the key {remedy}") from error
    except ValueError as error:
        raise CertificateError(f"{path}: not a PEM private key, or the passphrase is wrong") from error


def public_bytes(key: Any) -> bytes:
    data: bytes = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return data


def signed_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _subject(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:NAME_LIMIT])])


def _builder(subject: x509.Name, issuer: x509.Name, key: Any, start: datetime, end: datetime) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def make_authority(name: str, days: int, now: datetime) -> Authority:
    """A new self-signed CA on P-256 that may sign leaves only."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _subject(name)
    certificate = (
        _builder(subject, subject, key, now - CLOCK_TOLERANCE, now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Authority(certificate, key, "created")


def make_leaf(wanted: Wanted, authority: Authority, days: float, now: datetime) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """A new key and its certificate, for servers and clients alike; it never outlives the CA."""
    if authority.key is None:
        raise CertificateError(f"{wanted.name}: the CA's key is not here to sign with: give the host its own certificate and key")
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = authority.certificate
    identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    end = min(now + timedelta(days=days), not_after(issuer))
    certificate = (
        _builder(_subject(wanted.name), issuer.subject, key, max(now - CLOCK_TOLERANCE, not_before(issuer)), end)
        .add_extension(x509.SubjectAlternativeName(general_names(wanted.names)), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
        .sign(authority.key, hashes.SHA256())
    )
    return certificate, key


# --- decisions -----------------------------------------------------------------------------------------------------


def renewal_reason(certificate: x509.Certificate, key: Any, wanted: Wanted, authority: x509.Certificate, days: int, now: datetime) -> str:
    """Why the leaf has to be made anew; empty: it is still right."""
    if public_bytes(key.public_key()) != public_bytes(certificate.public_key()):
        return "the key does not belong to the certificate"
    if not signed_by(certificate, authority):
        return "the CA changed"
    if set(names_of(certificate)) != set(general_names(wanted.names)):
        return "the names changed"
    end = not_after(certificate)
    if end - now < timedelta(days=days) / 3 and end < not_after(authority):
        return f"expires {end:%Y-%m-%d}"
    if end <= now:
        return f"expired {end:%Y-%m-%d}"
    if end - not_before(certificate) > timedelta(days=days) + 2 * CLOCK_TOLERANCE:
        return "valid for longer than asked"
    return ""


def check_own(wanted: Wanted, certificate: x509.Certificate, key: Any, chain: Sequence[x509.Certificate], now: datetime) -> None:
    """Refuse a brought certificate that could not work."""
    if public_bytes(key.public_key()) != public_bytes(certificate.public_key()):
        raise CertificateError(f"{wanted.name}: {wanted.key} is not the key of {wanted.certificate}")
    if not any(signed_by(certificate, issuer) for issuer in chain):
        raise CertificateError(f"{wanted.name}: {wanted.certificate} is not signed by the CA the hosts trust")
    if not_after(certificate) <= now:
        raise CertificateError(f"{wanted.name}: {wanted.certificate} expired on {not_after(certificate):%Y-%m-%d}")
    missing = set(general_names(wanted.names)) - set(names_of(certificate))
    if missing:
        raise CertificateError(f"{wanted.name}: {wanted.certificate} lacks the names {', '.join(sorted(texts(missing)))}")
    try:
        usages = set(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    except x509.ExtensionNotFound:
        return
    if not {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH} <= usages:
        raise CertificateError(f"{wanted.name}: {wanted.certificate} must be good for servers and for clients (extended key usage)")


def metrics(certificates: dict[str, x509.Certificate]) -> bytes:
    """Expiry dates in the text format that a node exporter reads."""
    lines = [f"# HELP {METRIC} End of the certificate's validity, in seconds since 1970.", f"# TYPE {METRIC} gauge"]
    lines += [f'{METRIC}{{certificate="{name}"}} {int(not_after(c).timestamp())}' for name, c in sorted(certificates.items())]
    return ("\n".join(lines) + "\n").encode()


# --- the two steps -------------------------------------------------------------------------------------------------


def ensure_authority(settings: Settings, now: datetime, *, save: bool) -> Authority:
    """The CA: the user's, the one in the directory, or a new one."""
    if settings.ca:
        certificate, *others = load_certificates(need(settings.ca), settings.ca)
        authority = Authority(certificate, None, others=tuple(others))
    else:
        path, key_path = os.path.join(settings.directory, "ca.pem"), os.path.join(settings.directory, "ca.key")
        found, found_key = read(path), read(key_path)
        if found is None and found_key is None:
            authority = make_authority(settings.ca_name, settings.ca_days, now)
            if save:
                # The certificate last: a directory with a key alone is refused below, one with a certificate is complete.
                write(key_path, key_pem(authority.key, settings.passphrase))
                write(path, pem(authority.certificate))
            return authority
        if found is None:
            raise CertificateError(f"{key_path} is here, but {path} is not: restore it, or remove both to start a new CA")
        certificate = load_certificate(found, path)
        key = None if found_key is None else load_key(found_key, key_path, settings.passphrase)
        if key is not None and public_bytes(key.public_key()) != public_bytes(certificate.public_key()):
            raise CertificateError(f"{key_path} is not the key of {path}")
        if found_key is not None and save and os.stat(key_path).st_mode & 0o077:
            os.chmod(key_path, 0o600)
        authority = Authority(certificate, key)
    if not_after(certificate) <= now:
        raise CertificateError(f"the CA expired on {not_after(certificate):%Y-%m-%d}: make a new one, and trust the old one meanwhile")
    return authority


def trusted(authority: Authority, settings: Settings) -> list[x509.Certificate]:
    """Every authority that hosts are to trust."""
    return [authority.certificate, *authority.others, *(c for path in settings.trust for c in load_certificates(need(path), path))]


def check_continuity(hosts: Sequence[Wanted], authority: Authority, settings: Settings) -> None:
    """Hosts that trust none of the authorities yet could not talk to those that have their new certificates."""
    ours = {fingerprint(certificate) for certificate in trusted(authority, settings)}
    theirs = {h.name: {fingerprint(c) for c in load_certificates(h.trusts.encode(), f"ca.pem of {h.name}")} for h in hosts if h.trusts}
    strangers = [name for name, known in theirs.items() if not known & ours]
    if strangers and not settings.replace:
        raise CertificateError(
            f"pki_directory: the authority of {settings.directory} is not the one that {', '.join(strangers)} trust: bring back the "
            "directory with which they were set up, or name its ca.pem in pki_trust; pki_replace_authority cuts them off from each other "
            "until all have the new one"
        )


def ensure_host(wanted: Wanted, authority: Authority, settings: Settings, now: datetime, *, save: bool) -> Issued:
    """The host's files: kept, made anew or taken over."""
    directory = os.path.join(settings.directory, "hosts", wanted.name)
    paths = {name: os.path.join(directory, name) for name in ("ca.pem", "host.pem", "host.key", "host-bundle.pem", "certificates.prom")}
    present = {name: read(path) for name, path in paths.items()}
    authorities = trusted(authority, settings)
    reason = ""
    if bool(wanted.certificate) != bool(wanted.key):
        raise CertificateError(f"{wanted.name}: a certificate and its key come together, only one of the two is given")
    if wanted.certificate:
        chain = need(wanted.certificate)  # with the intermediates it came with
        certificate = load_certificate(chain, wanted.certificate)
        key_data = need(wanted.key)
        key = load_key(key_data, wanted.key)
        issuers = authorities + load_certificates(chain, wanted.certificate)[1:]
        check_own(wanted, certificate, key, issuers, now)
    else:
        try:
            certificate = load_certificate(present["host.pem"] or b"", paths["host.pem"])
            key = load_key(present["host.key"] or b"", paths["host.key"])
            reason = renewal_reason(certificate, key, wanted, authority.certificate, settings.days, now)
            reason = reason or ("asked for" if wanted.renew else "")
        except CertificateError:
            reason = "new" if present["host.pem"] is None else "unreadable"
        if reason:
            certificate, key = make_leaf(wanted, authority, settings.days, now)
        chain, key_data = pem(certificate), key_pem(key)
        if not reason and present["host.key"]:
            key_data = present["host.key"]
    content = {
        "ca.pem": b"".join(pem(c) for c in authorities),
        "host.pem": chain,
        "host.key": key_data,
        "host-bundle.pem": chain.rstrip() + b"\n" + key_data,
        "certificates.prom": metrics({"ca": authority.certificate, "host": certificate}),
    }
    stale = [name for name, data in content.items() if present[name] != data]
    if stale and not reason:
        reason = "new" if not any(present.values()) else f"{', '.join(stale)} changed"
    if save and stale:
        os.makedirs(directory, mode=0o700, exist_ok=True)
        # The leaf last: an interrupted run leaves a pair that does not match, which the next run makes anew.
        for name in sorted(stale, key=lambda n: n == "host.pem"):
            write(paths[name], content[name])
    return Issued(
        directory=directory,
        present=save or all(data is not None for data in present.values()),
        reason=reason,
        fingerprint=fingerprint(certificate),
        not_after=not_after(certificate).strftime("%Y-%m-%dT%H:%M:%SZ"),
        names=texts(names_of(certificate)),
    )


def ensure(settings: Settings, hosts: Sequence[Wanted], now: datetime, *, save: bool) -> tuple[Authority, dict[str, Issued]]:
    """CA and every host's files. Without ``save`` nothing is written, and what would be is told."""
    for name in (h.name for h in hosts):
        if name in ("", ".", "..") or "/" in name:
            raise CertificateError(f"{name!r} cannot name a directory")
    with locked(settings.directory) if save else contextlib.nullcontext():
        check_continuity(hosts, ensure_authority(settings, now, save=False), settings)
        authority = ensure_authority(settings, now, save=save)
        return authority, {h.name: ensure_host(h, authority, settings, now, save=save) for h in hosts}
