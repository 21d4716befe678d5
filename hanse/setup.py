"""What a federation in containers needs before its first start: `python -m hanse.setup`.

Secrets are made where they are missing and kept over restarts, readable by their owner only. They
lie in one folder per reader, each a volume of its own, so that a container is given what it needs
and nothing else.
"""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from shared.bus.settings import read_credentials, write_credentials
from shared.errors import HanseError
from shared.memberapi.sealing import ensure_key
from shared.runtime.certificates import ensure_serving_certificate
from shared.runtime.environment import BadSetting, read_settings
from shared.runtime.kubeconfig import write_kubeconfig
from shared.runtime.nats_server import NatsServer
from shared.runtime.tokens import ensure_token


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    folder: Path = Path("/var/lib/hanse")
    """Where the volumes are mounted."""

    nats_host: str = "0.0.0.0"  # noqa: S104 - a container's own network, never published.
    """The address nats-server listens on."""

    nats_port: int = 4222

    gateway_hosts: tuple[str, ...] = ("gateway", "localhost", "127.0.0.1")
    """Names and addresses under which clients call the gateway."""

    gateway_url: str = "https://127.0.0.1:8443"
    """The gateway as users reach it."""

    network_gateway_url: str = "https://gateway:8443"
    """The gateway as other containers reach it."""


@dataclass(frozen=True, slots=True)
class Volumes:
    """Paths within the folder; its first level are the volumes."""

    root: Path

    @property
    def nats(self) -> Path:
        """For nats-server alone: its configuration, and everything JetStream keeps."""
        return self.root / "nats"

    @property
    def nats_credentials(self) -> Path:
        """For every service of the hub."""
        return self.root / "bus" / "credentials.json"

    @property
    def envelope_key(self) -> Path:
        """For the services that seal or open members' credentials."""
        return self.root / "envelope" / "envelope.key"

    @property
    def tls(self) -> Path:
        """For the gateway alone, as are the tokens."""
        return self.root / "gateway" / "tls"

    @property
    def tokens(self) -> Path:
        return self.root / "gateway" / "tokens"

    @property
    def kubeconfig(self) -> Path:
        """For people, to be copied out."""
        return self.root / "access" / "kubeconfig"

    @property
    def network_kubeconfig(self) -> Path:
        """The same access from other containers."""
        return self.root / "access" / "network.kubeconfig"

    @property
    def member(self) -> Path:
        """For one simulated member: its identity."""
        return self.root / "member"


def set_up(settings: Settings) -> Volumes:
    """Make what is missing, keep what is there; raises OSError, ValueError and `HanseError`."""
    volumes = Volumes(settings.folder)
    for path in (volumes.nats_credentials, volumes.envelope_key, volumes.tls, volumes.kubeconfig):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    server = NatsServer(
        volumes.nats, host=settings.nats_host, port=settings.nats_port, log_to_file=False
    )
    server.prepare()
    write_credentials(volumes.nats_credentials, read_credentials(server.credentials_file))
    ensure_key(volumes.envelope_key)
    authority = ensure_serving_certificate(volumes.tls, settings.gateway_hosts).authority
    token = ensure_token(volumes.tokens)
    for path, url in (
        (volumes.kubeconfig, settings.gateway_url),
        (volumes.network_kubeconfig, settings.network_gateway_url),
    ):
        write_kubeconfig(
            path,
            name="hanse",
            server=url,
            certificate_authority=authority.read_bytes(),
            token=token,
        )
    return volumes


def main() -> int:
    """Set up by HANSE_* variables; returns the exit status."""
    try:
        volumes = set_up(read_settings(Settings, os.environ))
    except BadSetting as err:
        sys.stderr.write(f"{err}\n")
        return 2
    except (OSError, ValueError, HanseError) as err:
        sys.stderr.write(f"cannot set up: {err}\n")
        return 1
    print(f"{volumes.root} is set up; the kubeconfig is {volumes.kubeconfig}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
