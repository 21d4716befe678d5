"""Where a local federation keeps what it must find again: one folder, private to its owner."""

import json
import secrets
import socket
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths within the data directory."""

    root: Path

    @property
    def nats(self) -> Path:
        return self.root / "nats"

    @property
    def envelope_key(self) -> Path:
        return self.root / "keys" / "envelope.key"

    @property
    def tls(self) -> Path:
        return self.root / "tls"

    @property
    def tokens(self) -> Path:
        return self.root / "keys" / "tokens"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def lives(self) -> Path:
        """A file for each process, which it locks for as long as it lives."""
        return self.root / "lives"

    @property
    def ports(self) -> Path:
        return self.root / "ports.json"

    def member(self, name: str) -> Path:
        """A simulated member's own folder: certificate, token, identity."""
        return self.root / "members" / name

    def prepare(self) -> None:
        keys = self.envelope_key.parent
        for folder in (self.root, self.nats, keys, self.tls, self.logs, self.lives):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)


# Below the range from which systems take the ports of outgoing connections, so that none of them
# is in the way when a server starts again.
_PORTS = range(20_000, 32_000)


def free_port(taken: Collection[int] = ()) -> int:
    """A loopback port that is free now, and none of *taken*."""
    while True:
        port = secrets.choice(_PORTS)
        if port not in taken and is_free(port):
            return port


def is_free(port: int) -> bool:
    """Whether a server could listen on the loopback *port* now."""
    with socket.socket() as probe:
        # As servers do: connections of the last one that still linger are no hindrance.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


class Ports:
    """Ports by purpose, kept in the data directory so that a restart meets the same addresses."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._known = _read_ports(file)

    def of(self, purpose: str, wanted: int = 0) -> int:
        """*wanted* where given; else the port of last time; else a free one."""
        # Nobody listens yet on those chosen a moment ago.
        port = wanted or self._known.get(purpose) or free_port(self._known.values())
        if self._known.get(purpose) != port:
            self._known[purpose] = port
            self._file.write_text(json.dumps(self._known, indent=1, sort_keys=True))
        return port


def _read_ports(file: Path) -> dict[str, int]:
    """Nothing known where there is no such file, or where it is damaged."""
    try:
        found = json.loads(file.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {name: port for name, port in found.items() if isinstance(port, int)}
