"""Sealing member credentials before they reach NATS: AES-256-GCM under one envelope key.

The cluster's name is associated data, so one member's sealed credentials cannot be passed off as
another's. Form: one version byte, 12 bytes of nonce, ciphertext with its tag.
"""

import base64
import binascii
import os
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.errors import UnusableCredentials
from shared.memberapi.credentials import (
    MemberCredentials,
    decode_credentials,
    encode_credentials,
)

KEY_BYTES = 32
_VERSION = b"\x01"
_NONCE_BYTES = 12


class EnvelopeKey:
    """The key that seals; it does not show itself."""

    __slots__ = ("_cipher",)

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise UnusableCredentials(f"the envelope key must be {KEY_BYTES} bytes")
        self._cipher = AESGCM(key)

    def __repr__(self) -> str:
        return "EnvelopeKey()"

    def encrypt(self, plain: bytes, context: bytes) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return _VERSION + nonce + self._cipher.encrypt(nonce, plain, context)

    def decrypt(self, sealed: bytes, context: bytes) -> bytes:
        """Raise `UnusableCredentials` for another key, another context or changed bytes."""
        if sealed[:1] != _VERSION or len(sealed) <= 1 + _NONCE_BYTES:
            raise UnusableCredentials("sealed credentials are of an unknown form")
        nonce, body = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        try:
            return self._cipher.decrypt(nonce, body, context)
        except InvalidTag as err:
            raise UnusableCredentials(
                "sealed credentials do not open: another envelope key, cluster or changed bytes"
            ) from err


def load_key(path: Path | None, encoded: str = "") -> EnvelopeKey:
    """The key from *encoded* (base64, the setting HANSE_ENVELOPE_KEY), else from the file."""
    if not encoded:
        if path is None:
            raise UnusableCredentials("neither an envelope key nor its file is set")
        try:
            encoded = path.read_text()
        except (OSError, UnicodeDecodeError) as err:
            raise UnusableCredentials(f"envelope key {path} cannot be read") from err
    try:
        return EnvelopeKey(base64.b64decode(encoded.strip(), validate=True))
    except binascii.Error as err:
        raise UnusableCredentials("the envelope key is not base64") from err


def ensure_key(path: Path) -> EnvelopeKey:
    """Load the key at *path*; make one (mode 0600) where there is none yet."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return load_key(path)
    with os.fdopen(descriptor, "wb") as file:
        file.write(base64.b64encode(os.urandom(KEY_BYTES)) + b"\n")
    return load_key(path)


def seal(key: EnvelopeKey, cluster: str, credentials: MemberCredentials) -> bytes:
    return key.encrypt(encode_credentials(credentials), _context(cluster))


def unseal(key: EnvelopeKey, cluster: str, sealed: bytes) -> MemberCredentials:
    """Raise `UnusableCredentials` where *sealed* was not made for *cluster* under *key*."""
    return decode_credentials(key.decrypt(sealed, _context(cluster)))


def _context(cluster: str) -> bytes:
    return f"hanse.dev/member/{cluster}".encode()
