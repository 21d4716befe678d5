"""How a process finds NATS and proves who it is."""

import json
import os
import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class NatsSettings:
    """Where NATS is."""

    url: str = "nats://127.0.0.1:4222"
    """One or several addresses, separated by commas."""

    credentials_file: Path | None = None
    """What `write_credentials` wrote; None for a server that asks for none."""

    ca_file: Path | None = None
    """The authority that signed the server's certificate, for `tls://` addresses."""

    replicas: int = 1
    """Copies of every stream: 1 on one machine, 3 in production."""

    deadline: timedelta = timedelta(seconds=10)
    """How long one call may take before its outcome counts as unknown."""

    patience: timedelta = timedelta(seconds=30)
    """How long a call waits where nodes of a cluster choose who leads: NATS takes four to nine
    seconds, and again as long where they do not agree. Those who ask the gateway wait longer."""

    connect_deadline: timedelta = timedelta(seconds=30)
    """How long a starting process waits for NATS."""

    ping_interval: timedelta = timedelta(seconds=5)
    """How often a connection is tried; two pings without an answer are its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """User and password; printing them hides the password."""

    user: str
    password: str = field(repr=False)


def read_credentials(path: Path) -> Credentials:
    """Raises OSError, and ValueError for a file of another shape."""
    found = json.loads(path.read_text())
    try:
        return Credentials(user=str(found["user"]), password=str(found["password"]))
    except (KeyError, TypeError) as err:
        raise ValueError(f"{path} holds no NATS credentials") from err


def write_credentials(path: Path, credentials: Credentials) -> None:
    """Write a file that only its owner may read."""
    body = json.dumps({"user": credentials.user, "password": credentials.password})
    write_private(path, body + "\n")


def generate_credentials(user: str = "hanse") -> Credentials:
    return Credentials(user=user, password=secrets.token_urlsafe(32))


def write_private(path: Path, text: str) -> None:
    """Write *text* with mode 0600 from the first byte on, replacing the file at once."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    draft.replace(path)
