"""Settings of the gateway."""

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from shared.apiserver.requests.limits import ServerLimits
from shared.apiserver.version import KUBERNETES_VERSION
from shared.bus.settings import NatsSettings
from shared.runtime.probes import ProbeSettings
from shared.telemetry.setup import TelemetrySettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    nats: NatsSettings = field(default_factory=NatsSettings)
    telemetry: TelemetrySettings = field(default_factory=TelemetrySettings)
    probes: ProbeSettings = field(default_factory=ProbeSettings)
    limits: ServerLimits = field(default_factory=ServerLimits)

    large_object_bytes: int = 3 * 512 * 1024
    """Who writes a larger object is warned. etcd refuses larger requests, unless it is told
    otherwise (`--max-request-bytes`), and members with it."""

    host: str = "127.0.0.1"
    """The address the API listens on; nothing but loopback unless told otherwise."""

    port: int = 8443
    """The port of the API; 0 takes a free one."""

    tls_folder: Path = Path("hanse-data/tls")
    """Where the authority and the serving certificate are, or are made at the first start."""

    tls_hosts: tuple[str, ...] = ("127.0.0.1", "localhost")
    """Names and addresses under which clients call, beside `host`."""

    tokens_file: Path = Path("hanse-data/keys/tokens")
    """Who may call: lines of `token,user,uid,"groups"`, mode 0600; made where missing."""

    envelope_key_file: Path | None = None
    """Seals the credentials of members."""

    envelope_key: str = field(default="", repr=False)
    """The same key itself, base64; wins over the file."""

    kubernetes_version: str = KUBERNETES_VERSION
    """What `/version` answers."""

    drain: timedelta = timedelta(seconds=3)
    """How long a gateway that is told to stop goes on serving, not ready and with a last answer on
    every connection, until whoever shares requests among gateways has heard of it."""

    stop_seconds: float = 5.0
    """How long requests in progress may take to end when the gateway stops."""
