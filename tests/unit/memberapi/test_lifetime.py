"""Until when credentials may be used, by their own word."""

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from shared.memberapi.credentials import MemberCredentials
from shared.memberapi.lifetime import expiry_of

ENDS = datetime(2027, 3, 1, 12, tzinfo=UTC)


def token(claims: object) -> str:
    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{part({'alg': 'RS256'})}.{part(claims)}.c2lnbmF0dXJl"


def certificate(ends: datetime) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hanse")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(ends - timedelta(days=30))
        .not_valid_after(ends)
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM).decode()


def expiry(**credentials: str) -> datetime | None:
    return expiry_of(MemberCredentials(server="https://eu-1.example", **credentials))


def test_a_token_says_when_it_ends() -> None:
    assert expiry(token=token({"exp": ENDS.timestamp(), "sub": "hanse"})) == ENDS


def test_a_certificate_says_when_it_ends() -> None:
    assert expiry(client_certificate=certificate(ENDS)) == ENDS


def test_the_token_is_what_the_server_goes_by() -> None:
    assert expiry(token=token({}), client_certificate=certificate(ENDS)) is None


@pytest.mark.parametrize(
    "text",
    [
        "opaque",
        "a.b.c",
        "..",
        token("no claims"),
        token({"exp": "soon"}),
        token({"exp": 1e300}),
        token([]),
    ],
)
def test_what_does_not_say_so_never_ends(text: str) -> None:
    assert expiry(token=text) is None


def test_a_certificate_that_is_none_says_nothing() -> None:
    assert expiry(client_certificate="-----BEGIN CERTIFICATE-----\nx\n") is None
    assert expiry() is None
