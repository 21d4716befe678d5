"""What a cluster keeps over restarts: who it is and how to get in. Never its objects."""

import secrets
import uuid
from dataclasses import dataclass
from pathlib import Path

from shared.runtime.certificates import (
    ServingCertificate,
    ensure_serving_certificate,
    write_private,
)


@dataclass(frozen=True, slots=True)
class Identity:
    """`uid` is that of the namespace kube-system, by which a cluster is known."""

    uid: str
    token: str
    certificate: ServingCertificate

    @property
    def authority(self) -> str:
        """The PEM text by which clients verify the server."""
        return self.certificate.authority.read_text()


def ensure_identity(folder: Path, hosts: tuple[str, ...]) -> Identity:
    """Return the identity in *folder*, made where missing; files are their owner's alone."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    certificate = ensure_serving_certificate(folder / "tls", hosts)
    uid = _read_or_write(folder / "uid", str(uuid.uuid4()))
    token = _read_or_write(folder / "token", secrets.token_urlsafe(32))
    return Identity(uid, token, certificate)


def _read_or_write(path: Path, fresh: str) -> str:
    if path.exists():
        found = path.read_text().strip()
        if found:
            return found
    write_private(path, fresh.encode())
    return fresh
