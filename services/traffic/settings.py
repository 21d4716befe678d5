"""Settings of traffic, read from `HANSE_*` variables."""

from dataclasses import dataclass, field

from shared.bus.settings import NatsSettings
from shared.lease.settings import LeaseSettings
from shared.runtime.probes import ProbeSettings
from shared.telemetry.setup import TelemetrySettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    nats: NatsSettings = field(default_factory=NatsSettings)
    telemetry: TelemetrySettings = field(default_factory=TelemetrySettings)
    probes: ProbeSettings = field(default_factory=ProbeSettings)

    lease: LeaseSettings = field(default_factory=LeaseSettings)
    """Of the one process that writes; all of them know the catalogue and answer from it."""
