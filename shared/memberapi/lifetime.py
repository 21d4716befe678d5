"""Until when credentials may be used, as far as they say so themselves."""

import base64
import binascii
from datetime import UTC, datetime

import msgspec
from cryptography import x509

from shared.memberapi.credentials import MemberCredentials


class _Claims(msgspec.Struct):
    exp: float | None = None


def expiry_of(credentials: MemberCredentials) -> datetime | None:
    """Return when what the server goes by ends; None where it does not say, or never does.

    A token wins over a certificate. Only one that is a JSON web token (RFC 7519) says anything; it
    is not verified, which is the server's part.
    """
    if credentials.token:
        return _token_expiry(credentials.token)
    if credentials.client_certificate:
        return _certificate_expiry(credentials.client_certificate)
    return None


def _token_expiry(token: str) -> datetime | None:
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        body = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        seconds = msgspec.json.decode(body, type=_Claims).exp
        return datetime.fromtimestamp(seconds, UTC) if seconds is not None else None
    except (binascii.Error, ValueError, OverflowError, OSError, msgspec.DecodeError):
        return None


def _certificate_expiry(chain: str) -> datetime | None:
    """The first certificate is the client's own."""
    try:
        return x509.load_pem_x509_certificate(chain.encode()).not_valid_after_utc
    except ValueError:
        return None
