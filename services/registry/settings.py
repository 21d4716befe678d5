"""Settings of the registry."""

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from shared.bus.settings import NatsSettings
from shared.lease.settings import LeaseSettings
from shared.runtime.probes import ProbeSettings
from shared.telemetry.setup import TelemetrySettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    lease: LeaseSettings = field(default_factory=LeaseSettings)
    """Of the one process that keeps the memberships; all of them answer requests and commands."""

    nats: NatsSettings = field(default_factory=NatsSettings)
    telemetry: TelemetrySettings = field(default_factory=TelemetrySettings)
    probes: ProbeSettings = field(default_factory=ProbeSettings)

    envelope_key_file: Path | None = None
    """Opens the members' sealed credentials."""

    envelope_key: str = field(default="", repr=False)
    """The same key itself, base64; wins over the file."""

    identify_deadline: timedelta = timedelta(seconds=20)
    """How long a member may take to say who it is and what it serves."""

    inventory_refresh: timedelta = timedelta(minutes=2)
    """How often a member is asked again what it serves."""

    join_retry: timedelta = timedelta(seconds=5)
    """How soon a cluster that could not be identified is tried again."""

    inventory_delay: timedelta = timedelta(milliseconds=200)
    """How long after a CustomResourceDefinition changed in a member its kinds are read again."""

    workers: int = 32
    """Members identified at the same time."""

    command_attempts: int = 5
    """How often a command is tried while the store is away, before it is set aside."""
