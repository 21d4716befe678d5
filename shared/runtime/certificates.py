"""A certificate authority of one's own for a server on this machine, made once and kept.

A folder holds `ca.crt`, `ca.key`, `tls.crt` and `tls.key`, readable by their owner only; clients
are given `ca.crt`. The serving certificate is made anew when it does not name the hosts asked for
or is about to end; the authority stays, so that kubeconfigs remain valid.
"""

import ipaddress
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from shared.clock import Clock, SystemClock

AUTHORITY_LIFETIME = timedelta(days=3650)
SERVING_LIFETIME = timedelta(days=365)
RENEW_BEFORE = timedelta(days=30)
# Clocks of clients may be a little behind.
BACKDATED = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class ServingCertificate:
    """Paths of PEM files."""

    certificate: Path
    private_key: Path
    authority: Path


def ensure_serving_certificate(
    folder: Path, hosts: Sequence[str], *, clock: Clock | None = None
) -> ServingCertificate:
    """Return the certificate in *folder* for *hosts* (names or addresses), made where missing."""
    now = (clock or SystemClock()).now()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    paths = ServingCertificate(folder / "tls.crt", folder / "tls.key", folder / "ca.crt")
    authority_key_path = folder / "ca.key"
    authority = _read_pair(paths.authority, authority_key_path)
    if authority is None or authority[0].not_valid_after_utc - now < RENEW_BEFORE:
        authority = _make_authority(now)
        _write_pair(paths.authority, authority_key_path, authority)
    serving = _read_pair(paths.certificate, paths.private_key)
    if serving is None or not _serves(serving[0], authority[0], hosts, now):
        _write_pair(paths.certificate, paths.private_key, _make_serving(authority, hosts, now))
    return paths


_Pair = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


def _read_pair(certificate: Path, private_key: Path) -> _Pair | None:
    """None for files that are missing, broken or of two different pairs."""
    try:
        found = x509.load_pem_x509_certificate(certificate.read_bytes())
        key = serialization.load_pem_private_key(private_key.read_bytes(), password=None)
    except (OSError, ValueError):
        return None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != found.public_key():
        return None
    return found, key


def _serves(
    certificate: x509.Certificate,
    authority: x509.Certificate,
    hosts: Sequence[str],
    now: datetime,
) -> bool:
    if certificate.not_valid_after_utc - now < RENEW_BEFORE:
        return False
    try:
        certificate.verify_directly_issued_by(authority)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (InvalidSignature, ValueError, TypeError, x509.ExtensionNotFound):
        return False
    return set(_alternative_names(hosts)) <= set(names)


def _alternative_names(hosts: Sequence[str]) -> list[x509.GeneralName]:
    found: list[x509.GeneralName] = []
    for host in hosts:
        try:
            found.append(x509.IPAddress(ipaddress.ip_address(host)))
        except ValueError:
            found.append(x509.DNSName(host))
    return found


def _make_authority(now: datetime) -> _Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hanse-ca")])
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        _builder(name, name, key.public_key(), now, AUTHORITY_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return certificate, key


def _make_serving(authority: _Pair, hosts: Sequence[str], now: datetime) -> _Pair:
    issuer, issuer_key = authority
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hanse-apiserver")])
    certificate = (
        _builder(name, issuer.subject, key.public_key(), now, SERVING_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(_alternative_names(hosts)), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()),
            critical=False,
        )
        .sign(issuer_key, hashes.SHA256())
    )
    return certificate, key


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    now: datetime,
    lifetime: timedelta,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + lifetime)
    )


def _write_pair(certificate: Path, private_key: Path, pair: _Pair) -> None:
    pem = serialization.Encoding.PEM
    key = pair[1].private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write_private(private_key, key)
    write_private(certificate, pair[0].public_bytes(pem))


def write_private(path: Path, body: bytes) -> None:
    """Put *body* in place whole or not at all, readable by its owner only."""
    # A temporary file is made with mode 0600, so there is no moment in which others can read.
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
